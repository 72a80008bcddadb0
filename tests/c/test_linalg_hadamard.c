/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The explicit matrices come from the definitions in linalg/hadamard.h by other means: Legendre
 * symbols by Euler's criterion, signs of Sylvester's matrix by counting bits. For fields of p^2
 * elements, what a Hadamard matrix is: rows of 1 and -1 at right angles.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/hadamard.h"
#include "support/matrix.h"

#include <stdbool.h>

static int legendre(int a, int p) {
  int power = 1;
  a = (a % p + p) % p;
  for (int i = 0; i < (p - 1) / 2; i++) {
    power = power * a % p;
  }
  return power == p - 1 ? -1 : power;
}

/* H_m of a prime q: kind 1 has q = m - 1, kind 2 q = m / 2 - 1. */
static int paley(int kind, int m, int i, int j) {
  const int q = kind == 1 ? m - 1 : m / 2 - 1, a = i / kind, b = j / kind;
  const int core = a > 0 && b > 0 ? legendre(a - b, q) : a == b ? 0 : a > b && kind == 1 ? -1 : 1;
  if (kind == 1) {
    return core + (a == b);
  }
  const int sign = i % 2 == 1 && j % 2 == 1 ? -1 : 1;
  return a == b ? (i % 2 == 0 && j % 2 == 0 ? 1 : -1) : core * sign;
}

/* Row i of the transform of order n, by unit vectors; entries are not scaled. */
static double *explicit_matrix(int64_t n, bool is_inverse) {
  vise_hadamard *h;
  assert_int_equal(vise_hadamard_create(&h, n, NULL), VISE_OK);
  float *units = calloc((size_t)(n * n), sizeof *units);
  double *out = matrix_zeros(n, n);
  for (int64_t i = 0; i < n; i++) {
    units[i * n + i] = 1.0f;
  }
  assert_int_equal(vise_hadamard_apply(h, units, n, n, is_inverse, NULL), VISE_OK);
  for (int64_t i = 0; i < n * n; i++) { /* row j of the units is column j of H */
    out[i % n * n + i / n] = (double)units[i] * sqrt((double)n);
  }
  free(units);
  vise_hadamard_free(h);
  return out;
}

static void small_orders_are_the_matrices_of_the_definitions(void **state) {
  (void)state;
  static const int cases[][3] = {/* n, m, kind */
                                 {1, 1, 0},   {2, 1, 0},   {4, 1, 0},   {8, 1, 0},
                                 {16, 1, 0},  {128, 1, 0}, {12, 12, 2}, {24, 12, 2},
                                 {68, 68, 1}, {28, 28, 2}, {36, 36, 2}, {44, 44, 1},
                                 {60, 60, 2}, {76, 76, 2}, {96, 12, 2}, {88, 44, 1}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const int n = cases[c][0], m = cases[c][1], kind = cases[c][2], p = n / m;
    double *h = explicit_matrix(n, false), *inverse = explicit_matrix(n, true);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        const int outer = kind == 0 ? 1 : paley(kind, m, i / p, j / p);
        const int inner = __builtin_popcount((unsigned)(i % p & j % p)) % 2 == 0 ? 1 : -1;
        assert_true(fabs(h[i * n + j] - outer * inner) < 1e-6); /* one rounded scale */
        assert_true(h[i * n + j] == inverse[j * n + i]);
      }
    }
    free(h);
    free(inverse);
  }
}

static void every_known_order_has_rows_at_right_angles(void **state) {
  (void)state;
  int n_known = 0;
  for (int64_t m = 4; m <= 252; m += 8) { /* four times an odd number */
    if (vise_hadamard_block(m) != m) {
      continue;
    }
    n_known++;
    double *h = explicit_matrix(m, false);
    for (int64_t i = 0; i < m * m; i++) {
      h[i] = round(h[i]);
      assert_true(fabs(h[i]) == 1.0);
    }
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < m; j++) {
        double dot = 0.0;
        for (int64_t l = 0; l < m; l++) {
          dot += h[i * m + l] * h[j * m + l];
        }
        assert_true(dot == (i == j ? (double)m : 0.0));
      }
    }
    vise_hadamard *t;
    assert_int_equal(vise_hadamard_create(&t, m, NULL), VISE_OK);
    bool is_symmetric = true;
    for (int64_t i = 0; i < m * m; i++) {
      is_symmetric = is_symmetric && h[i] == h[i % m * m + i / m];
    }
    assert_int_equal(is_symmetric, vise_hadamard_is_symmetric(t));
    assert_int_equal(vise_hadamard_order(t), m);
    vise_hadamard_free(t);
    free(h);
  }
  assert_true(n_known >= 22);
}

/* The sizes of algorithms.md A12, and what it says of 11008. */
static void widths_of_models_have_their_order(void **state) {
  (void)state;
  static const int64_t known[] = {768,   896, 1024, 2048, 3072, 4096, 4864, 8192,
                                  14336, 288, 5632, 52,   40,   100,  1,    2};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    assert_int_equal(vise_hadamard_block(known[i]), known[i]);
  }
  assert_int_equal(vise_hadamard_block(11008), 256);
  assert_int_equal(vise_hadamard_block(172), 4);
  assert_int_equal(vise_hadamard_block(6), 2);
  assert_int_equal(vise_hadamard_block(7), 1);
}

/* Sums of n numbers of size 1 in f32: error below (log2 p + m) eps |x| for a row. */
static void rows_are_transformed_block_by_block_and_back_for_any_threads(void **state) {
  (void)state;
  static const int64_t cases[][3] = {/* rows, columns, order */
                                     {0, 8, 8},       {3, 0, 4},         {1, 1, 1},     {5, 6, 2},
                                     {7, 64, 8},      {3, 11008, 256},   {2, 896, 896}, {2, 172, 4},
                                     {33, 1536, 768}, {2, 14336, 14336}, {9, 104, 52}};
  const int threads = vise_threads();
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const int64_t rows = cases[c][0], k = cases[c][1], n = cases[c][2], count = rows * k;
    double *x = matrix_random(c, rows, k);
    float *y[2];
    vise_hadamard *h;
    assert_int_equal(vise_hadamard_create(&h, n, NULL), VISE_OK);
    for (int t = 0; t < 2; t++) {
      vise_threads_set(t + 1);
      y[t] = malloc(((size_t)count + 1) * sizeof(float));
      for (int64_t i = 0; i < count; i++) {
        x[i] = (double)(float)x[i];
        y[t][i] = (float)x[i];
      }
      assert_int_equal(vise_hadamard_apply(h, y[t], rows, k, false, NULL), VISE_OK);
    }
    assert_memory_equal(y[0], y[1], (size_t)count * sizeof(float));

    if (n <= 1000 && count > 0) { /* against the explicit matrix, the first and the last block */
      double *matrix = explicit_matrix(n, false);
      for (int64_t block = 0; block<count; block += count - n> 0 ? count - n : count) {
        for (int64_t i = 0; i < n; i++) {
          double sum = 0.0;
          for (int64_t j = 0; j < n; j++) {
            sum += matrix[i * n + j] * x[block + j];
          }
          assert_true(fabs((double)y[0][block + i] - sum / sqrt((double)n)) < 1e-4);
        }
      }
      free(matrix);
    }
    assert_int_equal(vise_hadamard_apply(h, y[0], rows, k, true, NULL), VISE_OK);
    for (int64_t i = 0; i < count; i++) {
      assert_true(fabs((double)y[0][i] - x[i]) < 1e-4);
    }
    vise_hadamard_free(h);
    free(x);
    free(y[0]);
    free(y[1]);
  }
  vise_threads_set(threads);
}

static void unknown_orders_and_columns_are_refused(void **state) {
  (void)state;
  vise_err err;
  vise_hadamard *h;
  float x[6] = {0};
  assert_int_equal(vise_hadamard_create(&h, 11008, &err), VISE_ESHAPE);
  assert_null(h);
  assert_string_equal(err.msg,
                      "hadamard: no matrix of order 11008 is known here, expected a power of "
                      "two, or 4 m times one with m up to 63 and a matrix by Paley; use "
                      "blocks of 256");
  assert_int_equal(vise_hadamard_create(&h, 0, &err), VISE_EARG);
  assert_int_equal(vise_hadamard_create(&h, 4, &err), VISE_OK);
  assert_int_equal(vise_hadamard_apply(h, x, 1, 6, false, &err), VISE_ESHAPE);
  assert_string_equal(err.msg, "hadamard: blocks of 4 do not divide the 6 columns");
  vise_hadamard_free(h);
  vise_hadamard_free(NULL);
}

static void create_survives_every_allocation_failure(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_hadamard *h;
    vise_mem_fail_after(n);
    const vise_status st = vise_hadamard_create(&h, 24, NULL);
    vise_mem_fail_after(-1);
    if (st == VISE_OK) {
      assert_int_equal(n, 2);
      vise_hadamard_free(h);
      assert_int_equal(vise_mem_live_blocks(), live);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
    assert_null(h);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
}

static void apply_stops_when_cancelled(void **state) {
  (void)state;
  vise_hadamard *h;
  float x[4] = {0};
  assert_int_equal(vise_hadamard_create(&h, 4, NULL), VISE_OK);
  vise_cancel();
  const vise_status st = vise_hadamard_apply(h, x, 1, 4, false, NULL);
  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
  vise_hadamard_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_orders_are_the_matrices_of_the_definitions),
      cmocka_unit_test(every_known_order_has_rows_at_right_angles),
      cmocka_unit_test(widths_of_models_have_their_order),
      cmocka_unit_test(rows_are_transformed_block_by_block_and_back_for_any_threads),
      cmocka_unit_test(unknown_orders_and_columns_are_refused),
      cmocka_unit_test(create_survives_every_allocation_failure),
      cmocka_unit_test(apply_stops_when_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
