/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/linear.h -- the product with a trained weight, W [m, k] of f32 in memory, and its derivatives.
 *
 *   Y [t, m] = X W'        dX [t, k] = dY W        dW [m, k] = dY' X
 *
 * Every output is one chain of fused multiply-adds over an ascending index (linalg/gemm.h), so no
 * thread and no CPU level can change a bit. Arrays are contiguous and do not overlap.
 * Scratch: a turned copy of W, or of dY, besides that of the product.
 * Errors: VISE_ENOMEM; VISE_ECANCELLED, the output is then undefined.
 */
#ifndef VISE_NN_LINEAR_H
#define VISE_NN_LINEAR_H

#include "core/status.h"

#include <stdint.h>

vise_status vise_linear_run(float *y,
                            const float *x,
                            const float *w,
                            int64_t t,
                            int64_t m,
                            int64_t k,
                            vise_err *err) VISE_MUST_USE;

vise_status vise_linear_backward_x(float *d_x,
                                   const float *d_y,
                                   const float *w,
                                   int64_t t,
                                   int64_t m,
                                   int64_t k,
                                   vise_err *err) VISE_MUST_USE;

vise_status vise_linear_backward_w(float *d_w,
                                   const float *d_y,
                                   const float *x,
                                   int64_t t,
                                   int64_t m,
                                   int64_t k,
                                   vise_err *err) VISE_MUST_USE;

#endif
