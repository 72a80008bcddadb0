/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/kernels/simde.h -- put before a *_avx512.c file to compile it for AVX2: every 512-bit
 * intrinsic becomes SIMDe's, which works on two halves. See check.h.
 *
 * The intrinsics that SIMDe 0.7.4 lacks and a kernel uses are written out below, lane by lane; a
 * kernel that needs another one adds it here.
 */
#ifndef VISE_TESTS_KERNELS_SIMDE_H
#define VISE_TESTS_KERNELS_SIMDE_H

#include <immintrin.h> /* first, so that its own declarations do not meet the macros */

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <stdint.h>
#include <string.h>

static inline simde__m512i emulated_cvtepu16_epi32(__m256i a) {
  uint16_t in[16];
  uint32_t out[16];
  memcpy(in, &a, sizeof in);
  for (int i = 0; i < 16; i++) {
    out[i] = in[i];
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32

/* Lanes that are not in the mask are not read. */
static inline simde__m512 emulated_maskz_loadu_ps(simde__mmask16 mask, const float *p) {
  float out[16] = {0};
  for (int i = 0; i < 16; i++) {
    if (mask >> i & 1) {
      out[i] = p[i];
    }
  }
  return simde_mm512_loadu_ps(out);
}
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps

#define _mm512_mask3_fmadd_ps(a, b, c, mask)                                                       \
  simde_mm512_mask_mov_ps(c, mask, simde_mm512_fmadd_ps(a, b, c))

static inline __m256 emulated_extractf32x8_ps(simde__m512 a, int upper) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, a);
  return _mm256_loadu_ps(lanes + 8 * upper);
}
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps

static inline simde__m512i emulated_cvtepu8_epi32(__m128i a) {
  uint8_t in[16];
  uint32_t out[16];
  memcpy(in, &a, sizeof in);
  for (int i = 0; i < 16; i++) {
    out[i] = in[i];
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32

static inline simde__m512i emulated_cvtps_epi32(simde__m512 a) {
  float in[16];
  int32_t out[16];
  simde_mm512_storeu_ps(in, a);
  for (int i = 0; i < 16; i++) {
    out[i] = _mm_cvtss_si32(_mm_set_ss(in[i]));
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_cvtps_epi32 emulated_cvtps_epi32

static inline simde__m512 emulated_cvtepi32_ps(simde__m512i a) {
  int32_t in[16];
  float out[16];
  simde_mm512_storeu_si512(in, a);
  for (int i = 0; i < 16; i++) {
    out[i] = (float)in[i];
  }
  return simde_mm512_loadu_ps(out);
}
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps

static inline __m128i emulated_cvtepi32_epi8(simde__m512i a) {
  uint32_t in[16];
  uint8_t out[16];
  simde_mm512_storeu_si512(in, a);
  for (int i = 0; i < 16; i++) {
    out[i] = (uint8_t)in[i];
  }
  return _mm_loadu_si128((const __m128i *)(const void *)out);
}
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8

static inline __m256i emulated_cvtepi32_epi16(simde__m512i a) {
  uint32_t in[16];
  uint16_t out[16];
  simde_mm512_storeu_si512(in, a);
  for (int i = 0; i < 16; i++) {
    out[i] = (uint16_t)in[i];
  }
  return _mm256_loadu_si256((const __m256i *)(const void *)out);
}
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16

static inline simde__m512i emulated_cvttps_epi32(simde__m512 a) {
  float in[16];
  int32_t out[16];
  simde_mm512_storeu_ps(in, a);
  for (int i = 0; i < 16; i++) {
    out[i] = (int32_t)in[i];
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_cvttps_epi32 emulated_cvttps_epi32

static inline simde__m512i emulated_i32gather_epi32(simde__m512i at, const int *p, int scale) {
  int32_t in[16], out[16];
  simde_mm512_storeu_si512(in, at);
  for (int i = 0; i < 16; i++) {
    memcpy(&out[i], (const char *)p + (intptr_t)in[i] * scale, sizeof out[i]);
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_i32gather_epi32 emulated_i32gather_epi32

/* The first lanes of `a` in order to the lanes of the mask. */
static inline simde__m512i emulated_maskz_expand_epi32(simde__mmask16 mask, simde__m512i a) {
  uint32_t in[16], out[16];
  simde_mm512_storeu_si512(in, a);
  for (int i = 0, from = 0; i < 16; i++) {
    out[i] = mask >> i & 1 ? in[from++] : 0;
  }
  return simde_mm512_loadu_si512(out);
}
#define _mm512_maskz_expand_epi32 emulated_maskz_expand_epi32

/* Lanes that are not in the mask are not written. */
static inline void emulated_mask_storeu_epi16(void *p, simde__mmask16 mask, __m256i a) {
  uint16_t in[16];
  _mm256_storeu_si256((__m256i *)(void *)in, a);
  for (int i = 0; i < 16; i++) {
    if (mask >> i & 1) {
      memcpy((char *)p + 2 * i, &in[i], sizeof in[i]);
    }
  }
}
#define _mm256_mask_storeu_epi16 emulated_mask_storeu_epi16

#endif
