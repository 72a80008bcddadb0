/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/parallel.h"
#include "io/json.h"
#include "io/word_count.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

static json_t *byte_level(void) {
  json_t *spec =
      json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 1);
  assert_non_null(spec);
  return spec;
}

static void words_are_counted_in_the_order_of_their_first_appearance(void **state) {
  (void)state;
  const char text[] = "a cat, a dog a cat";
  const char *const words[] = {"a", " cat", ",", " a", " dog"};
  const int64_t times[] = {1, 2, 1, 2, 1};
  json_t *spec = byte_level();
  vise_word_counts c;
  vise_err err;

  assert_int_equal(vise_word_counts_init(&c, spec, text, strlen(text), &err), VISE_OK);

  assert_int_equal(c.n, 5);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(c.words[i].bytes, strlen(words[i]));
    assert_memory_equal(c.words[i].text, words[i], c.words[i].bytes);
    assert_int_equal(c.counts[i], times[i]);
  }
  vise_word_counts_free(&c);
  json_decref(spec);
}

/* " w0" .. " w4999" twice: several times the first room. */
static void many_words_are_all_found_again(void **state) {
  (void)state;
  enum { WORDS = 5000, ROOM = 2 * WORDS * 8 };
  static char text[ROOM];
  size_t n = 0;
  for (int i = 0; i < 2 * WORDS; i++) {
    const int k = i % WORDS;
    char name[8] = " aaaaa";
    for (int at = 1, rest = k; at < 6; at++, rest /= 26) {
      name[at] = (char)('a' + rest % 26);
    }
    n += (size_t)snprintf(text + n, ROOM - n, "%s", name);
  }
  json_t *spec = byte_level();
  vise_word_counts c;
  vise_err err;

  assert_int_equal(vise_word_counts_init(&c, spec, text, n, &err), VISE_OK);

  assert_int_equal(c.n, WORDS);
  for (int64_t i = 0; i < c.n; i++) {
    assert_int_equal(c.counts[i], 2);
    assert_int_equal(vise_piece_map_find(&c.index, c.words[i].text, c.words[i].bytes), i);
  }
  vise_word_counts_free(&c);
  json_decref(spec);
}

static void text_that_is_not_utf8_is_refused_at_its_byte(void **state) {
  (void)state;
  json_t *spec = byte_level();
  vise_word_counts c;
  vise_err err;

  assert_int_equal(vise_word_counts_init(&c, spec, "ab\xFF", 3, &err), VISE_EFORMAT);

  assert_string_equal(err.msg, "text is not UTF-8 at byte 2");
  vise_word_counts_free(&c);
  json_decref(spec);
}

static void counting_survives_every_allocation_failure(void **state) {
  (void)state;
  json_t *spec = byte_level();
  vise_err err;
  for (long n = 0;; n++) {
    vise_word_counts c;
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    const vise_status st = vise_word_counts_init(&c, spec, "one two", 7, &err);
    vise_mem_fail_after(-1);
    vise_word_counts_free(&c);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      break;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
  json_decref(spec);
}

static void counting_can_be_cancelled(void **state) {
  (void)state;
  enum { BYTES = 100000 };
  static char text[BYTES];
  for (int i = 0; i < BYTES; i++) {
    text[i] = i % 2 == 0 ? ' ' : 'a';
  }
  json_t *spec = byte_level();
  vise_word_counts c;
  vise_cancel();

  const vise_status st = vise_word_counts_init(&c, spec, text, BYTES, NULL);

  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
  vise_word_counts_free(&c);
  json_decref(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_are_counted_in_the_order_of_their_first_appearance),
      cmocka_unit_test(many_words_are_all_found_again),
      cmocka_unit_test(text_that_is_not_utf8_is_refused_at_its_byte),
      cmocka_unit_test(counting_survives_every_allocation_failure),
      cmocka_unit_test(counting_can_be_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
