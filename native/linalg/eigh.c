/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/eigh.h"

#include "core/parallel.h"
#include "linalg/lapack.h"
#include "linalg/matrix.h"

#include <stddef.h>

vise_status vise_eigh(double *values_out, double *a, int64_t n, vise_err *err) {
  VISE_TRY(vise_matrix_check_finite(NULL, "eigh", a, n, n, n, err));
  VISE_TRY(vise_cancel_check(err));
  VISE_TRY(vise_lapack_eigh(values_out, a, n, err));
  VISE_TRY(vise_cancel_check(err));
  vise_matrix_fix_signs(a, n, n, NULL, 0);
  return VISE_OK;
}
