/* SPDX-License-Identifier: Apache-2.0 */
/* vpdpbusd adds four products of any 8-bit codes in 32 bits at once. */
#include "kernels/qgemm_levels.h"

#include "kernels/qgemm_pack_body.h"
#include "kernels/qgemm_round_body.h"

enum { TOKENS = 12 };

static void
pack_avx512(void *out, const uint8_t *codes, int64_t ld, const vise_qgemm_panel *panel) {
  pack_fours(out, codes, ld, panel->n_groups * panel->group);
}

/* The sum of a group's activations. */
static int32_t sum_of_group(const int16_t *sums, int64_t group, int64_t columns) {
  const int64_t n = columns / VISE_QGEMM_STEP * 2;
  int32_t total = 0;
  for (int64_t j = group * n; j < (group + 1) * n; j++) {
    total += sums[j];
  }
  return total;
}

__attribute__((always_inline)) static inline void multiply_n(
    float *inout, const vise_qgemm_panel *p, const vise_qgemm_tokens *t, int64_t first, int n) {
  const int8_t *a = (const int8_t *)t->a + first * t->lda;
  __m512 y[TOKENS];
  for (int s = 0; s < n; s++) {
    y[s] = _mm512_loadu_ps(inout + (first + s) * VISE_QGEMM_ROWS);
  }
  for (int64_t g = 0; g < p->n_groups; g++) {
    const int64_t at = g * VISE_QGEMM_ROWS, column = g * p->group;
    const uint8_t *codes = (const uint8_t *)p->codes + column * VISE_QGEMM_ROWS;
    __m512i total[TOKENS];
    for (int s = 0; s < n; s++) {
      total[s] = _mm512_setzero_si512();
    }
    for (int64_t j = 0; j < p->group; j += 4, codes += 64) {
      const __m512i four = _mm512_load_si512(codes);
#pragma GCC unroll 12
      for (int s = 0; s < n; s++) {
        int32_t word;
        memcpy(&word, a + s * t->lda + column + j, sizeof word);
        total[s] = _mm512_dpbusd_epi32(total[s], four, _mm512_set1_epi32(word));
      }
    }
    const __m512i zeros = _mm512_load_si512(p->zeros + at);
    const __m512 scales = _mm512_load_ps(p->scales + at);
    for (int s = 0; s < n; s++) {
      const int32_t of_group = sum_of_group(t->sums + (first + s) * t->lds, g, p->group);
      const __m512i taken = _mm512_mullo_epi32(zeros, _mm512_set1_epi32(of_group));
      const __m512i sum = _mm512_sub_epi32(total[s], taken);
      y[s] = _mm512_fmadd_ps(scales, _mm512_cvtepi32_ps(sum), y[s]);
      if (p->lows != NULL) {
        const __m512 lows = _mm512_load_ps(p->lows + at);
        y[s] = _mm512_fmadd_ps(lows, _mm512_set1_ps((float)of_group), y[s]);
      }
    }
  }
  for (int s = 0; s < n; s++) {
    _mm512_storeu_ps(inout + (first + s) * VISE_QGEMM_ROWS, y[s]);
  }
}

static void
multiply_avx512(float *inout, const vise_qgemm_panel *p, const vise_qgemm_tokens *tokens) {
  if (tokens->n == TOKENS) {
    multiply_n(inout, p, tokens, 0, TOKENS);
    return;
  }
  for (int s = 0; s < tokens->n; s++) {
    multiply_n(inout, p, tokens, s, 1);
  }
}

void vise_qgemm_fill_avx512(vise_qgemm_kernels *table) {
  *table = (vise_qgemm_kernels){.tokens = TOKENS,
                                .narrow_reach = 255,
                                .pack = pack_avx512,
                                .multiply = multiply_avx512,
                                .greatest = greatest,
                                .round = round_row,
                                .sums = sums_of_pairs};
}
