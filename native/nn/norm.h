/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/norm.h -- layer and batch normalisation, forward and back. RMS norm is in nn/elementwise.h.
 *
 *   y = (x - mean) / sqrt(variance + eps) * gain + bias
 *
 * Layer norm takes mean and variance over the d numbers of a row, batch norm over the t rows for each
 * of the d columns (channels). Variances are those of the numbers themselves (divided by their count).
 * All on contiguous f32 [t, d] and [d]; sums in f64 over runs of fixed length added in order, so no
 * result depends on threads or the CPU level. Outputs are no inputs.
 * Errors: VISE_ENOMEM; VISE_ECANCELLED.
 *
 * Sources: Ba et al. 2016, arXiv:1607.06450; Ioffe and Szegedy 2015, arXiv:1502.03167.
 */
#ifndef VISE_NN_NORM_H
#define VISE_NN_NORM_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

vise_status vise_layernorm_run(float *out,
                               const float *x,
                               const float *gain,
                               const float *bias,
                               int64_t t,
                               int64_t d,
                               double eps,
                               vise_err *err) VISE_MUST_USE;

vise_status vise_layernorm_backward(float *d_x,
                                    float *d_gain,
                                    float *d_bias,
                                    const float *d_y,
                                    const float *x,
                                    const float *gain,
                                    int64_t t,
                                    int64_t d,
                                    double eps,
                                    vise_err *err) VISE_MUST_USE;

/* Mean and variance of the columns. */
vise_status vise_column_moments_run(float *mean_out,
                                    float *variance_out,
                                    const float *x,
                                    int64_t t,
                                    int64_t d,
                                    vise_err *err) VISE_MUST_USE;

/* Batch norm with given moments. */
vise_status vise_batchnorm_run(float *out,
                               const float *x,
                               const float *gain,
                               const float *bias,
                               const float *mean,
                               const float *variance,
                               int64_t t,
                               int64_t d,
                               double eps,
                               vise_err *err) VISE_MUST_USE;

/* With moments that are those of x (training), or constants: is_constant. */
vise_status vise_batchnorm_backward(float *d_x,
                                    float *d_gain,
                                    float *d_bias,
                                    const float *d_y,
                                    const float *x,
                                    const float *gain,
                                    const float *mean,
                                    const float *variance,
                                    int64_t t,
                                    int64_t d,
                                    double eps,
                                    bool is_constant,
                                    vise_err *err) VISE_MUST_USE;

#endif
