/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/whitened.h -- the best projection of a matrix where inputs weigh its error.
 *
 *   W ~= U U' W      W [m, k]   U [m, r] with orthonormal columns   H [k, k] the weights
 *
 * U are the leading eigenvectors of W H W', of values s^2, whatever factor S S' = H: the error is
 *
 *   tr((W - U U' W) H (W - U U' W)') = tr(W H W') - sum of the s^2 that are kept
 *
 * and no matrix of rank r has a smaller one when U is exact. H may be singular: it is not factored.
 */
#ifndef VISE_LINALG_WHITENED_H
#define VISE_LINALG_WHITENED_H

#include "linalg/project.h"

#include <stdbool.h>

typedef struct vise_whitened_opts {
  const double *h;       /* [k, k] symmetric, positive semidefinite; NULL: see `diagonal` */
  const float *diagonal; /* [k] >= 0, that of H = diag; NULL, and h NULL: H = I */
  bool is_exact; /* all eigenvectors; else of a random subspace, whose error is a little greater */
  uint64_t seed; /* with the name, the stream of random numbers */
  const char *name;
} vise_whitened_opts;

/* How many s vise_whitened gives: min(m, k), or r and a few more where it is not exact. */
int64_t vise_whitened_size(const vise_matrix_f32 *w, int64_t r, bool is_exact);

/*
 * ut [r, m] = U', s [vise_whitened_size] descending, >= 0: owned by the caller. 1 <= r <= min(m, k);
 * W is finite. An s below about 1e-8 of the greatest is rounding.
 *
 * Deterministic in (w, r, opts) but for the eigenvectors of a small matrix, which are exact for one
 * LAPACK build and core type (linalg/eigh.h).
 * Cost: not exact, 8 l (2 m k + k^2) flops in f64, l = r + 10; exact, about 2 m k^2 + 9 min(m, k)^3.
 * Scratch: not exact, l (m + 2 k) doubles; exact, W as doubles three times.
 * Errors: VISE_EARG (r), VISE_ENUMERIC (no convergence), VISE_ESHAPE (above 20000 eigenvectors),
 * VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_whitened(double *ut,
                          double *s,
                          const vise_matrix_f32 *w,
                          int64_t r,
                          const vise_whitened_opts *opts,
                          vise_err *err) VISE_MUST_USE;

/* y [t, k] = x [t, m] W, f64. Errors: VISE_ENOMEM, VISE_ECANCELLED. */
vise_status vise_whitened_rows(
    double *y, const double *x, int64_t t, const vise_matrix_f32 *w, vise_err *err) VISE_MUST_USE;

#endif
