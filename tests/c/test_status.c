/* SPDX-License-Identifier: Apache-2.0 */
/* core/status.h, core/checked.h and core/param.h: small things everything stands on. */
#include "core/checked.h"
#include "core/param.h"
#include "core/status.h"
#include "support/test.h"

#include <math.h>
#include <string.h>

static void fail_fills_the_error_and_returns_its_code(void **state) {
  (void)state;
  vise_err err;

  assert_int_equal(vise_fail(&err, VISE_ESHAPE, "w: has %d rows", 3), VISE_ESHAPE);

  assert_int_equal(err.code, VISE_ESHAPE);
  assert_string_equal(err.msg, "w: has 3 rows");
  assert_int_equal(vise_fail(NULL, VISE_EIO, "nobody listens"), VISE_EIO);
}

static void a_prefix_goes_before_the_message(void **state) {
  (void)state;
  vise_err err;
  (void)vise_fail(&err, VISE_EFORMAT, "header ends at byte %d", 9);

  assert_int_equal(vise_fail_in(&err, VISE_EFORMAT, "a.safetensors"), VISE_EFORMAT);

  assert_string_equal(err.msg, "a.safetensors: header ends at byte 9");
}

static void messages_too_long_are_cut_not_overrun(void **state) {
  (void)state;
  vise_err err;
  char path[2000];
  memset(path, 'x', sizeof path - 1);
  path[sizeof path - 1] = '\0';

  (void)vise_fail(&err, VISE_EIO, "%s: cannot open", path);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
  (void)vise_fail_in(&err, VISE_EIO, path);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void every_code_has_a_word(void **state) {
  (void)state;
  for (int code = VISE_OK; code <= VISE_ECANCELLED; code++) {
    assert_string_not_equal(vise_status_name((vise_status)code), "unknown");
  }
}

static void checked_arithmetic_sees_every_overflow(void **state) {
  (void)state;
  uint64_t u;
  int64_t i;

  assert_true(vise_add_u64(&u, UINT64_MAX - 1, 1) && u == UINT64_MAX);
  assert_false(vise_add_u64(&u, UINT64_MAX, 1));
  assert_true(vise_mul_u64(&u, UINT64_C(1) << 32, UINT32_MAX) && u == UINT64_C(0xffffffff00000000));
  assert_false(vise_mul_u64(&u, UINT64_C(1) << 32, UINT64_C(1) << 32));
  assert_true(vise_add_i64(&i, INT64_MAX, INT64_MIN) && i == -1);
  assert_false(vise_add_i64(&i, INT64_MAX, 1));
  assert_false(vise_mul_i64(&i, INT64_MIN, -1));
  assert_int_equal(vise_ceil_div(0, 7), 0);
  assert_int_equal(vise_ceil_div(7, 7), 1);
  assert_int_equal(vise_ceil_div(8, 7), 2);
  assert_int_equal(vise_ceil_div(INT64_MAX, 2), INT64_C(1) << 62);
}

static const vise_param rows[] = {
    {.name = "bits", .kind = VISE_PARAM_INT, .def = 4, .min = 2, .max = 8, .doc = "bits"},
    {.name = "damp", .kind = VISE_PARAM_REAL, .def = 0.01, .min = 0, .max = 1, .doc = "share"},
    {.name = "zero", .kind = VISE_PARAM_BOOL, .def = 0, .doc = "is there a zero point"},
    {.name = "scale",
     .kind = VISE_PARAM_CHOICE,
     .def = 0,
     .choices = "f16 bf16 f32",
     .doc = "type"},
    {0},
};

static void defaults_are_sound(void **state) {
  (void)state;
  double values[VISE_PARAM_MAX];

  vise_param_defaults(rows, values);

  assert_int_equal(vise_param_check(rows, values, "rtn", NULL), VISE_OK);
  assert_true(values[0] == 4.0 && values[1] == 0.01 && values[2] == 0.0 && values[3] == 0.0);
}

static void each_bad_value_has_its_message(void **state) {
  (void)state;
  static const struct {
    int row;
    double value;
    const char *message;
  } cases[] = {
      {0, 9, "rtn: bits is 9, expected an integer in [2, 8]"},
      {0, 2.5, "rtn: bits is 2.5, expected an integer in [2, 8]"},
      {0, NAN, "rtn: bits is nan, expected an integer in [2, 8]"},
      {1, -0.5, "rtn: damp is -0.5, expected a number in [0, 1]"},
      {1, INFINITY, "rtn: damp is inf, expected a number in [0, 1]"},
      {2, 2, "rtn: zero is 2, expected true or false"},
      {3, 3, "rtn: scale is choice 3, expected one of: f16 bf16 f32"},
      {3, -1, "rtn: scale is choice -1, expected one of: f16 bf16 f32"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double values[VISE_PARAM_MAX];
    vise_err err;
    vise_param_defaults(rows, values);
    values[cases[i].row] = cases[i].value;

    assert_int_equal(vise_param_check(rows, values, "rtn", &err), VISE_EARG);

    assert_string_equal(err.msg, cases[i].message);
  }
}

static void choices_are_counted_and_copied(void **state) {
  (void)state;
  char word[5];

  assert_int_equal(vise_param_choices("f16 bf16 f32"), 3);
  vise_param_choice(word, sizeof word, "f16 bf16 f32", 1);
  assert_string_equal(word, "bf16");
  vise_param_choice(word, sizeof word, "a toolong", 1);
  assert_string_equal(word, "tool");
  vise_param_choice(word, sizeof word, "a b", 7);
  assert_string_equal(word, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fail_fills_the_error_and_returns_its_code),
      cmocka_unit_test(a_prefix_goes_before_the_message),
      cmocka_unit_test(messages_too_long_are_cut_not_overrun),
      cmocka_unit_test(every_code_has_a_word),
      cmocka_unit_test(checked_arithmetic_sees_every_overflow),
      cmocka_unit_test(defaults_are_sound),
      cmocka_unit_test(each_bad_value_has_its_message),
      cmocka_unit_test(choices_are_counted_and_copied),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
