/* SPDX-License-Identifier: Apache-2.0 */
/* nn/sample.h: the choices that can be known, and the shares of those that cannot. */
#include "core/mem.h"
#include "nn/sample.h"
#include "support/test.h"

#include <math.h>

static int64_t sample(const float *logits, int64_t n, vise_sample_options options) {
  vise_err err;
  int64_t id;
  assert_int_equal(vise_sample_run(&id, logits, n, &options, &err), VISE_OK);
  return id;
}

static void temperature_zero_takes_the_lowest_of_the_greatest(void **state) {
  (void)state;
  const float logits[5] = {1.0f, 3.0f, -2.0f, 3.0f, -INFINITY};
  assert_int_equal(sample(logits, 5, (vise_sample_options){.top_p = 1.0}), 1);
}

static void top_k_of_one_and_a_small_top_p_are_greedy(void **state) {
  (void)state;
  const float logits[5] = {1.0f, 3.0f, -2.0f, 3.0f, 0.0f};
  for (uint64_t i = 0; i < 50; i++) {
    const vise_sample_options one = {.temperature = 5.0, .top_k = 1, .top_p = 1.0, .position = i};
    const vise_sample_options small = {.temperature = 5.0, .top_p = 1e-9, .position = i};

    assert_int_equal(sample(logits, 5, one), 1);
    assert_int_equal(sample(logits, 5, small), 1);
  }
}

/* 20,000 draws: a share p has a standard error below 0.0036; five of them are allowed. */
static void expect_shares(const float *logits, const double *shares, vise_sample_options options) {
  enum { DRAWS = 20000 };
  int counts[6] = {0};
  for (uint64_t i = 0; i < DRAWS; i++) {
    options.position = i;
    counts[sample(logits, 6, options)]++;
  }
  for (int i = 0; i < 6; i++) {
    assert_true(fabs((double)counts[i] / DRAWS - shares[i]) < 0.018);
    assert_true(shares[i] > 0.0 || counts[i] == 0);
  }
}

/* exp of the logits: 1 2 4 8 16 1 */
static const float powers[6] = {0.0f, 0.69314718f, 1.38629436f, 2.07944154f, 2.77258872f, 0.0f};

static void draws_have_the_shares_of_softmax(void **state) {
  (void)state;
  const double shares[6] = {1 / 32.0, 2 / 32.0, 4 / 32.0, 8 / 32.0, 16 / 32.0, 1 / 32.0};
  expect_shares(powers, shares, (vise_sample_options){.temperature = 1.0, .top_p = 1.0, .seed = 7});
}

static void temperature_flattens(void **state) {
  (void)state;
  double shares[6], sum = 0.0;
  for (int i = 0; i < 6; i++) {
    sum += shares[i] = exp((double)powers[i] / 2.0);
  }
  for (int i = 0; i < 6; i++) {
    shares[i] /= sum;
  }
  expect_shares(powers, shares, (vise_sample_options){.temperature = 2.0, .top_p = 1.0, .seed = 7});
}

static void top_k_keeps_the_likeliest(void **state) {
  (void)state;
  const double shares[6] = {0, 0, 4 / 28.0, 8 / 28.0, 16 / 28.0, 0};
  expect_shares(powers, shares,
                (vise_sample_options){.temperature = 1.0, .top_k = 3, .top_p = 1.0, .seed = 7});
}

static void top_p_keeps_the_fewest_that_have_it(void **state) {
  (void)state;
  const double shares[6] = {0, 0, 0, 8 / 24.0, 16 / 24.0, 0};
  expect_shares(powers, shares,
                (vise_sample_options){.temperature = 1.0, .top_p = 0.74, .seed = 7});
}

/* Of four equal ones the first two have exactly half. */
static void top_p_that_is_just_reached_keeps_no_more(void **state) {
  (void)state;
  const float equal[6] = {0.0f, 0.0f, 0.0f, 0.0f, -INFINITY, -INFINITY};
  const double two[6] = {0.5, 0.5, 0, 0, 0, 0}, one[6] = {1.0, 0, 0, 0, 0, 0};
  expect_shares(equal, two, (vise_sample_options){.temperature = 1.0, .top_p = 0.5, .seed = 7});
  expect_shares(equal, one,
                (vise_sample_options){.temperature = 1.0, .top_k = 2, .top_p = 0.5, .seed = 7});
}

/* Two of 150,000 have a share. */
static void only_tokens_with_a_share_are_drawn_of_many(void **state) {
  (void)state;
  enum { N = 150000 };
  static float logits[N];
  for (int i = 0; i < N; i++) {
    logits[i] = i == 77 || i == 140000 ? 0.0f : -1000.0f - (float)(i % 1000);
  }
  int counts[2] = {0};
  for (uint64_t i = 0; i < 100; i++) {
    const vise_sample_options options = {.temperature = 1.0, .top_p = 1.0, .position = i};
    const int64_t id = sample(logits, N, options);
    assert_true(id == 77 || id == 140000);
    counts[id == 77]++;
  }
  assert_true(counts[0] > 20 && counts[1] > 20);
}

static void the_same_seed_and_position_choose_the_same(void **state) {
  (void)state;
  int n_different = 0;
  for (uint64_t i = 0; i < 100; i++) {
    const vise_sample_options a = {.temperature = 1.0, .top_p = 1.0, .seed = 1, .position = i};
    vise_sample_options b = a;
    b.seed = 2;
    assert_int_equal(sample(powers, 6, a), sample(powers, 6, a));
    n_different += sample(powers, 6, a) != sample(powers, 6, b);
  }
  assert_true(n_different > 20);
}

static void numbers_that_are_none_are_refused(void **state) {
  (void)state;
  const float logits[3] = {0.0f, NAN, 1.0f}, empty[2] = {-INFINITY, -INFINITY};
  const vise_sample_options options = {.top_p = 1.0};
  vise_err err;
  int64_t id;

  assert_int_equal(vise_sample_run(&id, logits, 3, &options, &err), VISE_ENUMERIC);
  assert_string_equal(err.msg, "sample: logit of token 1 is NaN");
  assert_int_equal(vise_sample_run(&id, empty, 2, &options, &err), VISE_ENUMERIC);
}

static void options_out_of_range_are_named(void **state) {
  (void)state;
  vise_err err;
  int64_t id;
  const vise_sample_options cold = {.temperature = -1.0, .top_p = 1.0}, none = {.top_p = 0.0};

  assert_int_equal(vise_sample_run(&id, powers, 6, &cold, &err), VISE_EARG);
  assert_string_equal(err.msg, "sample: temperature is -1, expected 0 or more");
  assert_int_equal(vise_sample_run(&id, powers, 6, &none, &err), VISE_EARG);
  assert_string_equal(err.msg, "sample: top_p is 0, expected a number in (0, 1]");
}

static void run_survives_every_allocation_failure(void **state) {
  (void)state;
  const vise_sample_options options = {.temperature = 1.0, .top_p = 1.0};
  vise_err err;
  int64_t id;
  const size_t live = vise_mem_live_blocks();
  vise_mem_fail_after(0);

  const vise_status st = vise_sample_run(&id, powers, 6, &options, &err);

  vise_mem_fail_after(-1);
  assert_int_equal(st, VISE_ENOMEM);
  assert_int_equal(vise_mem_live_blocks(), live);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(temperature_zero_takes_the_lowest_of_the_greatest),
      cmocka_unit_test(top_k_of_one_and_a_small_top_p_are_greedy),
      cmocka_unit_test(draws_have_the_shares_of_softmax),
      cmocka_unit_test(temperature_flattens),
      cmocka_unit_test(top_k_keeps_the_likeliest),
      cmocka_unit_test(top_p_keeps_the_fewest_that_have_it),
      cmocka_unit_test(top_p_that_is_just_reached_keeps_no_more),
      cmocka_unit_test(only_tokens_with_a_share_are_drawn_of_many),
      cmocka_unit_test(the_same_seed_and_position_choose_the_same),
      cmocka_unit_test(numbers_that_are_none_are_refused),
      cmocka_unit_test(options_out_of_range_are_named),
      cmocka_unit_test(run_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
