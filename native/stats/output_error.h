/* SPDX-License-Identifier: Apache-2.0 */
/* stats/output_error.h -- what a change of a weight does to its outputs. */
#ifndef VISE_STATS_OUTPUT_ERROR_H
#define VISE_STATS_OUTPUT_ERROR_H

#include "core/status.h"
#include "stats/moments.h"
#include "weight/weight.h"

/*
 * *squared_out = tr(E H E'), E = A - B, and *norm_out = tr(A H A'), H the mean of x x' [k, k]: the
 * mean over tokens of |E x|^2 and |A x|^2. f64, rows added in order.
 * Errors: VISE_ESHAPE, VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_output_error(double *squared_out,
                              double *norm_out,
                              const vise_weight *a,
                              const vise_weight *b,
                              const vise_moments *moments,
                              vise_err *err) VISE_MUST_USE;

#endif
