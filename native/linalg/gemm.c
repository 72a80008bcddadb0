/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/gemm.h"

#include "core/mem.h"

#include <math.h>
#include <string.h>

static void decode_f32(const void *source, int64_t row, int64_t n_rows, int64_t col, int64_t n_cols,
                       float *out, int64_t ld) {
  const vise_rows_dense *d = source;
  for (int64_t i = 0; i < n_rows; i++) {
    memcpy(out + i * ld, d->w + (row + i) * d->ldw + col, (size_t)n_cols * sizeof(float));
  }
}

vise_rows vise_rows_f32(vise_rows_dense *source_out, const float *w, int64_t m, int64_t k,
                        int64_t ldw) {
  *source_out = (vise_rows_dense){w, ldw};
  return (vise_rows){m, k, decode_f32, source_out};
}

vise_status vise_gemm_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t t,
                          const vise_rows *w, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, w->k + 1, sizeof(float), err));
  float *row = memory;
  for (int64_t i = 0; i < w->m; i++) {
    for (int64_t col = 0; col < w->k; col += VISE_GEMM_TILE_K) {
      const int64_t n = w->k - col < VISE_GEMM_TILE_K ? w->k - col : VISE_GEMM_TILE_K;
      w->decode(w->source, i, 1, col, n, row + col, n);
    }
    for (int64_t s = 0; s < t; s++) {
      float sum = 0.0f;
      for (int64_t j = 0; j < w->k; j++) {
        sum = fmaf(x[s * ldx + j], row[j], sum);
      }
      y[s * ldy + i] = sum;
    }
  }
  vise_mem_free(memory);
  return VISE_OK;
}

vise_status vise_gemm_f64(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t t,
                          const double *w, int64_t ldw, int64_t m, int64_t k, vise_err *err) {
  (void)err;
  for (int64_t s = 0; s < t; s++) {
    for (int64_t i = 0; i < m; i++) {
      double sum = 0.0;
      for (int64_t j = 0; j < k; j++) {
        sum = fma(x[s * ldx + j], w[i * ldw + j], sum);
      }
      y[s * ldy + i] = sum;
    }
  }
  return VISE_OK;
}
