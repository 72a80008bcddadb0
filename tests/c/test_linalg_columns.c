/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and new weights are judged by least squares in naive loops (Gauss-Jordan in f64). */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/columns.h"
#include "support/matrix.h"

#include <stdbool.h>

enum { M = 5, K = 12 };

typedef struct problem {
  double *h;
  float w[M * K];
  vise_columns c;
} problem;

static void fill(problem *p, int64_t group) {
  double *x = matrix_random(5, 40, K), *w = matrix_random(6, M, K);
  for (int64_t i = 0; i < 40; i++) {
    for (int64_t j = 1; j < K; j++) {
      x[i * K + j] += 0.7 * x[i * K + j - 1];
    }
  }
  double *xt = matrix_transpose(x, 40, K);
  p->h = matrix_multiply(xt, x, K, 40, K);
  for (int64_t i = 0; i < M * K; i++) {
    p->w[i] = (float)w[i];
  }
  p->c = (vise_columns){p->w, p->h, M, K, group, 0.01};
  free(x);
  free(xt);
  free(w);
}

/* H with 1 % of its mean diagonal added. */
static void damped(double *out, const double *h) {
  double sum = 0.0;
  for (int64_t j = 0; j < K; j++) {
    sum += h[j * K + j];
  }
  for (int64_t i = 0; i < K * K; i++) {
    out[i] = h[i] + (i / K == i % K ? 0.01 * sum / K : 0.0);
  }
}

/* v_S of the least (w - v) H (w - v)', and that loss, by elimination. */
static double least_squares(double *v, const float *w, const double *h, const bool *is_kept) {
  double a[K][K + 1];
  for (int64_t i = 0; i < K; i++) {
    a[i][K] = 0.0;
    for (int64_t j = 0; j < K; j++) {
      const bool is_inside = is_kept[i] && is_kept[j];
      a[i][j] = is_inside ? h[i * K + j] : (i == j ? 1.0 : 0.0);
      a[i][K] += is_kept[i] ? h[i * K + j] * (double)w[j] : 0.0;
    }
  }
  for (int64_t p = 0; p < K; p++) {
    for (int64_t i = 0; i < K; i++) {
      const double share = i == p ? 0.0 : a[i][p] / a[p][p];
      for (int64_t j = p; j <= K; j++) {
        a[i][j] -= share * a[p][j];
      }
    }
  }
  double loss = 0.0;
  for (int64_t i = 0; i < K; i++) {
    v[i] = a[i][K] / a[i][i];
  }
  for (int64_t i = 0; i < K; i++) {
    for (int64_t j = 0; j < K; j++) {
      loss += ((double)w[i] - v[i]) * h[i * K + j] * ((double)w[j] - v[j]);
    }
  }
  return loss;
}

static void a_loss_is_what_least_squares_without_the_group_lose(void **state) {
  (void)state;
  for (int64_t group = 1; group <= 4; group++) {
    problem p;
    double h[K * K], losses[K], norm, sum = 0.0;
    fill(&p, group);
    damped(h, p.h);

    assert_int_equal(vise_columns_losses(losses, &norm, &p.c, NULL), VISE_OK);

    for (int64_t g = 0; g < K / group; g++) {
      bool is_kept[K];
      double v[K], expected = 0.0;
      for (int64_t j = 0; j < K; j++) {
        is_kept[j] = j / group != g;
      }
      for (int64_t i = 0; i < M; i++) {
        expected += least_squares(v, p.w + i * K, h, is_kept);
      }
      assert_true(fabs(losses[g] - expected) <= 1e-9 * expected);
    }
    for (int64_t i = 0; i < M * K * K; i++) {
      sum += (double)p.w[i / K / K * K + i / K % K] * h[i / K % K * K + i % K] *
             (double)p.w[i / K / K * K + i % K];
    }
    assert_true(fabs(norm - sum) <= 1e-9 * sum);
    free(p.h);
  }
}

static void what_is_left_is_the_least_squares_of_it(void **state) {
  (void)state;
  problem p;
  double h[K * K];
  int32_t kept[3];
  float v[M * K];
  double losses[3], sum = 0.0;
  fill(&p, 2);
  damped(h, p.h);

  assert_int_equal(vise_columns_drop(kept, v, losses, &p.c, 3, NULL), VISE_OK);

  for (int64_t i = 0; i < M * K * K; i++) { /* each loss is what the error grew by */
    const int64_t row = i / K / K * K, a = row + i / K % K, b = row + i % K;
    sum += (double)(p.w[a] - v[a]) * h[i / K % K * K + i % K] * (double)(p.w[b] - v[b]);
  }
  assert_true(losses[0] <= losses[1] && losses[1] <= losses[2]);
  assert_true(fabs(losses[0] + losses[1] + losses[2] - sum) <= 1e-4 * sum);
  bool is_kept[K] = {false};
  for (int g = 0; g < 3; g++) {
    assert_true(g == 0 || kept[g] > kept[g - 1]);
    is_kept[2 * kept[g]] = is_kept[2 * kept[g] + 1] = true;
  }
  for (int64_t i = 0; i < M; i++) {
    double expected[K];
    least_squares(expected, p.w + i * K, h, is_kept);
    for (int64_t j = 0; j < K; j++) {
      const double e = is_kept[j] ? expected[j] : 0.0, is = (double)v[i * K + j];
      assert_true(is_kept[j] || is == 0.0);
      assert_true(fabs(is - e) <= 1e-6 * (fabs(e) + 0.1));
    }
  }
  free(p.h);
}

static void one_that_goes_is_the_one_of_the_least_loss_and_none_changes_nothing(void **state) {
  (void)state;
  problem p;
  double losses[K], norm;
  int32_t kept[K], least = 0;
  float v[M * K];
  fill(&p, 1);
  assert_int_equal(vise_columns_losses(losses, &norm, &p.c, NULL), VISE_OK);
  for (int32_t j = 1; j < K; j++) {
    least = losses[j] < losses[least] ? j : least;
  }

  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 1, NULL), VISE_OK);

  for (int32_t j = 0; j < K - 1; j++) {
    assert_int_equal(kept[j], j < least ? j : j + 1);
  }
  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 0, NULL), VISE_OK);
  assert_memory_equal(v, p.w, sizeof v);
  assert_int_equal(kept[K - 1], K - 1);
  free(p.h);
}

static void columns_that_are_never_used_go_first_and_unused_inputs_are_no_trouble(void **state) {
  (void)state;
  problem p;
  int32_t kept[K];
  float v[M * K];
  fill(&p, 1);
  for (int64_t j = 0; j < K; j++) {
    p.h[3 * K + j] = p.h[j * K + 3] = p.h[8 * K + j] = p.h[j * K + 8] = 0.0;
  }

  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 2, NULL), VISE_OK);

  for (int j = 0; j < K - 2; j++) {
    assert_true(kept[j] != 3 && kept[j] != 8);
  }
  memset(p.h, 0, K * K * sizeof *p.h);
  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 2, NULL), VISE_OK);
  assert_true(v[kept[0]] == p.w[kept[0]]);
  free(p.h);
}

static void more_threads_change_no_bit(void **state) {
  (void)state;
  const int threads = vise_threads();
  problem p;
  int32_t kept[2][6];
  float v[2][M * K];
  fill(&p, 1);
  for (int t = 0; t < 2; t++) {
    vise_threads_set(1 + 2 * t);
    assert_int_equal(vise_columns_drop(kept[t], v[t], NULL, &p.c, 6, NULL), VISE_OK);
  }
  vise_threads_set(threads);
  assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
  assert_memory_equal(v[0], v[1], sizeof v[0]);
  free(p.h);
}

static void what_does_not_fit_and_failed_allocations_are_errors(void **state) {
  (void)state;
  problem p;
  vise_err err;
  int32_t kept[K];
  float v[M * K];
  vise_status st = VISE_ENOMEM;
  fill(&p, 5);
  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 1, &err), VISE_EARG);
  assert_string_equal(err.msg, "columns: groups of 5 do not divide the 12 columns of w");
  p.c.group = 3;
  assert_int_equal(vise_columns_drop(kept, v, NULL, &p.c, 4, &err), VISE_EARG);
  assert_string_equal(err.msg, "columns: 4 of 4 groups are to go, expected 0 to 3");
  for (long n = 0; st != VISE_OK; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    st = vise_columns_drop(kept, v, NULL, &p.c, 2, NULL);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
  free(p.h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_loss_is_what_least_squares_without_the_group_lose),
      cmocka_unit_test(what_is_left_is_the_least_squares_of_it),
      cmocka_unit_test(one_that_goes_is_the_one_of_the_least_loss_and_none_changes_nothing),
      cmocka_unit_test(columns_that_are_never_used_go_first_and_unused_inputs_are_no_trouble),
      cmocka_unit_test(more_threads_change_no_bit),
      cmocka_unit_test(what_does_not_fit_and_failed_allocations_are_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
