/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVD, eigenvalues, Gram matrices and the two truncated SVDs. Judged by naive products, and against
 * matrices made from a spectrum that is known (orthonormal factors by Gram-Schmidt, twice, here).
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/eigh.h"
#include "linalg/gram.h"
#include "linalg/lapack.h"
#include "linalg/rsvd.h"
#include "linalg/svd.h"
#include "support/matrix.h"

#include <float.h>
#include <stdbool.h>

/* LAPACK's backward errors are a modest multiple of n eps; 50 n eps has room for every shape. */
static double backward_tol(int64_t n) {
  return 50.0 * (double)(n + 1) * DBL_EPSILON;
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static double *orthonormal_rows(uint64_t seed, int64_t n, int64_t m) {
  double *a = matrix_random(seed, n, m);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < 2 * i; j++) { /* every row before, twice */
      double dot = 0.0;
      for (int64_t l = 0; l < m; l++) {
        dot += a[i * m + l] * a[j % i * m + l];
      }
      for (int64_t l = 0; l < m; l++) {
        a[i * m + l] -= dot * a[j % i * m + l];
      }
    }
    const double norm = matrix_norm(a + i * m, m);
    for (int64_t l = 0; l < m; l++) {
      a[i * m + l] /= norm;
    }
  }
  return a;
}

/* u diag(s) vt, u [m, r], vt [r, k] */
static double *
rebuild(const double *u, const double *s, const double *vt, int64_t m, int64_t r, int64_t k) {
  double *scaled = matrix_copy(u, m, r);
  for (int64_t i = 0; i < m * r; i++) {
    scaled[i] *= s[i % r];
  }
  double *out = matrix_multiply(scaled, vt, m, r, k);
  free(scaled);
  return out;
}

/* [m, k] with singular values `s` [min(m, k)] */
static double *with_spectrum(const double *s, int64_t m, int64_t k) {
  const int64_t r = smaller(m, k);
  double *ut = orthonormal_rows(11, r, m), *vt = orthonormal_rows(12, r, k);
  double *u = matrix_transpose(ut, r, m), *a = rebuild(u, s, vt, m, r, k);
  free(ut);
  free(vt);
  free(u);
  return a;
}

static float *to_f32(const double *a, int64_t n) {
  float *out = malloc(((size_t)n + 1) * sizeof *out);
  assert_non_null(out);
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)a[i];
  }
  return out;
}

static void assert_descending(const double *s, int64_t r) {
  for (int64_t i = 0; i < r; i++) {
    assert_true(s[i] >= 0.0 && (i == 0 || s[i] <= s[i - 1]));
  }
}

/* The greatest magnitude of each row is positive. */
static void assert_signs(const double *rows, int64_t n, int64_t m) {
  for (int64_t i = 0; i < n; i++) {
    double greatest = 0.0;
    for (int64_t j = 0; j < m; j++) {
      greatest = fabs(rows[i * m + j]) > fabs(greatest) ? rows[i * m + j] : greatest;
    }
    assert_true(greatest > 0.0);
  }
}

static void check_svd(const double *a, int64_t m, int64_t k) {
  const int64_t r = smaller(m, k);
  double *u = matrix_zeros(m, r), *s = matrix_zeros(r, 1), *vt = matrix_zeros(r, k);

  assert_int_equal(vise_svd(u, s, vt, a, k, m, k, NULL), VISE_OK);

  double *ut = matrix_transpose(u, m, r), *product = rebuild(u, s, vt, m, r, k);
  assert_true(matrix_row_defect(ut, r, m) <= backward_tol(m));
  assert_true(matrix_row_defect(vt, r, k) <= backward_tol(k));
  assert_true(matrix_distance(product, a, m * k) <= backward_tol(m + k) * matrix_norm(a, m * k));
  assert_descending(s, r);
  assert_signs(vt, r, k);
  free(u);
  free(s);
  free(vt);
  free(ut);
  free(product);
}

static void svd_factors_every_shape(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{0, 0}, {0, 3},   {3, 0},   {1, 1},   {1, 9},   {9, 1},
                                      {7, 7}, {30, 12}, {12, 30}, {65, 40}, {100, 3}, {3, 100}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    double *a = matrix_random(i, shapes[i][0], shapes[i][1]);
    check_svd(a, shapes[i][0], shapes[i][1]);
    free(a);
  }
}

static void svd_factors_real_matrices(void **state) {
  (void)state;
  double *west = matrix_real("west0067", 67, 67), *fs = matrix_real("fs_183_1", 183, 183);
  if (west != NULL && fs != NULL) {
    check_svd(west, 67, 67);
    check_svd(fs, 183, 183);
  }
  free(west);
  free(fs);
}

static void svd_finds_the_spectrum_it_was_given(void **state) {
  (void)state;
  enum { M = 40, K = 25 };
  double s[K], u[M * K], found[K], vt[K * K];
  for (int i = 0; i < K; i++) {
    s[i] = 1.0 / (1 + i * i);
  }
  double *a = with_spectrum(s, M, K);
  assert_int_equal(vise_svd(u, found, vt, a, K, M, K, NULL), VISE_OK);
  assert_true(matrix_distance(found, s, K) <= backward_tol(M));
  free(a);
}

/* BLAS threads that a bench has set do not reach a result. */
static void svd_and_eigh_do_not_see_threads(void **state) {
  (void)state;
  enum { N = 150 };
  double *a = matrix_random(3, N, N), *u = matrix_zeros(N, N), *vt[2], *v[2], s[N];
  for (int t = 0; t < 2; t++) {
    vise_blas_threads_set(t + 1);
    vt[t] = matrix_zeros(N, N);
    v[t] = matrix_copy(a, N, N);
    assert_int_equal(vise_svd(u, s, vt[t], a, N, N, N, NULL), VISE_OK);
    assert_int_equal(vise_eigh(s, v[t], N, NULL), VISE_OK);
    assert_int_equal(vise_blas_threads(), t + 1);
  }
  vise_blas_threads_set(1);
  assert_memory_equal(vt[0], vt[1], N * N * sizeof(double));
  assert_memory_equal(v[0], v[1], N * N * sizeof(double));
  for (int t = 0; t < 2; t++) {
    free(vt[t]);
    free(v[t]);
  }
  free(a);
  free(u);
}

static void eigh_gives_rows_with_ascending_values(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 2, 13, 40, 70};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const int64_t n = sizes[i];
    double *x = matrix_random(i, n, n), *a = matrix_zeros(n, n), *w = matrix_zeros(n, 1);
    for (int64_t j = 0; j < n * n; j++) {
      a[j] = x[j] + x[j % n * n + j / n];
    }
    double *vt = matrix_copy(a, n, n);
    for (int64_t j = 0; j < n * n; j++) {
      vt[j] = j % n > j / n ? 1e300 : vt[j]; /* above the diagonal nothing is read */
    }

    assert_int_equal(vise_eigh(w, vt, n, NULL), VISE_OK);

    double *v = matrix_transpose(vt, n, n), *product = rebuild(v, w, vt, n, n, n);
    assert_true(matrix_row_defect(vt, n, n) <= backward_tol(n));
    assert_true(matrix_distance(product, a, n * n) <= backward_tol(n) * matrix_norm(a, n * n));
    for (int64_t j = 1; j < n; j++) {
      assert_true(w[j] >= w[j - 1]);
    }
    assert_signs(vt, n, n);
    free(x);
    free(a);
    free(w);
    free(vt);
    free(v);
    free(product);
  }
}

static void nan_and_infinity_are_refused_by_their_place(void **state) {
  (void)state;
  vise_err err;
  double a[4] = {1, 2, 3, (double)INFINITY}, u[4], s[2], vt[4];
  float w[4] = {1, NAN, 3, 4};
  const vise_matrix_f32 matrix = {w, 2, 2, 2, 1};
  const vise_rsvd_opts opts = {VISE_RSVD_OVERSAMPLE, VISE_RSVD_PASSES, 0, ""};
  vise_rsvd_error error;
  assert_int_equal(vise_svd(u, s, vt, a, 2, 2, 2, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "svd: a[1, 1] is inf, expected finite numbers");
  assert_int_equal(vise_eigh(s, a, 2, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "eigh: a[1, 1] is inf, expected finite numbers");
  assert_int_equal(vise_gram_svd(u, s, vt, &error.frobenius, &matrix, 1, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "gram_svd: a[0, 1] is nan, expected finite numbers");
  assert_int_equal(vise_rsvd(u, s, vt, &error, &matrix, 1, &opts, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "randomized_svd: a[0, 1] is nan, expected finite numbers");
}

/* Against a naive f64 product: both add k exact products of f32 numbers, in different orders. */
static void gram_is_the_naive_product(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{0, 4}, {4, 0}, {1, 1}, {5, 1030}, {17, 33}, {530, 40}};
  const int threads = vise_threads();
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const int64_t m = shapes[i][0], k = shapes[i][1];
    double *a = matrix_random(i, m, k);
    float *w = to_f32(a, m * k), *wt = malloc(((size_t)(m * k) + 1) * sizeof *wt);
    for (int64_t j = 0; j < m * k; j++) {
      a[j] = (double)w[j];
      wt[j % k * m + j / k] = w[j];
    }
    double *at = matrix_transpose(a, m, k), *expected = matrix_multiply(a, at, m, k, m);
    const vise_matrix_f32 plain = {w, m, k, k, 1}, turned = {wt, m, k, 1, m};
    double *g = matrix_zeros(m, m), *other = matrix_zeros(m, m);

    vise_threads_set(1);
    assert_int_equal(vise_gram(g, &plain, NULL), VISE_OK);
    vise_threads_set(2);
    assert_int_equal(vise_gram(other, &turned, NULL), VISE_OK);

    const double tol = (double)(k + 1) * DBL_EPSILON * matrix_norm(expected, m * m);
    assert_true(matrix_distance(g, expected, m * m) <= tol);
    assert_memory_equal(g, other, (size_t)(m * m) * sizeof *g);
    for (int64_t j = 0; j < m * m; j++) {
      assert_true(g[j] == g[j % m * m + j / m]);
    }
    free(a);
    free(at);
    free(w);
    free(wt);
    free(expected);
    free(g);
    free(other);
  }
  vise_threads_set(threads);
}

typedef struct truncated {
  double *u, *s, *vt;
  vise_rsvd_error error;
} truncated;

enum { GRAM = 0, RANDOMIZED = 1 };

static vise_status
run(truncated *out, int route, const vise_matrix_f32 *w, int64_t r, vise_err *err) {
  const vise_rsvd_opts opts = {VISE_RSVD_OVERSAMPLE, VISE_RSVD_PASSES, 5, "layers.0"};
  return route == GRAM ? vise_gram_svd(out->u, out->s, out->vt, &out->error.frobenius, w, r, err)
                       : vise_rsvd(out->u, out->s, out->vt, &out->error, w, r, &opts, err);
}

static truncated create_truncated(int64_t m, int64_t r, int64_t k) {
  return (truncated){matrix_zeros(m, r), matrix_zeros(r, 1), matrix_zeros(r, k), {0, 0}};
}

static void free_truncated(truncated *t) {
  free(t->u);
  free(t->s);
  free(t->vt);
}

/* Spectrum 1 / (1 + i): the optimum of rank r is the root of the sum of the squares left. */
static void check_truncated(int route, int64_t m, int64_t k, int64_t r, bool is_turned) {
  const int64_t least = smaller(m, k);
  double *spectrum = matrix_zeros(least, 1), optimum = 0.0;
  for (int64_t i = 0; i < least; i++) {
    spectrum[i] = 1.0 / (double)(1 + i);
    optimum += i < r ? 0.0 : spectrum[i] * spectrum[i];
  }
  optimum = sqrt(optimum);
  double *a = with_spectrum(spectrum, m, k);
  double *stored = is_turned ? matrix_transpose(a, m, k) : matrix_copy(a, m, k);
  float *w = to_f32(stored, m * k);
  const vise_matrix_f32 matrix = {w, m, k, is_turned ? 1 : k, is_turned ? m : 1};
  truncated t[2];
  const int threads = vise_threads();
  for (int i = 0; i < 2; i++) {
    vise_threads_set(i + 1);
    t[i] = create_truncated(m, r, k);
    assert_int_equal(run(&t[i], route, &matrix, r, NULL), VISE_OK);
  }
  vise_threads_set(threads);

  double *ut = matrix_transpose(t->u, m, r), *product = rebuild(t->u, t->s, t->vt, m, r, k);
  const double f32_tol = (double)FLT_EPSILON * matrix_norm(a, m * k); /* W was rounded to f32 */
  const double error = matrix_distance(product, a, m * k);
  assert_true(matrix_row_defect(ut, r, m) <= backward_tol(m));
  assert_true(matrix_row_defect(t->vt, r, k) <= backward_tol(k));
  assert_descending(t->s, r);
  assert_signs(t->vt, r, k);
  assert_true(error <= (route == GRAM ? 1.0 : 1.02) * optimum + f32_tol);
  assert_true(fabs(t->error.frobenius - error) <= f32_tol);
  if (route == GRAM) {
    assert_true(matrix_distance(t->s, spectrum, r) <= f32_tol);
  } else if (r < least) { /* no factors of rank r are nearer than the next singular value */
    assert_true(t->error.spectral >= spectrum[r] - f32_tol);
    assert_true(t->error.spectral <=
                40.0 * error + f32_tol); /* |E omega| is about |E|, Frobenius */
  }
  assert_memory_equal(t[0].u, t[1].u, (size_t)(m * r) * sizeof *t->u);
  assert_memory_equal(t[0].s, t[1].s, (size_t)r * sizeof *t->s);
  assert_memory_equal(t[0].vt, t[1].vt, (size_t)(r * k) * sizeof *t->vt);
  free(ut);
  free(product);
  free(spectrum);
  free(a);
  free(stored);
  free(w);
  free_truncated(&t[0]);
  free_truncated(&t[1]);
}

static void truncated_svds_come_near_the_optimum(void **state) {
  (void)state;
  static const int64_t cases[][3] = {{1, 1, 1},    {1, 40, 1},  {40, 1, 1},   {9, 9, 9},
                                     {90, 30, 5},  {30, 90, 5}, {70, 70, 12}, {20, 300, 20},
                                     {300, 20, 3}, {129, 65, 8}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int route = GRAM; route <= RANDOMIZED; route++) {
      check_truncated(route, cases[i][0], cases[i][1], cases[i][2], false);
      check_truncated(route, cases[i][0], cases[i][1], cases[i][2], true);
    }
  }
}

/* Zero, and of rank 1 where 4 are asked for: factors are orthonormal and the error is 0. */
static void truncated_svds_survive_missing_rank(void **state) {
  (void)state;
  enum { M = 20, K = 30, R = 4 };
  float w[M * K];
  for (int is_zero = 0; is_zero < 2; is_zero++) {
    for (int i = 0; i < M * K; i++) {
      w[i] = is_zero ? 0.0f : (float)((1 + i / K) * (1 + i % K)); /* exact */
    }
    const vise_matrix_f32 matrix = {w, M, K, K, 1};
    for (int route = GRAM; route <= RANDOMIZED; route++) {
      truncated t = create_truncated(M, R, K);
      assert_int_equal(run(&t, route, &matrix, R, NULL), VISE_OK);
      double *ut = matrix_transpose(t.u, M, R);
      assert_true(matrix_row_defect(ut, R, M) <= backward_tol(M));
      assert_true(matrix_row_defect(t.vt, R, K) <= backward_tol(K));
      assert_true(t.s[1] <= 1e-12 * t.s[0]);
      assert_true(t.error.frobenius <= 1e-7 * t.s[0]);
      free(ut);
      free_truncated(&t);
    }
  }
}

/* Weights near the ends of f32: products that overflow or vanish would lose the basis. */
static void randomized_svd_keeps_its_accuracy_at_extreme_scales(void **state) {
  (void)state;
  enum { N = 30, R = 4 };
  double spectrum[N], kept[2] = {0};
  for (int i = 0; i < N; i++) {
    spectrum[i] = pow(0.5, i);
  }
  double *a = with_spectrum(spectrum, N, N), greatest = 0.0;
  for (int i = 0; i < N * N; i++) {
    greatest = fmax(greatest, fabs(a[i]));
  }
  const int exponents[2] = {126 - ilogb(greatest), -80}; /* the greatest at least 2^126 */
  for (int i = 0; i < 2; i++) {
    float *w = to_f32(a, N * N);
    for (int j = 0; j < N * N; j++) {
      w[j] = ldexpf(w[j], exponents[i]);
    }
    const vise_matrix_f32 matrix = {w, N, N, N, 1};
    truncated t = create_truncated(N, R, N);
    assert_int_equal(run(&t, RANDOMIZED, &matrix, R, NULL), VISE_OK);
    for (int j = 0; j < R; j++) {
      kept[i] += fabs(ldexp(t.s[j], -exponents[i]) - spectrum[j]);
    }
    assert_true(kept[i] <= 1e-5);
    free(w);
    free_truncated(&t);
  }
  free(a);
}

static void the_stream_is_named_and_seeded(void **state) {
  (void)state;
  enum { N = 40, R = 3 };
  double *a = matrix_random(9, N, N);
  float *w = to_f32(a, N * N);
  const vise_matrix_f32 matrix = {w, N, N, N, 1};
  static const vise_rsvd_opts opts[] = {
      {2, 0, 1, "a"}, {2, 0, 1, "a"}, {2, 0, 2, "a"}, {2, 0, 1, "b"}};
  truncated t[4];
  for (int i = 0; i < 4; i++) {
    t[i] = create_truncated(N, R, N);
    assert_int_equal(vise_rsvd(t[i].u, t[i].s, t[i].vt, &t[i].error, &matrix, R, &opts[i], NULL),
                     VISE_OK);
  }
  assert_memory_equal(t[0].vt, t[1].vt, R * N * sizeof(double));
  assert_memory_not_equal(t[0].vt, t[2].vt, R * N * sizeof(double));
  assert_memory_not_equal(t[0].vt, t[3].vt, R * N * sizeof(double));
  for (int i = 0; i < 4; i++) {
    free_truncated(&t[i]);
  }
  free(a);
  free(w);
}

static void ranks_out_of_range_are_refused(void **state) {
  (void)state;
  vise_err err;
  const float w[6] = {1, 2, 3, 4, 5, 6};
  const vise_matrix_f32 matrix = {w, 2, 3, 3, 1};
  truncated t = create_truncated(2, 3, 3);
  assert_int_equal(run(&t, RANDOMIZED, &matrix, 3, &err), VISE_EARG);
  assert_string_equal(err.msg, "randomized_svd: rank is 3, expected 1 to 2, the smaller side of w");
  assert_int_equal(run(&t, GRAM, &matrix, 0, &err), VISE_EARG);
  const vise_rsvd_opts opts = {-1, 2, 0, ""};
  assert_int_equal(vise_rsvd(t.u, t.s, t.vt, &t.error, &matrix, 1, &opts, &err), VISE_EARG);
  free_truncated(&t);
}

static void all_survive_every_allocation_failure(void **state) {
  (void)state;
  enum { M = 20, K = 30, R = 4 };
  double *a = matrix_random(1, M, K);
  float *w = to_f32(a, M * K);
  const vise_matrix_f32 matrix = {w, M, K, K, 1};
  truncated t = create_truncated(M, M, K);
  for (int what = 0; what < 4; what++) {
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      double *g = matrix_copy(a, M, M);
      const size_t live = vise_mem_live_blocks();
      vise_mem_fail_after(n);
      st = what < 2    ? run(&t, what, &matrix, R, NULL)
           : what == 2 ? vise_svd(t.u, t.s, t.vt, a, K, M, K, NULL)
                       : vise_eigh(t.s, g, M, NULL);
      vise_mem_fail_after(-1);
      assert_int_equal(vise_mem_live_blocks(), live);
      assert_true(st == VISE_OK ? n >= 2 : st == VISE_ENOMEM);
      free(g);
    }
  }
  free_truncated(&t);
  free(a);
  free(w);
}

static void all_stop_when_cancelled(void **state) {
  (void)state;
  const float w[4] = {1, 2, 3, 4};
  const vise_matrix_f32 matrix = {w, 2, 2, 2, 1};
  double a[4] = {1, 2, 2, 1}, g[4];
  truncated t = create_truncated(2, 2, 2);
  vise_cancel();
  vise_status st[5] = {run(&t, GRAM, &matrix, 1, NULL), run(&t, RANDOMIZED, &matrix, 1, NULL),
                       vise_svd(t.u, t.s, t.vt, a, 2, 2, 2, NULL), vise_eigh(t.s, a, 2, NULL),
                       vise_gram(g, &matrix, NULL)};
  vise_cancel_clear();
  for (int i = 0; i < 5; i++) {
    assert_int_equal(st[i], VISE_ECANCELLED);
  }
  free_truncated(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(svd_factors_every_shape),
      cmocka_unit_test(svd_factors_real_matrices),
      cmocka_unit_test(svd_finds_the_spectrum_it_was_given),
      cmocka_unit_test(svd_and_eigh_do_not_see_threads),
      cmocka_unit_test(eigh_gives_rows_with_ascending_values),
      cmocka_unit_test(nan_and_infinity_are_refused_by_their_place),
      cmocka_unit_test(gram_is_the_naive_product),
      cmocka_unit_test(truncated_svds_come_near_the_optimum),
      cmocka_unit_test(truncated_svds_survive_missing_rank),
      cmocka_unit_test(randomized_svd_keeps_its_accuracy_at_extreme_scales),
      cmocka_unit_test(the_stream_is_named_and_seeded),
      cmocka_unit_test(ranks_out_of_range_are_refused),
      cmocka_unit_test(all_survive_every_allocation_failure),
      cmocka_unit_test(all_stop_when_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
