/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of training in nn/ promise beside their values, which tests/lua/test_grad.lua
   compares with differences: the same bits on any number of threads, and no leak without memory. */
#include "core/mem.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "nn/distance.h"
#include "nn/elementwise.h"
#include "nn/fakequant.h"
#include "nn/image.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/norm.h"
#include "nn/optimizer.h"
#include "nn/unary.h"
#include "support/test.h"

#include <string.h>

enum { T = 700, D = 70, N = T * D, M = 90, OUTPUTS = 3 };

static float x[N], y[N], gain[D], w[M * D], d_w[T * M], out[OUTPUTS][T * M];
static int32_t ids[T];
static double number;

static void fill(float *to, const char *name, int64_t n) {
  const vise_rng r = vise_rng_named(3, name);
  for (int64_t i = 0; i < n; i++) {
    to[i] = (float)vise_rng_normal(&r, (uint64_t)i);
  }
}

static int setup(void **state) {
  (void)state;
  fill(x, "x", N);
  fill(y, "y", N);
  fill(gain, "gain", D);
  fill(w, "w", M * D);
  fill(d_w, "d", T * M);
  for (int i = 0; i < T; i++) {
    ids[i] = i * 7 % D;
  }
  return 0;
}

typedef vise_status call_fn(vise_err *err);

static vise_status call_rmsnorm(vise_err *err) {
  return vise_rmsnorm_backward(out[0], out[1], y, x, gain, T, D, 1e-5, err);
}

static vise_status call_bias(vise_err *err) {
  return vise_bias_backward(out[0], x, T, D, err);
}

static vise_status call_gather(vise_err *err) {
  return vise_gather_backward(out[0], x, ids, T, D, D, err);
}

static vise_status call_linear(vise_err *err) {
  return vise_linear_run(out[0], x, w, T, M, D, err);
}

static vise_status call_linear_w(vise_err *err) {
  return vise_linear_backward_w(out[0], d_w, x, T, M, D, err);
}

static vise_status call_linear_x(vise_err *err) {
  return vise_linear_backward_x(out[0], d_w, w, T, M, D, err);
}

static vise_status call_nll(vise_err *err) {
  return vise_nll_mean(&number, x, T, D, ids, err);
}

static vise_status call_squares(vise_err *err) {
  return vise_squares_run(&number, x, N, err);
}

static vise_status call_kl(vise_err *err) {
  return vise_kl_mean(&number, x, y, T, D, err);
}

static vise_status call_layernorm(vise_err *err) {
  return vise_layernorm_backward(out[0], out[1], out[2], y, x, gain, T, D, 1e-5, err);
}

static vise_status call_moments(vise_err *err) {
  return vise_column_moments_run(out[0], out[1], x, T, D, err);
}

static vise_status call_batchnorm(vise_err *err) {
  return vise_batchnorm_backward(out[0], out[1], out[2], y, x, gain, gain, y, T, D, 7.0, false,
                                 err);
}

static vise_status call_patches(vise_err *err) {
  vise_windows g = {.n = 6, .h = 10, .w = 10, .c = D, .size = 3, .stride = 3, .pad = 1};
  const vise_status st = vise_windows_fit(&g, err);
  return st == VISE_OK ? vise_patches_backward(out[0], d_w, &g, err) : st;
}

static vise_status call_gelu(vise_err *err) {
  return vise_unary_backward(out[0], y, x, N, VISE_UNARY_GELU, err);
}

static const struct {
  const char *name;
  call_fn *call;
} calls[] = {
    {"rmsnorm", call_rmsnorm},
    {"bias", call_bias},
    {"gather", call_gather},
    {"linear", call_linear},
    {"linear_w", call_linear_w},
    {"linear_x", call_linear_x},
    {"nll", call_nll},
    {"squares", call_squares},
    {"kl", call_kl},
    {"layernorm", call_layernorm},
    {"moments", call_moments},
    {"batchnorm", call_batchnorm},
    {"patches", call_patches},
    {"gelu", call_gelu},
};
enum { N_CALLS = sizeof calls / sizeof *calls };

static void threads_change_no_bit(void **state) {
  (void)state;
  static float before[OUTPUTS][T * M];
  const int threads = vise_threads();
  for (int i = 0; i < N_CALLS; i++) {
    vise_err err;
    vise_threads_set(1);
    assert_int_equal(calls[i].call(&err), VISE_OK);
    memcpy(before, out, sizeof out);
    const double number_before = number;

    vise_threads_set(3);
    assert_int_equal(calls[i].call(&err), VISE_OK);

    if (memcmp(before, out, sizeof out) != 0 || number != number_before) {
      fail_msg("%s", calls[i].name);
    }
  }
  vise_threads_set(threads);
}

static void every_allocation_failure_is_survived(void **state) {
  (void)state;
  for (int i = 0; i < N_CALLS; i++) {
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      const size_t live = vise_mem_live_blocks();
      vise_err err;
      vise_mem_fail_after(n);
      st = calls[i].call(&err);
      vise_mem_fail_after(-1);
      assert_int_equal(vise_mem_live_blocks(), live);
      assert_true(st == VISE_OK || st == VISE_ENOMEM);
    }
  }
}

static void cancelling_is_seen(void **state) {
  (void)state;
  for (int i = 0; i < N_CALLS; i++) {
    vise_err err;
    vise_cancel();
    const vise_status st = calls[i].call(&err);
    vise_cancel_clear();
    if (st != VISE_ECANCELLED) {
      fail_msg("%s", calls[i].name);
    }
  }
}

/* By hand: two columns of a group of two, scale 1/2; codes -1 .. 1. */
static void rounding_has_the_derivatives_of_its_surrogate(void **state) {
  (void)state;
  const float weights[] = {0.3f, 4.0f}, scale[] = {0.5f}, d_out[] = {2.0f, 10.0f};
  const vise_fakequant q = {.m = 1, .k = 2, .g = 2, .low = -1, .high = 1, .w = weights, .s = scale};
  float rounded[2], by_w[2], by_s[1], by_z[1];
  vise_err err;

  const vise_fakequant_grads grads = {.w = by_w, .s = by_s, .z = by_z};

  assert_int_equal(vise_fakequant_run(rounded, &q, &err), VISE_OK);
  assert_int_equal(vise_fakequant_backward(&grads, d_out, &q, &err), VISE_OK);

  assert_true(rounded[0] == 0.5f && rounded[1] == 0.5f); /* 0.6 rounds to 1, 8 is clipped to 1 */
  assert_true(by_w[0] == 2.0f && by_w[1] == 0.0f);
  assert_true(by_s[0] == (float)(2.0 * (1.0 - (double)(0.3f / 0.5f)) + 10.0));
  assert_true(by_z[0] == -5.0f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(threads_change_no_bit, setup),
      cmocka_unit_test_setup(every_allocation_failure_is_survived, setup),
      cmocka_unit_test_setup(cancelling_is_seen, setup),
      cmocka_unit_test(rounding_has_the_derivatives_of_its_surrogate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
