/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/svd.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/lapack.h"
#include "linalg/matrix.h"

#include <string.h>

vise_status vise_svd(double *u,
                     double *s,
                     double *vt,
                     const double *a,
                     int64_t lda,
                     int64_t m,
                     int64_t k,
                     vise_err *err) {
  VISE_TRY(vise_matrix_check_finite(NULL, "svd", a, lda, m, k, err));
  VISE_TRY(vise_cancel_check(err));
  double *copy;
  VISE_TRY(vise_matrix_alloc(&copy, m, k, err));
  for (int64_t i = 0; i < m; i++) {
    memcpy(copy + i * k, a + i * lda, (size_t)k * sizeof *a);
  }
  vise_status st = vise_lapack_svd(u, s, vt, copy, m, k, err);
  vise_mem_free(copy);
  if (st == VISE_OK) {
    st = vise_cancel_check(err);
  }
  if (st == VISE_OK) {
    vise_matrix_fix_signs(vt, m < k ? m : k, k, u, m);
  }
  return st;
}
