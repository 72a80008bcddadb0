/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/regrid.h -- the grid of a weight in a number format: what it is, and the weight on another.
 *
 *   value = scale (code - zero)     a scale and a zero for each group of columns of a row
 *
 * What training needs of a compressed weight, and what it gives back. The formats are those that
 * store scales by groups of a row: int (not per tensor) and ternary.
 */
#ifndef VISE_METHOD_REGRID_H
#define VISE_METHOD_REGRID_H

#include "weight/weight.h"

typedef struct vise_weight_grid {
  int64_t m, n_groups, group; /* the last group of a row may be short */
  int n_codes;                /* 0 <= code < n_codes */
  vise_dtype dtype;           /* of the stored scales */
} vise_weight_grid;

/* Errors: EARG, w has no such grid. */
vise_status
vise_weight_grid_of(vise_weight_grid *out, const vise_weight *w, vise_err *err) VISE_MUST_USE;

/* scales_out and zeros_out [m, n_groups] of a weight with a grid. Errors: ENOMEM. */
vise_status vise_weight_grid_read(float *scales_out,
                                  float *zeros_out,
                                  const vise_weight *w,
                                  vise_err *err) VISE_MUST_USE;

/*
 * v_out [m, k]: the least offsets, in steps, by which `from` [m, k] is rounded to the codes of w:
 * RNE(from / scale + v) + zero. Where the nearest code is another, the sum is 0.01 steps from where
 * it would become that. 0 where the scale is 0. Errors: EARG (w has no grid), ENOMEM, ECANCELLED.
 */
vise_status vise_weight_grid_offsets(float *v_out,
                                     const vise_weight *w,
                                     const float *from,
                                     vise_err *err) VISE_MUST_USE;

/*
 * A weight as `w` is stored, its codes those nearest to `values` [m, k] (RNE(value / scale) + zero,
 * clipped; zero where the scale is 0), its zeros those of w.
 * scales: [m, n_groups], rounded to their stored type.
 * Errors: EARG (w has no grid), ENUMERIC (a scale or a value that is not finite), ENOMEM, ECANCELLED.
 */
vise_status vise_weight_regrid(vise_weight **out,
                               const vise_weight *w,
                               const float *values,
                               const float *scales,
                               vise_err *err) VISE_MUST_USE;

#endif
