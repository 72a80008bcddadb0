/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/matrix.h"

#include "core/checked.h"
#include "core/mem.h"
#include "kernels/gemm_tile.h"

#include <math.h>

vise_status vise_matrix_alloc(double **out, int64_t m, int64_t k, vise_err *err) {
  int64_t n;
  void *block;
  *out = NULL;
  if (!vise_mul_i64(&n, m, k)) {
    return vise_fail(err, VISE_ENOMEM, "a matrix [%lld, %lld] is more than there is memory",
                     (long long)m, (long long)k);
  }
  VISE_TRY(vise_mem_alloc_array(&block, n, sizeof(double), err));
  *out = block;
  return VISE_OK;
}

void vise_matrix_transpose(
    double *out, int64_t ldo, const double *in, int64_t ldi, int64_t m, int64_t k) {
  enum { SIDE = 64 }; /* a square of in and one of out stay in the first cache */
  const vise_gemm_tile *tile = &vise_gemm_kernels_used()->f64;
  for (int64_t i = 0; i < m; i += SIDE) {
    for (int64_t j = 0; j < k; j += SIDE) {
      tile->transpose(out + j * ldo + i, ldo, in + i * ldi + j, ldi, m - i < SIDE ? m - i : SIDE,
                      k - j < SIDE ? k - j : SIDE);
    }
  }
}

vise_status vise_matrix_check_finite(double *greatest_out,
                                     const char *what,
                                     const double *a,
                                     int64_t lda,
                                     int64_t m,
                                     int64_t k,
                                     vise_err *err) {
  double greatest = 0.0;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < k; j++) {
      const double magnitude = fabs(a[i * lda + j]);
      if (!(magnitude <= greatest)) {
        if (!isfinite(magnitude)) {
          return vise_fail(err, VISE_ENUMERIC, "%s: a[%lld, %lld] is %g, expected finite numbers",
                           what, (long long)i, (long long)j, a[i * lda + j]);
        }
        greatest = magnitude;
      }
    }
  }
  if (greatest_out != NULL) {
    *greatest_out = greatest;
  }
  return VISE_OK;
}

void vise_matrix_fix_signs(double *rows, int64_t n, int64_t m, double *others, int64_t k) {
  for (int64_t i = 0; i < n; i++) {
    double *row = rows + i * m, greatest = 0.0;
    for (int64_t j = 0; j < m; j++) {
      if (fabs(row[j]) > fabs(greatest)) {
        greatest = row[j];
      }
    }
    for (int64_t j = 0; greatest < 0.0 && j < m; j++) {
      row[j] = -row[j];
    }
    for (int64_t j = 0; greatest < 0.0 && others != NULL && j < k; j++) {
      others[j * n + i] = -others[j * n + i];
    }
  }
}
