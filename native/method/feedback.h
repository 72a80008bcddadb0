/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/feedback.h -- sequential rounding and pruning with error feedback: the one kernel of GPTQ,
 * SparseGPT and their relatives.
 *
 *   minimise tr(E H E')     E = W - Q, every q_ij 0 or on a grid        W [m, n]   H [n, n] = L L'
 *
 * Places j go from n - 1 down (method/feedback_factor.h says which column is at a place). The target
 * of a weight makes up for the errors of those before it, then it is rounded or pruned:
 *
 *   x_j = w_j + sum over i > j of (w_i - q_i) L_ij / L_jj      q_j = nearest(x_j), or 0
 *   tr(E H E') = sum of ((x_j - q_j) L_jj)^2                   exactly: what `loss` returns
 *
 * With q_i = x_i for the places of a span instead, its x_j are what its weights would be now: by
 * these, masks and dynamic scales are chosen.
 *
 * Arithmetic: L in f64; targets in f32, whose sums are chains of fixed order. Rows never meet but in
 * the count of a mask: the result does not depend on threads or CPU level.
 * Cost: m n^2 flops. Scratch: [m, 256] floats, and the grid's and the mask's.
 */
#ifndef VISE_METHOD_FEEDBACK_H
#define VISE_METHOD_FEEDBACK_H

#include "method/feedback_factor.h"
#include "method/feedback_grid.h"
#include "weight/sparse.h"

/* Which weights become 0. Of the score (x_j L_jj)^2, the loss of doing so, the least are taken. */
typedef struct vise_feedback_mask {
  double sparsity; /* this part of every 32 columns of all rows, in [0, 1); 0: none */
  int kept, of;    /* or: all but `kept` of every `of` columns of a row, of <= 256; 0: none */
} vise_feedback_mask;

/*
 * w        [m, n] f32 by place, contiguous: the targets; becomes w - q
 * grid     NULL: weights that are not pruned stay their targets
 * mask     NULL: nothing is pruned
 * entries  [m, n] by place: which value of the grid's weight [.., VISE_SPARSE_ROW] each one is, or
 *          VISE_FEEDBACK_ZERO: 0. NULL: the grid is of a weight [m, n]
 * codes    [m, n] by place, of the grid; NULL without one
 * values   [m, n] by place: q; NULL if not wanted
 */
#define VISE_FEEDBACK_ZERO UINT32_MAX

typedef struct vise_feedback {
  const vise_feedback_factor *factor;
  int64_t m;
  float *w;
  const vise_feedback_grid *grid;
  const vise_feedback_mask *mask;
  const uint32_t *entries;
  uint8_t *codes;
  float *values;
} vise_feedback;

/* *loss_out: tr(E H E') with the damped H; may be NULL. Errors: VISE_ENOMEM, VISE_ECANCELLED. */
vise_status
vise_feedback_run(double *loss_out, const vise_feedback *f, vise_err *err) VISE_MUST_USE;

/* Rows from the order of columns to that of places, and back. x: [m, n], in parallel.
   Errors: VISE_ENOMEM, VISE_ECANCELLED. */
vise_status vise_feedback_to_places(float *x,
                                    int64_t m,
                                    const vise_feedback_factor *f,
                                    vise_err *err) VISE_MUST_USE;
vise_status vise_feedback_to_columns(float *x,
                                     int64_t m,
                                     const vise_feedback_factor *f,
                                     vise_err *err) VISE_MUST_USE;

/* codes [m, n] into the parts of the grid's weight: by place, or by column where f is NULL. */
vise_status vise_feedback_put_codes(const vise_feedback_grid *grid,
                                    const uint8_t *codes,
                                    const vise_feedback_factor *f,
                                    vise_err *err) VISE_MUST_USE;

#endif
