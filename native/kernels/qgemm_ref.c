/* SPDX-License-Identifier: Apache-2.0 */
/* The contract word for word. Codes stay rows of bytes. */
#include "kernels/qgemm_levels.h"

#include <math.h>

#include "kernels/qgemm_round_body.h"

static void pack_ref(void *out, const uint8_t *codes, int64_t ld, const vise_qgemm_panel *panel) {
  const int64_t n = panel->n_groups * panel->group;
  for (int64_t i = 0; i < VISE_QGEMM_ROWS; i++) {
    memcpy((uint8_t *)out + i * n, codes + i * ld, (size_t)n);
  }
}

static int32_t group_sum(const uint8_t *codes, int32_t zero, const int8_t *a, int64_t n) {
  int32_t sum = 0;
  for (int64_t j = 0; j < n; j++) {
    sum += a[j] * (codes[j] - zero);
  }
  return sum;
}

static int32_t activation_sum(const int8_t *a, int64_t n) {
  int32_t sum = 0;
  for (int64_t j = 0; j < n; j++) {
    sum += a[j];
  }
  return sum;
}

static void multiply_ref(float *inout, const vise_qgemm_panel *p, const vise_qgemm_tokens *tokens) {
  for (int64_t s = 0; s < tokens->n; s++) {
    const int8_t *a = (const int8_t *)tokens->a + s * tokens->lda;
    for (int64_t i = 0; i < VISE_QGEMM_ROWS; i++) {
      float y = inout[s * VISE_QGEMM_ROWS + i];
      for (int64_t g = 0; g < p->n_groups; g++) {
        const int64_t at = g * VISE_QGEMM_ROWS + i, n = p->group;
        const uint8_t *codes = (const uint8_t *)p->codes + (i * p->n_groups + g) * n;
        y = fmaf(p->scales[at], (float)group_sum(codes, p->zeros[at], a + g * n, n), y);
        if (p->lows != NULL) {
          y = fmaf(p->lows[at], (float)activation_sum(a + g * n, n), y);
        }
      }
      inout[s * VISE_QGEMM_ROWS + i] = y;
    }
  }
}

static void sums_ref(int16_t *out, const int8_t *a, int64_t n) {
  for (int64_t j = 0; j < n; j += VISE_QGEMM_STEP, out += 2) {
    out[0] = out[1] = 0;
    for (int64_t l = 0; l < VISE_QGEMM_STEP; l++) {
      out[l % 4 / 2] = (int16_t)(out[l % 4 / 2] + a[j + l]);
    }
  }
}

void vise_qgemm_fill_ref(vise_qgemm_kernels *table) {
  *table = (vise_qgemm_kernels){.tokens = VISE_QGEMM_TOKENS,
                                .narrow_reach = 255,
                                .pack = pack_ref,
                                .multiply = multiply_ref,
                                .greatest = greatest,
                                .round = round_row,
                                .sums = sums_ref};
}
