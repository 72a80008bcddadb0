/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/feedback.h -- feedback as the papers write it, in f64 and by the most obvious loops:
 * with the inverse of H, every weight updated after every column.
 */
#ifndef VISE_TESTS_SUPPORT_FEEDBACK_H
#define VISE_TESTS_SUPPORT_FEEDBACK_H

#include "core/rng.h"
#include "stats/moments.h"
#include "support/matrix.h"
#include "support/weights.h"

/* Moments of `t` tokens of inputs that go together, of strengths that differ: column j of
   strength 4^-(j % 5). The originals are a little off. */
static inline vise_moments *correlated_moments(int64_t n, int64_t t, uint64_t seed) {
  const int64_t r = n / 4 + 1;
  double *mix = matrix_random(seed, r, n), *source = matrix_random(seed + 1, t, r);
  double *x = matrix_multiply(source, mix, t, r, n), *noise = matrix_random(seed + 2, t, 2 * n);
  float *inputs = calloc((size_t)(2 * t * n) + 1, sizeof *inputs), *originals = inputs + t * n;
  for (int64_t i = 0; i < t * n; i++) {
    const double scale = pow(4.0, -(double)(i % n % 5)) / sqrt((double)r);
    inputs[i] = (float)((x[i] + noise[i]) * scale);
    originals[i] = (float)((x[i] + noise[i] + 0.3 * noise[t * n + i]) * scale);
  }
  vise_moments *s;
  TRY_OK(vise_moments_create(&s, n, true, &test_err));
  TRY_OK(vise_moments_add(s, inputs, n, originals, n, t, &test_err));
  free(inputs);
  free(noise);
  free(x);
  free(source);
  free(mix);
  return s;
}

/* H + damping mean(diag H) I; columns without inputs get the mean of the others before. */
static inline double *damped_moments(const vise_moments *s, double damping) {
  const int64_t n = s->n;
  double *h = matrix_zeros(n, n), sum = 0.0;
  int64_t n_live = 0;
  vise_moments_second(h, s);
  for (int64_t j = 0; j < n; j++) {
    sum += h[j * n + j];
    n_live += h[j * n + j] > 0.0;
  }
  const double mean = n_live == 0 ? 1.0 : sum / (double)n_live;
  for (int64_t j = 0; j < n; j++) {
    h[j * n + j] = (h[j * n + j] > 0.0 ? h[j * n + j] : mean) + damping * mean;
  }
  return h;
}

/* out = rows and columns of h in the order `columns`. */
static inline double *permuted(const double *h, const int64_t *columns, int64_t n) {
  double *out = matrix_zeros(n, n);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      out[i * n + j] = h[columns[i] * n + columns[j]];
    }
  }
  return out;
}

/* By Gauss and Jordan; h is positive definite. */
static inline double *inverted(const double *h, int64_t n) {
  double *a = matrix_copy(h, n, n), *out = matrix_zeros(n, n);
  for (int64_t i = 0; i < n; i++) {
    out[i * n + i] = 1.0;
  }
  for (int64_t p = 0; p < n; p++) {
    const double pivot = a[p * n + p];
    for (int64_t j = 0; j < n; j++) {
      a[p * n + j] /= pivot;
      out[p * n + j] /= pivot;
    }
    for (int64_t i = 0; i < n; i++) {
      const double factor = i == p ? 0.0 : a[i * n + p];
      for (int64_t j = 0; j < n && factor != 0.0; j++) {
        a[i * n + j] -= factor * a[p * n + j];
        out[i * n + j] -= factor * out[p * n + j];
      }
    }
  }
  free(a);
  return out;
}

/* Lower L, L L' = h. */
static inline double *factored(const double *h, int64_t n) {
  double *l = matrix_zeros(n, n);
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = j; i < n; i++) {
      double sum = h[i * n + j];
      for (int64_t k = 0; k < j; k++) {
        sum -= l[i * n + k] * l[j * n + k];
      }
      l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
    }
  }
  return l;
}

/* U, upper, U' U = the inverse of h. */
static inline double *update_factor(const double *h, int64_t n) {
  double *inverse = inverted(h, n), *l = factored(inverse, n), *u = matrix_transpose(l, n, n);
  free(l);
  free(inverse);
  return u;
}

/* tr(E H E'), E [m, n] */
static inline double trace_loss(const double *e, const double *h, int64_t m, int64_t n) {
  double *product = matrix_multiply(e, h, m, n, n), sum = 0.0;
  for (int64_t i = 0; i < m * n; i++) {
    sum += product[i] * e[i];
  }
  free(product);
  return sum;
}

/* The value of column `step` (of the order of work) of row i, whose updated weights of all columns
   in that order are `now`. */
typedef double naive_choose_fn(void *arg, int64_t i, int64_t step, const double *now);

/*
 * q [m, n], by columns: w [m, n] worked through in the order `columns` with h, whose rows and columns
 * are those of w.
 */
static inline double *naive_feedback(const double *w,
                                     const double *h,
                                     const int64_t *columns,
                                     int64_t m,
                                     int64_t n,
                                     naive_choose_fn *choose,
                                     void *arg) {
  double *ordered = permuted(h, columns, n), *u = update_factor(ordered, n);
  double *q = matrix_zeros(m, n), *now = matrix_zeros(m, n);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t p = 0; p < n; p++) {
      now[i * n + p] = w[i * n + columns[p]];
    }
    for (int64_t p = 0; p < n; p++) {
      const double value = choose(arg, i, p, now + i * n);
      const double e = (now[i * n + p] - value) / u[p * n + p];
      q[i * n + columns[p]] = value;
      for (int64_t k = p + 1; k < n; k++) {
        now[i * n + k] -= e * u[p * n + k];
      }
    }
  }
  free(now);
  free(u);
  free(ordered);
  return q;
}

#endif
