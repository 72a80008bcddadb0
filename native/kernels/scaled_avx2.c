/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/scaled_levels.h"

#define VECTOR 8 /* floats in one register of this level */
#include "kernels/scaled_body.h"

#include <immintrin.h>

/* Entries of a table of 16: a permutation of each half of it, and bit 3 of the code says which. */
INLINE __m256 look_up(__m256i codes, __m256 low, __m256 high) {
  const __m256 is_high = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, codes),
                          _mm256_permutevar8x32_ps(high, codes), is_high);
}

/*
 * Halving: the code so far says which threshold is next, and a permutation looks it up; the last of
 * the four has eight to choose from. A comparison is -1 where it holds.
 */
INLINE void nf4_code(ivec *out, const vec *t) {
  const float *a = vise_nf4_limits;
  const __m256 x = (__m256)*t;
  const __m256 second = _mm256_setr_ps(a[3], a[11], 0, 0, 0, 0, 0, 0);
  const __m256 third = _mm256_setr_ps(a[1], a[5], a[9], a[13], 0, 0, 0, 0);
  const __m256 fourth = _mm256_setr_ps(a[0], a[2], a[4], a[6], a[8], a[10], a[12], a[14]);
  ivec code = -(ivec)_mm256_cmp_ps(x, _mm256_set1_ps(a[7]), _CMP_GT_OQ);
  __m256 limit = _mm256_permutevar8x32_ps(second, (__m256i)code);
  code = code + code - (ivec)_mm256_cmp_ps(x, limit, _CMP_GT_OQ);
  limit = _mm256_permutevar8x32_ps(third, (__m256i)code);
  code = code + code - (ivec)_mm256_cmp_ps(x, limit, _CMP_GT_OQ);
  limit = _mm256_permutevar8x32_ps(fourth, (__m256i)code);
  *out = code + code - (ivec)_mm256_cmp_ps(x, limit, _CMP_GT_OQ);
}

INLINE void nf4_value(vec *out, const ivec *codes) {
  const float *a = vise_nf4_table;
  *out = (vec)look_up((__m256i)*codes, _mm256_loadu_ps(a), _mm256_loadu_ps(a + 8));
}

/* 16 codes at a time; groups that do not end with them are multiplied in a second pass. */
static void table_avx2(float *out,
                       const uint8_t *packed,
                       int64_t n,
                       bool is_high_first,
                       const float *values,
                       int64_t phase,
                       int64_t group,
                       const float *scales) {
  const bool is_aligned = group % 16 == 0 && phase % 16 == 0;
  const __m256 low = _mm256_loadu_ps(values), high = _mm256_loadu_ps(values + 8);
  const __m128i first_shift = _mm_cvtsi32_si128(is_high_first ? 4 : 0);
  const __m128i second_shift = _mm_cvtsi32_si128(is_high_first ? 0 : 4);
  float scale = 1.0f;
  int64_t j = 0, next = is_aligned ? 0 : n, stop = group - phase;
  for (; j + 16 <= n; j += 16) {
    if (j == next) {
      scale = *scales++;
      next = stop;
      stop += group;
    }
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(packed + j / 2));
    const __m256i wide = _mm256_cvtepu8_epi32(bytes);
    const __m256 by = _mm256_set1_ps(scale);
    const __m256 a = _mm256_mul_ps(look_up(_mm256_srl_epi32(wide, first_shift), low, high), by);
    const __m256 b = _mm256_mul_ps(look_up(_mm256_srl_epi32(wide, second_shift), low, high), by);
    const __m256 front = _mm256_unpacklo_ps(a, b), back = _mm256_unpackhi_ps(a, b);
    _mm256_storeu_ps(out + j, _mm256_permute2f128_ps(front, back, 0x20));
    _mm256_storeu_ps(out + j + 8, _mm256_permute2f128_ps(front, back, 0x31));
  }
  if (!is_aligned) {
    const float one = 1.0f;
    table(out + j, packed + j / 2, n - j, is_high_first, values, 0, n, &one);
    multiply(out, n, phase, group, scales);
  } else if (j < n) {
    table(out + j, packed + j / 2, n - j, is_high_first, values, 0, n, j == next ? scales : &scale);
  }
}

void vise_scaled_fill_avx2(vise_scaled_kernels *table_out) {
  fill_from_body(table_out);
  table_out->table = table_avx2;
}
