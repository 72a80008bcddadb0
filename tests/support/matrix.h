/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/matrix.h -- small matrices of doubles and the naive loops that judge factors. */
#ifndef VISE_TESTS_SUPPORT_MATRIX_H
#define VISE_TESTS_SUPPORT_MATRIX_H

#include "core/rng.h"
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline double *matrix_zeros(int64_t m, int64_t k) {
  double *a = calloc((size_t)(m * k) + 1, sizeof *a);
  assert_non_null(a);
  return a;
}

/* Normal numbers of the stream (seed, "matrix"). */
static inline double *matrix_random(uint64_t seed, int64_t m, int64_t k) {
  const vise_rng rng = vise_rng_named(seed, "matrix");
  double *a = matrix_zeros(m, k);
  for (int64_t i = 0; i < m * k; i++) {
    a[i] = vise_rng_normal(&rng, (uint64_t)i);
  }
  return a;
}

static inline double *matrix_copy(const double *a, int64_t m, int64_t k) {
  double *copy = matrix_zeros(m, k);
  memcpy(copy, a, (size_t)(m * k) * sizeof *a);
  return copy;
}

static inline double *matrix_transpose(const double *a, int64_t m, int64_t k) {
  double *out = matrix_zeros(k, m);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < k; j++) {
      out[j * m + i] = a[i * k + j];
    }
  }
  return out;
}

/* a [m, l] b [l, k] */
static inline double *
matrix_multiply(const double *a, const double *b, int64_t m, int64_t l, int64_t k) {
  double *out = matrix_zeros(m, k);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t s = 0; s < l; s++) {
      for (int64_t j = 0; j < k; j++) {
        out[i * k + j] += a[i * l + s] * b[s * k + j];
      }
    }
  }
  return out;
}

static inline double matrix_norm(const double *a, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += a[i] * a[i];
  }
  return sqrt(sum);
}

/* |a - b| over n elements, Frobenius. */
static inline double matrix_distance(const double *a, const double *b, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sqrt(sum);
}

/* |A A' - I|, A [m, k]: 0 if the rows are orthonormal. */
static inline double matrix_row_defect(const double *a, int64_t m, int64_t k) {
  double sum = 0.0;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < m; j++) {
      double dot = i == j ? -1.0 : 0.0;
      for (int64_t l = 0; l < k; l++) {
        dot += a[i * k + l] * a[j * k + l];
      }
      sum += dot * dot;
    }
  }
  return sqrt(sum);
}

/* Real matrices of ../shared/data/matrices, dense; NULL, with a message, where they are not. */
static inline double *matrix_real(const char *name, int64_t m, int64_t k) {
  char path[256];
  snprintf(path, sizeof path, "../shared/data/matrices/%s", name);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    print_message("skipped: no %s\n", path);
    return NULL;
  }
  double *a = matrix_zeros(m, k), value;
  long long i, j;
  while (fscanf(file, "%lld %lld %lf", &i, &j, &value) == 3) {
    assert_true(i >= 0 && i < m && j >= 0 && j < k);
    a[i * k + j] = value;
  }
  fclose(file);
  return a;
}

#endif
