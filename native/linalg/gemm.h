/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/gemm.h -- our dense product, the only one in vise that is not a few-token kernel.
 *
 *   Y [t, m] = X [t, k] W [m, k]'        t tokens, m output features, k input features
 *
 * Exact: every y is one chain of fused multiply-adds over ascending k that starts at +0,
 *
 *   y = fma(x[k-1], w[k-1], ... fma(x[1], w[1], fma(x[0], w[0], 0)))
 *
 * so tile sizes, threads, vector width and the CPU level cannot change a bit.
 *
 * W is given by rows that are decoded on demand: decoding a tile is the packing step, so a
 * compressed weight is never expanded as a whole.
 */
#ifndef VISE_LINALG_GEMM_H
#define VISE_LINALG_GEMM_H

#include "core/status.h"

#include <stdint.h>

enum { VISE_GEMM_TILE_K = 256 }; /* tiles of W begin at multiples of this column */

/* out[i * ld + j] = W[row + i, col + j] for 0 <= i < n_rows, 0 <= j < n_cols. Cannot fail; called
   from several threads. `col` is a multiple of VISE_GEMM_TILE_K; the tile ends at such a multiple
   or at k. */
typedef void vise_rows_fn(const void *source,
                          int64_t row,
                          int64_t n_rows,
                          int64_t col,
                          int64_t n_cols,
                          float *out,
                          int64_t ld);

typedef struct vise_rows {
  int64_t m, k;
  vise_rows_fn *decode;
  const void *source; /* borrowed */
} vise_rows;

/* W as f32 in memory, row stride `ldw` elements. `source_out` is the storage behind the rows. */
typedef struct vise_rows_dense {
  const float *w;
  int64_t ldw;
} vise_rows_dense;
vise_rows
vise_rows_f32(vise_rows_dense *source_out, const float *w, int64_t m, int64_t k, int64_t ldw);

/*
 * y [t, m] row stride ldy, x [t, k] row stride ldx, both f32, not overlapping. t, m or k may be 0
 * (k = 0 gives +0). Scratch: about 1 MiB a thread and X once more, at most 24 MiB of it for k <=
 * 49152. Errors: VISE_ENOMEM; VISE_ECANCELLED (y is then undefined).
 */
vise_status vise_gemm_f32(float *y,
                          int64_t ldy,
                          const float *x,
                          int64_t ldx,
                          int64_t t,
                          const vise_rows *w,
                          vise_err *err) VISE_MUST_USE;

/* Y [m, n] = W [m, k] X [k, n], row strides ldy and ldx: the same chains, and no copy of X or Y needs
   turning. The same limits and errors, n in the place of t. */
vise_status vise_gemm_plain_f32(float *y,
                                int64_t ldy,
                                const vise_rows *w,
                                const float *x,
                                int64_t ldx,
                                int64_t n,
                                vise_err *err) VISE_MUST_USE;

/* The same as vise_gemm_f32 in f64, W plain in memory. */
vise_status vise_gemm_f64(double *y,
                          int64_t ldy,
                          const double *x,
                          int64_t ldx,
                          int64_t t,
                          const double *w,
                          int64_t ldw,
                          int64_t m,
                          int64_t k,
                          vise_err *err) VISE_MUST_USE;

/* Y [m, n] = W [m, k] X [k, n] in f64, as vise_gemm_plain_f32. */
vise_status vise_gemm_plain_f64(double *y,
                                int64_t ldy,
                                const double *w,
                                int64_t ldw,
                                int64_t m,
                                int64_t k,
                                const double *x,
                                int64_t ldx,
                                int64_t n,
                                vise_err *err) VISE_MUST_USE;

/* As vise_gemm_f64 with W by rows that are decoded on demand. */
typedef void vise_rows_f64_fn(const void *source,
                              int64_t row,
                              int64_t n_rows,
                              int64_t col,
                              int64_t n_cols,
                              double *out,
                              int64_t ld);
typedef struct vise_rows_f64 {
  int64_t m, k;
  vise_rows_f64_fn *decode;
  const void *source; /* borrowed */
} vise_rows_f64;
vise_status vise_gemm_rows_f64(double *y,
                               int64_t ldy,
                               const double *x,
                               int64_t ldx,
                               int64_t t,
                               const vise_rows_f64 *w,
                               vise_err *err) VISE_MUST_USE;

#endif
