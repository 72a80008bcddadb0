/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/rng.h"
#include "io/json.h"
#include "io/pretokenizer.h"
#include "io/tokenizer.h"
#include "io/utf8.h"
#include "support/folder.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#define SPACE  "\xE2\x96\x81"
#define SHARED "../shared/golden/tokenizer/"

/* ---- files made here ---- */

static json_t *parse(const char *text) {
  json_t *value;
  vise_err err;
  if (vise_json_parse(&value, text, strlen(text), &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  return value;
}

/* The character that stands for a byte, as GPT-2's published table lists them. */
static void add_byte_token(json_t *vocab, int byte) {
  static int next; /* of the bytes that do not print, counted in order */
  const int prints = (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte != 173);
  char text[5] = "";
  next = byte == 0 ? 0 : next;
  vise_utf8_encode(text, prints ? (uint32_t)byte : (uint32_t)(256 + next++));
  json_object_set_new(vocab, text, json_integer(byte));
}

/* Byte level: 256 bytes, four words, two added tokens of which one begins with the other. */
static json_t *byte_level(void) {
  json_t *spec = parse(
      "{\"added_tokens\": ["
      "  {\"id\": 260, \"content\": \"<e\", \"normalized\": false},"
      "  {\"id\": 261, \"content\": \"<ee>\", \"normalized\": true}],"
      " \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false},"
      " \"post_processor\": {\"type\": \"TemplateProcessing\","
      "   \"single\": [{\"SpecialToken\": {\"id\": \"<e\"}}, {\"Sequence\": {\"id\": \"A\"}}],"
      "   \"special_tokens\": {\"<e\": {\"ids\": [260]}}},"
      " \"decoder\": {\"type\": \"ByteLevel\"},"
      " \"model\": {\"type\": \"BPE\", \"vocab\": {},"
      "   \"merges\": [[\"t\", \"h\"], [\"h\", \"e\"], \"th e\", [\"\xC4\xA0\", \"the\"]]}}");
  json_t *vocab = json_object_get(json_object_get(spec, "model"), "vocab");
  for (int byte = 0; byte < 256; byte++) {
    add_byte_token(vocab, byte);
  }
  static const char *const words[] = {"th", "he", "the", "\xC4\xA0the"};
  for (int i = 0; i < 4; i++) {
    json_object_set_new(vocab, words[i], json_integer(256 + i));
  }
  return spec;
}

enum {
  L_UNKNOWN,
  L_BOS,
  L_EOS,
  L_BYTES,
  L_SPACE = L_BYTES + 256,
  L_T,
  L_H,
  L_E,
  L_HE,
  L_ST,
  L_STHE
};

/* Characters with byte fallback, as Llama 2's file has it. */
static json_t *characters(void) {
  json_t *spec = parse(
      "{\"added_tokens\": ["
      "  {\"id\": 0, \"content\": \"<unk>\", \"normalized\": true},"
      "  {\"id\": 1, \"content\": \"<s>\", \"normalized\": false},"
      "  {\"id\": 2, \"content\": \"</s>\", \"normalized\": false}],"
      " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["
      "   {\"type\": \"Prepend\", \"prepend\": \"" SPACE "\"},"
      "   {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" SPACE "\"}]},"
      " \"pre_tokenizer\": null,"
      " \"post_processor\": {\"type\": \"TemplateProcessing\","
      "   \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}],"
      "   \"special_tokens\": {\"<s>\": {\"ids\": [1]}}},"
      " \"decoder\": {\"type\": \"Sequence\", \"decoders\": ["
      "   {\"type\": \"Replace\", \"pattern\": {\"String\": \"" SPACE "\"}, \"content\": \" \"},"
      "   {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"},"
      "   {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]},"
      " \"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": true,"
      "   \"byte_fallback\": true, \"vocab\": {\"<unk>\": 0, \"<s>\": 1, \"</s>\": 2},"
      "   \"merges\": [\"" SPACE " t\", \"h e\", \"" SPACE "t he\"]}}");
  json_t *vocab = json_object_get(json_object_get(spec, "model"), "vocab");
  for (int byte = 0; byte < 256; byte++) {
    char text[8];
    snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
    json_object_set_new(vocab, text, json_integer(L_BYTES + byte));
  }
  static const char *const words[] = {SPACE, "t", "h", "e", "he", SPACE "t", SPACE "the"};
  for (int i = 0; i < 7; i++) {
    json_object_set_new(vocab, words[i], json_integer(L_SPACE + i));
  }
  return spec;
}

static vise_status create(vise_tokenizer **out, const json_t *spec, vise_err *err) {
  char *text = json_dumps(spec, 0);
  assert_non_null(text);
  const vise_status st = vise_tokenizer_create_bpe(out, text, strlen(text), err);
  free(text);
  return st;
}

static vise_tokenizer *make(json_t *spec) {
  vise_tokenizer *t;
  vise_err err;
  if (create(&t, spec, &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  json_decref(spec);
  return t;
}

static void assert_round(const vise_tokenizer *t,
                         const char *text,
                         bool with_bos,
                         const int32_t *expected,
                         int64_t n_expected,
                         const char *back) {
  int32_t *ids;
  int64_t n;
  char *decoded;
  size_t bytes;
  assert_int_equal(vise_tokenizer_encode(&ids, &n, t, text, strlen(text), with_bos, NULL), VISE_OK);
  assert_int_equal(n, n_expected);
  assert_memory_equal(ids, expected, (size_t)n * sizeof *ids);
  assert_int_equal(vise_tokenizer_decode(&decoded, &bytes, t, ids, n, NULL), VISE_OK);
  assert_string_equal(decoded, back);
  vise_mem_free(decoded);
  vise_mem_free(ids);
}

static void added_tokens_are_cut_out_those_of_the_plain_text_first(void **state) {
  (void)state;
  vise_tokenizer *t = make(byte_level());
  assert_round(t, "the<ee>the", false, (int32_t[]){258, 260, 'e', '>', 258}, 5, "the<ee>the");
  assert_round(t, " the the", true, (int32_t[]){260, 259, 259}, 3, "<e the the");
  assert_int_equal(vise_tokenizer_bos(t), 260);
  assert_int_equal(vise_tokenizer_eos(t), -1);
  vise_tokenizer_free(t);
}

static void a_byte_that_is_not_utf8_is_a_replacement_character(void **state) {
  (void)state;
  vise_tokenizer *t = make(byte_level());
  assert_round(t, "\xFFt", false, (int32_t[]){0xEF, 0xBF, 0xBD, 't'}, 4, "\xEF\xBF\xBDt");
  vise_tokenizer_free(t);
}

static void a_word_of_the_vocabulary_is_one_token_where_merges_are_ignored(void **state) {
  (void)state;
  json_t *spec = byte_level();
  json_t *model = json_object_get(spec, "model");
  json_object_set_new(model, "ignore_merges", json_true());
  json_object_set_new(model, "merges", json_array());
  vise_tokenizer *t = make(spec);
  assert_round(t, "the then", false, (int32_t[]){258, ' ', 't', 'h', 'e', 'n'}, 6, "the then");
  vise_tokenizer_free(t);
}

/* By hand: each part between added tokens is normalized alone, so each begins with U+2581;
   "<unk>" is sought in its normalized form, with U+2581 in front. */
static void characters_fall_back_to_bytes(void **state) {
  (void)state;
  vise_tokenizer *t = make(characters());
  assert_round(t, "the the", true, (int32_t[]){L_BOS, L_STHE, L_STHE}, 3, "<s> the the");
  assert_round(t, "he\xC3\xA9", false, (int32_t[]){L_SPACE, L_HE, L_BYTES + 0xC3, L_BYTES + 0xA9},
               4, "he\xC3\xA9");
  assert_round(t, "t<s>t", false, (int32_t[]){L_ST, L_BOS, L_ST}, 3, "t<s> t");
  assert_round(t, "<unk>h", false, (int32_t[]){L_UNKNOWN, L_H}, 2, "<unk>h");
  vise_tokenizer_free(t);
}

static void a_bad_run_of_bytes_decodes_to_one_replacement_each(void **state) {
  (void)state;
  vise_tokenizer *t = make(characters());
  const int32_t ids[] = {L_H, L_BYTES + 0xC3, L_BYTES + 'a', L_H};
  char *text;
  size_t n;
  assert_int_equal(vise_tokenizer_decode(&text, &n, t, ids, 4, NULL), VISE_OK);
  assert_string_equal(text, "h\xEF\xBF\xBD\xEF\xBF\xBDh");
  vise_mem_free(text);
  vise_tokenizer_free(t);
}

static void unknown_characters_are_fused_where_the_model_says_so(void **state) {
  (void)state;
  json_t *spec = characters();
  json_object_set_new(json_object_get(spec, "model"), "byte_fallback", json_false());
  json_array_remove(json_object_get(json_object_get(spec, "decoder"), "decoders"), 1);
  json_incref(spec);
  vise_tokenizer *fused = make(spec);
  json_object_set_new(json_object_get(spec, "model"), "fuse_unk", json_false());
  vise_tokenizer *apart = make(spec);
  assert_round(fused, "zqh", false, (int32_t[]){L_SPACE, L_UNKNOWN, L_H}, 3, "<unk>h");
  assert_round(apart, "zqh", false, (int32_t[]){L_SPACE, L_UNKNOWN, L_UNKNOWN, L_H}, 4,
               "<unk><unk>h");
  vise_tokenizer_free(fused);
  vise_tokenizer_free(apart);
}

static void text_that_nfc_would_change_is_refused(void **state) {
  (void)state;
  json_t *spec = byte_level();
  json_object_set_new(spec, "normalizer", parse("{\"type\": \"NFC\"}"));
  vise_tokenizer *t = make(spec);
  int32_t *ids;
  int64_t n;
  vise_err err;
  assert_round(t, "\xC3\xA9", false, (int32_t[]){0xC3, 0xA9}, 2, "\xC3\xA9");

  assert_int_equal(vise_tokenizer_encode(&ids, &n, t, "e\xCC\x81", 3, false, &err),
                   VISE_EUNSUPPORTED);

  assert_string_equal(err.msg,
                      "encode: text has U+0301 where form NFC may compose it, expected text "
                      "in form NFC already, which the tokenizer's normalizer would make");
  vise_tokenizer_free(t);
}

/* ---- refusals ---- */

static void refuse(const char *path, const char *value, vise_status code, const char *message) {
  json_t *spec = byte_level(), *at = spec;
  char keys[64];
  snprintf(keys, sizeof keys, "%s", path);
  char *key = strtok(keys, ".");
  for (char *next; (next = strtok(NULL, ".")) != NULL; key = next) {
    at = json_object_get(at, key);
  }
  json_object_set_new(at, key, parse(value));
  vise_tokenizer *t;
  vise_err err;
  assert_int_equal(create(&t, spec, &err), code);
  assert_null(t);
  assert_string_equal(err.msg, message);
  json_decref(spec);
}

static void components_that_are_unknown_are_named(void **state) {
  (void)state;
  const vise_status no = VISE_EUNSUPPORTED;
  refuse("normalizer", "{\"type\": \"NFKC\"}", no, "normalizer 'NFKC' is unsupported");
  refuse("pre_tokenizer", "{\"type\": \"Whitespace\"}", no,
         "pre_tokenizer 'Whitespace' is unsupported, expected ByteLevel, Split, Digits or a "
         "Sequence of them");
  refuse("pre_tokenizer.add_prefix_space", "true", no,
         "pre_tokenizer ByteLevel with add_prefix_space is unsupported");
  refuse("pre_tokenizer",
         "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Removed\"}", no,
         "pre_tokenizer Split other than 'Isolated' is unsupported");
  refuse("model.type", "\"Unigram\"", no, "model 'Unigram' is unsupported");
  refuse("model.dropout", "0.1", no, "model's dropout is unsupported");
  refuse("model.end_of_word_suffix", "\"</w>\"", no, "model's end_of_word_suffix is unsupported");
  refuse("decoder", "{\"type\": \"WordPiece\"}", no, "decoder 'WordPiece' is unsupported");
  refuse("post_processor", "{\"type\": \"BertProcessing\"}", no,
         "post_processor 'BertProcessing' is unsupported");
  refuse("post_processor.single",
         "[{\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"<e\"}}]", no,
         "post_processor that puts '<e' after the text is unsupported");
  refuse("added_tokens", "[{\"id\": 260, \"content\": \"<e\", \"lstrip\": true}]", no,
         "added token '<e' with lstrip is unsupported");
}

static void what_contradicts_itself_is_named(void **state) {
  (void)state;
  const vise_status bad = VISE_EFORMAT;
  refuse("model", "null", bad, "has no model");
  refuse("model.vocab", "{}", bad, "model has no vocabulary");
  refuse("model.vocab", "{\"a\": 1, \"b\": 1}", bad, "id 1 is both 'a' and 'b'");
  refuse("model.vocab", "{\"a\": 123456789012}", bad, "id of 'a' is no integer in [0, 4102)");
  refuse("model.merges", "[[\"t\", \"q\"]]", bad,
         "merge 0: 't' and 'q' and what they make are not all in the vocabulary");
  refuse("model.merges", "[\"t h e\"]", bad, "merge 0 is no pair of tokens");
  refuse("added_tokens", "[{\"id\": 7, \"content\": \"<e\"}]", bad,
         "id 7 is both '\xC4\x87' and '<e'");
  refuse("pre_tokenizer",
         "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}", bad,
         "pre_tokenizer Split: regular expression '(a': missing closing parenthesis");
  vise_tokenizer *t;
  vise_err err;
  assert_int_equal(vise_tokenizer_create_bpe(&t, "{", 1, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, "line 1, column 1: string or '}' expected near end of "
                               "file");
}

static void a_regular_expression_that_explodes_gives_up(void **state) {
  (void)state;
  json_t *spec = byte_level();
  json_object_set_new(
      spec, "pre_tokenizer",
      parse("{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\","
            " \"pattern\": {\"Regex\": \"(a+a+)+[bx]\"}, \"behavior\": \"Isolated\"},"
            " {\"type\": \"ByteLevel\", \"use_regex\": false}]}"));
  vise_tokenizer *t = make(spec);
  const char *text = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
  int32_t *ids;
  int64_t n;
  vise_err err;
  const char *message = "tokenizer.json: pre_tokenizer: regular expression '(a+a+)+[bx]' gave up "
                        "at byte 0 of the text (match limit exceeded), expected one that goes over "
                        "a text once; check that the file is the model's own";

  assert_int_equal(vise_tokenizer_encode(&ids, &n, t, text, strlen(text), false, &err),
                   VISE_EFORMAT);

  assert_string_equal(err.msg, message);
  assert_null(ids);
  vise_tokenizer_free(t);
}

/* ---- splitting ---- */

typedef struct splits {
  size_t end; /* where the next piece must begin */
  json_t *sizes;
} splits;

static vise_status note_piece(void *arg, size_t at, size_t n, vise_err *err) {
  splits *s = arg;
  (void)err;
  assert_int_equal(at, s->end);
  s->end += n;
  json_array_append_new(s->sizes, json_integer((json_int_t)n));
  return VISE_OK;
}

static void assert_split(const char *spec, const char *text, const char *sizes) {
  json_t *value = parse(spec), *expected = parse(sizes);
  vise_pretokenizer *p;
  splits s = {.sizes = json_array()};
  assert_int_equal(vise_pretokenizer_create(&p, value, NULL), VISE_OK);

  assert_int_equal(vise_pretokenizer_split(p, text, strlen(text), note_piece, &s, NULL), VISE_OK);

  assert_true(json_equal(s.sizes, expected));
  vise_pretokenizer_free(p);
  json_decref(s.sizes);
  json_decref(expected);
  json_decref(value);
}

static void digits_split_one_by_one_or_together(void **state) {
  (void)state;
  assert_split("{\"type\": \"Digits\", \"individual_digits\": true}", "a12\xC2\xBD b",
               "[1, 1, 1, 2, 2]");
  assert_split("{\"type\": \"Digits\", \"individual_digits\": false}", "12a1", "[2, 1, 1]");
}

/* U+180E has been no white space since Unicode 6.3; U+0085 and U+3000 are. */
static void spaces_are_those_of_unicode(void **state) {
  (void)state;
  static const char *const patterns[] = {"\\\\s", "[x\\\\s]", "[^\\\\s]+", "\\\\S+"};
  for (int i = 0; i < 4; i++) {
    char spec[128];
    snprintf(spec, sizeof spec,
             "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"%s\"}}",
             patterns[i]);
    assert_split(spec, "a\xE1\xA0\x8E\xC2\x85q\xE3\x80\x80", "[4, 2, 1, 3]");
  }
}

/* Oniguruma's manual: "$ end of the line". */
static void a_dollar_is_the_end_of_a_line(void **state) {
  (void)state;
  assert_split(
      "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"a$\"}}",
      "aa\nba", "[1, 1, 2, 1]");
}

static json_t *read_json(const char *path) {
  char *text;
  size_t n;
  json_t *value;
  assert_int_equal(vise_file_read(&text, &n, path, 1 << 24, NULL), VISE_OK);
  assert_int_equal(vise_json_parse(&value, text, n, NULL), VISE_OK);
  vise_mem_free(text);
  return value;
}

static void texts_split_as_the_tokenizers_library_splits_them(void **state) {
  (void)state;
  if (test_shared_is_missing(SHARED "strings.json")) {
    skip();
  }
  json_t *strings = read_json(SHARED "strings.json");
  static const char *const names[] = {"bpe_gpt2", "bpe_llama3"};
  for (int i = 0; i < 2; i++) {
    char path[256];
    snprintf(path, sizeof path, SHARED "%s.json", names[i]);
    json_t *spec = read_json(path);
    snprintf(path, sizeof path, SHARED "%s.enc.json", names[i]);
    json_t *expected = read_json(path);
    vise_pretokenizer *p;
    assert_int_equal(vise_pretokenizer_create(&p, json_object_get(spec, "pre_tokenizer"), NULL),
                     VISE_OK);
    for (size_t k = 0; k < json_array_size(strings); k++) {
      const json_t *text = json_object_get(json_array_get(strings, k), "text");
      if (text == NULL) {
        continue; /* given in hex: a NUL, which the Lua test covers */
      }
      splits s = {.sizes = json_array()};

      assert_int_equal(vise_pretokenizer_split(p, json_string_value(text), json_string_length(text),
                                               note_piece, &s, NULL),
                       VISE_OK);

      assert_int_equal(s.end, json_string_length(text));
      assert_true(json_equal(s.sizes, json_object_get(json_array_get(expected, k), "split")));
      json_decref(s.sizes);
    }
    vise_pretokenizer_free(p);
    json_decref(expected);
    json_decref(spec);
  }
  json_decref(strings);
}

/* ---- hostile files, failing memory ---- */

static void every_truncation_is_refused(void **state) {
  (void)state;
  json_t *spec = byte_level();
  char *text = json_dumps(spec, JSON_COMPACT);
  const size_t whole = strlen(text);
  for (size_t n = 0; n < whole; n++) {
    void *copy;
    vise_tokenizer *t;
    assert_int_equal(vise_mem_alloc(&copy, n, NULL), VISE_OK);
    memcpy(copy, text, n);
    assert_int_equal(vise_tokenizer_create_bpe(&t, copy, n, NULL), VISE_EFORMAT);
    vise_mem_free(copy);
  }
  free(text);
  json_decref(spec);
}

static vise_status use(const char *spec, const char *text) {
  vise_tokenizer *t;
  int32_t *ids;
  int64_t n;
  char *decoded;
  size_t bytes;
  VISE_TRY(vise_tokenizer_create_bpe(&t, spec, strlen(spec), NULL));
  vise_status st = vise_tokenizer_encode(&ids, &n, t, text, strlen(text), true, NULL);
  if (st == VISE_OK) {
    st = vise_tokenizer_decode(&decoded, &bytes, t, ids, n, NULL);
    vise_mem_free(ids);
  }
  if (st == VISE_OK) {
    vise_mem_free(decoded);
  }
  vise_tokenizer_free(t);
  return st;
}

static void use_survives_every_allocation_failure(void **state) {
  (void)state;
  json_t *specs[] = {byte_level(), characters()};
  for (int i = 0; i < 2; i++) {
    char *spec = json_dumps(specs[i], 0);
    const size_t live = vise_mem_live_blocks();
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      vise_mem_fail_after(n);
      st = use(spec, "the<s><e the \xFF\xC3\xA9<unk>");
      vise_mem_fail_after(-1);
      assert_true(st == VISE_OK || st == VISE_ENOMEM);
      assert_int_equal(vise_mem_live_blocks(), live);
    }
    free(spec);
    json_decref(specs[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(added_tokens_are_cut_out_those_of_the_plain_text_first),
      cmocka_unit_test(a_byte_that_is_not_utf8_is_a_replacement_character),
      cmocka_unit_test(a_word_of_the_vocabulary_is_one_token_where_merges_are_ignored),
      cmocka_unit_test(characters_fall_back_to_bytes),
      cmocka_unit_test(a_bad_run_of_bytes_decodes_to_one_replacement_each),
      cmocka_unit_test(unknown_characters_are_fused_where_the_model_says_so),
      cmocka_unit_test(text_that_nfc_would_change_is_refused),
      cmocka_unit_test(components_that_are_unknown_are_named),
      cmocka_unit_test(what_contradicts_itself_is_named),
      cmocka_unit_test(a_regular_expression_that_explodes_gives_up),
      cmocka_unit_test(digits_split_one_by_one_or_together),
      cmocka_unit_test(spaces_are_those_of_unicode),
      cmocka_unit_test(a_dollar_is_the_end_of_a_line),
      cmocka_unit_test(texts_split_as_the_tokenizers_library_splits_them),
      cmocka_unit_test(every_truncation_is_refused),
      cmocka_unit_test(use_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
