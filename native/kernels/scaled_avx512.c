/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/scaled_levels.h"

#define VECTOR 16 /* floats in one register of this level */
#include "kernels/scaled_body.h"

#include <immintrin.h>

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
