/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert_levels.h"

#include "kernels/convert_body.h"

#include <immintrin.h>

static void bf16_decode(float *out, const uint16_t *x, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
    const __m512i w = _mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
    _mm512_storeu_ps(out + i, _mm512_castsi512_ps(w));
  }
  for (; i < n; i++) {
    out[i] = vise_bf16_to_f32(x[i]);
  }
}

void vise_convert_fill_avx512(vise_convert_kernels *table) {
  fill_from_body(table);
  table->bf16_decode = bf16_decode;
}
