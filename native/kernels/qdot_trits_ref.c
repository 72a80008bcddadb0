/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_ref_body.h"
#include "kernels/qdot_trits_levels.h"

static inline words load_bytes(const uint8_t *p) {
  words v;
  for (int l = 0; l < N; l++) {
    v.v[l] = p[4 * l] | (uint32_t)p[4 * l + 1] << 8 | (uint32_t)p[4 * l + 2] << 16 |
             (uint32_t)p[4 * l + 3] << 24;
  }
  return v;
}

static inline words tripled(words v) {
  for (int l = 0; l < N; l++) {
    const uint32_t even = (v.v[l] & 0x00ff00ffu) * 3, odd = (v.v[l] >> 8 & 0x00ff00ffu) * 3;
    v.v[l] = (even & 0x00ff00ffu) | (odd & 0x00ff00ffu) << 8;
  }
  return v;
}

static inline words top_trits(words v) {
  for (int l = 0; l < N; l++) {
    const uint32_t even = (v.v[l] & 0x00ff00ffu) * 3, odd = (v.v[l] >> 8 & 0x00ff00ffu) * 3;
    v.v[l] = (even >> 8 & 0x00030003u) | (odd & 0x03000300u);
  }
  return v;
}

static inline floats add16(floats x, floats y) {
  for (int l = 0; l < N; l++) {
    x.v[l] += y.v[l];
  }
  return x;
}

#include "kernels/qdot_trits_body.h"

void vise_qdot_trits_fill_ref(vise_qdot_trits_kernels *table) {
  table->row = row;
}
