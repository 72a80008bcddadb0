/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/lanes_ref_body.h"
#include "kernels/qdot_levels.h"

#include <string.h>

typedef int order16; /* groups has it */

static inline order16 load_order(const groups *g) {
  (void)g;
  return 0;
}

static inline floats spread(const float *p, const groups *g, order16 order) {
  (void)order;
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = p[(l < 8 ? 0 : g->second) + g->order[l % 8]];
  }
  return r;
}

static inline words load_words(const uint8_t *p, int bits) {
  words r;
  const int bytes = bits % 3 == 0 ? 3 : 4;
  for (int l = 0; l < N; l++, p += bytes) {
    r.v[l] = 0;
    for (int i = 0; i < bytes; i++) {
      r.v[l] |= (uint32_t)p[i] << 8 * i;
    }
  }
  return r;
}

typedef struct entries {
  const float *values;
} entries;

static entries load_entries(const float *table) {
  return (entries){table};
}

static floats table_dot(words v, const float *x, const entries *t, bool is_short) {
  (void)is_short;
  floats p = none16();
  for (int f = 0; f < 8; f++, x += N) {
    floats values;
    for (int l = 0; l < N; l++) {
      values.v[l] = t->values[v.v[l] >> 4 * f & 15u];
    }
    p = fma16(values, load16(x), p);
  }
  return p;
}

#include "kernels/qdot_body.h"

void vise_qdot_fill_ref(vise_qdot_kernels *table) {
  *table = (vise_qdot_kernels){.ints = ints};
}
