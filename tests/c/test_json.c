/* SPDX-License-Identifier: Apache-2.0 */
#include "io/json.h"
#include "support/test.h"

#include <string.h>

static vise_status parse(const char *text, vise_err *err) {
  json_t *value;
  const vise_status st = vise_json_parse(&value, text, strlen(text), err);
  assert_int_equal(value == NULL, st != VISE_OK);
  json_decref(value);
  return st;
}

static void text_need_not_end_in_nul(void **state) {
  (void)state;
  json_t *value;
  assert_int_equal(vise_json_parse(&value, "12345", 3, NULL), VISE_OK);
  assert_int_equal(json_integer_value(value), 123);
  json_decref(value);
}

static void nesting_is_bounded_and_brackets_in_strings_do_not_count(void **state) {
  (void)state;
  char text[300] = "", deep[300] = "";
  vise_err err;
  for (int i = 0; i < 64; i++) {
    strcat(text, "[");
  }
  strcat(strcpy(deep, "\n"), text);
  strcat(deep, "{");
  strcat(text, "\"[[[[\\\"{{{{\"");
  for (int i = 0; i < 64; i++) {
    strcat(text, "]");
  }

  assert_int_equal(parse(text, &err), VISE_OK);
  assert_int_equal(parse(deep, &err), VISE_EFORMAT);

  assert_string_equal(err.msg, "line 2: nested deeper than 64 levels");
}

static void what_is_refused_is_said_with_its_line(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"{\"a\": 1,\n \"a\": 2}", "line 2, column 4: duplicate object key near '\"a\"'"},
      {"9223372036854775808", "line 1, column 19: too big integer near '9223372036854775808'"},
      {"1e999", "line 1, column 5: real number overflow near '1e999'"},
      {"[1, 2", "line 1, column 5: ']' expected near end of file"},
      {"[1] 2", "line 1, column 5: end of file expected near '2'"},
      {"", "line 1, column 0: unexpected token near end of file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    vise_err err;
    assert_int_equal(parse(cases[i][0], &err), VISE_EFORMAT);
    assert_string_equal(err.msg, cases[i][1]);
  }
  assert_int_equal(parse("\"\xFF\"", NULL), VISE_EFORMAT);
  assert_int_equal(parse("\"\\ud800\"", NULL), VISE_EFORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_need_not_end_in_nul),
      cmocka_unit_test(nesting_is_bounded_and_brackets_in_strings_do_not_count),
      cmocka_unit_test(what_is_refused_is_said_with_its_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
