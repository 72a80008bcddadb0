/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dot_levels.h"

#include <immintrin.h>

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

void vise_dot_fill_avx512(vise_dot_kernels *table) {
  table->add = add_avx512;
}
