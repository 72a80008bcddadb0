/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/rng.h"
#include "io/tokenizer.h"
#include "support/test.h"
#include "support/wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SPACE "\xE2\x96\x81"

enum { UNKNOWN_ID, BOS_ID, EOS_ID, NEWLINE_ID, BYTES_ID, NORMAL_ID = BYTES_ID + 256 };
enum { NORMALS = 16 };

/* With equal scores, pieces that others are made of missing, and a space inside a piece. */
static const struct {
  const char *text;
  float score;
} normals[NORMALS] = {
    {"ab", -1},
    {"ba", -1},
    {"aba", -3},
    {SPACE "a", -2},
    {SPACE, -9},
    {"a", -9},
    {"\xC3\xA9", -9},
    {"\xC3\xA9"
     "a",
     0},
    {"abab", -1.5f},
    {"b" SPACE, -4},
    {"b" SPACE "a", -5},
    {"xy", -1},
    {"xyx", -0.5f},
    {"\xF0\x9F\x98\x80\xF0\x9F\x98\x80", -2},
    {SPACE SPACE, -2},
    {"bb", -3},
};

typedef struct flags {
  int fallback, prefix, removes, escapes; /* of removes and escapes, the schema's default is 1 */
} flags;

static const flags usual = {1, 1, 0, 1};

static void write_model(test_wire *w, flags f) {
  w->n = 0;
  wire_piece(w, "<unk>", 0, 2);
  wire_piece(w, "<s>", 0, 3);
  wire_piece(w, "</s>", 0, 3);
  wire_piece(w, "\n", 0, 4);
  for (unsigned i = 0; i < 256; i++) {
    char text[8];
    snprintf(text, sizeof text, "<0x%02X>", i);
    wire_piece(w, text, 0, 6);
  }
  for (int i = 0; i < NORMALS; i++) {
    wire_piece(w, normals[i].text, normals[i].score, 1);
  }
  test_wire part = {.n = 0};
  wire_number(&part, 3, 2);
  wire_number(&part, 35, (uint64_t)f.fallback);
  wire_bytes(w, 2, part.bytes, part.n);
  part.n = 0;
  wire_bytes(&part, 1, "identity", 8);
  wire_number(&part, 3, (uint64_t)f.prefix);
  wire_number(&part, 4, (uint64_t)f.removes);
  wire_number(&part, 5, (uint64_t)f.escapes);
  wire_bytes(w, 3, part.bytes, part.n);
}

static vise_tokenizer *make(flags f) {
  static test_wire w;
  vise_tokenizer *t;
  vise_err err;
  write_model(&w, f);
  if (vise_tokenizer_create_sentencepiece(&t, w.bytes, w.n, &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  return t;
}

/* ---- the definition, on strings ---- */

typedef struct naive {
  char symbols[256][64];
  int n;
} naive;

static int find_normal(const char *text) {
  for (int i = 0; i < NORMALS; i++) {
    if (strcmp(normals[i].text, text) == 0) {
      return i;
    }
  }
  return -1;
}

static int character_bytes(const char *s) {
  const uint8_t lead = (uint8_t)s[0];
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static void split_naively(naive *s, const char *text) {
  s->n = 0;
  strcpy(s->symbols[s->n++], SPACE);
  for (const char *p = text; *p != '\0'; p += character_bytes(p)) {
    char *symbol = s->symbols[s->n++];
    snprintf(symbol, 64, "%.*s", character_bytes(p), p);
    if (strcmp(symbol, " ") == 0) {
      strcpy(symbol, SPACE);
    }
  }
}

static void merge_naively(naive *s) {
  for (;;) {
    int best = -1;
    float score = -INFINITY;
    for (int i = 0; i + 1 < s->n; i++) {
      char both[128];
      snprintf(both, sizeof both, "%s%s", s->symbols[i], s->symbols[i + 1]);
      const int id = find_normal(both);
      if (id >= 0 && strchr(both, '\n') == NULL && normals[id].score > score) {
        best = i;
        score = normals[id].score;
      }
    }
    if (best < 0) {
      return;
    }
    char both[128];
    snprintf(both, sizeof both, "%s%s", s->symbols[best], s->symbols[best + 1]);
    strcpy(s->symbols[best], both);
    memmove(s->symbols[best + 1], s->symbols[best + 2],
            (size_t)(s->n - best - 2) * sizeof s->symbols[0]);
    s->n--;
  }
}

static int64_t encode_naively(int32_t *ids, const char *text) {
  static naive s;
  int64_t n = 0;
  if (*text == '\0') {
    return 0;
  }
  split_naively(&s, text);
  merge_naively(&s);
  for (int i = 0; i < s.n; i++) {
    const int id = find_normal(s.symbols[i]);
    if (strcmp(s.symbols[i], "\n") == 0) {
      ids[n++] = NEWLINE_ID;
    } else if (id >= 0) {
      ids[n++] = NORMAL_ID + id;
    } else {
      for (const char *p = s.symbols[i]; *p != '\0'; p++) {
        ids[n++] = BYTES_ID + (uint8_t)*p;
      }
    }
  }
  return n;
}

static void encoding_agrees_with_its_definition(void **state) {
  (void)state;
  static const char *const alphabet[] = {
      "a", "b", "ab", " ", "x", "y", "\n", "\xC3\xA9", "\xF0\x9F\x98\x80", "a"};
  vise_tokenizer *t = make(usual);
  for (uint32_t round = 0; round < 3000; round++) {
    const uint32_t key[2] = {round, 0};
    char text[256] = "";
    uint32_t random[4];
    for (uint32_t i = 0; i < round % 40; i++) {
      vise_philox(random, (const uint32_t[4]){i, 0, 0, 0}, key);
      strcat(text, alphabet[random[0] % 10]);
    }
    int32_t *ids, expected[1024];
    int64_t n;

    assert_int_equal(vise_tokenizer_encode(&ids, &n, t, text, strlen(text), false, NULL), VISE_OK);

    assert_int_equal(n, encode_naively(expected, text));
    if (n > 0) {
      assert_memory_equal(ids, expected, (size_t)n * sizeof *ids);
    }
    char *back;
    size_t bytes;
    assert_int_equal(vise_tokenizer_decode(&back, &bytes, t, ids, n, NULL), VISE_OK);
    assert_string_equal(back, text);
    vise_mem_free(back);
    vise_mem_free(ids);
  }
  vise_tokenizer_free(t);
}

static void
assert_ids(const vise_tokenizer *t, const char *text, const int32_t *expected, int64_t n_expected) {
  int32_t *ids;
  int64_t n;
  assert_int_equal(vise_tokenizer_encode(&ids, &n, t, text, strlen(text), false, NULL), VISE_OK);
  assert_int_equal(n, n_expected);
  if (n > 0) {
    assert_memory_equal(ids, expected, (size_t)n * sizeof *ids);
  }
  vise_mem_free(ids);
}

enum { A = NORMAL_ID + 5, SPACE_A = NORMAL_ID + 3, SPACE_ID = NORMAL_ID + 4, AB = NORMAL_ID };

static void a_run_of_unknown_characters_is_one_piece_without_byte_fallback(void **state) {
  (void)state;
  vise_tokenizer *t = make((flags){0, 1, 0, 1});
  assert_ids(t, "qq a\xF0\x9F\x98\x80q", (int32_t[]){SPACE_ID, UNKNOWN_ID, SPACE_A, UNKNOWN_ID}, 4);
  vise_tokenizer_free(t);
}

static void extra_spaces_go_where_the_model_says_so(void **state) {
  (void)state;
  vise_tokenizer *t = make((flags){1, 1, 1, 1});
  assert_ids(t, "  a   ab  ", (int32_t[]){SPACE_A, SPACE_ID, AB}, 3);
  assert_ids(t, "   ", NULL, 0);
  vise_tokenizer_free(t);
}

static void no_prefix_and_plain_spaces_where_the_model_says_so(void **state) {
  (void)state;
  vise_tokenizer *t = make((flags){1, 0, 0, 0});
  assert_ids(t, "a a", (int32_t[]){A, BYTES_ID + ' ', A}, 3);
  vise_tokenizer_free(t);
}

static void control_and_unknown_pieces_decode_as_sentencepiece_shows_them(void **state) {
  (void)state;
  vise_tokenizer *t = make(usual);
  const int32_t ids[] = {BOS_ID, SPACE_A, SPACE_A, UNKNOWN_ID, EOS_ID};
  char *text;
  size_t n;
  vise_err err;

  assert_int_equal(vise_tokenizer_decode(&text, &n, t, ids, 5, NULL), VISE_OK);

  assert_string_equal(text, "a a \xE2\x81\x87 ");
  vise_mem_free(text);
  assert_int_equal(vise_tokenizer_decode(&text, &n, t, (int32_t[]){-1}, 1, &err), VISE_EARG);
  assert_string_equal(err.msg, "decode: id -1 is no token, the vocabulary has 276");
  assert_null(text);
  vise_tokenizer_free(t);
}

/* ---- bad files ---- */

static void refuse(const test_wire *w, vise_status code, const char *message) {
  vise_tokenizer *t;
  vise_err err;
  assert_int_equal(vise_tokenizer_create_sentencepiece(&t, w->bytes, w->n, &err), code);
  assert_null(t);
  assert_string_equal(err.msg, message);
}

static void what_is_unsupported_is_named(void **state) {
  (void)state;
  static test_wire w;
  test_wire part = {.n = 0};
  write_model(&w, usual);
  wire_number(&part, 3, 1);
  wire_bytes(&w, 2, part.bytes, part.n);
  refuse(&w, VISE_EUNSUPPORTED,
         "sentencepiece: model type 'unigram' is unsupported, expected 'bpe'");

  write_model(&w, usual);
  part.n = 0;
  wire_bytes(&part, 1, "nmt_nfkc", 8);
  wire_bytes(&part, 2, "\1\2", 2);
  wire_bytes(&w, 3, part.bytes, part.n);
  refuse(&w, VISE_EUNSUPPORTED,
         "sentencepiece: normalizer 'nmt_nfkc' is unsupported, expected 'identity'");

  write_model(&w, usual);
  wire_piece(&w, "z", 0, 5);
  refuse(&w, VISE_EUNSUPPORTED, "sentencepiece: unused piece 276 is unsupported");
}

static void what_contradicts_itself_is_named(void **state) {
  (void)state;
  static test_wire w;
  write_model(&w, usual);
  wire_piece(&w, "ab", 0, 1);
  refuse(&w, VISE_EFORMAT, "sentencepiece: piece 276 'ab' is there twice");

  write_model(&w, usual);
  wire_piece(&w, "z", NAN, 1);
  refuse(&w, VISE_EFORMAT, "sentencepiece: score of piece 276 is no number");

  write_model(&w, usual);
  wire_piece(&w, "\xFF", 0, 1);
  refuse(&w, VISE_EFORMAT, "sentencepiece: piece 276 has 1 bytes, expected UTF-8 of 1 to 1024");

  write_model(&w, usual);
  wire_piece(&w, "<0xfg>", 0, 6);
  refuse(&w, VISE_EFORMAT, "sentencepiece: byte piece 276 is '<0xfg>', expected <0x00>");

  w.n = 0;
  refuse(&w, VISE_EFORMAT, "sentencepiece: has 0 pieces");
  wire_piece(&w, "<unk>", 0, 2);
  refuse(&w, VISE_EFORMAT, "sentencepiece: has no trainer_spec");
  wire_varint(&w, 9 << 3 | 3);
  refuse(&w, VISE_EFORMAT, "protocol buffer: field 9 has unknown type 3");
  w.n = 0;
  wire_varint(&w, 3);
  refuse(&w, VISE_EFORMAT, "protocol buffer: bad key of a field");
}

static void every_truncation_is_refused_or_sound(void **state) {
  (void)state;
  static test_wire w;
  write_model(&w, usual);
  for (size_t n = 0; n < w.n; n++) {
    void *copy;
    vise_tokenizer *t;
    assert_int_equal(vise_mem_alloc(&copy, n, NULL), VISE_OK);
    memcpy(copy, w.bytes, n);
    if (vise_tokenizer_create_sentencepiece(&t, copy, n, NULL) == VISE_OK) {
      vise_tokenizer_free(t);
    }
    vise_mem_free(copy);
  }
}

static void every_flipped_bit_is_refused_or_sound(void **state) {
  (void)state;
  static test_wire w;
  write_model(&w, usual);
  for (size_t bit = 0; bit < 8 * w.n; bit++) {
    w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    vise_tokenizer *t;
    if (vise_tokenizer_create_sentencepiece(&t, w.bytes, w.n, NULL) == VISE_OK) {
      int32_t *ids;
      int64_t n;
      assert_int_equal(vise_tokenizer_encode(&ids, &n, t, "abab q\n", 7, true, NULL), VISE_OK);
      vise_mem_free(ids);
      vise_tokenizer_free(t);
    }
    w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}

static vise_status use(const test_wire *w) {
  vise_tokenizer *t;
  int32_t *ids;
  int64_t n;
  char *text;
  size_t bytes;
  VISE_TRY(vise_tokenizer_create_sentencepiece(&t, w->bytes, w->n, NULL));
  vise_status st = vise_tokenizer_encode(&ids, &n, t, "ab abab q", 9, true, NULL);
  if (st == VISE_OK) {
    st = vise_tokenizer_decode(&text, &bytes, t, ids, n, NULL);
    vise_mem_free(ids);
  }
  if (st == VISE_OK) {
    vise_mem_free(text);
  }
  vise_tokenizer_free(t);
  return st;
}

static void use_survives_every_allocation_failure(void **state) {
  (void)state;
  static test_wire w;
  write_model(&w, usual);
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_mem_fail_after(n);
    st = use(&w);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(encoding_agrees_with_its_definition),
      cmocka_unit_test(a_run_of_unknown_characters_is_one_piece_without_byte_fallback),
      cmocka_unit_test(extra_spaces_go_where_the_model_says_so),
      cmocka_unit_test(no_prefix_and_plain_spaces_where_the_model_says_so),
      cmocka_unit_test(control_and_unknown_pieces_decode_as_sentencepiece_shows_them),
      cmocka_unit_test(what_is_unsupported_is_named),
      cmocka_unit_test(what_contradicts_itself_is_named),
      cmocka_unit_test(every_truncation_is_refused_or_sound),
      cmocka_unit_test(every_flipped_bit_is_refused_or_sound),
      cmocka_unit_test(use_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
