/* SPDX-License-Identifier: Apache-2.0 */
/* linalg/matrix.h -- what the factorizations share: row-major matrices of doubles in plain memory.
 */
#ifndef VISE_LINALG_MATRIX_H
#define VISE_LINALG_MATRIX_H

#include "core/status.h"

#include <stdint.h>

/* *out: owned, [m, k] uninitialised, freed by vise_mem_free. Errors: VISE_ENOMEM. */
vise_status vise_matrix_alloc(double **out, int64_t m, int64_t k, vise_err *err) VISE_MUST_USE;

/* out [k, m] = in', in [m, k]; row strides ldo and ldi. No overlap. */
void vise_matrix_transpose(
    double *out, int64_t ldo, const double *in, int64_t ldi, int64_t m, int64_t k);

/* *greatest_out: the greatest magnitude, 0 of an empty matrix; may be NULL.
   Errors: VISE_ENUMERIC "`what`: a[3, 5] is nan, expected finite numbers", the first by rows. */
vise_status vise_matrix_check_finite(double *greatest_out,
                                     const char *what,
                                     const double *a,
                                     int64_t lda,
                                     int64_t m,
                                     int64_t k,
                                     vise_err *err) VISE_MUST_USE;

/*
 * The one choice of signs for singular and eigenvectors: where the element of greatest magnitude
 * of a row of `rows` [n, m], the first of equals, is negative, the row is turned around, and with it
 * column i of `others` [k, n], which may be NULL.
 */
void vise_matrix_fix_signs(double *rows, int64_t n, int64_t m, double *others, int64_t k);

#endif
