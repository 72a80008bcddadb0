/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qgemm.h -- activations of 8 bits times integer codes, 16 rows of W with some tokens.
 *
 *   W[i, j] = scale[g, i] (code[i, j] - zero[g, i]) + low[g, i]     g: the group of column j
 *
 *   for g = 0, 1, ...
 *     out = fma(scale[g, i], f32(sum over the group of a[s, j] (code[i, j] - zero[g, i])), out)
 *     out = fma(low[g, i], f32(sum over the group of a[s, j]), out)        where there are lows
 *
 * The sums over a group are of integers, and exact: so every level agrees with ref bit for bit,
 * whatever order and width it adds them in. A row of codes and of activations is made of groups of
 * equal length, a multiple of VISE_QGEMM_STEP; where a group has fewer columns, zero activations
 * meet any codes. |a| <= 127. A group has at most VISE_QGEMM_GROUP columns, so that no sum overflows.
 */
#ifndef VISE_KERNELS_QGEMM_H
#define VISE_KERNELS_QGEMM_H

#include "core/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum {
  VISE_QGEMM_ROWS = 16,
  VISE_QGEMM_TOKENS = 12, /* of a tile, at most */
  VISE_QGEMM_STEP = 32,
  VISE_QGEMM_GROUP = 1 << 16
};

/* Arrays [n_groups][16], 64-byte aligned; codes as `pack` wrote them. */
typedef struct vise_qgemm_panel {
  const void *codes;
  const int32_t *zeros;
  const float *scales, *lows; /* lows: NULL for none */
  int64_t n_groups, group;
  int reach; /* the greatest |code - zero| there may be */
} vise_qgemm_panel;

/* out: 32 bytes a column, 64-byte aligned. codes: 16 rows of stride ld, one code a byte; all of the
   panel but its codes, scales and lows is read. */
typedef void
vise_qgemm_pack_fn(void *out, const uint8_t *codes, int64_t ld, const vise_qgemm_panel *panel);

/* Rows of activations, int8_t; int16_t where the panel reaches beyond the table's `narrow_reach`. */
typedef struct vise_qgemm_tokens {
  const void *a;
  const int16_t *sums; /* as `sums` wrote them */
  int64_t lda, lds;    /* of elements */
  int n;               /* rows: 1 to the table's `tokens` */
} vise_qgemm_tokens;

/* inout [n tokens][16]: its chains go on by the panel's groups. */
typedef void vise_qgemm_multiply_fn(float *inout,
                                    const vise_qgemm_panel *panel,
                                    const vise_qgemm_tokens *tokens);

/* For every VISE_QGEMM_STEP of the n columns two sums: of a[j] with j mod 4 < 2, and of the others. */
typedef void vise_qgemm_sums_fn(int16_t *out, const int8_t *a, int64_t n);

/* The greatest |x[j]| as the bits of an f32; NaN is greater than infinity. 0 if n is 0. */
typedef uint32_t vise_qgemm_greatest_fn(const float *x, int64_t n);

/* out[j] = RNE(x[j] r), cut to -127 .. 127. x: finite. */
typedef void vise_qgemm_round_fn(int8_t *out, const float *x, int64_t n, float r);

typedef struct vise_qgemm_kernels {
  int tokens, narrow_reach;
  vise_qgemm_pack_fn *pack;
  vise_qgemm_multiply_fn *multiply;
  vise_qgemm_greatest_fn *greatest;
  vise_qgemm_round_fn *round;
  vise_qgemm_sums_fn *sums;
} vise_qgemm_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_qgemm_init(vise_qgemm_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_qgemm_kernels *vise_qgemm(void);

#endif
