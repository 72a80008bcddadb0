/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/refit.h -- least squares of the numbers that a mask keeps.
 *
 *   every row v of V minimises (w - v) H (w - v)'  over its numbers that are not 0 at the start
 *
 * so the gradient (w - v) H is 0 there: the best that a pruned matrix can do for inputs of second
 * moments H. Conjugate gradients, preconditioned by the diagonal, on many rows that share the one
 * product with H; a row stops when its gradient, in the norm of the preconditioner, is 1e-3 of what
 * it was, or after 100 steps. From v = w where kept, the loss never rises. Cost: 2 m k^2 per step, 10
 * to 30 steps.
 *
 * Products in f32 by linalg/gemm, sums in f64 in the order of the columns: a row's bits do not
 * depend on threads, CPU level or the other rows, and scale with it and H by powers of two.
 */
#ifndef VISE_LINALG_REFIT_H
#define VISE_LINALG_REFIT_H

#include "core/status.h"

#include <stdint.h>

/*
 * v         [m, k] row stride ldv: where the search begins, 0 where pruned; then the solution
 * n_left_out  rows that 100 steps were not enough for; may be NULL
 * w         [m, k] row stride ldw, the original; finite. Not `v`.
 * h         [k, k], symmetric, positive semidefinite; both triangles are read. Columns whose
 *           diagonal is 0 stay as they are.
 *
 * Scratch: h in f32, and 512 rows of W four times.
 * Errors: VISE_ENOMEM, VISE_ECANCELLED (v is then undefined).
 */
vise_status vise_refit(float *v,
                       int64_t ldv,
                       int64_t *n_left_out,
                       const float *w,
                       int64_t ldw,
                       int64_t m,
                       int64_t k,
                       const double *h,
                       vise_err *err) VISE_MUST_USE;

#endif
