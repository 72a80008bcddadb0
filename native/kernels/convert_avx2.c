/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert_levels.h"

#include "kernels/convert_body.h"

#include <immintrin.h>

static void bf16_decode(float *out, const uint16_t *x, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
    const __m256i w = _mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
    _mm256_storeu_ps(out + i, _mm256_castsi256_ps(w));
  }
  for (; i < n; i++) {
    out[i] = vise_bf16_to_f32(x[i]);
  }
}

static void f16_decode(float *out, const uint16_t *x, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(h));
  }
  for (; i < n; i++) {
    out[i] = vise_f16_to_f32(x[i]);
  }
}

static void f16_encode(uint16_t *out, const float *x, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    if (_mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0) {
      break; /* the hardware keeps a NaN's payload, the contract does not */
    }
    _mm_storeu_si128((__m128i *)(void *)(out + i),
                     _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  for (; i < n; i++) {
    out[i] = vise_f32_to_f16(x[i]);
  }
}

/* Greatest magnitude as an integer: NaN and infinity are all that reach 0x7f800000. */
static int has_nonfinite(const float *x, int64_t n) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  __m256i a = _mm256_setzero_si256(), b = a;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i *p = (const __m256i *)(const void *)(x + i);
    a = _mm256_max_epi32(a, _mm256_and_si256(_mm256_loadu_si256(p), mask));
    b = _mm256_max_epi32(b, _mm256_and_si256(_mm256_loadu_si256(p + 1), mask));
  }
  const __m256i bad = _mm256_cmpgt_epi32(_mm256_max_epi32(a, b), _mm256_set1_epi32(0x7f7fffff));
  int found = _mm256_movemask_epi8(bad) != 0;
  for (; i < n; i++) {
    found |= !(x[i] - x[i] == 0.0f);
  }
  return found;
}

void vise_convert_fill_avx2(vise_convert_kernels *table) {
  fill_from_body(table);
  table->bf16_decode = bf16_decode;
  table->f16_decode = f16_decode;
  table->f16_encode = f16_encode;
  table->has_nonfinite = has_nonfinite;
}
