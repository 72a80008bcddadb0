/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/spmm_body.h -- kernels/spmm.h in vectors of LANES floats; the level files say which.
 *
 * One row keeps all its 64 sums in registers. Four rows keep four pieces of two vectors, and go over
 * the columns once for each piece: two loads of X and four values then serve eight vectors of sums.
 */
#include "kernels/spmm_levels.h"

#include <immintrin.h>

enum { ALL = VISE_SPMM_TOKENS / LANES, PIECE = 2 * LANES };

static void multiply_row(
    float *inout, const float *values, const uint32_t *columns, int64_t n, const float *x) {
  VECTOR sums[ALL];
#pragma GCC unroll 8
  for (int v = 0; v < ALL; v++) {
    sums[v] = LOAD(inout + v * LANES);
  }
  for (int64_t i = 0; i < n; i++) {
    const float *piece = x + (int64_t)columns[i] * VISE_SPMM_TOKENS;
    const VECTOR value = BROADCAST(values[i]);
#pragma GCC unroll 8
    for (int v = 0; v < ALL; v++) {
      sums[v] = FMA(LOAD(piece + v * LANES), value, sums[v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < ALL; v++) {
    STORE(inout + v * LANES, sums[v]);
  }
}

static void multiply_rows(float *inout,
                          const float *values,
                          int64_t ldv,
                          const uint32_t *columns,
                          int64_t n,
                          const float *x) {
  for (int j = 0; j < VISE_SPMM_TOKENS; j += PIECE) {
    VECTOR low[VISE_SPMM_ROWS], high[VISE_SPMM_ROWS];
#pragma GCC unroll 4
    for (int r = 0; r < VISE_SPMM_ROWS; r++) {
      low[r] = LOAD(inout + r * VISE_SPMM_TOKENS + j);
      high[r] = LOAD(inout + r * VISE_SPMM_TOKENS + j + LANES);
    }
    for (int64_t i = 0; i < n; i++) {
      const float *piece = x + (int64_t)columns[i] * VISE_SPMM_TOKENS + j;
      const VECTOR a = LOAD(piece), b = LOAD(piece + LANES);
#pragma GCC unroll 4
      for (int r = 0; r < VISE_SPMM_ROWS; r++) {
        const VECTOR value = BROADCAST(values[r * ldv + i]);
        low[r] = FMA(a, value, low[r]);
        high[r] = FMA(b, value, high[r]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < VISE_SPMM_ROWS; r++) {
      STORE(inout + r * VISE_SPMM_TOKENS + j, low[r]);
      STORE(inout + r * VISE_SPMM_TOKENS + j + LANES, high[r]);
    }
  }
}
