/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/hadamard.h -- orthonormal Hadamard transforms of the rows of a matrix.
 *
 *   y = H x / sqrt(n),   H = H_m (x) H_p,   n = m p,   p a power of two
 *
 * H_p is Sylvester's: H_p[i][j] = -1 where i & j has an odd number of bits. m is 1, or 4 times the
 * odd part of n, at most 256, where Paley's construction gives a matrix of that order:
 *   II   m = 2 (q + 1), q = 1 mod 4, a prime or the square of one: symmetric; taken first
 *   I    m = q + 1, q = 3 mod 4, a prime: its inverse is its transpose
 * Among them 12, 20, 28, 36, 44, 52, 60, 76; 172 is of neither form. As a Kronecker product: element
 * i p + j of x is row i of H_m, column j of H_p.
 *
 * n log2(p) + n m additions a row. Exact: the same bits at every CPU level and for any threads.
 * Source: Paley, "On orthogonal matrices", J. Math. Phys. 12 (1933).
 */
#ifndef VISE_LINALG_HADAMARD_H
#define VISE_LINALG_HADAMARD_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct vise_hadamard vise_hadamard;

/*
 * The transform of order n, owned; freed by vise_hadamard_free.
 * Errors: VISE_EARG (n < 1), VISE_ESHAPE (no matrix of that order is known here, see
 * vise_hadamard_block), VISE_ENOMEM.
 */
vise_status vise_hadamard_create(vise_hadamard **out, int64_t n, vise_err *err) VISE_MUST_USE;
void vise_hadamard_free(vise_hadamard *h); /* accepts NULL */

int64_t vise_hadamard_order(const vise_hadamard *h);
bool vise_hadamard_is_symmetric(const vise_hadamard *h); /* then it is its own inverse */

/* n if there is a matrix of that order, else the greatest power of two that divides n: what to
   rotate rows of n columns with, block by block. n >= 1. */
int64_t vise_hadamard_block(int64_t n);

/*
 * Transform each run of order(h) elements of x [rows, k], contiguous, in place; k is a multiple of the
 * order. is_inverse: by the transpose instead, which undoes it up to rounding.
 * Errors: VISE_ESHAPE (k), VISE_ECANCELLED (x is then undefined).
 */
vise_status vise_hadamard_apply(const vise_hadamard *h,
                                float *inout,
                                int64_t rows,
                                int64_t k,
                                bool is_inverse,
                                vise_err *err) VISE_MUST_USE;

#endif
