/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/triangular.h -- systems with a lower triangular matrix, many right sides at once.
 *
 *   rows x of X [t, n]:   L x = b   or   L' x = b      L [n, n], read on and below the diagonal
 *
 * In other words X = B L'^-1 or X = B L^-1. Blocks of columns: what is solved already is taken off
 * by linalg/gemm, then each right side meets the block on the diagonal. So the bits do not depend
 * on threads or CPU level, and a right side's bits not on its neighbours.
 * Backward stable: (L + dL) x = b with |dL| <= n eps |L|.
 */
#ifndef VISE_LINALG_TRIANGULAR_H
#define VISE_LINALG_TRIANGULAR_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * x [t, n] row stride ldx holds the right sides and then the solutions; l row stride ldl. t or n
 * may be 0. Scratch: 128 columns of X and 128 rows of L.
 * Errors: VISE_ENUMERIC (a pivot that is 0 or not finite, named; x is unchanged), VISE_ENOMEM,
 * VISE_ECANCELLED (x is then undefined).
 */
vise_status vise_triangular_solve(double *x,
                                  int64_t ldx,
                                  int64_t t,
                                  const double *l,
                                  int64_t ldl,
                                  int64_t n,
                                  bool is_transposed,
                                  vise_err *err) VISE_MUST_USE;

#endif
