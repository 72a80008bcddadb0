/* SPDX-License-Identifier: Apache-2.0 */
/* Q and R are judged by naive products; hostile columns: zero, equal, extreme, not finite. */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/qr.h"
#include "support/matrix.h"

#include <float.h>

/* Householder: |Q'Q - I| and |A - QR| / |A| within a small multiple of m n eps; 4 sqrt(m) n eps is
   kept with a wide margin by all shapes here. */
static void
assert_factors(const double *at, const double *qt, const double *r, int64_t n, int64_t m) {
  const double tol = 4.0 * sqrt((double)m) * (double)(n + 1) * DBL_EPSILON;
  double *rt = matrix_transpose(r, n, n), *product = matrix_multiply(rt, qt, n, n, m);
  assert_true(matrix_row_defect(qt, n, m) <= tol);
  assert_true(matrix_distance(product, at, n * m) <= tol * matrix_norm(at, n * m));
  for (int64_t i = 0; i < n; i++) {
    assert_true(r[i * n + i] >= 0.0);
    for (int64_t j = 0; j < i; j++) {
      assert_true(r[i * n + j] == 0.0);
    }
  }
  free(rt);
  free(product);
}

static void check(const double *at, int64_t n, int64_t m) {
  const int threads = vise_threads();
  double *qt[2], *r = matrix_zeros(n, n), *again = matrix_zeros(n, n);
  for (int t = 0; t < 2; t++) {
    vise_threads_set(t + 1);
    qt[t] = matrix_copy(at, n, m);
    assert_int_equal(vise_qr(qt[t], n, m, t == 0 ? r : again, NULL), VISE_OK);
  }
  vise_threads_set(threads);
  assert_factors(at, qt[0], r, n, m);
  assert_memory_equal(qt[0], qt[1], (size_t)(n * m) * sizeof *at);
  assert_memory_equal(r, again, (size_t)(n * n) * sizeof *r);
  free(qt[0]);
  free(qt[1]);
  free(r);
  free(again);
}

static void factors_multiply_back_for_any_threads(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {
      {0, 0},    {0, 5},   {1, 1},    {1, 40},   {2, 2},   {7, 9},   {8, 8},     {9, 9},
      {16, 100}, {17, 17}, {25, 300}, {74, 400}, {63, 64}, {90, 90}, {128, 128}, {131, 257}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    double *at = matrix_random(i, shapes[i][0], shapes[i][1]);
    check(at, shapes[i][0], shapes[i][1]);
    free(at);
  }
}

static void q_is_orthonormal_whatever_the_columns(void **state) {
  (void)state;
  enum { N = 40, M = 90 };
  double *zero = matrix_zeros(N, M), *equal = matrix_random(1, N, M),
         *steep = matrix_random(2, N, M);
  for (int64_t j = 1; j < N; j++) {
    memcpy(equal + j * M, equal, M * sizeof *equal);
    for (int64_t i = 0; i < M; i++) {
      steep[j * M + i] = steep[i] + ldexp(steep[j * M + i], (int)-j * 2);
    }
  }
  check(zero, N, M);
  check(equal, N, M);
  check(steep, N, M);
  free(zero);
  free(equal);
  free(steep);
}

/* Powers of two change no bit of Q: the squares of these numbers are no numbers. */
static void extreme_scales_give_the_same_q(void **state) {
  (void)state;
  enum { N = 12, M = 30 };
  double *at = matrix_random(4, N, M), *q = matrix_copy(at, N, M), r[N * N], other[N * N];
  assert_int_equal(vise_qr(q, N, M, r, NULL), VISE_OK);
  for (int e = -900; e <= 1000; e += 1900) {
    double *scaled = matrix_copy(at, N, M);
    for (int64_t i = 0; i < N * M; i++) {
      scaled[i] = ldexp(scaled[i], e);
    }
    assert_int_equal(vise_qr(scaled, N, M, other, NULL), VISE_OK);
    assert_memory_equal(scaled, q, N * M * sizeof *q);
    assert_true(other[0] == ldexp(r[0], e));
    free(scaled);
  }
  free(at);
  free(q);
}

/* A [3, 2] with columns (3, 4, 0) and (1, 2, 2): q1 = (3, 4, 0) / 5, r12 = 11 / 5, and what is left
   of the second, (-8, 6, 50) / 25, has length sqrt(104) / 5. */
static void a_case_worked_by_hand(void **state) {
  (void)state;
  double at[6] = {3, 4, 0, 1, 2, 2}, r[4];
  assert_int_equal(vise_qr(at, 2, 3, r, NULL), VISE_OK);
  const double norm = sqrt(104.0) / 5.0;
  const double expected[6] = {0.6, 0.8, 0, -0.32 / norm, 0.24 / norm, 2 / norm};
  assert_true(matrix_distance(at, expected, 6) < 1e-15);
  const double triangle[4] = {5, 2.2, 0, norm};
  assert_true(matrix_distance(r, triangle, 4) < 4e-15);
}

static void real_matrices_factor(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t m;
  } real[] = {{"west0067", 67}, {"fs_183_1", 183}, {"mbeacxc", 496}};
  for (size_t i = 0; i < 3; i++) {
    double *a = matrix_real(real[i].name, real[i].m, real[i].m);
    if (a == NULL) {
      return;
    }
    check(a, real[i].m, real[i].m);
    free(a);
  }
}

static void nan_is_refused_by_its_place(void **state) {
  (void)state;
  vise_err err;
  double at[4] = {1, 2, (double)NAN, 3};
  assert_int_equal(vise_qr(at, 2, 2, NULL, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "qr: a[1, 0] is nan, expected finite numbers");
}

static void qr_survives_every_allocation_failure(void **state) {
  (void)state;
  enum { N = 20, M = 50 };
  for (long n = 0;; n++) {
    double *at = matrix_random(7, N, M);
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    const vise_status st = vise_qr(at, N, M, NULL, NULL);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    free(at);
    if (st == VISE_OK) {
      assert_true(n > 7);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

static void qr_stops_when_cancelled(void **state) {
  (void)state;
  double at[2] = {1, 2};
  vise_cancel();
  const vise_status st = vise_qr(at, 1, 2, NULL, NULL);
  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(factors_multiply_back_for_any_threads),
      cmocka_unit_test(q_is_orthonormal_whatever_the_columns),
      cmocka_unit_test(extreme_scales_give_the_same_q),
      cmocka_unit_test(a_case_worked_by_hand),
      cmocka_unit_test(real_matrices_factor),
      cmocka_unit_test(nan_is_refused_by_its_place),
      cmocka_unit_test(qr_survives_every_allocation_failure),
      cmocka_unit_test(qr_stops_when_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
