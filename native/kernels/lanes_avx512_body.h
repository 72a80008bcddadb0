/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/lanes_avx512_body.h -- 16 lanes of f32 and of 32-bit words in one register. For
 * qdot*_avx512.c only.
 */
#ifndef VISE_KERNELS_LANES_AVX512_BODY_H
#define VISE_KERNELS_LANES_AVX512_BODY_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 floats;
typedef __m512i words;

static inline floats none16(void) {
  return _mm512_setzero_ps();
}

static inline floats load16(const float *p) {
  return _mm512_loadu_ps(p);
}

static inline floats mul16(floats x, floats y) {
  return _mm512_mul_ps(x, y);
}

static inline floats fma16(floats x, floats y, floats z) {
  return _mm512_fmadd_ps(x, y, z);
}

static inline floats floats_of(words v) {
  return _mm512_cvtepi32_ps(v);
}

static inline words masked(words v, uint32_t mask) {
  return _mm512_and_si512(v, _mm512_set1_epi32((int)mask));
}

static inline words shifted_down(words v, int bits) {
  return _mm512_srli_epi32(v, (unsigned)bits);
}

static inline float sum16(floats v) {
  const __m256 c = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 d = _mm_add_ps(_mm256_castps256_ps128(c), _mm256_extractf128_ps(c, 1));
  d = _mm_add_ps(d, _mm_movehl_ps(d, d));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

#endif
