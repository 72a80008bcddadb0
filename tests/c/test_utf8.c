/* SPDX-License-Identifier: Apache-2.0 */
#include "io/nfc.h"
#include "io/utf8.h"
#include "support/test.h"

#include <string.h>

static void every_code_point_comes_back(void **state) {
  (void)state;
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    char bytes[VISE_UTF8_MAX];
    uint32_t back;
    const int n = vise_utf8_encode(bytes, code);

    const int length = vise_utf8_decode(&back, bytes, (size_t)n);

    if (code >= 0xD800 && code <= 0xDFFF) {
      assert_true(length < 0);
    } else {
      assert_int_equal(length, n);
      assert_int_equal(back, code);
    }
  }
}

/* Maximal bad parts: the examples of the Unicode standard, section 3.9, tables 3-8 to 3-11. */
static void bad_parts_are_as_long_as_unicode_says(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int each_part; /* replacement characters; the other bytes of these texts are ASCII */
  } cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 8},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 8},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 7},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const size_t n = strlen(cases[i].text);
    size_t n_ascii = 0;
    for (size_t k = 0; k < n; k++) {
      n_ascii += (uint8_t)cases[i].text[k] < 128;
    }
    char out[64];

    const size_t by_part = vise_utf8_repair(out, cases[i].text, n, VISE_UTF8_EACH_PART);
    const size_t by_byte = vise_utf8_repair(NULL, cases[i].text, n, VISE_UTF8_EACH_BYTE);

    assert_int_equal(by_part, n_ascii + 3 * (size_t)cases[i].each_part);
    assert_int_equal(by_byte, n_ascii + 3 * (n - n_ascii));
    assert_memory_equal(out, "\xEF\xBF\xBD", 3);
  }
}

/* From the tables of the Unicode standard: U+00E9 is e and U+0301 composed; U+0305 (class 230) must
   follow U+031D (220); Devanagari's virama (9) composes with nothing; U+212B is replaced by U+00C5;
   a final jamo composes with a syllable before it; U+3099 composes, U+FE0F does not. */
static void form_c_is_told_from_other_text(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint32_t code; /* 0: in form C */
  } cases[] = {
      {"", 0},
      {"plain, \xC3\xA9, \xE4\xB8\x80", 0},
      {"e\xCC\x81", 0x301},
      {"\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xB7", 0},
      {"\xE2\x84\xAB", 0x212B},
      {"\xEA\xB0\x80\xE1\x86\xA8", 0x11A8},
      {"\xE3\x81\x8B\xE3\x82\x99", 0x3099},
      {"\xE2\x9D\xA4\xEF\xB8\x8F", 0},
      {"x\xCC\x9D\xCC\x85", 0},
      {"x\xCC\x85\xCC\x9D", 0x31D},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t code = 0;

    const bool holds = vise_nfc_holds(&code, cases[i].text, strlen(cases[i].text));

    assert_int_equal(holds, cases[i].code == 0);
    assert_int_equal(code, cases[i].code);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_point_comes_back),
      cmocka_unit_test(bad_parts_are_as_long_as_unicode_says),
      cmocka_unit_test(form_c_is_told_from_other_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
