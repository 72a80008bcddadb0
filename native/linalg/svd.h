/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/svd.h -- A = U diag(s) V' in f64, whole, by LAPACK (dgesdd).
 *
 * Signs: in each row of V' the element of greatest magnitude, the first of equals, is positive.
 * The result is exact for one LAPACK build and core type, whatever the threads. LAPACK is not
 * interrupted while it runs.
 */
#ifndef VISE_LINALG_SVD_H
#define VISE_LINALG_SVD_H

#include "core/status.h"

#include <stdint.h>

/*
 * a [m, k] row stride lda, unchanged; r = min(m, k). u [m, r], s [r] descending and >= 0, vt
 * [r, k], contiguous, owned by the caller. m or k may be 0.
 * Errors: VISE_ENUMERIC (NaN or infinity, its place named; no convergence), VISE_ESHAPE (a smaller
 * side above 20000), VISE_ENOMEM, VISE_ECANCELLED (before or after LAPACK).
 */
vise_status vise_svd(double *u,
                     double *s,
                     double *vt,
                     const double *a,
                     int64_t lda,
                     int64_t m,
                     int64_t k,
                     vise_err *err) VISE_MUST_USE;

#endif
