/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/spmm_levels.h"

#include <math.h>

static void
row_ref(float *inout, const float *values, const uint32_t *columns, int64_t n, const float *x) {
  for (int64_t i = 0; i < n; i++) {
    const float *piece = x + (int64_t)columns[i] * VISE_SPMM_TOKENS;
    for (int j = 0; j < VISE_SPMM_TOKENS; j++) {
      inout[j] = fmaf(piece[j], values[i], inout[j]);
    }
  }
}

static void rows_ref(float *inout,
                     const float *values,
                     int64_t ldv,
                     const uint32_t *columns,
                     int64_t n,
                     const float *x) {
  for (int r = 0; r < VISE_SPMM_ROWS; r++) {
    row_ref(inout + r * VISE_SPMM_TOKENS, values + r * ldv, columns, n, x);
  }
}

void vise_spmm_fill_ref(vise_spmm_kernels *table) {
  *table = (vise_spmm_kernels){.row = row_ref, .rows = rows_ref};
}
