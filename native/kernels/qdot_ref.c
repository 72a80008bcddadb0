/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/qdot_levels.h"

#include <math.h>
#include <string.h>

enum { N = VISE_QDOT_LANES };

typedef struct floats {
  float v[N];
} floats;

typedef struct words {
  uint32_t v[N];
} words;

typedef int order16; /* groups has it */

static floats none16(void) {
  return (floats){{0.0f}};
}

static floats load16(const float *p) {
  floats r;
  memcpy(r.v, p, sizeof r.v);
  return r;
}

static floats mul16(floats x, floats y) {
  for (int l = 0; l < N; l++) {
    x.v[l] *= y.v[l];
  }
  return x;
}

static floats fma16(floats x, floats y, floats z) {
  for (int l = 0; l < N; l++) {
    z.v[l] = fmaf(x.v[l], y.v[l], z.v[l]);
  }
  return z;
}

static floats floats_of(words v) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = (float)v.v[l];
  }
  return r;
}

static words masked(words v, uint32_t mask) {
  for (int l = 0; l < N; l++) {
    v.v[l] &= mask;
  }
  return v;
}

static words shifted_down(words v, int bits) {
  for (int l = 0; l < N; l++) {
    v.v[l] >>= bits;
  }
  return v;
}

static order16 load_order(const groups *g) {
  (void)g;
  return 0;
}

static floats spread(const float *p, const groups *g, order16 order) {
  (void)order;
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = p[(l < 8 ? 0 : g->second) + g->order[l % 8]];
  }
  return r;
}

static words load_words(const uint8_t *p, int bits) {
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

static float sum16(floats v) {
  for (int half = N / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      v.v[l] += v.v[l + half];
    }
  }
  return v.v[0];
}

#include "kernels/qdot_body.h"

void vise_qdot_fill_ref(vise_qdot_kernels *table) {
  *table = (vise_qdot_kernels){.ints = ints};
}
