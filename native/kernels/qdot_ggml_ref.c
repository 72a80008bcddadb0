/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/lanes_ref_body.h"
#include "kernels/qdot_ggml_levels.h"

#include <string.h>

static float half_at(const uint8_t *p) {
  return vise_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static void store16(float *p, floats v) {
  memcpy(p, v.v, sizeof v.v);
}

static floats floats_of_bytes(const int8_t *p) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = (float)p[l];
  }
  return r;
}

static floats by_eight(const float *p, int step) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = p[l / 8 * step];
  }
  return r;
}

static floats by_four(const float *p) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = p[l / 4];
  }
  return r;
}

static floats halves_by_four(const uint8_t *p, int step) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = half_at(p + l / 4 * step);
  }
  return r;
}

static floats halves_by_eight(const uint8_t *p, int step) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = half_at(p + l / 8 * step);
  }
  return r;
}

static floats load_twice(const float *p) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = p[l % 8];
  }
  return r;
}

/* Each `bytes` of the 64 are `step` after those before. */
static words load_parts(const uint8_t *p, int bytes, int step) {
  words r;
  for (int l = 0; l < N; l++) {
    const uint8_t *from = p + 4 * l / bytes * step + 4 * l % bytes;
    r.v[l] = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
             (uint32_t)from[3] << 24;
  }
  return r;
}

static words load_words(const uint8_t *p) {
  return load_parts(p, 64, 64);
}

static words load_eights(const uint8_t *p, int step) {
  return load_parts(p, 32, step);
}

static words load_fours(const uint8_t *p, int step) {
  return load_parts(p, 16, step);
}

static words load_planes(const uint8_t *p) {
  words r = load_parts(p, 32, 0);
  for (int l = 8; l < N; l++) {
    r.v[l] >>= 2;
  }
  return r;
}

static words either(words x, words y) {
  for (int l = 0; l < N; l++) {
    x.v[l] |= y.v[l];
  }
  return x;
}

static words shifted_up(words v, int bits) {
  for (int l = 0; l < N; l++) {
    v.v[l] <<= bits;
  }
  return v;
}

static words with_signs_flipped(words v) {
  for (int l = 0; l < N; l++) {
    v.v[l] ^= 0x80808080;
  }
  return v;
}

static words looked_up(words v) {
  words r;
  for (int l = 0; l < N; l++) {
    r.v[l] = 0;
    for (int i = 0; i < 32; i += 8) {
      r.v[l] |= (uint32_t)QDOT_IQ4_CODES[v.v[l] >> i & 15] << i;
    }
  }
  return r;
}

#include "kernels/qdot_ggml_body.h"

void vise_qdot_ggml_fill_ref(vise_qdot_ggml_kernels *table) {
  fill(table);
}
