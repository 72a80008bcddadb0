/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/elementwise.h -- operations that see one token, or one number, at a time.
 *
 * All on plain f32 arrays, in parallel, the same bits for any number of threads and any CPU level
 * (kernels/nn.h). `out` may be an input. Errors: VISE_ECANCELLED, `out` is then undefined.
 */
#ifndef VISE_NN_ELEMENTWISE_H
#define VISE_NN_ELEMENTWISE_H

#include "core/status.h"

#include <stdint.h>

/* out [t, d] = x [t, d] / sqrt(mean of x^2 over d + eps) * gain [d]; the mean in f64.
   Source: Zhang and Sennrich, "Root mean square layer normalization", 2019. */
vise_status vise_rmsnorm_run(float *out,
                             const float *x,
                             const float *gain,
                             int64_t t,
                             int64_t d,
                             double eps,
                             vise_err *err) VISE_MUST_USE;

/* Its derivatives: d_x [t, d] and d_gain [d] from d_y [t, d]. No output is an input. Errors: also
   VISE_ENOMEM. */
vise_status vise_rmsnorm_backward(float *d_x,
                                  float *d_gain,
                                  const float *d_y,
                                  const float *x,
                                  const float *gain,
                                  int64_t t,
                                  int64_t d,
                                  double eps,
                                  vise_err *err) VISE_MUST_USE;

/* out [n] = x [n] + y [n] */
vise_status
vise_add_run(float *out, const float *x, const float *y, int64_t n, vise_err *err) VISE_MUST_USE;

/* out [t, m] = x [t, m] + b [m] */
vise_status vise_bias_run(
    float *out, const float *x, const float *b, int64_t t, int64_t m, vise_err *err) VISE_MUST_USE;

/* Its derivative: out [m] = sum over the t rows of x [t, m]. */
vise_status
vise_bias_backward(float *out, const float *x, int64_t t, int64_t m, vise_err *err) VISE_MUST_USE;

/* out [n] = a x [n] */
vise_status
vise_scale_run(float *out, const float *x, double a, int64_t n, vise_err *err) VISE_MUST_USE;

/* out [n] = silu(gate [n]) * up [n], silu(x) = x / (1 + exp(-x)).
   Source: Shazeer, "GLU variants improve transformer", 2020. */
vise_status vise_swiglu_run(
    float *out, const float *gate, const float *up, int64_t n, vise_err *err) VISE_MUST_USE;

/* Its derivatives. No output is an input. */
vise_status vise_swiglu_backward(float *d_gate,
                                 float *d_up,
                                 const float *d_y,
                                 const float *gate,
                                 const float *up,
                                 int64_t n,
                                 vise_err *err) VISE_MUST_USE;

/* The derivative of taking rows ids[i] of a matrix [m, k]: out [m, k] = for each row the sum of
   those rows of d_y [n, k] that were taken from it, in order. ids in [0, m), checked by the forward
   pass. */
vise_status vise_gather_backward(float *out,
                                 const float *d_y,
                                 const int32_t *ids,
                                 int64_t n,
                                 int64_t m,
                                 int64_t k,
                                 vise_err *err) VISE_MUST_USE;

#endif
