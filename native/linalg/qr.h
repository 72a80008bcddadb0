/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/qr.h -- A = Q R by Householder reflections, in f64.
 *
 *   A [m, n], m >= n   Q [m, n] with orthonormal columns   R [n, n] upper, diagonal >= 0
 *
 * Matrices come by their columns: row j of A' is column j of A. Blocked on linalg/gemm, so the bits
 * do not depend on threads or CPU level, nor on any library. Q is orthonormal to about n eps
 * whatever A, dependent or zero columns too. Cost: about 6 m n^2 flops.
 * Source: Elmroth and Gustavson, "Applying recursion to serial and parallel QR factorization leads
 * to better performance", IBM J. Res. Dev. 44 (2000).
 */
#ifndef VISE_LINALG_QR_H
#define VISE_LINALG_QR_H

#include "core/status.h"

#include <stdint.h>

/*
 * at [n, m] contiguous, A', becomes Q'. r_out [n, n] contiguous, or NULL. 0 <= n <= m.
 * Scratch: 1.5 times A and 4 n^2 numbers.
 * Errors: VISE_ENUMERIC (NaN or infinity, a unchanged), VISE_ENOMEM, VISE_ECANCELLED (a is then
 * undefined).
 */
vise_status vise_qr(double *at, int64_t n, int64_t m, double *r_out, vise_err *err) VISE_MUST_USE;

/*
 * The same of a matrix of any shape by rows: a [m, n] row stride lda, unchanged; with s = min(m, n),
 * q [m, s] and r [s, n] contiguous, owned by the caller; r may be NULL. m or n may be 0.
 * Errors: as vise_qr, the place of NaN or infinity in a.
 */
vise_status vise_qr_reduced(double *q,
                            double *r,
                            const double *a,
                            int64_t lda,
                            int64_t m,
                            int64_t n,
                            vise_err *err) VISE_MUST_USE;

#endif
