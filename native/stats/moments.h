/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats/moments.h -- what calibration knows of the inputs x [n] of a weight: sums over tokens.
 *
 * Products are f32 chains over strips of 1024 tokens, added in f64 in the order of the tokens, so
 * the bits do not depend on threads or CPU level, only on how the tokens are cut into calls.
 */
#ifndef VISE_STATS_MOMENTS_H
#define VISE_STATS_MOMENTS_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct vise_moments {
  int64_t n;       /* columns of the weights that read these inputs */
  int64_t count;   /* tokens */
  double *second;  /* [n, n] sum of x x', on and below the diagonal; above it zeros */
  double *cross;   /* [n, n] sum of o x', o the input in the model before compression; or NULL */
  double *sum;     /* [n] of x */
  double *sum_abs; /* [n] of |x| */
  double *max_abs; /* [n] */
} vise_moments;

/* *out: all zero, owned, freed by vise_moments_free. Errors: VISE_EARG (n < 0), VISE_ENOMEM. */
vise_status
vise_moments_create(vise_moments **out, int64_t n, bool has_cross, vise_err *err) VISE_MUST_USE;
void vise_moments_free(vise_moments *s); /* accepts NULL */

/*
 * Add t tokens: x [t, n], row stride ldx; `original` [t, n], row stride ldo: the same tokens before
 * compression, NULL if and only if `s` has no cross moments. Scratch: 1024 x n floats, as many for
 * `original`, and 512 x n.
 * Errors: VISE_EARG (`original`), VISE_ENUMERIC naming the column of a NaN or infinity, VISE_ENOMEM,
 * VISE_ECANCELLED. After the last three the sums are those of some of the tokens.
 */
vise_status vise_moments_add(vise_moments *s,
                             const float *x,
                             int64_t ldx,
                             const float *original,
                             int64_t ldo,
                             int64_t t,
                             vise_err *err) VISE_MUST_USE;

/* Add the tokens of `other`. Errors: VISE_ESHAPE (n, or cross moments in one only). */
vise_status
vise_moments_merge(vise_moments *s, const vise_moments *other, vise_err *err) VISE_MUST_USE;

/* *out: those of x_j factors[j] (and o_j factors[j]), owned. factors [n] are finite.
   Errors: VISE_ENOMEM. */
vise_status vise_moments_scaled(vise_moments **out,
                                const vise_moments *s,
                                const float *factors,
                                vise_err *err) VISE_MUST_USE;

/* h_out [n, n] = the mean of x x' over tokens, both triangles. Columns that are always 0 stay so. */
void vise_moments_second(double *h_out, const vise_moments *s);

/* c_out [n, n] = the mean of o x'; `s` has cross moments. */
void vise_moments_cross(double *c_out, const vise_moments *s);

/* out [n] = the mean of x_j^2: the diagonal of `second`. */
void vise_moments_importance(float *out, const vise_moments *s);

#endif
