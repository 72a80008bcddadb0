/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions that take their time, and those of published models on long texts. */
#include "core/mem.h"
#include "core/parallel.h"
#include "io/json.h"
#include "io/pretokenizer.h"
#include "support/test.h"

#include <string.h>
#include <time.h>

static vise_pretokenizer *make(const char *regex) {
  json_t *spec = json_pack("{s:s, s:s, s:{s:s}}", "type", "Split", "behavior", "Isolated",
                           "pattern", "Regex", regex);
  vise_pretokenizer *p;
  vise_err err;
  assert_non_null(spec);
  if (vise_pretokenizer_create(&p, spec, &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  json_decref(spec);
  return p;
}

/* `n` bytes of `unit` again and again; its length divides `n`. */
static char *repeat(const char *unit, size_t n) {
  void *memory;
  const size_t length = strlen(unit);
  assert_int_equal(vise_mem_zalloc(&memory, n + 1, NULL), VISE_OK);
  char *text = memory;
  for (size_t at = 0; at < n; at += length) {
    memcpy(text + at, unit, length);
  }
  return text;
}

static vise_status count(void *arg, size_t at, size_t n, vise_err *err) {
  (void)err;
  size_t *end = arg;
  assert_int_equal(at, *end);
  *end = at + n;
  return VISE_OK;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void an_expression_that_goes_over_the_text_again_and_again_is_ended(void **state) {
  (void)state;
  /* All the rest of the text is looked at from each of its letters: 10^10 steps. */
  vise_pretokenizer *p = make("\\p{L}+[!?]");
  char *text = repeat("a", 200000);
  size_t end = 0;
  vise_err err;
  const double begin = seconds();

  assert_int_equal(vise_pretokenizer_split(p, text, 200000, count, &end, &err), VISE_EFORMAT);

  assert_true(seconds() - begin < 3);
  assert_string_equal(err.msg,
                      "tokenizer.json: pre_tokenizer: regular expression '\\p{L}+[!?]' gave up at "
                      "byte 0 of the text (out of time), expected one that goes over a text once; "
                      "check that the file is the model's own");
  vise_mem_free(text);
  vise_pretokenizer_free(p);
}

static void cancel_is_seen_within_a_match(void **state) {
  (void)state;
  vise_pretokenizer *p = make("\\p{L}+[!?]");
  char *text = repeat("a", 200000);
  size_t end = 0;
  const double begin = seconds();
  vise_cancel();

  const vise_status st = vise_pretokenizer_split(p, text, 200000, count, &end, NULL);

  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
  assert_true(seconds() - begin < 0.5);
  vise_mem_free(text);
  vise_pretokenizer_free(p);
}

static void texts_that_are_short_each_get_one_time_together(void **state) {
  (void)state;
  vise_pretokenizer *p = make("(?:(?=\\p{L}*)\\p{L})*[!?]"); /* n^3 steps for n letters */
  char *text = repeat("a", 1500);
  const double begin = seconds();
  vise_status st = VISE_OK;
  vise_err err;

  for (int i = 0; i < 100 && st == VISE_OK; i++) {
    size_t end = 0;
    st = vise_pretokenizer_split(p, text, 1500, count, &end, &err);
  }

  assert_int_equal(st, VISE_EFORMAT);
  assert_non_null(strstr(err.msg, "(out of time)"));
  assert_true(seconds() - begin < 3);
  vise_mem_free(text);
  vise_pretokenizer_free(p);
}

static void one_try_that_scans_on_and_on_is_ended(void **state) {
  (void)state;
  vise_pretokenizer *p = make("(?:(?=\\p{L}*)\\p{L})*[!?]");
  char *text = repeat("a", 200000); /* n^2 = 4 10^10 steps in the first try */
  size_t end = 0;
  const double begin = seconds();

  assert_int_equal(vise_pretokenizer_split(p, text, 200000, count, &end, NULL), VISE_EFORMAT);

  assert_true(seconds() - begin < 3.5);
  vise_mem_free(text);
  vise_pretokenizer_free(p);
}

static void expressions_of_models_go_over_a_million_bytes_of_anything(void **state) {
  (void)state;
  static const char *const expressions[] = {
      /* GPT-2 */
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      /* Llama 3 */
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      /* Qwen2 */
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"};
  static const char *const units[] = {"a",      " ", "7", "!", "\n", "\xC3\xA9", "\xE4\xB8\xAD",
                                      "ab 7!\n"};
  for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
    vise_pretokenizer *p = make(expressions[i]);
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
      const size_t n = 1200000;
      char *text = repeat(units[k], n);
      size_t end = 0;
      vise_err err;
      memset(text + n - 6, 'b', 6); /* what is after a run of spaces makes it go back */
      if (vise_pretokenizer_split(p, text, n, count, &end, &err) != VISE_OK) {
        fail_msg("%zu, %zu: %s", i, k, err.msg);
      }
      assert_int_equal(end, n);
      vise_mem_free(text);
    }
    vise_pretokenizer_free(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_expression_that_goes_over_the_text_again_and_again_is_ended),
      cmocka_unit_test(cancel_is_seen_within_a_match),
      cmocka_unit_test(texts_that_are_short_each_get_one_time_together),
      cmocka_unit_test(one_try_that_scans_on_and_on_is_ended),
      cmocka_unit_test(expressions_of_models_go_over_a_million_bytes_of_anything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
