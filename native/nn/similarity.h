/* SPDX-License-Identifier: Apache-2.0 */
/* nn/similarity.h -- how alike the states of tokens are at two places of a model. */
#ifndef VISE_NN_SIMILARITY_H
#define VISE_NN_SIMILARITY_H

#include "core/status.h"

#include <stdint.h>

/*
 * out[i] = <x_i, y_i> / (|x_i| |y_i|), 0 where a row is 0; x, y [n, d] f32, row-major. Sums in f64 in
 * order: the bits do not depend on threads or CPU level. Errors: VISE_ECANCELLED.
 */
vise_status vise_cosines_run(
    double *out, const float *x, const float *y, int64_t n, int64_t d, vise_err *err) VISE_MUST_USE;

#endif
