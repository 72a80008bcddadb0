/* SPDX-License-Identifier: Apache-2.0 */
/* nn/elementwise.h against its formulas in f64 with the C library's functions. */
#include "core/parallel.h"
#include "core/rng.h"
#include "nn/elementwise.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>

enum { T = 37, D = 172, N = T * D };

static float x[N], y[N], out[N], other[N];

static void fill(float *to, const char *name, int64_t n, double scale) {
  const vise_rng r = vise_rng_named(1, name);
  for (int64_t i = 0; i < n; i++) {
    to[i] = (float)(scale * vise_rng_normal(&r, (uint64_t)i));
  }
}

/* One rounding for each of the three operations after a sum that is exact to 1e-15. */
static const double RMSNORM_TOL = 3 * 0x1p-24;

static void rmsnorm_divides_by_the_root_mean_square(void **state) {
  (void)state;
  vise_err err;
  fill(x, "x", N, 3.0);
  fill(y, "gain", D, 1.0);

  assert_int_equal(vise_rmsnorm_run(out, x, y, T, D, 1e-5, &err), VISE_OK);

  for (int i = 0; i < T; i++) {
    double squares = 0.0;
    for (int j = 0; j < D; j++) {
      squares += (double)x[i * D + j] * (double)x[i * D + j];
    }
    for (int j = 0; j < D; j++) {
      const double want = (double)x[i * D + j] / sqrt(squares / D + 1e-5) * (double)y[j];
      assert_true(fabs((double)out[i * D + j] - want) <= RMSNORM_TOL * fabs(want));
    }
  }
}

static void rmsnorm_of_zeros_is_zero(void **state) {
  (void)state;
  vise_err err;
  fill(x, "x", D, 0.0);
  fill(y, "gain", D, 1.0);

  assert_int_equal(vise_rmsnorm_run(out, x, y, 1, D, 1e-5, &err), VISE_OK);

  for (int j = 0; j < D; j++) {
    assert_true(out[j] == 0.0f);
  }
}

static void bias_is_added_to_every_token(void **state) {
  (void)state;
  vise_err err;
  fill(x, "x", N, 1.0);
  fill(y, "b", D, 1.0);

  assert_int_equal(vise_bias_run(out, x, y, T, D, &err), VISE_OK);

  for (int i = 0; i < N; i++) {
    assert_true(out[i] == x[i] + y[i % D]);
  }
}

/* exp is right to 1 ulp; its sum with 1, the division and the product round once each. */
static const double SWIGLU_TOL = 5 * 0x1p-24;

static void swiglu_is_silu_times_up(void **state) {
  (void)state;
  vise_err err;
  fill(x, "gate", N, 8.0);
  fill(y, "up", N, 1.0);

  assert_int_equal(vise_swiglu_run(out, x, y, N, &err), VISE_OK);

  for (int i = 0; i < N; i++) {
    const double want = (double)x[i] / (1.0 + exp(-(double)x[i])) * (double)y[i];
    assert_true(fabs((double)out[i] - want) <= SWIGLU_TOL * fabs(want) + 1e-36);
  }
}

static void swiglu_has_its_limits(void **state) {
  (void)state;
  vise_err err;
  const float gate[5] = {-1e30f, -100.0f, 0.0f, 100.0f, NAN}, up[5] = {1, 1, 1, 1, 1};

  assert_int_equal(vise_swiglu_run(out, gate, up, 5, &err), VISE_OK);

  assert_true(fabsf(out[0]) < 1e-30f && fabsf(out[1]) < 1e-30f && out[2] == 0.0f);
  assert_true(out[3] == 100.0f);
  assert_true(isnan(out[4]));
}

static void results_do_not_depend_on_threads(void **state) {
  (void)state;
  enum { LARGE = 300000 };
  vise_err err;
  float *a = malloc(4 * sizeof(float) * LARGE);
  assert_non_null(a);
  fill(a, "large", 2 * LARGE, 2.0);

  vise_threads_set(1);
  assert_int_equal(vise_swiglu_run(a + 2 * LARGE, a, a + LARGE, LARGE, &err), VISE_OK);
  vise_threads_set(3);
  assert_int_equal(vise_swiglu_run(a + 3 * LARGE, a, a + LARGE, LARGE, &err), VISE_OK);

  assert_memory_equal(a + 2 * LARGE, a + 3 * LARGE, LARGE * sizeof(float));
  free(a);
}

static void a_cancelled_operation_says_so(void **state) {
  (void)state;
  vise_err err;
  vise_cancel();

  const vise_status st = vise_add_run(other, x, y, N, &err);

  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rmsnorm_divides_by_the_root_mean_square),
      cmocka_unit_test(rmsnorm_of_zeros_is_zero),
      cmocka_unit_test(bias_is_added_to_every_token),
      cmocka_unit_test(swiglu_is_silu_times_up),
      cmocka_unit_test(swiglu_has_its_limits),
      cmocka_unit_test(results_do_not_depend_on_threads),
      cmocka_unit_test(a_cancelled_operation_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
