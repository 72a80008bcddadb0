/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/dot.h -- the few-token product: one decoded piece of a row against a few inputs.
 *
 * Value j of a row belongs to lane j % VISE_DOT_LANES, and each lane is one chain of fused
 * multiply-adds over ascending j, begun at +0. Lanes are added at the end by halves: l and l + 16,
 * then + 8, + 4, + 2, + 1. Pieces of a row begin at multiples of VISE_DOT_LANES.
 *
 * `one_*` multiply a whole row with one token in this way, without writing its values anywhere.
 *
 * Exact: every level agrees with ref bit for bit. Any alignment; n may be 0.
 */
#ifndef VISE_KERNELS_DOT_H
#define VISE_KERNELS_DOT_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_DOT_LANES = 32 };

/* inout[s * 32 + j % 32] = fma(x[s * ldx + j], w[j], itself), 0 <= j < n, 0 <= s < t. */
typedef void
vise_dot_add_fn(float *inout, const float *w, const float *x, int64_t ldx, int64_t t, int64_t n);

/* sum over j < n of w[j] x[j]. */
typedef float vise_dot_one_f32_fn(const float *w, const float *x, int64_t n);
typedef float vise_dot_one_bf16_fn(const uint16_t *w, const float *x, int64_t n);

/* The sum of 32 lanes. */
typedef float vise_dot_sum_fn(const float *lanes);

typedef struct vise_dot_kernels {
  vise_dot_add_fn *add;
  vise_dot_sum_fn *sum;
  vise_dot_one_f32_fn *one_f32;
  vise_dot_one_bf16_fn *one_bf16;
} vise_dot_kernels;

void vise_dot_init(vise_dot_kernels *table, vise_cpu_level level);
const vise_dot_kernels *vise_dot(void); /* the table of vise_cpu_used(), filled once */

#endif
