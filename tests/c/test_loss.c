/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/loss.h"

#include "core/parallel.h"
#include "core/rng.h"
#include "support/test.h"

#include <math.h>
#include <string.h>

enum { N = 97, V = 1237 };

static float p[N * V], q[N * V];
static int32_t targets[N];

static float uniform(uint32_t i, uint32_t stream) {
  const uint32_t key[2] = {stream, 7}, counter[4] = {i, 0, 0, 0};
  uint32_t bits[4];
  vise_philox(bits, counter, key);
  return (float)(bits[0] >> 8) * 0x1p-24f - 0.5f;
}

/* p: logits over 16; q: p and noise of the size `noise`. */
static void fill(float noise) {
  for (uint32_t i = 0; i < N * V; i++) {
    p[i] = 16.0f * uniform(i, 1);
    q[i] = p[i] + noise * uniform(i, 2);
  }
  for (uint32_t i = 0; i < N; i++) {
    targets[i] = (int32_t)(i * 131u % V);
  }
}

/* Log-softmax of a row in long double, as the textbook writes it. */
static void naive_log_softmax(long double *out, const float *x) {
  long double sum = 0.0L, greatest = (long double)x[0];
  for (int i = 0; i < V; i++) {
    greatest = fmaxl(greatest, (long double)x[i]);
  }
  for (int i = 0; i < V; i++) {
    sum += expl((long double)x[i] - greatest);
  }
  for (int i = 0; i < V; i++) {
    out[i] = (long double)x[i] - greatest - logl(sum);
  }
}

static void nll_of_equal_logits_is_the_logarithm_of_their_number(void **state) {
  (void)state;
  static float row[4096];
  const int32_t target = 4095;
  for (int64_t v = 1; v <= 4096; v = v * 2 + 1) {
    double out;

    assert_int_equal(vise_nll_run(&out, row, 1, v, &(int32_t){0}, NULL), VISE_OK);

    assert_true(fabs(out - log((double)v)) < 4e-15);
  }
  double out;
  assert_int_equal(vise_nll_run(&out, row, 1, 4096, &target, NULL), VISE_OK);
  assert_true(fabs(out - 12.0 * log(2.0)) < 4e-15);
}

static void nll_agrees_with_long_double(void **state) {
  (void)state;
  double out[N];
  long double want[V];
  fill(1.0f);

  assert_int_equal(vise_nll_run(out, p, N, V, targets, NULL), VISE_OK);

  /* x - s is rounded once (2^-21 at 16) and e^ within an ulp; log S sees their mean. */
  const double tolerance = 1e-6;
  for (int i = 0; i < N; i++) {
    naive_log_softmax(want, p + i * V);
    assert_true(fabs(out[i] + (double)want[targets[i]]) < tolerance);
  }
}

static void nll_does_not_move_with_a_shift_of_all_logits(void **state) {
  (void)state;
  const float row[4] = {1.0f, 2.0f, -3.0f, 0.5f}, high[4] = {1025.0f, 1026.0f, 1021.0f, 1024.5f};
  double a, b;

  assert_int_equal(vise_nll_run(&a, row, 1, 4, &(int32_t){2}, NULL), VISE_OK);
  assert_int_equal(vise_nll_run(&b, high, 1, 4, &(int32_t){2}, NULL), VISE_OK);

  assert_true(a == b);
}

static void divergence_agrees_with_long_double_down_to_tiny_ones(void **state) {
  (void)state;
  static const float noises[] = {8.0f, 1.0f, 1e-2f, 1e-4f};
  /* Rounding a difference of logits near 8 (2^-22) against noise / 4: relative, twice for d^2. */
  static const double tolerances[] = {2e-6, 2e-6, 2e-5, 2e-2};
  for (int c = 0; c < 4; c++) {
    double kl[N];
    uint8_t agree[N];
    long double lp[V], lq[V];
    fill(noises[c]);

    assert_int_equal(vise_divergence_run(kl, agree, p, q, N, V, NULL), VISE_OK);

    for (int i = 0; i < N; i++) {
      long double want = 0.0L;
      naive_log_softmax(lp, p + i * V);
      naive_log_softmax(lq, q + i * V);
      for (int j = 0; j < V; j++) {
        want += expl(lp[j]) * (lp[j] - lq[j]);
      }
      assert_true(fabs(kl[i] - (double)want) <= tolerances[c] * (double)want);
    }
  }
}

static void divergence_by_hand(void **state) {
  (void)state;
  /* p = (1/2, 1/2), q = (3/4, 1/4): KL = ln(2 / sqrt 3). */
  const float a[2] = {0.0f, 0.0f}, b[2] = {1.0986122886681098f, 0.0f};
  double kl;
  uint8_t agree;

  assert_int_equal(vise_divergence_run(&kl, &agree, a, b, 1, 2, NULL), VISE_OK);

  assert_true(fabs(kl - 0.14384103622589042) < 2e-7);
  assert_int_equal(agree, 1);
}

static void divergence_of_equal_rows_is_exactly_zero(void **state) {
  (void)state;
  double kl[N];
  uint8_t agree[N];
  fill(0.0f);

  assert_int_equal(vise_divergence_run(kl, agree, p, q, N, V, NULL), VISE_OK);

  for (int i = 0; i < N; i++) {
    assert_true(kl[i] == 0.0);
    assert_int_equal(agree[i], 1);
  }
}

static void divergence_is_never_negative(void **state) {
  (void)state;
  for (float noise = 100.0f; noise > 1e-7f; noise /= 10.0f) {
    double kl[N];
    uint8_t agree[N];
    fill(noise);

    assert_int_equal(vise_divergence_run(kl, agree, p, q, N, V, NULL), VISE_OK);

    for (int i = 0; i < N; i++) {
      assert_true(kl[i] >= 0.0);
    }
  }
}

static void agreement_takes_the_lowest_of_several_greatest(void **state) {
  (void)state;
  const float a[3 * 3] = {1, 5, 5, /* */ 5, 5, 1, /* */ 0, 0, 9};
  const float b[3 * 3] = {1, 5, 4, /* */ 1, 5, 5, /* */ 0, 1, 2};
  double kl[3];
  uint8_t agree[3];

  assert_int_equal(vise_divergence_run(kl, agree, a, b, 3, 3, NULL), VISE_OK);

  assert_int_equal(agree[0], 1);
  assert_int_equal(agree[1], 0);
  assert_int_equal(agree[2], 1);
}

static void threads_and_neighbours_do_not_change_a_bit(void **state) {
  (void)state;
  double one[N], many[N], kl_one[N], kl_many[N];
  uint8_t agree[N];
  fill(0.3f);
  const int before = vise_threads();

  vise_threads_set(1);
  assert_int_equal(vise_nll_run(one, p, N, V, targets, NULL), VISE_OK);
  assert_int_equal(vise_divergence_run(kl_one, agree, p, q, N, V, NULL), VISE_OK);
  vise_threads_set(4);
  assert_int_equal(vise_nll_run(many, p, N, V, targets, NULL), VISE_OK);
  for (int i = 0; i < N; i++) {
    assert_int_equal(vise_divergence_run(kl_many + i, agree, p + i * V, q + i * V, 1, V, NULL),
                     VISE_OK);
  }
  vise_threads_set(before);

  assert_memory_equal(one, many, sizeof one);
  assert_memory_equal(kl_one, kl_many, sizeof kl_one);
}

static void bad_targets_and_logits_are_named(void **state) {
  (void)state;
  vise_err err;
  double out[N];
  uint8_t agree[N];
  fill(1.0f);

  targets[4] = V;
  assert_int_equal(vise_nll_run(out, p, N, V, targets, &err), VISE_EARG);
  assert_string_equal(err.msg, "nll: target 5 is 1237, expected 0 to 1236");
  targets[4] = 0;
  p[7 * V + 1236] = NAN;
  assert_int_equal(vise_nll_run(out, p, N, V, targets, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "nll: row 8 of the logits gives NaN, expected finite logits");
  assert_int_equal(vise_divergence_run(out, agree, p, q, N, V, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "divergence: row 8 of the logits gives NaN, expected finite logits");
  p[7 * V + 1236] = INFINITY;
  assert_int_equal(vise_nll_run(out, p, N, V, targets, &err), VISE_ENUMERIC);
}

static void no_tokens_are_no_work(void **state) {
  (void)state;
  assert_int_equal(vise_nll_run(NULL, NULL, 0, 5, NULL, NULL), VISE_OK);
  assert_int_equal(vise_divergence_run(NULL, NULL, NULL, NULL, 0, 5, NULL), VISE_OK);
}

static void cancelling_stops_both(void **state) {
  (void)state;
  double out[N];
  uint8_t agree[N];
  fill(1.0f);

  vise_cancel();
  const vise_status nll = vise_nll_run(out, p, N, V, targets, NULL);
  const vise_status divergence = vise_divergence_run(out, agree, p, q, N, V, NULL);
  vise_cancel_clear();

  assert_int_equal(nll, VISE_ECANCELLED);
  assert_int_equal(divergence, VISE_ECANCELLED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nll_of_equal_logits_is_the_logarithm_of_their_number),
      cmocka_unit_test(nll_agrees_with_long_double),
      cmocka_unit_test(nll_does_not_move_with_a_shift_of_all_logits),
      cmocka_unit_test(divergence_agrees_with_long_double_down_to_tiny_ones),
      cmocka_unit_test(divergence_by_hand),
      cmocka_unit_test(divergence_of_equal_rows_is_exactly_zero),
      cmocka_unit_test(divergence_is_never_negative),
      cmocka_unit_test(agreement_takes_the_lowest_of_several_greatest),
      cmocka_unit_test(threads_and_neighbours_do_not_change_a_bit),
      cmocka_unit_test(bad_targets_and_logits_are_named),
      cmocka_unit_test(no_tokens_are_no_work),
      cmocka_unit_test(cancelling_stops_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
