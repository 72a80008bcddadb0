/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Left-looking, J a block of 128 columns:
 *
 *   A[J.., J] -= L[J.., before] L[J, before]'        linalg/gemm
 *   A[J, J]    = D D'                                unblocked
 *   L[after, J] D' = A[after, J]                     linalg/triangular
 */
#include "linalg/cholesky.h"

#include "core/mem.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/triangular.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 128, ESCALATIONS = 6 };

/* d [n, n] becomes its factor; `first` is the number of its first pivot in the whole matrix. */
static vise_status factor_block(double *d, int64_t ldd, int64_t n, int64_t first, vise_err *err) {
  for (int64_t j = 0; j < n; j++) {
    double *row = d + j * ldd;
    double pivot = row[j];
    for (int64_t l = 0; l < j; l++) {
      pivot -= row[l] * row[l];
    }
    if (!(pivot > 0.0) || isinf(pivot)) {
      return vise_fail(err, VISE_ENUMERIC,
                       "cholesky: pivot %lld is %g, expected a positive number: the matrix is not "
                       "positive definite",
                       (long long)(first + j), pivot);
    }
    row[j] = sqrt(pivot);
    for (int64_t i = j + 1; i < n; i++) {
      double *other = d + i * ldd, sum = other[j];
      for (int64_t l = 0; l < j; l++) {
        sum -= other[l] * row[l];
      }
      other[j] = sum / row[j];
    }
  }
  return VISE_OK;
}

static vise_status factor(double *a, int64_t lda, int64_t n, double *known, vise_err *err) {
  for (int64_t col = 0; col < n; col += BLOCK) {
    const int64_t nb = n - col < BLOCK ? n - col : BLOCK, rows = n - col, after = col + nb;
    double *block = a + col * lda + col;
    VISE_TRY(vise_gemm_f64(known, nb, a + col * lda, lda, rows, a + col * lda, lda, nb, col, err));
    for (int64_t i = 0; i < rows && col > 0; i++) {
      for (int64_t j = 0; j < nb; j++) {
        block[i * lda + j] -= known[i * nb + j];
      }
    }
    VISE_TRY(factor_block(block, lda, nb, col, err));
    VISE_TRY(
        vise_triangular_solve(a + after * lda + col, lda, n - after, block, lda, nb, false, err));
    for (int64_t i = 0; i < nb; i++) {
      memset(block + i * lda + i + 1, 0, (size_t)(n - col - i - 1) * sizeof *block);
    }
  }
  return VISE_OK;
}

/* NaN or infinity on or below the diagonal. */
static vise_status check_lower(const double *a, int64_t lda, int64_t n, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) {
      if (!isfinite(a[i * lda + j])) {
        return vise_fail(err, VISE_ENUMERIC,
                         "cholesky: a[%lld, %lld] is %g, expected finite numbers", (long long)i,
                         (long long)j, a[i * lda + j]);
      }
    }
  }
  return VISE_OK;
}

vise_status vise_cholesky(double *a, int64_t lda, int64_t n, vise_err *err) {
  double *known;
  VISE_TRY(check_lower(a, lda, n, err));
  VISE_TRY(vise_matrix_alloc(&known, n, BLOCK, err));
  const vise_status st = factor(a, lda, n, known, err);
  vise_mem_free(known);
  return st;
}

vise_status vise_cholesky_damped(double *l_out,
                                 double *damping_out,
                                 const double *a,
                                 int64_t lda,
                                 int64_t n,
                                 double damping,
                                 vise_err *err) {
  if (!(damping > 0.0) || isinf(damping)) {
    return vise_fail(err, VISE_EARG, "cholesky: damping is %g, expected a positive number",
                     damping);
  }
  VISE_TRY(check_lower(a, lda, n, err));
  double mean = 0.0;
  for (int64_t i = 0; i < n; i++) {
    mean += a[i * lda + i] / (double)n;
  }
  if (n > 0 && !(mean > 0.0 && isfinite(mean))) {
    return vise_fail(err, VISE_ENUMERIC,
                     "cholesky: the mean of the diagonal is %g, expected a positive number", mean);
  }
  vise_status st = VISE_ENUMERIC;
  for (int i = 0; i <= ESCALATIONS && st == VISE_ENUMERIC; i++, damping *= 10.0) {
    for (int64_t row = 0; row < n; row++) {
      memcpy(l_out + row * n, a + row * lda, (size_t)n * sizeof *a);
      l_out[row * n + row] += damping * mean;
    }
    if (damping_out != NULL) {
      *damping_out = damping;
    }
    st = vise_cholesky(l_out, n, n, err);
  }
  return st;
}
