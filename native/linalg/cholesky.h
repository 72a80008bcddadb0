/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/cholesky.h -- A = L L' of a symmetric positive definite matrix, in f64.
 *
 * Blocked on linalg/gemm and linalg/triangular, so the bits of L do not depend on threads or CPU
 * level, nor on any library. Backward stable: L L' = A + dA with |dA| <= n eps |L| |L'|.
 */
#ifndef VISE_LINALG_CHOLESKY_H
#define VISE_LINALG_CHOLESKY_H

#include "core/status.h"

#include <stdint.h>

/*
 * a [n, n] row stride lda, read on and below the diagonal, becomes L with zeros above. n may be 0.
 * Scratch: 128 columns of A, twice.
 * Errors: VISE_ENUMERIC: NaN or infinity, its place named, a unchanged; or not positive definite,
 * the first pivot that is not above 0 named. Then and after VISE_ENOMEM, VISE_ECANCELLED a is
 * undefined.
 */
vise_status vise_cholesky(double *a, int64_t lda, int64_t n, vise_err *err) VISE_MUST_USE;

/*
 * The same of A + damping d I, d the mean of A's diagonal: for second moments of too few tokens.
 * Where that is not positive definite, damping is taken ten times as great, up to six times.
 *
 * l_out        [n, n] contiguous, owned by the caller
 * damping_out  that of L; may be NULL
 * damping      > 0, finite
 *
 * Errors: VISE_EARG (damping), VISE_ENUMERIC (NaN, infinity, a mean not above 0, or six times were
 * not enough), VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_cholesky_damped(double *l_out,
                                 double *damping_out,
                                 const double *a,
                                 int64_t lda,
                                 int64_t n,
                                 double damping,
                                 vise_err *err) VISE_MUST_USE;

#endif
