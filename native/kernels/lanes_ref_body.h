/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/lanes_ref_body.h -- 16 lanes of f32 and of 32-bit words, one at a time. For qdot*_ref.c
 * only.
 */
#ifndef VISE_KERNELS_LANES_REF_BODY_H
#define VISE_KERNELS_LANES_REF_BODY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { N = 16 };

typedef struct floats {
  float v[N];
} floats;

typedef struct words {
  uint32_t v[N];
} words;

static inline floats none16(void) {
  return (floats){{0.0f}};
}

static inline floats load16(const float *p) {
  floats r;
  memcpy(r.v, p, sizeof r.v);
  return r;
}

static inline floats mul16(floats x, floats y) {
  for (int l = 0; l < N; l++) {
    x.v[l] *= y.v[l];
  }
  return x;
}

static inline floats fma16(floats x, floats y, floats z) {
  for (int l = 0; l < N; l++) {
    z.v[l] = fmaf(x.v[l], y.v[l], z.v[l]);
  }
  return z;
}

static inline floats floats_of(words v) {
  floats r;
  for (int l = 0; l < N; l++) {
    r.v[l] = (float)v.v[l];
  }
  return r;
}

static inline words masked(words v, uint32_t mask) {
  for (int l = 0; l < N; l++) {
    v.v[l] &= mask;
  }
  return v;
}

static inline words shifted_down(words v, int bits) {
  for (int l = 0; l < N; l++) {
    v.v[l] >>= bits;
  }
  return v;
}

static inline float sum16(floats v) {
  for (int half = N / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      v.v[l] += v.v[l + half];
    }
  }
  return v.v[0];
}

#endif
