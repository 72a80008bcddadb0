/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ggml_levels.h"

#include <immintrin.h>

#define VECTOR 8 /* floats in one register of this level */
#include "kernels/ggml_lanes_body.h"

INLINE lanes choose(flags mask, lanes yes, lanes no) {
  return (lanes)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
}

INLINE lanes lesser(lanes a, lanes b) {
  return (lanes)_mm256_min_ps((__m256)a, (__m256)b);
}

INLINE lanes greater(lanes a, lanes b) {
  return (lanes)_mm256_max_ps((__m256)a, (__m256)b);
}

INLINE lanes root(lanes v) {
  return (lanes)_mm256_sqrt_ps((__m256)v);
}

INLINE float half_to_float(uint16_t v) {
  return _cvtsh_ss(v);
}

INLINE uint16_t float_to_half(float v) {
  return (uint16_t)_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT);
}

/* The values and midpoints by the steps of the search below. */
static const float IQ4_QUARTERS[8] = {-93.5f, -28.5f, 19.0f, 79.0f, 0.0f, 0.0f, 0.0f, 0.0f};
static const float IQ4_EIGHTHS[8] = {-115.5f, -74.0f, -42.0f, -16.0f, 7.0f, 31.5f, 61.0f, 101.0f};
static const float IQ4_LOWER[8] = {-127.0f, -83.0f, -49.0f, -22.0f, 1.0f, 25.0f, 53.0f, 89.0f};
static const float IQ4_UPPER[8] = {-104.0f, -65.0f, -35.0f, -10.0f, 13.0f, 38.0f, 69.0f, 113.0f};

/* Entry index[i] of a table of eight. */
INLINE lanes look_up(const float *table, flags index) {
  return (lanes)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
}

/* Which of the eight pairs of the table's values t falls into, and in which half of it: a search
   by halves among the midpoints, whose tables hold those of each step. */
INLINE flags table_pair(flags *is_upper, lanes t) {
  const flags a = t >= all(IQ4_MIDPOINTS[7]);
  const flags b = t >= choose(a, all(IQ4_MIDPOINTS[11]), all(IQ4_MIDPOINTS[3]));
  const flags four = -(a + a + b);
  const flags eight = four + four - (t >= look_up(IQ4_QUARTERS, four));
  *is_upper = t >= look_up(IQ4_EIGHTHS, eight);
  return eight;
}

INLINE flags table_code(lanes t) {
  flags is_upper;
  const flags pair = table_pair(&is_upper, t);
  return pair + pair - is_upper;
}

INLINE lanes table_value(lanes t) {
  flags is_upper;
  const flags pair = table_pair(&is_upper, t);
  return choose(is_upper, look_up(IQ4_UPPER, pair), look_up(IQ4_LOWER, pair));
}

#include "kernels/ggml_body.h"

void vise_ggml_fill_avx2(vise_ggml_kernels *table) {
  fill(table);
  vise_ggml_decode_fill_avx2(table);
}
