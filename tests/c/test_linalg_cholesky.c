/* SPDX-License-Identifier: Apache-2.0 */
/* A factor is judged by naive products in f64; bounds are the backward errors of the headers. */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/cholesky.h"
#include "linalg/triangular.h"
#include "support/matrix.h"

#include <float.h>

static const int64_t sizes[] = {0, 1, 2, 7, 8, 9, 64, 127, 128, 129, 200, 257, 300};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* X X' + I, X [n, n + 3] normal: positive definite, condition about n. */
static double *positive_definite(int64_t n) {
  double *x = matrix_random(3, n, n + 3), *xt = matrix_transpose(x, n, n + 3);
  double *a = matrix_multiply(x, xt, n, n + 3, n);
  for (int64_t i = 0; i < n; i++) {
    a[i * n + i] += 1.0;
  }
  free(x);
  free(xt);
  return a;
}

/* |A - L L'| <= 4 n eps |A|: |L| |L'| of the bound is at most n |A|, and far less in practice. */
static void assert_factor(const double *l, const double *a, int64_t n) {
  double *lt = matrix_transpose(l, n, n), *product = matrix_multiply(l, lt, n, n, n);
  const double tol = 4.0 * (double)n * DBL_EPSILON * matrix_norm(a, n * n);
  assert_true(matrix_distance(product, a, n * n) <= tol);
  for (int64_t i = 0; i < n; i++) {
    assert_true(l[i * n + i] > 0.0);
    for (int64_t j = i + 1; j < n; j++) {
      assert_true(l[i * n + j] == 0.0);
    }
  }
  free(lt);
  free(product);
}

static void cholesky_multiplies_back_for_any_threads(void **state) {
  (void)state;
  const int threads = vise_threads();
  for (size_t i = 0; i < N_SIZES; i++) {
    const int64_t n = sizes[i];
    double *a = positive_definite(n), *l[2];
    for (int t = 0; t < 2; t++) {
      vise_threads_set(t + 1);
      l[t] = matrix_copy(a, n, n);
      assert_int_equal(vise_cholesky(l[t], n, n, NULL), VISE_OK);
    }

    assert_factor(l[0], a, n);
    assert_memory_equal(l[0], l[1], (size_t)(n * n) * sizeof *a);
    free(l[0]);
    free(l[1]);
    free(a);
  }
  vise_threads_set(threads);
}

static void cholesky_reads_only_the_lower_triangle_and_keeps_to_its_columns(void **state) {
  (void)state;
  enum { N = 150, LD = 160 };
  double *a = positive_definite(N), *wide = matrix_zeros(N, LD), *l = matrix_zeros(N, N);
  for (int64_t i = 0; i < N; i++) {
    for (int64_t j = 0; j < LD; j++) {
      wide[i * LD + j] = j <= i ? a[i * N + j] : (double)NAN;
    }
  }

  assert_int_equal(vise_cholesky(wide, LD, N, NULL), VISE_OK);

  for (int64_t i = 0; i < N; i++) {
    memcpy(l + i * N, wide + i * LD, N * sizeof *l);
    for (int64_t j = N; j < LD; j++) {
      assert_true(isnan(wide[i * LD + j]));
    }
  }
  assert_factor(l, a, N);
  free(a);
  free(wide);
  free(l);
}

static void cholesky_names_the_pivot_that_is_not_positive(void **state) {
  (void)state;
  vise_err err;
  double small[9] = {4, 0, 0, 2, 1, 0, 0, 0, 5}; /* the second pivot is 1 - 1 = 0 */
  assert_int_equal(vise_cholesky(small, 3, 3, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "cholesky: pivot 1 is 0, expected a positive number: the matrix is "
                               "not positive definite");

  double *a = positive_definite(200);
  a[150 * 200 + 150] = -3.0;
  assert_int_equal(vise_cholesky(a, 200, 200, &err), VISE_ENUMERIC);
  assert_non_null(strstr(err.msg, "cholesky: pivot 150 is -"));
  free(a);
}

static void cholesky_refuses_nan_and_infinity(void **state) {
  (void)state;
  vise_err err;
  double a[4] = {1, 0, NAN, 1}, b[4] = {1, 0, 0, INFINITY};
  assert_int_equal(vise_cholesky(a, 2, 2, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "cholesky: a[1, 0] is nan, expected finite numbers");
  assert_int_equal(vise_cholesky(b, 2, 2, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "cholesky: a[1, 1] is inf, expected finite numbers");
}

/* [[1, 1], [1, 1 - 0.05]] has an eigenvalue near -0.025 and a mean diagonal of 0.975: with damping
   0.01 and 0.1 its determinant d (d + 1.95) - 0.05, d = 0.975 damping, is below and above 0. */
static void damping_grows_tenfold_until_the_matrix_is_positive_definite(void **state) {
  (void)state;
  const double a[4] = {1, 1, 1, 0.95};
  double l[4], damping;
  assert_int_equal(vise_cholesky_damped(l, &damping, a, 2, 2, 0.01, NULL), VISE_OK);
  assert_true(fabs(damping - 0.1) < 1e-15);
  const double damped[4] = {1 + 0.0975, 1, 1, 0.95 + 0.0975};
  assert_factor(l, damped, 2);

  vise_err err;
  const double indefinite[4] = {1, 1e9, 1e9, 1}, zero[1] = {0};
  assert_int_equal(vise_cholesky_damped(l, NULL, indefinite, 2, 2, 0.01, &err), VISE_ENUMERIC);
  assert_int_equal(vise_cholesky_damped(l, NULL, zero, 1, 1, 0.01, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg,
                      "cholesky: the mean of the diagonal is 0, expected a positive number");
  assert_int_equal(vise_cholesky_damped(l, NULL, a, 2, 2, 0.0, &err), VISE_EARG);
}

/* Each solution is put back into the system: |b - L x| <= 4 n eps |L| |x|. */
static void triangular_solutions_fit_their_systems(void **state) {
  (void)state;
  static const int64_t rows[] = {0, 1, 7, 8, 33, 70};
  const int threads = vise_threads();
  for (size_t i = 0; i < N_SIZES; i++) {
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      for (int is_transposed = 0; is_transposed < 2; is_transposed++) {
        const int64_t n = sizes[i], t = rows[r];
        double *l = positive_definite(n), *b = matrix_random(5, t, n), *x[2];
        assert_int_equal(vise_cholesky(l, n, n, NULL), VISE_OK);
        for (int n_threads = 1; n_threads <= 2; n_threads++) {
          vise_threads_set(n_threads);
          x[n_threads - 1] = matrix_copy(b, t, n);

          assert_int_equal(
              vise_triangular_solve(x[n_threads - 1], n, t, l, n, n, is_transposed, NULL), VISE_OK);
        }

        double *lt = matrix_transpose(l, n, n);
        double *back = matrix_multiply(x[0], is_transposed ? l : lt, t, n, n);
        const double tol = 4.0 * (double)n * DBL_EPSILON * matrix_norm(l, n * n);
        assert_true(matrix_distance(back, b, t * n) <= tol * matrix_norm(x[0], t * n));
        assert_memory_equal(x[0], x[1], (size_t)(t * n) * sizeof *b);
        free(lt);
        free(back);
        free(l);
        free(b);
        free(x[0]);
        free(x[1]);
      }
    }
  }
  vise_threads_set(threads);
}

static void a_singular_triangle_is_refused_by_its_pivot(void **state) {
  (void)state;
  vise_err err;
  const double l[4] = {1, 0, 5, 0};
  double x[2] = {3, 4};
  assert_int_equal(vise_triangular_solve(x, 2, 1, l, 2, 2, false, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg,
                      "solve_triangular: pivot 1 is 0, expected a finite number other than 0");
  assert_true(x[0] == 3 && x[1] == 4);
}

static void cholesky_and_solve_survive_every_allocation_failure(void **state) {
  (void)state;
  enum { N = 140, T = 9 };
  double *a = positive_definite(N), *b = matrix_random(7, T, N);
  for (long n = 0;; n++) {
    double *l = matrix_copy(a, N, N), *x = matrix_copy(b, T, N);
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    vise_status st = vise_cholesky(l, N, N, NULL);
    if (st == VISE_OK) {
      st = vise_triangular_solve(x, N, T, l, N, N, true, NULL);
    }
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    free(l);
    free(x);
    if (st == VISE_OK) {
      assert_true(n > 4);
      break;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
  free(a);
  free(b);
}

static void cholesky_and_solve_stop_when_cancelled(void **state) {
  (void)state;
  double a[1] = {4}, x[1] = {2};
  vise_cancel();
  const vise_status factored = vise_cholesky(a, 1, 1, NULL);
  const vise_status solved = vise_triangular_solve(x, 1, 1, a, 1, 1, false, NULL);
  vise_cancel_clear();
  assert_int_equal(factored, VISE_ECANCELLED);
  assert_int_equal(solved, VISE_ECANCELLED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cholesky_multiplies_back_for_any_threads),
      cmocka_unit_test(cholesky_reads_only_the_lower_triangle_and_keeps_to_its_columns),
      cmocka_unit_test(cholesky_names_the_pivot_that_is_not_positive),
      cmocka_unit_test(cholesky_refuses_nan_and_infinity),
      cmocka_unit_test(damping_grows_tenfold_until_the_matrix_is_positive_definite),
      cmocka_unit_test(triangular_solutions_fit_their_systems),
      cmocka_unit_test(a_singular_triangle_is_refused_by_its_pivot),
      cmocka_unit_test(cholesky_and_solve_survive_every_allocation_failure),
      cmocka_unit_test(cholesky_and_solve_stop_when_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
