/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/dot_levels.h"

#include <immintrin.h>
#include <math.h>

static void
add_avx2(float *inout, const float *w, const float *x, int64_t ldx, int64_t t, int64_t n) {
  for (int64_t s = 0; s < t; s++) {
    float *lanes = inout + s * VISE_DOT_LANES;
    const float *row = x + s * ldx;
    __m256 a = _mm256_loadu_ps(lanes), b = _mm256_loadu_ps(lanes + 8);
    __m256 c = _mm256_loadu_ps(lanes + 16), d = _mm256_loadu_ps(lanes + 24);
    int64_t j = 0;
    for (; j + VISE_DOT_LANES <= n; j += VISE_DOT_LANES) {
      a = _mm256_fmadd_ps(_mm256_loadu_ps(row + j), _mm256_loadu_ps(w + j), a);
      b = _mm256_fmadd_ps(_mm256_loadu_ps(row + j + 8), _mm256_loadu_ps(w + j + 8), b);
      c = _mm256_fmadd_ps(_mm256_loadu_ps(row + j + 16), _mm256_loadu_ps(w + j + 16), c);
      d = _mm256_fmadd_ps(_mm256_loadu_ps(row + j + 24), _mm256_loadu_ps(w + j + 24), d);
    }
    _mm256_storeu_ps(lanes, a);
    _mm256_storeu_ps(lanes + 8, b);
    _mm256_storeu_ps(lanes + 16, c);
    _mm256_storeu_ps(lanes + 24, d);
    for (int64_t l = 0; j < n; j++, l++) {
      lanes[l] = fmaf(row[j], w[j], lanes[l]);
    }
  }
}

static float sum_avx2(const float *lanes) {
  const __m256 a = _mm256_add_ps(_mm256_loadu_ps(lanes), _mm256_loadu_ps(lanes + 16));
  const __m256 b = _mm256_add_ps(_mm256_loadu_ps(lanes + 8), _mm256_loadu_ps(lanes + 24));
  const __m256 c = _mm256_add_ps(a, b);
  __m128 d = _mm_add_ps(_mm256_castps256_ps128(c), _mm256_extractf128_ps(c, 1));
  d = _mm_add_ps(d, _mm_movehl_ps(d, d));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

static float one_f32_avx2(const float *w, const float *x, int64_t n) {
  float lanes[VISE_DOT_LANES] = {0.0f};
  add_avx2(lanes, w, x, n, 1, n);
  return sum_avx2(lanes);
}

static __m256 widened(const uint16_t *w) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)w);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}

static float one_bf16_avx2(const uint16_t *w, const float *x, int64_t n) {
  __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
  int64_t j = 0;
  for (; j + VISE_DOT_LANES <= n; j += VISE_DOT_LANES) {
    a = _mm256_fmadd_ps(_mm256_loadu_ps(x + j), widened(w + j), a);
    b = _mm256_fmadd_ps(_mm256_loadu_ps(x + j + 8), widened(w + j + 8), b);
    c = _mm256_fmadd_ps(_mm256_loadu_ps(x + j + 16), widened(w + j + 16), c);
    d = _mm256_fmadd_ps(_mm256_loadu_ps(x + j + 24), widened(w + j + 24), d);
  }
  float lanes[VISE_DOT_LANES];
  _mm256_storeu_ps(lanes, a);
  _mm256_storeu_ps(lanes + 8, b);
  _mm256_storeu_ps(lanes + 16, c);
  _mm256_storeu_ps(lanes + 24, d);
  for (int64_t l = 0; j < n; j++, l++) {
    lanes[l] = fmaf(x[j], vise_bf16_to_f32(w[j]), lanes[l]);
  }
  return sum_avx2(lanes);
}

void vise_dot_fill_avx2(vise_dot_kernels *table) {
  table->add = add_avx2;
  table->sum = sum_avx2;
  table->one_f32 = one_f32_avx2;
  table->one_bf16 = one_bf16_avx2;
}
