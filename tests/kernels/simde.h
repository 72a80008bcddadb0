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

#endif
