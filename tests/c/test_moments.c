/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over tokens against the definition, one product at a time in f64. */
#include "core/parallel.h"
#include "stats/output_error.h"
#include "support/weights.h"

enum { T = 2500, N = 70 };

static float value_of(int64_t i, int64_t j) {
  return (float)((i * 7919 + j * 104729 + i * j * 31) % 1009) / 504.5f - 1.0f;
}

static float *input(int64_t t, int64_t n, int64_t shift) {
  float *x = malloc((size_t)(t * n) * sizeof *x);
  for (int64_t i = 0; i < t * n; i++) {
    x[i] = value_of(i / n + shift, i % n);
  }
  return x;
}

#define FAILS(status, expr) assert_int_equal(expr, status)

static vise_moments *moments(int64_t t, int64_t n, bool has_cross) {
  float *x = input(t, n, 0), *o = input(t, n, 5);
  vise_moments *s;
  TRY_OK(vise_moments_create(&s, n, has_cross, &test_err));
  TRY_OK(vise_moments_add(s, x, n, has_cross ? o : NULL, n, t, &test_err));
  free(x);
  free(o);
  return s;
}

static void moments_are_the_means_of_products(void **state) {
  (void)state;
  vise_moments *s = moments(T, N, true);
  double *h = malloc(sizeof(double[N][N])), *c = malloc(sizeof(double[N][N]));
  float importance[N];

  vise_moments_second(h, s);
  vise_moments_cross(c, s);
  vise_moments_importance(importance, s);

  assert_int_equal(s->count, T);
  for (int64_t a = 0; a < N; a++) {
    double sum = 0.0, sum_abs = 0.0, max_abs = 0.0;
    for (int64_t i = 0; i < T; i++) {
      const double x = (double)value_of(i, a);
      sum += x;
      sum_abs += fabs(x);
      max_abs = fmax(max_abs, fabs(x));
    }
    assert_true(fabs(s->sum[a] - sum) < 1e-9 && fabs(s->sum_abs[a] - sum_abs) < 1e-9);
    assert_true(s->max_abs[a] == max_abs);
    for (int64_t b = 0; b < N; b++) {
      double second = 0.0, cross = 0.0;
      for (int64_t i = 0; i < T; i++) {
        second += (double)value_of(i, a) * (double)value_of(i, b);
        cross += (double)value_of(i + 5, a) * (double)value_of(i, b);
      }
      assert_true(fabs(h[a * N + b] - second / T) < 1e-6); /* f32 chains of 1024 */
      assert_true(fabs(c[a * N + b] - cross / T) < 1e-6);
      assert_true(h[a * N + b] == h[b * N + a]);
    }
    assert_true(importance[a] == (float)h[a * N + a]);
  }
  free(h);
  free(c);
  vise_moments_free(s);
}

static void parts_of_the_tokens_add_up(void **state) {
  (void)state;
  float *x = input(T, N, 0);
  vise_moments *whole = moments(T, N, false), *first, *second;
  TRY_OK(vise_moments_create(&first, N, false, &test_err));
  TRY_OK(vise_moments_create(&second, N, false, &test_err));
  TRY_OK(vise_moments_add(first, x, N, NULL, 0, 1024, &test_err));
  TRY_OK(vise_moments_add(second, x + 1024 * N, N, NULL, 0, T - 1024, &test_err));

  TRY_OK(vise_moments_merge(first, second, &test_err));

  assert_int_equal(first->count, T);
  for (int64_t i = 0; i < N * N; i++) {
    assert_true(fabs(first->second[i] - whole->second[i]) <= 1e-12 * fabs(whole->second[i]));
  }
  for (int64_t j = 0; j < N; j++) {
    assert_true(first->max_abs[j] == whole->max_abs[j]);
  }
  vise_moments_free(whole);
  vise_moments_free(first);
  vise_moments_free(second);
  free(x);
}

static void threads_change_no_bit(void **state) {
  (void)state;
  const int threads = vise_threads();
  vise_threads_set(1);
  vise_moments *one = moments(T, 600, true);
  vise_threads_set(3);
  vise_moments *three = moments(T, 600, true);
  vise_threads_set(threads);

  assert_memory_equal(one->second, three->second, sizeof(double) * 600 * 600);
  assert_memory_equal(one->cross, three->cross, sizeof(double) * 600 * 600);

  vise_moments_free(one);
  vise_moments_free(three);
}

/* tr(E H E') is the mean over tokens of |E x|^2. */
static void output_error_is_the_mean_square_of_the_outputs(void **state) {
  (void)state;
  vise_moments *s = moments(T, N, false);
  vise_weight *a = dense_f32(300, N, gaussian), *b = dense_f32(300, N, constant);
  float *x = input(T, N, 0), *wa = values_of(a), *wb = values_of(b);
  double expected = 0.0, expected_norm = 0.0, squared, norm;
  for (int64_t i = 0; i < T; i++) {
    for (int64_t row = 0; row < 300; row++) {
      double e = 0.0, y = 0.0;
      for (int64_t j = 0; j < N; j++) {
        e += ((double)wa[row * N + j] - (double)wb[row * N + j]) * (double)x[i * N + j];
        y += (double)wa[row * N + j] * (double)x[i * N + j];
      }
      expected += e * e / T;
      expected_norm += y * y / T;
    }
  }

  TRY_OK(vise_output_error(&squared, &norm, a, b, s, &test_err));

  assert_true(fabs(squared - expected) < 1e-5 * expected);
  assert_true(fabs(norm - expected_norm) < 1e-5 * expected_norm);
  vise_mem_free(wa);
  vise_mem_free(wb);
  free(x);
  vise_weight_release(a);
  vise_weight_release(b);
  vise_moments_free(s);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  vise_moments *s, *other = moments(3, 5, false), *cross = moments(3, 4, true);
  const float x[8] = {1, 2, 3, 4, 5, 6, NAN, 8};
  TRY_OK(vise_moments_create(&s, 4, false, &test_err));

  FAILS(VISE_EARG, vise_moments_create(&(vise_moments *){0}, -1, false, &test_err));
  FAILS(VISE_ENUMERIC, vise_moments_add(s, x, 4, NULL, 0, 2, &test_err));
  assert_non_null(strstr(test_err.msg, "column 2"));
  FAILS(VISE_EARG, vise_moments_add(s, x, 4, x, 4, 1, &test_err));
  FAILS(VISE_EARG, vise_moments_add(cross, x, 4, NULL, 0, 1, &test_err));
  FAILS(VISE_ESHAPE, vise_moments_merge(s, other, &test_err));
  FAILS(VISE_ESHAPE, vise_moments_merge(s, cross, &test_err));

  vise_moments_free(s);
  vise_moments_free(other);
  vise_moments_free(cross);
}

static vise_status make_and_add(void) {
  vise_moments *s = NULL;
  const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  vise_status st = vise_moments_create(&s, 4, true, &test_err);
  if (st == VISE_OK) {
    st = vise_moments_add(s, x, 4, x, 4, 2, &test_err);
  }
  vise_moments_free(s);
  return st;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    const vise_status st = make_and_add();
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n > 6);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(moments_are_the_means_of_products),
      cmocka_unit_test(parts_of_the_tokens_add_up),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(output_error_is_the_mean_square_of_the_outputs),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
