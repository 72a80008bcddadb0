/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/optimizer.h -- one step of an optimizer, in place, over the n numbers of one parameter.
 *
 * All on plain f32 arrays, in parallel, the same bits for any number of threads and any CPU level.
 * Errors: VISE_ECANCELLED; the parameter is then in part changed.
 *
 * Sources: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019 (AdamW); Bernstein et
 * al., "signSGD", 2018.
 */
#ifndef VISE_NN_OPTIMIZER_H
#define VISE_NN_OPTIMIZER_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_adamw {
  double rate, beta1, beta2, epsilon, decay;
  int64_t step; /* from 1, for the correction of the means */
  double clip;  /* multiplies every derivative */
} vise_adamw;

/* p, m and v are changed; d is the derivative by p. m and v begin as zeros. */
vise_status vise_adamw_run(float *inout_p,
                           float *inout_m,
                           float *inout_v,
                           const float *d,
                           int64_t n,
                           const vise_adamw *options,
                           vise_err *err) VISE_MUST_USE;

/* m = momentum m + clip d + decay p;  p -= rate m */
vise_status vise_sgd_run(float *inout_p,
                         float *inout_m,
                         const float *d,
                         int64_t n,
                         double rate,
                         double momentum,
                         double decay,
                         double clip,
                         vise_err *err) VISE_MUST_USE;

/* p -= rate (sign(d) + decay p) */
vise_status
vise_sign_run(float *inout_p, const float *d, int64_t n, double rate, double decay, vise_err *err)
    VISE_MUST_USE;

/* *out: the sum of x^2 in f64, in runs of fixed length added in order. Errors: also VISE_ENOMEM. */
vise_status vise_squares_run(double *out, const float *x, int64_t n, vise_err *err) VISE_MUST_USE;

#endif
