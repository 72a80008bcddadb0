/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/lanes_avx2_body.h -- 16 lanes of f32 and of 32-bit words in pairs of registers. For
 * qdot*_avx2.c only.
 */
#ifndef VISE_KERNELS_LANES_AVX2_BODY_H
#define VISE_KERNELS_LANES_AVX2_BODY_H

#include <immintrin.h>
#include <stdint.h>

typedef struct floats { /* lanes 0 to 7, and 8 to 15 */
  __m256 a, b;
} floats;

typedef struct words {
  __m256i a, b;
} words;

static inline floats none16(void) {
  return (floats){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

static inline floats load16(const float *p) {
  return (floats){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline floats mul16(floats x, floats y) {
  return (floats){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

static inline floats fma16(floats x, floats y, floats z) {
  return (floats){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

static inline floats floats_of(words v) {
  return (floats){_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)};
}

static inline words masked(words v, uint32_t mask) {
  const __m256i m = _mm256_set1_epi32((int)mask);
  return (words){_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
}

static inline words shifted_down(words v, int bits) {
  return (words){_mm256_srli_epi32(v.a, bits), _mm256_srli_epi32(v.b, bits)};
}

static inline float sum16(floats v) {
  const __m256 c = _mm256_add_ps(v.a, v.b);
  __m128 d = _mm_add_ps(_mm256_castps256_ps128(c), _mm256_extractf128_ps(c, 1));
  d = _mm_add_ps(d, _mm_movehl_ps(d, d));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

#endif
