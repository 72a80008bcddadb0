/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/gemm_tile.h -- the inner loops of linalg/gemm.h.
 *
 * A tile is `mr` rows of W times `nr` tokens. X lies packed as [n][nr], so vectors run along the
 * tokens and every element of W is broadcast: W needs no packing beyond being decoded to rows.
 *
 * All exact: an output is the same chain of fused multiply-adds whatever mr, nr and the level.
 * (Which NaN comes out where several meet is not defined, only that it is one.)
 */
#ifndef VISE_KERNELS_GEMM_TILE_H
#define VISE_KERNELS_GEMM_TILE_H

#include "core/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* Elements between two decoded rows of W: a tile of 256 columns and one cache line or two, so that
   the rows of a tile do not fall on the same sets of the cache. */
enum { VISE_GEMM_LDW = 256 + 16 };

/*
 * For 0 <= i < mr, 0 <= j < nr: acc[i * nr + j] = fma(x[l * nr + j], w[i * LDW + l], acc[..]) for
 * l = 0 .. n - 1 in this order. acc and x are 64-byte aligned; w is aligned to an element.
 * next: where memory lies that is soon to be read; of 256 steps' worth of x from there, a sixteenth
 * is prefetched on the way. Any address, not read.
 */
typedef void
vise_gemm_tile_fn(void *acc, const void *w, const void *x, int64_t n, const void *next);

/* out[j * ldo + i] = in[i * ldi + j] for 0 <= i < n_rows, 0 <= j < n_cols. Any alignment. */
typedef void vise_gemm_transpose_fn(
    void *out, int64_t ldo, const void *in, int64_t ldi, int64_t n_rows, int64_t n_cols);

/* The forms for one element type. */
typedef struct vise_gemm_tile {
  size_t size; /* of an element, in bytes */
  int mr, nr;
  vise_gemm_tile_fn *multiply;
  vise_gemm_transpose_fn *transpose;
} vise_gemm_tile;

enum { VISE_GEMM_MR_MAX = 24, VISE_GEMM_NR_MAX = 32 };

typedef struct vise_gemm_kernels {
  vise_gemm_tile f32, f64;
  vise_gemm_tile few; /* f32, for up to `nr` tokens: fewer of them and more rows */
} vise_gemm_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_gemm_kernels_init(vise_gemm_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_gemm_kernels *vise_gemm_kernels_used(void);

#endif
