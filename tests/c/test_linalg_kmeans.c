/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/kmeans.h"
#include "support/matrix.h"

/* The cost of runs of points by its definition, least over all runs: the O(c n^2) recurrence. */
static double cost_of_run(const vise_kmeans_point *points, int64_t i, int64_t j) {
  double s0 = 0.0, s1 = 0.0, cost = 0.0;
  for (int64_t l = i; l < j; l++) {
    s0 += points[l].weight;
    s1 += points[l].weight * points[l].value;
  }
  for (int64_t l = i; l < j; l++) {
    cost += points[l].weight * (points[l].value - s1 / s0) * (points[l].value - s1 / s0);
  }
  return cost;
}

static double least_cost(const vise_kmeans_point *points, int64_t n, int64_t c) {
  double *now = matrix_zeros(c + 1, n + 1);
  for (int64_t q = 0; q <= c; q++) {
    for (int64_t j = 0; j <= n; j++) {
      double best = j == 0 ? 0.0 : HUGE_VAL;
      for (int64_t i = 0; i < j && q > 0; i++) {
        best = fmin(best, now[(q - 1) * (n + 1) + i] + cost_of_run(points, i, j));
      }
      now[q * (n + 1) + j] = best;
    }
  }
  const double least = now[c * (n + 1) + n];
  free(now);
  return least;
}

static int64_t nearest(const double *centres, int64_t c, double value) {
  int64_t at = 0;
  for (int64_t i = 1; i < c; i++) {
    at = fabs(centres[i] - value) < fabs(centres[at] - value) ? i : at;
  }
  return at;
}

static double
cost_of(const double *centres, int64_t c, const vise_kmeans_point *points, int64_t n) {
  double cost = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const double e = points[i].value - centres[nearest(centres, c, points[i].value)];
    cost += points[i].weight * e * e;
  }
  return cost;
}

/* Points of normal numbers around `mean`, weights of squares of such, sorted. */
static int64_t random_points(vise_kmeans_point *points, int64_t n, uint64_t seed, double mean) {
  double *x = matrix_random(seed, 2, n);
  for (int64_t i = 0; i < n; i++) {
    points[i] = (vise_kmeans_point){mean + x[i], x[n + i] * x[n + i] + 0.01};
  }
  free(x);
  return vise_kmeans_sort(points, n);
}

static void solve(double *centres, int64_t c, const vise_kmeans_point *points, int64_t n) {
  void *scratch = malloc(vise_kmeans_scratch_bytes(n, c));
  assert_non_null(scratch);
  vise_kmeans(centres, c, points, n, scratch);
  free(scratch);
}

enum { N = 200 };

/* Layers of both orders: the first c, and those whose square is above n / 24. */
static void the_cost_is_the_least_of_all_runs(void **state) {
  (void)state;
  vise_kmeans_point points[N];
  double centres[64];
  for (uint64_t seed = 0; seed < 6; seed++) {
    const int64_t n = random_points(points, seed < 3 ? N : 37, seed, seed == 1 ? 1000.0 : 0.0);
    for (int64_t c = 1; c <= 32; c = c < 4 ? c + 1 : c * 2) {
      solve(centres, c, points, n);

      const double least = least_cost(points, n, c), is = cost_of(centres, c, points, n);
      assert_true(fabs(is - least) <= 1e-9 * (least + 1e-3));
    }
  }
}

static void lloyd_never_gets_below(void **state) {
  (void)state;
  enum { C = 16 };
  vise_kmeans_point points[N];
  double best[C];
  const int64_t n = random_points(points, N, 9, 0.0);
  solve(best, C, points, n);
  for (uint64_t start = 0; start < 20; start++) {
    double *centres = matrix_random(100 + start, 1, C);
    for (int step = 0; step < 50; step++) {
      double s0[C] = {0}, s1[C] = {0};
      for (int64_t i = 0; i < n; i++) {
        const int64_t at = nearest(centres, C, points[i].value);
        s0[at] += points[i].weight;
        s1[at] += points[i].weight * points[i].value;
      }
      for (int64_t i = 0; i < C; i++) {
        centres[i] = s0[i] > 0.0 ? s1[i] / s0[i] : centres[i];
      }
    }

    assert_true(cost_of(best, C, points, n) <= cost_of(centres, C, points, n) * (1.0 + 1e-12));
    free(centres);
  }
}

static void centres_are_the_means_of_their_points_in_ascending_order(void **state) {
  (void)state;
  enum { C = 8 };
  vise_kmeans_point points[N];
  double centres[C], s0[C] = {0}, s1[C] = {0};
  const int64_t n = random_points(points, N, 4, -3.0);

  solve(centres, C, points, n);

  for (int64_t i = 0; i < n; i++) {
    const int64_t at = nearest(centres, C, points[i].value);
    s0[at] += points[i].weight;
    s1[at] += points[i].weight * points[i].value;
  }
  for (int64_t i = 0; i < C; i++) {
    assert_true(fabs(centres[i] - s1[i] / s0[i]) < 1e-12);
    assert_true(i == 0 || centres[i] > centres[i - 1]);
  }
}

static void few_points_are_centres_themselves(void **state) {
  (void)state;
  vise_kmeans_point points[] = {{3.0, 1.0}, {-1.0, 2.0}, {3.0, 5.0}};
  double centres[4];

  const int64_t n = vise_kmeans_sort(points, 3);
  solve(centres, 4, points, n);

  assert_int_equal(n, 2);
  assert_true(points[0].value == -1.0 && points[1].value == 3.0 && points[1].weight == 6.0);
  assert_true(centres[0] == -1.0 && centres[1] == 3.0 && centres[2] == 3.0 && centres[3] == 3.0);
  solve(centres, 2, points, 0);
  assert_true(centres[0] == 0.0 && centres[1] == 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_cost_is_the_least_of_all_runs),
      cmocka_unit_test(lloyd_never_gets_below),
      cmocka_unit_test(centres_are_the_means_of_their_points_in_ascending_order),
      cmocka_unit_test(few_points_are_centres_themselves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
