/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/project.h -- the best factors of a matrix within a given subspace; what the Gram route and
 * the randomized SVD share.
 */
#ifndef VISE_LINALG_PROJECT_H
#define VISE_LINALG_PROJECT_H

#include "core/status.h"

#include <stdint.h>

/* W [m, k] f32, element (i, j) at w[i * row_stride + j * col_stride]: also a transposed matrix. */
typedef struct vise_matrix_f32 {
  const float *w; /* borrowed */
  int64_t m, k, row_stride, col_stride;
} vise_matrix_f32;

/*
 * *out: |W|^2, Frobenius, in f64; sums of 64 rows each, added in order.
 * Errors: VISE_ENUMERIC "`what`: a[3, 5] is nan, expected finite numbers"; VISE_ENOMEM;
 * VISE_ECANCELLED.
 */
vise_status vise_matrix_square(double *out,
                               const char *what,
                               const vise_matrix_f32 *w,
                               vise_err *err) VISE_MUST_USE;

/* out [n_cols, m] f64 = W[:, col .. col + n_cols]'. Errors: VISE_ECANCELLED. */
vise_status vise_matrix_columns(double *out,
                                const vise_matrix_f32 *w,
                                int64_t col,
                                int64_t n_cols,
                                vise_err *err) VISE_MUST_USE;

/*
 * basis [l, m] has orthonormal rows, l <= min(m, k). With B = basis W = U2 diag(s) V' in f64:
 *
 *   ut [r, m] = the first r rows of U2' basis     s [l]     vt [r, k] = the first r rows of V'
 *
 * So ut' diag(s) vt is the best approximation of rank r within the subspace, and its squared error
 * is |W|^2 less the sum of the first r s^2. Signs are not yet those of linalg/svd.h. W is finite.
 * Scratch: B three times. Errors: VISE_ENUMERIC (no convergence), VISE_ESHAPE, VISE_ENOMEM,
 * VISE_ECANCELLED.
 */
vise_status vise_project(double *ut,
                         double *s,
                         double *vt,
                         int64_t r,
                         const double *basis,
                         int64_t l,
                         const vise_matrix_f32 *w,
                         vise_err *err) VISE_MUST_USE;

/* The error of such factors, sqrt(|W|^2 - sum of the first r s^2); rounding makes what is below
   about 1e-8 |W| meaningless. `square` is |W|^2. */
double vise_project_error(double square, const double *s, int64_t r);

/* Errors: VISE_EARG unless 1 <= r <= min(m, k). */
vise_status vise_project_check_rank(const char *what,
                                    int64_t r,
                                    const vise_matrix_f32 *w,
                                    vise_err *err) VISE_MUST_USE;

#endif
