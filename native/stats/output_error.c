/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/output_error.h"

#include "core/mem.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

enum { ROWS = 256 };

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* sums[i] = row i of x times H times itself; `product` [n_rows, k] is scratch. */
static vise_status forms(double *sums,
                         const double *x,
                         int64_t n_rows,
                         const double *h,
                         int64_t k,
                         double *product,
                         vise_err *err) {
  VISE_TRY(vise_gemm_f64(product, k, x, k, n_rows, h, k, k, k, err));
  for (int64_t i = 0; i < n_rows; i++) {
    double sum = 0.0;
    for (int64_t j = 0; j < k; j++) {
      sum += product[i * k + j] * x[i * k + j];
    }
    sums[i] = sum;
  }
  return VISE_OK;
}

/* Scratch of one block of rows. */
typedef struct block {
  float *a, *b;
  double *x, *product, *h;
  double sums[ROWS];
} block;

static double total(const double *sums, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += sums[i];
  }
  return sum;
}

static vise_status add_rows(double *squared,
                            double *norm,
                            const vise_weight *a,
                            const vise_weight *b,
                            int64_t row,
                            block *s,
                            vise_err *err) {
  const int64_t k = a->k, n_rows = smaller(ROWS, a->m - row);
  VISE_TRY(vise_weight_dense_rows(a, row, n_rows, s->a, k, err));
  VISE_TRY(vise_weight_dense_rows(b, row, n_rows, s->b, k, err));
  for (int64_t i = 0; i < n_rows * k; i++) {
    s->x[i] = (double)s->a[i] - (double)s->b[i];
  }
  VISE_TRY(forms(s->sums, s->x, n_rows, s->h, k, s->product, err));
  *squared += total(s->sums, n_rows);
  for (int64_t i = 0; i < n_rows * k; i++) {
    s->x[i] = (double)s->a[i];
  }
  VISE_TRY(forms(s->sums, s->x, n_rows, s->h, k, s->product, err));
  *norm += total(s->sums, n_rows);
  return VISE_OK;
}

vise_status vise_output_error(double *squared_out,
                              double *norm_out,
                              const vise_weight *a,
                              const vise_weight *b,
                              const vise_moments *moments,
                              vise_err *err) {
  const int64_t m = a->m, k = a->k;
  if (b->m != m || b->k != k) {
    return vise_fail(err, VISE_ESHAPE,
                     "error: weights are [%lld, %lld] and [%lld, %lld], expected "
                     "one shape",
                     (long long)m, (long long)k, (long long)b->m, (long long)b->k);
  } else if (moments->n != k) {
    return vise_fail(err, VISE_ESHAPE, "error: statistics are of %lld columns, expected %lld",
                     (long long)moments->n, (long long)k);
  }
  const int64_t rows = smaller(ROWS, m);
  *squared_out = *norm_out = 0.0;
  void *floats = NULL;
  double *numbers = NULL;
  VISE_TRY(vise_mem_alloc_array(&floats, 2 * rows * k, sizeof(float), err));
  vise_status st = vise_matrix_alloc(&numbers, 2 * rows + k, k, err);
  if (st == VISE_OK) {
    block s = {.a = floats, .b = (float *)floats + rows * k};
    s.x = numbers;
    s.product = numbers + rows * k;
    s.h = numbers + 2 * rows * k;
    vise_moments_second(s.h, moments);
    for (int64_t row = 0; row < m && st == VISE_OK; row += ROWS) {
      st = add_rows(squared_out, norm_out, a, b, row, &s, err);
    }
  }
  vise_mem_free(numbers);
  vise_mem_free(floats);
  return st;
}
