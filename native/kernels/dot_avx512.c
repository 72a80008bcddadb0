/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/dot_levels.h"

#include <immintrin.h>
#include <math.h>

static void
add_avx512(float *inout, const float *w, const float *x, int64_t ldx, int64_t t, int64_t n) {
  for (int64_t s = 0; s < t; s++) {
    float *lanes = inout + s * VISE_DOT_LANES;
    const float *row = x + s * ldx;
    __m512 a = _mm512_loadu_ps(lanes), b = _mm512_loadu_ps(lanes + 16);
    int64_t j = 0;
    for (; j + VISE_DOT_LANES <= n; j += VISE_DOT_LANES) {
      a = _mm512_fmadd_ps(_mm512_loadu_ps(row + j), _mm512_loadu_ps(w + j), a);
      b = _mm512_fmadd_ps(_mm512_loadu_ps(row + j + 16), _mm512_loadu_ps(w + j + 16), b);
    }
    const int64_t rest = n - j; /* lanes of the tail, and only those, take one more step */
    const __mmask16 first = (__mmask16)(rest >= 16 ? 0xffff : (1 << rest) - 1);
    const __mmask16 second = (__mmask16)(rest > 16 ? (1 << (rest - 16)) - 1 : 0);
    a = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(first, row + j),
                              _mm512_maskz_loadu_ps(first, w + j), a, first);
    b = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(second, row + j + 16),
                              _mm512_maskz_loadu_ps(second, w + j + 16), b, second);
    _mm512_storeu_ps(lanes, a);
    _mm512_storeu_ps(lanes + 16, b);
  }
}

static float sum_avx512(__m512 a, __m512 b) {
  const __m512 both = _mm512_add_ps(a, b);
  const __m256 c = _mm256_add_ps(_mm512_castps512_ps256(both), _mm512_extractf32x8_ps(both, 1));
  __m128 d = _mm_add_ps(_mm256_castps256_ps128(c), _mm256_extractf128_ps(c, 1));
  d = _mm_add_ps(d, _mm_movehl_ps(d, d));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

static float one_f32_avx512(const float *w, const float *x, int64_t n) {
  float lanes[VISE_DOT_LANES] = {0.0f};
  add_avx512(lanes, w, x, n, 1, n);
  return sum_avx512(_mm512_loadu_ps(lanes), _mm512_loadu_ps(lanes + 16));
}

static __m512 widened(const uint16_t *w) {
  const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)w);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

static float one_bf16_avx512(const uint16_t *w, const float *x, int64_t n) {
  __m512 a = _mm512_setzero_ps(), b = a;
  int64_t j = 0;
  for (; j + VISE_DOT_LANES <= n; j += VISE_DOT_LANES) {
    a = _mm512_fmadd_ps(_mm512_loadu_ps(x + j), widened(w + j), a);
    b = _mm512_fmadd_ps(_mm512_loadu_ps(x + j + 16), widened(w + j + 16), b);
  }
  float lanes[VISE_DOT_LANES];
  _mm512_storeu_ps(lanes, a);
  _mm512_storeu_ps(lanes + 16, b);
  for (int64_t l = 0; j < n; j++, l++) {
    lanes[l] = fmaf(x[j], vise_bf16_to_f32(w[j]), lanes[l]);
  }
  return sum_avx512(_mm512_loadu_ps(lanes), _mm512_loadu_ps(lanes + 16));
}

void vise_dot_fill_avx512(vise_dot_kernels *table) {
  table->add = add_avx512;
  table->one_f32 = one_f32_avx512;
  table->one_bf16 = one_bf16_avx512;
}
