/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/spmm.h -- sparse rows times many tokens.
 *
 * X lies packed as [column][64 tokens], so vectors run along the tokens, and a value of W meets all
 * 64 with the column's piece of X.
 *
 * Exact: an output is one chain of fused multiply-adds over the listed columns in their order, at
 * every level; over ascending columns it is the chain of linalg/gemm.h without its zeros.
 */
#ifndef VISE_KERNELS_SPMM_H
#define VISE_KERNELS_SPMM_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_SPMM_TOKENS = 64, VISE_SPMM_ROWS = 4 };

/* inout[j] = fma(x[columns[i] * 64 + j], values[i], itself) for i = 0 .. n - 1, 0 <= j < 64.
   inout and x are 64-byte aligned. */
typedef void vise_spmm_row_fn(
    float *inout, const float *values, const uint32_t *columns, int64_t n, const float *x);

/* The same for 4 rows that have the same columns: row r is inout + 64 r and values + ldv r. */
typedef void vise_spmm_rows_fn(float *inout,
                               const float *values,
                               int64_t ldv,
                               const uint32_t *columns,
                               int64_t n,
                               const float *x);

typedef struct vise_spmm_kernels {
  vise_spmm_row_fn *row;
  vise_spmm_rows_fn *rows;
} vise_spmm_kernels;

void vise_spmm_init(vise_spmm_kernels *table, vise_cpu_level level);
const vise_spmm_kernels *vise_spmm(void); /* the table of vise_cpu_used(), filled once */

#endif
