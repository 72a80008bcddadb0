/* SPDX-License-Identifier: Apache-2.0 */
/* Least squares under a mask, judged by elimination on the normal equations of each row, in f64. */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/refit.h"
#include "support/matrix.h"

#include <stdbool.h>

enum { M = 13, K = 60, LD = 64 };

typedef struct problem {
  double *h;                 /* [K, K] */
  float w[M * LD], v[M * K]; /* v: w where kept, else 0 */
} problem;

/* Second moments of `t` tokens that have much in common, as real inputs do. */
static double *moments_of(int64_t t, int64_t k) {
  double *x = matrix_random(11, t, k);
  for (int64_t i = 0; i < t; i++) {
    for (int64_t j = 1; j < k; j++) {
      x[i * k + j] = 0.8 * x[i * k + j - 1] + x[i * k + j] * (1.0 + 0.1 * (double)(j % 7));
    }
  }
  double *xt = matrix_transpose(x, t, k), *h = matrix_multiply(xt, x, k, t, k);
  for (int64_t i = 0; i < k * k; i++) {
    h[i] /= (double)t;
  }
  free(x);
  free(xt);
  return h;
}

/* Row i keeps about (i % 4 + 1) / 5 of its numbers; row 5 none, row 6 all. */
static bool is_kept(int64_t i, int64_t j) {
  return i != 5 && (i == 6 || (j * 7919 + i * 31) % 5 <= i % 4);
}

static void fill(problem *p, int64_t t) {
  double *w = matrix_random(12, M, LD);
  p->h = moments_of(t, K);
  for (int64_t i = 0; i < M; i++) {
    for (int64_t j = 0; j < LD; j++) {
      p->w[i * LD + j] = (float)w[i * LD + j];
    }
    for (int64_t j = 0; j < K; j++) {
      p->v[i * K + j] = is_kept(i, j) ? p->w[i * LD + j] : 0.0f;
    }
  }
  free(w);
}

static double loss_of(const double *h, const float *w, const float *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < K; i++) {
    for (int64_t j = 0; j < K; j++) {
      sum += ((double)w[i] - (double)v[i]) * h[i * K + j] * ((double)w[j] - (double)v[j]);
    }
  }
  return sum;
}

/* The greatest |((w - v) H)_j| where v is kept; `everywhere`: of all columns. */
static double gradient_of(const double *h, const float *w, const float *v, bool everywhere) {
  double greatest = 0.0;
  for (int64_t j = 0; j < K; j++) {
    double sum = 0.0;
    for (int64_t i = 0; i < K; i++) {
      sum += ((double)w[i] - (double)v[i]) * h[i * K + j];
    }
    greatest = v[j] != 0.0f || everywhere ? fmax(greatest, fabs(sum)) : greatest;
  }
  return greatest;
}

/* The least loss of a row: H_SS v_S = (H w)_S by elimination. */
static double least_loss(const double *h, const float *w, const float *mask) {
  double a[K][K + 1];
  int64_t of[K], n = 0;
  for (int64_t j = 0; j < K; j++) {
    of[n] = j;
    n += mask[j] != 0.0f;
  }
  for (int64_t i = 0; i < n; i++) {
    a[i][n] = 0.0;
    for (int64_t j = 0; j < n; j++) {
      a[i][j] = h[of[i] * K + of[j]];
    }
    for (int64_t j = 0; j < K; j++) {
      a[i][n] += h[of[i] * K + j] * (double)w[j];
    }
  }
  for (int64_t p = 0; p < n; p++) { /* positive definite: no pivoting is needed */
    for (int64_t i = p + 1; i < n; i++) {
      const double share = a[i][p] / a[p][p];
      for (int64_t j = p; j <= n; j++) {
        a[i][j] -= share * a[p][j];
      }
    }
  }
  float v[K] = {0};
  for (int64_t i = n - 1; i >= 0; i--) {
    double sum = a[i][n];
    for (int64_t j = i + 1; j < n; j++) {
      sum -= a[i][j] * (double)v[of[j]];
    }
    v[of[i]] = (float)(sum / a[i][i]);
  }
  return loss_of(h, w, v);
}

static vise_status refit(problem *p, int64_t *n_left) {
  return vise_refit(p->v, K, n_left, p->w, LD, M, K, p->h, NULL);
}

static void the_loss_is_the_least_one_and_the_gradient_zero_where_kept(void **state) {
  (void)state;
  problem p;
  int64_t n_left = -1;
  fill(&p, 500);
  double masked[M], gradients[M];
  for (int64_t i = 0; i < M; i++) {
    masked[i] = loss_of(p.h, p.w + i * LD, p.v + i * K);
    gradients[i] = gradient_of(p.h, p.w + i * LD, p.v + i * K, true);
  }

  assert_int_equal(refit(&p, &n_left), VISE_OK);

  assert_int_equal(n_left, 0);
  for (int64_t i = 0; i < M; i++) {
    const float *w = p.w + i * LD, *v = p.v + i * K;
    for (int64_t j = 0; j < K; j++) {
      assert_true(is_kept(i, j) || v[j] == 0.0f);
    }
    /* stopped at 1e-3 of the gradient, in a norm that a diagonal of 2 to 8 bends; the loss is off by
       its square */
    assert_true(gradient_of(p.h, w, v, false) <= 5e-3 * gradients[i]);
    const double least = least_loss(p.h, w, v);
    assert_true(loss_of(p.h, w, v) <= least + 1e-4 * (masked[i] - least));
    if (i != 5 && i != 6) {
      assert_true(least < 0.8 * masked[i]); /* there was something to gain */
    }
  }
  free(p.h);
}

static void fewer_tokens_than_columns_and_dead_columns_are_no_trouble(void **state) {
  (void)state;
  problem p;
  fill(&p, 20);
  for (int64_t j = 0; j < K; j++) {
    p.h[7 * K + j] = p.h[j * K + 7] = 0.0;
  }
  double masked[M];
  for (int64_t i = 0; i < M; i++) {
    masked[i] = loss_of(p.h, p.w + i * LD, p.v + i * K);
  }

  assert_int_equal(refit(&p, NULL), VISE_OK);

  for (int64_t i = 0; i < M; i++) {
    assert_true(loss_of(p.h, p.w + i * LD, p.v + i * K) <= masked[i] * (1.0 + 1e-6));
    if (is_kept(i, 7)) {
      assert_true(p.v[i * K + 7] == p.w[i * LD + 7]);
    }
  }
  free(p.h);
}

static void threads_neighbours_and_powers_of_two_change_no_bit(void **state) {
  (void)state;
  problem p, scaled, alone;
  const int threads = vise_threads();
  fill(&p, 100);
  fill(&scaled, 100);
  fill(&alone, 100);
  for (int64_t i = 0; i < K * K; i++) {
    scaled.h[i] *= 0x1p-40;
  }
  for (int64_t i = 0; i < M * LD; i++) {
    scaled.w[i] *= 0x1p90f;
  }
  for (int64_t i = 0; i < M * K; i++) {
    scaled.v[i] *= 0x1p90f;
  }

  vise_threads_set(1);
  assert_int_equal(refit(&p, NULL), VISE_OK);
  assert_int_equal(vise_refit(alone.v + 3 * K, K, NULL, alone.w + 3 * LD, LD, 1, K, p.h, NULL),
                   VISE_OK);
  vise_threads_set(3);
  assert_int_equal(refit(&scaled, NULL), VISE_OK);

  vise_threads_set(threads);
  assert_memory_equal(alone.v + 3 * K, p.v + 3 * K, K * sizeof(float));
  for (int64_t i = 0; i < M * K; i++) {
    assert_true(scaled.v[i] == p.v[i] * 0x1p90f);
  }
  free(p.h);
  free(scaled.h);
  free(alone.h);
}

static void more_rows_than_a_block_and_none_are_fine(void **state) {
  (void)state;
  enum { ROWS = 600, N = 8 };
  double *h = moments_of(40, N);
  float w[ROWS * N], v[ROWS * N];
  for (int64_t i = 0; i < ROWS * N; i++) {
    w[i] = (float)(i / N % 3 + 1) * (float)(i % N + 1);
    v[i] = i % 2 == 0 ? w[i] : 0.0f;
  }

  assert_int_equal(vise_refit(v, N, NULL, w, N, ROWS, N, h, NULL), VISE_OK);
  assert_int_equal(vise_refit(NULL, N, NULL, NULL, N, 0, N, h, NULL), VISE_OK);
  assert_int_equal(vise_refit(v, 0, NULL, w, 0, 3, 0, h, NULL), VISE_OK);

  assert_true(v[0] != w[0]);
  assert_memory_equal(v, v + 3 * 198 * N, 3 * N * sizeof *v); /* of the second block */
  free(h);
}

static void every_allocation_may_fail_and_cancelling_is_honoured(void **state) {
  (void)state;
  problem p;
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    fill(&p, 100);
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    st = refit(&p, NULL);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
    free(p.h);
  }
  fill(&p, 100);
  vise_cancel();
  st = refit(&p, NULL);
  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
  free(p.h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_loss_is_the_least_one_and_the_gradient_zero_where_kept),
      cmocka_unit_test(fewer_tokens_than_columns_and_dead_columns_are_no_trouble),
      cmocka_unit_test(threads_neighbours_and_powers_of_two_change_no_bit),
      cmocka_unit_test(more_rows_than_a_block_and_none_are_fine),
      cmocka_unit_test(every_allocation_may_fail_and_cancelling_is_honoured),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
