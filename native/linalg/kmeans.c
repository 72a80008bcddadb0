/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In one dimension clusters are runs of sorted points. With S0 and S1 the sums of weight and of weight
 * times value, a run (i, j] costs its sum of weight value^2 less S1^2 / S0, and the first does not
 * depend on the runs. So with q + 1 clusters for the first j points
 *
 *   D[q][j] = max over i < j of D[q - 1][i] + S1(i, j]^2 / S0(i, j]
 *
 * whose best i grows with j and with q. That bounds the search twice over: by halves of the range of
 * j, n log n steps for a layer; or by walking down j between the best i of the layer before and that of
 * j + 1, n + n^2 / (2 q^2) steps or so. A layer takes the cheaper one.
 *
 * Values are taken relative to their mean, so that the squares do not cancel.
 */
#include "linalg/kmeans.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
  const vise_kmeans_point *x = a, *y = b;
  return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                              : (x->weight > y->weight) - (x->weight < y->weight);
}

int64_t vise_kmeans_sort(vise_kmeans_point *points, int64_t n) {
  qsort(points, (size_t)n, sizeof *points, by_value);
  int64_t last = -1;
  for (int64_t i = 0; i < n; i++) {
    if (last >= 0 && points[last].value == points[i].value) {
      points[last].weight += points[i].weight;
    } else {
      points[++last] = points[i];
    }
  }
  return last + 1;
}

size_t vise_kmeans_scratch_bytes(int64_t n, int64_t c) {
  const size_t row = (size_t)n + 1;
  return 4 * row * sizeof(double) + (size_t)c * row * sizeof(uint32_t);
}

typedef struct layer {
  const double *s0, *s1; /* [n + 1] sums of the points before */
  const double *before;  /* [n + 1] D of the layer before */
  double *now;
  const uint32_t *best_before;
  uint32_t *best; /* [n + 1] where the last run begins */
} layer;

static double gain(const layer *a, int64_t i, int64_t j) {
  const double s0 = a->s0[j] - a->s0[i], s1 = a->s1[j] - a->s1[i];
  return s0 > 0.0 ? s1 * s1 / s0 : 0.0;
}

/* The best i in [low, high] for j. */
static void find_best(layer *a, int64_t j, int64_t low, int64_t high) {
  if (low < (int64_t)a->best_before[j]) {
    low = (int64_t)a->best_before[j];
  }
  double best = a->before[low] + gain(a, low, j);
  int64_t at = low;
  for (int64_t i = low + 1; i <= high && i < j; i++) {
    const double value = a->before[i] + gain(a, i, j);
    if (value > best) {
      best = value;
      at = i;
    }
  }
  a->now[j] = best;
  a->best[j] = (uint32_t)at;
}

static void by_halves(layer *a, int64_t first, int64_t last, int64_t low, int64_t high) {
  while (first <= last) {
    const int64_t middle = first + (last - first) / 2;
    find_best(a, middle, low, high);
    by_halves(a, first, middle - 1, low, (int64_t)a->best[middle]);
    low = (int64_t)a->best[middle];
    first = middle + 1;
  }
}

static void downwards(layer *a, int64_t first, int64_t last) {
  int64_t high = last - 1;
  for (int64_t j = last; j >= first; j--) {
    find_best(a, j, first - 1, high);
    high = (int64_t)a->best[j];
  }
}

void vise_kmeans(
    double *centres_out, int64_t c, const vise_kmeans_point *points, int64_t n, void *scratch) {
  for (int64_t i = 0; i < c && n <= c; i++) {
    centres_out[i] = n == 0 ? 0.0 : points[i < n ? i : n - 1].value;
  }
  if (n <= c) {
    return;
  }
  const int64_t row = n + 1;
  double *s0 = scratch, *s1 = s0 + row, *even = s1 + row, *odd = even + row;
  uint32_t *best = (uint32_t *)(odd + row);
  double mass = 0.0, mean = 0.0;
  for (int64_t i = 0; i < n; i++) {
    mass += points[i].weight;
    mean += points[i].weight * points[i].value;
  }
  mean /= mass;
  s0[0] = s1[0] = even[0] = 0.0;
  memset(best, 0, (size_t)row * sizeof *best);
  layer a = {.s0 = s0, .s1 = s1, .before = odd, .now = even, .best = best};
  for (int64_t i = 0; i < n; i++) {
    s0[i + 1] = s0[i] + points[i].weight;
    s1[i + 1] = s1[i] + points[i].weight * (points[i].value - mean);
    even[i + 1] = gain(&a, 0, i + 1);
  }
  for (int64_t q = 1; q < c; q++) {
    a.before = a.now;
    a.now = q % 2 == 1 ? odd : even;
    a.best_before = a.best;
    a.best = best + q * row;
    if (q * q > n / 24) {
      downwards(&a, q + 1, n);
    } else {
      by_halves(&a, q + 1, n, q, n - 1);
    }
  }
  for (int64_t q = c - 1, j = n; q >= 0; q--) {
    const int64_t i = q == 0 ? 0 : (int64_t)best[q * row + j];
    centres_out[q] = mean + (s1[j] - s1[i]) / (s0[j] - s0[i]);
    j = i;
  }
}
