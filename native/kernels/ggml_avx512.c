/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ggml_levels.h"

#include <immintrin.h>

#define VECTOR 16 /* floats in one register of this level */
#include "kernels/ggml_lanes_body.h"

INLINE lanes choose(flags mask, lanes yes, lanes no) {
  return (lanes)((mask & (flags)yes) | (~mask & (flags)no));
}

INLINE lanes lesser(lanes a, lanes b) {
  return (lanes)_mm512_min_ps((__m512)a, (__m512)b);
}

INLINE lanes greater(lanes a, lanes b) {
  return (lanes)_mm512_max_ps((__m512)a, (__m512)b);
}

INLINE lanes root(lanes v) {
  return (lanes)_mm512_sqrt_ps((__m512)v);
}

INLINE float half_to_float(uint16_t v) {
  return _cvtsh_ss(v);
}

INLINE uint16_t float_to_half(float v) {
  return (uint16_t)_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT);
}

/* Entry index[i] of a table of sixteen. */
INLINE lanes look_up(const float *table, flags index) {
  return (lanes)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
}

/* A search by halves among the midpoints. */
INLINE flags table_code(lanes t) {
  flags code = (flags){0};
  for (int half = 8; half > 0; half /= 2) {
    const flags is_upper = t >= look_up(IQ4_MIDPOINTS, code + (half - 1));
    code += is_upper & half;
  }
  return code;
}

INLINE lanes table_value(lanes t) {
  return look_up(IQ4_VALUES, table_code(t));
}

#include "kernels/ggml_body.h"

void vise_ggml_fill_avx512(vise_ggml_kernels *table) {
  fill(table);
  vise_ggml_decode_fill_avx2(table);
}
