/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/distance.h -- what distillation makes small: divergence of predictions, distance and angle of
 * hidden states; and softmax of rows.
 *
 * Arrays are contiguous f32, sums f64 in a fixed order: no result depends on threads or the CPU
 * level. A result is NaN, without an error, where inputs are not finite.
 * Errors: VISE_ENOMEM; VISE_ECANCELLED.
 */
#ifndef VISE_NN_DISTANCE_H
#define VISE_NN_DISTANCE_H

#include "core/status.h"

#include <stdint.h>

/* *out: the mean over n rows of KL(softmax(p) || softmax(q)), p and q [n, v], n and v above 0. */
vise_status vise_kl_mean(
    double *out, const float *p, const float *q, int64_t n, int64_t v, vise_err *err) VISE_MUST_USE;

/* The derivative of scale times the sum over rows of KL(softmax(p) || softmax(q)), by q:
   scale (softmax(q) - softmax(p)). */
vise_status vise_kl_backward_q(float *d_q,
                               const float *p,
                               const float *q,
                               int64_t n,
                               int64_t v,
                               double scale,
                               vise_err *err) VISE_MUST_USE;

/* The same by p: scale p' (log p' - log q' - KL), p' and q' the softmaxes. */
vise_status vise_kl_backward_p(float *d_p,
                               const float *p,
                               const float *q,
                               int64_t n,
                               int64_t v,
                               double scale,
                               vise_err *err) VISE_MUST_USE;

/* *out: the mean of (x - y)^2 over n > 0 numbers; its derivative by x is scale (x - y), scale 2 / n. */
vise_status
vise_mse_mean(double *out, const float *x, const float *y, int64_t n, vise_err *err) VISE_MUST_USE;
vise_status vise_mse_backward(float *d_x,
                              const float *x,
                              const float *y,
                              int64_t n,
                              double scale,
                              vise_err *err) VISE_MUST_USE;

/* *out: the mean over t rows of the cosine of x and y [t, d]; 0 for a row of zeros. */
vise_status vise_cosine_mean(
    double *out, const float *x, const float *y, int64_t t, int64_t d, vise_err *err) VISE_MUST_USE;

/* The derivative of scale times the sum of those cosines by x. */
vise_status vise_cosine_backward(float *d_x,
                                 const float *x,
                                 const float *y,
                                 int64_t t,
                                 int64_t d,
                                 double scale,
                                 vise_err *err) VISE_MUST_USE;

/* out [n, v]: softmax of each row of x; -infinity gives 0. Its derivative from that by out, d_y, and
   from out itself: d_x = y (d_y - sum y d_y). */
vise_status
vise_softmax_run(float *out, const float *x, int64_t n, int64_t v, vise_err *err) VISE_MUST_USE;
vise_status vise_softmax_backward(float *d_x,
                                  const float *d_y,
                                  const float *y,
                                  int64_t n,
                                  int64_t v,
                                  vise_err *err) VISE_MUST_USE;

/* *out: the sum of x. */
vise_status vise_sum_run(double *out, const float *x, int64_t n, vise_err *err) VISE_MUST_USE;

#endif
