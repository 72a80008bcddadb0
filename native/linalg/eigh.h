/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/eigh.h -- A = V diag(w) V' of a symmetric matrix in f64, by LAPACK (dsyevd).
 *
 * Signs: in each eigenvector the element of greatest magnitude, the first of equals, is positive.
 * The result is exact for one LAPACK build and core type, whatever the threads. LAPACK is not
 * interrupted while it runs.
 */
#ifndef VISE_LINALG_EIGH_H
#define VISE_LINALG_EIGH_H

#include "core/status.h"

#include <stdint.h>

/*
 * a [n, n] contiguous, read on and below the diagonal, becomes V': eigenvector i is row i, of
 * values_out[i]. Values ascend. n may be 0.
 * Errors: VISE_ENUMERIC (NaN or infinity anywhere in a, its place named; no convergence),
 * VISE_ESHAPE (n above 20000), VISE_ENOMEM, VISE_ECANCELLED (before or after LAPACK). a is undefined
 * after all but the first.
 */
vise_status vise_eigh(double *values_out, double *a, int64_t n, vise_err *err) VISE_MUST_USE;

#endif
