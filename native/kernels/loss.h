/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/loss.h -- the passes over a row of logits that a loss is made of.
 *
 * All exact: every level agrees with ref bit for bit. Sums are f64 in 16 lanes, element i in lane
 * i mod 16, added as a tree of halves. Any alignment; n may be 0; nothing overlaps. NaN gives NaN,
 * except in row_max, which may pass over it.
 */
#ifndef VISE_KERNELS_LOSS_H
#define VISE_KERNELS_LOSS_H

#include "core/cpu.h"

#include <stdint.h>

/* Greatest x[i], -infinity if n == 0. */
typedef float vise_row_max_fn(const float *x, int64_t n);

/* Sum of e^(x[i] - shift), the exponential in f32 (kernels/exp_body.h). */
typedef double vise_row_sum_exp_fn(const float *x, int64_t n, float shift);

/* What turns a row of logits x into probabilities e^(x[i] - shift) * scale. */
typedef struct vise_softmax_row {
  const float *x;
  float shift; /* greatest x[i] */
  float scale; /* 1 / sum of e^(x[i] - shift) */
} vise_softmax_row;

/*
 * Sum of the terms of KL(p || q), each >= 0 (nn/loss.c derives them):
 *   d = log q[i] - log p[i] = (xq[i] - shift_q) - (xp[i] - shift_p) + log_ratio
 *   p[i] (e^d - 1 - d)  by a polynomial for |d| < 1/2, else as q[i] - p[i] - p[i] d, negative to 0
 * log_ratio: log(scale_q / scale_p).
 */
typedef double
vise_row_kl_fn(const vise_softmax_row *p, const vise_softmax_row *q, int64_t n, float log_ratio);

typedef struct vise_loss_kernels {
  vise_row_max_fn *row_max;
  vise_row_sum_exp_fn *row_sum_exp;
  vise_row_kl_fn *row_kl;
} vise_loss_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_loss_init(vise_loss_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_loss_kernels *vise_loss(void);

#endif
