/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/unary.h -- functions of one number, of two, and their derivatives, over plain f32 arrays.
 *
 * In parallel, the same bits for any number of threads and any CPU level: arithmetic and our own
 * polynomials alone. Errors: VISE_ECANCELLED, the output is then undefined. `out` may be an input.
 */
#ifndef VISE_NN_UNARY_H
#define VISE_NN_UNARY_H

#include "core/rng.h"
#include "core/status.h"

#include <stdint.h>

/* gelu: x times the normal distribution function at x; gelu_tanh: the usual approximation of it by
   tanh (both Hendrycks and Gimpel 2016); round: to nearest even, with derivative 1 (the
   straight-through estimator, Bengio et al. 2013). Within 3e-7 of the greater of |f(x)| and 1. */
typedef enum vise_unary {
  VISE_UNARY_RELU,
  VISE_UNARY_SIGMOID,
  VISE_UNARY_TANH,
  VISE_UNARY_SILU,
  VISE_UNARY_GELU,
  VISE_UNARY_GELU_TANH,
  VISE_UNARY_LOG_SIGMOID,
  VISE_UNARY_ROUND,
  VISE_UNARY_COUNT
} vise_unary;

extern const char *const vise_unary_names[VISE_UNARY_COUNT + 1]; /* "relu", ..., NULL */

/* out[i] = f(x[i]) */
vise_status
vise_unary_run(float *out, const float *x, int64_t n, vise_unary f, vise_err *err) VISE_MUST_USE;

/* out[i] = d_y[i] f'(x[i]) */
vise_status vise_unary_backward(float *out,
                                const float *d_y,
                                const float *x,
                                int64_t n,
                                vise_unary f,
                                vise_err *err) VISE_MUST_USE;

/* out[i] = x[i] y[i] */
vise_status vise_multiply_run(float *out, const float *x, const float *y, int64_t n, vise_err *err)
    VISE_MUST_USE;

/* out[i] = x[i] / y[i] */
vise_status
vise_divide_run(float *out, const float *x, const float *y, int64_t n, vise_err *err) VISE_MUST_USE;

/* out[i] = x[i] / (1 - share), or 0 for a share of the numbers, chosen by number i of `rng`. It is
   linear, so its derivative is itself. share in [0, 1). */
vise_status vise_dropout_run(float *out,
                             const float *x,
                             int64_t n,
                             double share,
                             const vise_rng *rng,
                             vise_err *err) VISE_MUST_USE;

#endif
