/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/scaled_levels.h"

#define VECTOR 16 /* floats in one register of this level */
#include "kernels/scaled_body.h"

#include <immintrin.h>

/* Halving: the code so far says which threshold is next, and a permutation looks it up. */
INLINE __m512i with_next(__m512i code, __m512 x, __m512 limit) {
  const __mmask16 is_above = _mm512_cmp_ps_mask(x, limit, _CMP_GT_OQ);
  const __m512i twice = _mm512_add_epi32(code, code);
  return _mm512_mask_add_epi32(twice, is_above, twice, _mm512_set1_epi32(1));
}

INLINE void nf4_code(ivec *out, const vec *t) {
  const float *a = vise_nf4_limits;
  const __m512 x = (__m512)*t;
  const __m512 second = _mm512_setr_ps(a[3], a[11], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512 third = _mm512_setr_ps(a[1], a[5], a[9], a[13], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512 fourth =
      _mm512_setr_ps(a[0], a[2], a[4], a[6], a[8], a[10], a[12], a[14], 0, 0, 0, 0, 0, 0, 0, 0);
  __m512i code = with_next(_mm512_setzero_si512(), x, _mm512_set1_ps(a[7]));
  code = with_next(code, x, _mm512_permutexvar_ps(code, second));
  code = with_next(code, x, _mm512_permutexvar_ps(code, third));
  *out = (ivec)with_next(code, x, _mm512_permutexvar_ps(code, fourth));
}

INLINE void nf4_value(vec *out, const ivec *codes) {
  *out = (vec)_mm512_permutexvar_ps((__m512i)*codes, _mm512_loadu_ps(vise_nf4_table));
}

/* 16 codes at a time, which are the indices of one permutation. */
static void table_avx512(float *out,
                         const uint8_t *packed,
                         int64_t n,
                         bool is_high_first,
                         const float *values,
                         int64_t phase,
                         int64_t group,
                         const float *scales) {
  const bool is_aligned = group % 16 == 0 && phase % 16 == 0;
  const __m512 entries = _mm512_loadu_ps(values);
  const __m128i mask = _mm_set1_epi8(15);
  float scale = 1.0f;
  int64_t j = 0, next = is_aligned ? 0 : n, stop = group - phase;
  for (; j + 16 <= n; j += 16) {
    if (j == next) {
      scale = *scales++;
      next = stop;
      stop += group;
    }
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(packed + j / 2));
    const __m128i low = _mm_and_si128(bytes, mask);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
    const __m128i codes =
        is_high_first ? _mm_unpacklo_epi8(high, low) : _mm_unpacklo_epi8(low, high);
    const __m512 element = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(codes), entries);
    _mm512_storeu_ps(out + j, _mm512_mul_ps(element, _mm512_set1_ps(scale)));
  }
  if (!is_aligned) {
    const float one = 1.0f;
    table(out + j, packed + j / 2, n - j, is_high_first, values, 0, n, &one);
    multiply(out, n, phase, group, scales);
  } else if (j < n) {
    table(out + j, packed + j / 2, n - j, is_high_first, values, 0, n, j == next ? scales : &scale);
  }
}

void vise_scaled_fill_avx512(vise_scaled_kernels *table_out) {
  fill_from_body(table_out);
  table_out->table = table_avx512;
}
