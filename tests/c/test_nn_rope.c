/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/rope.h. Expected frequencies are the formulas of the papers and of Hugging Face's configs
 * written once more, with the C library's pow, log, cos and sin; the library must agree to 1e-13.
 */
#include "nn/rope.h"
#include "support/test.h"

#include <math.h>
#include <string.h>

enum { DIM = 128, N = DIM / 2 };

static const double PI = 3.14159265358979323846;

static vise_rope_spec spec_of(vise_rope_kind kind) {
  return (vise_rope_spec){.kind = kind,
                          .head_dim = DIM,
                          .theta = 500000.0,
                          .factor = 8.0,
                          .context = 8192.0,
                          .low = 1.0,
                          .high = 4.0,
                          .is_truncated = true};
}

static void expect_frequencies(const vise_rope_spec *spec, const double *want) {
  double f[N], scale;
  vise_err err;
  assert_int_equal(vise_rope_frequencies(f, &scale, spec, &err), VISE_OK);
  for (int i = 0; i < N; i++) {
    assert_true(fabs(f[i] - want[i]) <= 1e-13 * want[i]);
  }
}

static void plain_and_dynamic_frequencies_are_powers_of_theta(void **state) {
  (void)state;
  double want[N];
  for (int i = 0; i < N; i++) {
    want[i] = pow(500000.0, -2.0 * i / DIM);
  }
  vise_rope_spec spec = spec_of(VISE_ROPE_NONE);
  expect_frequencies(&spec, want);
  spec.kind = VISE_ROPE_DYNAMIC;
  expect_frequencies(&spec, want);
}

static void linear_scaling_divides_by_the_factor(void **state) {
  (void)state;
  double want[N];
  for (int i = 0; i < N; i++) {
    want[i] = pow(500000.0, -2.0 * i / DIM) / 8.0;
  }
  const vise_rope_spec spec = spec_of(VISE_ROPE_LINEAR);
  expect_frequencies(&spec, want);
}

static void llama3_scaling_keeps_short_waves_and_stretches_long_ones(void **state) {
  (void)state;
  double want[N];
  int n_kept = 0, n_stretched = 0;
  for (int i = 0; i < N; i++) {
    const double f = pow(500000.0, -2.0 * i / DIM), wave = 2.0 * PI / f;
    if (wave < 8192.0 / 4.0) {
      want[i] = f;
      n_kept++;
    } else if (wave > 8192.0 / 1.0) {
      want[i] = f / 8.0;
      n_stretched++;
    } else {
      const double smooth = (8192.0 / wave - 1.0) / (4.0 - 1.0);
      want[i] = (1.0 - smooth) * f / 8.0 + smooth * f;
    }
  }
  const vise_rope_spec spec = spec_of(VISE_ROPE_LLAMA3);
  expect_frequencies(&spec, want);
  assert_true(n_kept > 0 && n_stretched > 0 && n_kept + n_stretched < N);
}

static double correction_dim(double rotations, double theta, double context) {
  return DIM * log(context / (rotations * 2.0 * PI)) / (2.0 * log(theta));
}

static void yarn_scaling_is_a_ramp_between_both(void **state) {
  (void)state;
  double want[N], f[N], scale;
  vise_err err;
  vise_rope_spec spec = spec_of(VISE_ROPE_YARN);
  spec.theta = 1000000.0;
  spec.factor = 4.0;
  spec.context = 32768.0;
  spec.low = 1.0;
  spec.high = 32.0;
  const double low = floor(correction_dim(32.0, 1e6, 32768.0));
  const double high = ceil(correction_dim(1.0, 1e6, 32768.0));
  assert_true(low > 0.0 && high < DIM - 1.0);
  for (int i = 0; i < N; i++) {
    const double position_frequency = pow(1e6, 2.0 * i / DIM);
    const double ramp = fmin(fmax((i - low) / (high - low), 0.0), 1.0), kept = 1.0 - ramp;
    want[i] = 1.0 / (4.0 * position_frequency) * (1.0 - kept) + 1.0 / position_frequency * kept;
  }

  expect_frequencies(&spec, want);

  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_OK);
  assert_true(fabs(scale - (0.1 * log(4.0) + 1.0)) < 1e-15);
  spec.scale = 1.25;
  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_OK);
  assert_true(scale == 1.25);
}

static void the_table_holds_cosines_and_sines(void **state) {
  (void)state;
  enum { POSITIONS = 3000 };
  static float table[POSITIONS * DIM];
  double f[N], scale;
  vise_err err;
  const vise_rope_spec spec = spec_of(VISE_ROPE_NONE);
  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_OK);

  assert_int_equal(vise_rope_table(table, POSITIONS, f, N, 1.0, &err), VISE_OK);

  for (int p = 0; p < POSITIONS; p++) {
    for (int i = 0; i < N; i++) {
      /* half an ulp of f32 below 1, and the error of f64 angles */
      const double tolerance = 0x1p-25 + p * 1e-15;
      assert_true(fabs((double)table[p * DIM + i] - cos(p * f[i])) <= tolerance);
      assert_true(fabs((double)table[p * DIM + N + i] - sin(p * f[i])) <= tolerance);
    }
  }
}

/* Large angles: 999,999 rad, where cos and sin come from the GNU C library's exact reduction. */
static void large_angles_are_reduced_exactly(void **state) {
  (void)state;
  static float row[3 * 1000000];
  const double f = 1.0;
  vise_err err;

  assert_int_equal(vise_rope_table(row, 1000000, &f, 1, 1.0, &err), VISE_OK);

  assert_true(fabs((double)row[2 * 999999] - cos(999999.0)) <= 0x1p-25 + 1e-15);
  assert_true(fabs((double)row[2 * 999999 + 1] - sin(999999.0)) <= 0x1p-25 + 1e-15);
}

static void tokens_are_turned_by_their_position(void **state) {
  (void)state;
  /* head_dim 4, two heads, angles of position p: p * pi / 2 and p * pi */
  const double f[2] = {1.57079632679489661923, 3.14159265358979323846};
  const float x[16] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
  const float want[16] = {1, 2, 3, 4, 5, 6, 7, 8, -3, -2, 1, -4, -7, -6, 5, -8};
  const int32_t positions[2] = {0, 1};
  float table[8], out[16];
  vise_err err;
  assert_int_equal(vise_rope_table(table, 2, f, 2, 1.0, &err), VISE_OK);

  assert_int_equal(vise_rope_run(out, x, 2, 2, 2, table, 2, positions, false, &err), VISE_OK);

  for (int i = 0; i < 16; i++) {
    assert_true(fabsf(out[i] - want[i]) < 1e-6f);
  }
}

static void a_position_outside_the_table_is_refused(void **state) {
  (void)state;
  const float table[4] = {1, 0, 1, 0}, x[2] = {1, 2};
  const int32_t position = 2;
  float out[2];
  vise_err err;

  assert_int_equal(vise_rope_run(out, x, 1, 1, 1, table, 2, &position, false, &err), VISE_ESHAPE);

  assert_string_equal(err.msg, "rope: position of token 0 is 2, table has 2 rows");
}

static void fields_out_of_range_are_named(void **state) {
  (void)state;
  double f[N], scale;
  vise_err err;
  vise_rope_spec spec = spec_of(VISE_ROPE_NONE);
  spec.head_dim = 7;
  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_EARG);
  assert_string_equal(err.msg, "rope: head_dim is 7, expected an even number above 0");
  spec = spec_of(VISE_ROPE_LLAMA3);
  spec.high = 1.0;
  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_EARG);
  assert_string_equal(err.msg,
                      "rope: high_freq_factor is 1, expected a number above its low companion");
  spec = spec_of(VISE_ROPE_LINEAR);
  spec.factor = NAN;
  assert_int_equal(vise_rope_frequencies(f, &scale, &spec, &err), VISE_EARG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_and_dynamic_frequencies_are_powers_of_theta),
      cmocka_unit_test(linear_scaling_divides_by_the_factor),
      cmocka_unit_test(llama3_scaling_keeps_short_waves_and_stretches_long_ones),
      cmocka_unit_test(yarn_scaling_is_a_ramp_between_both),
      cmocka_unit_test(the_table_holds_cosines_and_sines),
      cmocka_unit_test(large_angles_are_reduced_exactly),
      cmocka_unit_test(tokens_are_turned_by_their_position),
      cmocka_unit_test(a_position_outside_the_table_is_refused),
      cmocka_unit_test(fields_out_of_range_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
