/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tokenizer.json is a program in the words of one library: a normalizer, a pre-tokenizer, a
 * model, a post-processor and a decoder, each a component with a type. Those that BPE language
 * models use are known here; any other is refused by name, because skipping it would give other
 * ids.
 */
#include "core/mem.h"
#include "io/json.h"
#include "io/tokenizer_bpe.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

static bool is_type(const json_t *spec, const char *type) {
  const char *own = text_of(spec, "type");
  return own != NULL && strcmp(own, type) == 0;
}

static bool is_absent(const json_t *value) {
  return value == NULL || json_is_null(value) ||
         (json_is_string(value) && json_string_length(value) == 0);
}

static vise_piece piece_of(const json_t *string) {
  return (vise_piece){json_string_value(string), json_string_length(string)};
}

static vise_status unsupported(vise_err *err, const char *component, const json_t *spec) {
  const char *type = text_of(spec, "type");
  return vise_fail(err, VISE_EUNSUPPORTED, "%s '%.40s' is unsupported", component,
                   type == NULL ? "?" : type);
}

/* ---- normalizer and decoder ---- */

static vise_status
add_rewrite(vise_rewrite *steps, int *n, const char *component, const json_t *spec, vise_err *err) {
  if (*n == VISE_BPE_REWRITES_MAX) {
    return vise_fail(err, VISE_EUNSUPPORTED, "%s with more than %d steps", component,
                     VISE_BPE_REWRITES_MAX);
  }
  if (is_type(spec, "Prepend")) {
    const json_t *prepend = json_object_get(spec, "prepend");
    if (!json_is_string(prepend)) {
      return vise_fail(err, VISE_EFORMAT, "Prepend without its text");
    }
    steps[(*n)++] = (vise_rewrite){.to = piece_of(prepend)};
    return VISE_OK;
  }
  const json_t *from = json_object_get(json_object_get(spec, "pattern"), "String");
  const json_t *to = json_object_get(spec, "content");
  if (is_absent(from) || !json_is_string(to)) {
    return vise_fail(err, VISE_EUNSUPPORTED, "%s 'Replace' other than of a string is unsupported",
                     component);
  }
  steps[(*n)++] = (vise_rewrite){.from = piece_of(from), .to = piece_of(to)};
  return VISE_OK;
}

static vise_status parse_normalizer(vise_bpe *bpe, const json_t *spec, vise_err *err) {
  if (is_absent(spec)) {
    return VISE_OK;
  }
  if (is_type(spec, "Sequence")) {
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(spec, "normalizers"), i, step) {
      VISE_TRY(parse_normalizer(bpe, step, err));
    }
    return VISE_OK;
  }
  if (is_type(spec, "NFC") && bpe->n_normalizer == 0) {
    bpe->wants_nfc = true;
    return VISE_OK;
  }
  if (is_type(spec, "Prepend") || is_type(spec, "Replace")) {
    return add_rewrite(bpe->normalizer, &bpe->n_normalizer, "normalizer", spec, err);
  }
  return unsupported(err, "normalizer", spec);
}

/* The decoder of a model of characters: Replace..., ByteFallback, Fuse, Strip, in this order. */
static vise_status parse_decoder_steps(vise_bpe *bpe, const json_t *steps, vise_err *err) {
  static const char *const order[] = {"Replace", "ByteFallback", "Fuse", "Strip"};
  size_t i, at = 0;
  json_t *step;
  bool has_fuse = false, has_bytes = false;
  json_array_foreach(steps, i, step) {
    while (at < 4 && !is_type(step, order[at])) {
      at++;
    }
    if (at == 4) {
      return unsupported(err, "decoder step", step);
    }
    if (at == 0) {
      VISE_TRY(add_rewrite(bpe->decoder, &bpe->n_decoder, "decoder", step, err));
    }
    has_bytes |= at == 1;
    has_fuse |= at == 2;
    if (at == 3) {
      const char *content = text_of(step, "content");
      const json_t *start = json_object_get(step, "start");
      if (!has_fuse || content == NULL || strcmp(content, " ") != 0 ||
          json_integer_value(start) < 0 || json_integer_value(start) > 1024 ||
          json_integer_value(json_object_get(step, "stop")) != 0) {
        return unsupported(err, "decoder step", step);
      }
      bpe->strips = (int)json_integer_value(start);
    }
  }
  if (!has_fuse || has_bytes != bpe->has_byte_fallback) {
    return vise_fail(err, VISE_EUNSUPPORTED,
                     "decoder without 'Fuse', or whose ByteFallback is not the "
                     "model's, is unsupported");
  }
  return VISE_OK;
}

static vise_status parse_decoder(vise_bpe *bpe, const json_t *spec, vise_err *err) {
  if (bpe->is_byte_level && is_type(spec, "ByteLevel")) {
    return VISE_OK;
  }
  if (!bpe->is_byte_level && is_type(spec, "Sequence")) {
    return parse_decoder_steps(bpe, json_object_get(spec, "decoders"), err);
  }
  return unsupported(err, "decoder", spec);
}

/* ---- model ---- */

static vise_status check_options(vise_bpe *bpe, const json_t *model, vise_err *err) {
  const json_t *type = json_object_get(model, "type");
  if (!json_is_object(model)) {
    return vise_fail(err, VISE_EFORMAT, "has no model");
  }
  if (type != NULL && !is_type(model, "BPE")) {
    return unsupported(err, "model", model);
  }
  static const char *const refused[] = {"continuing_subword_prefix", "end_of_word_suffix"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    if (!is_absent(json_object_get(model, refused[i]))) {
      return vise_fail(err, VISE_EUNSUPPORTED, "model's %s is unsupported", refused[i]);
    }
  }
  const json_t *dropout = json_object_get(model, "dropout");
  if (!is_absent(dropout) && json_number_value(dropout) != 0) {
    return vise_fail(err, VISE_EUNSUPPORTED, "model's dropout is unsupported");
  }
  bpe->ignores_merges = json_is_true(json_object_get(model, "ignore_merges"));
  bpe->fuses_unknown = json_is_true(json_object_get(model, "fuse_unk"));
  bpe->has_byte_fallback =
      !bpe->is_byte_level && json_is_true(json_object_get(model, "byte_fallback"));
  return VISE_OK;
}

/* The array of pieces, big enough for every id of the vocabulary and the added tokens. */
static vise_status size_pieces(vise_bpe *bpe, json_t *vocab, const json_t *added, vise_err *err) {
  const int64_t n = (int64_t)(json_object_size(vocab) + json_array_size(added));
  const int64_t limit = 2 * n + 4096;
  int64_t last = -1;
  const char *text;
  json_t *id;
  json_object_foreach(vocab, text, id) {
    const int64_t v = json_integer_value(id);
    if (!json_is_integer(id) || v < 0 || v >= limit) {
      return vise_fail(err, VISE_EFORMAT, "id of '%.64s' is no integer in [0, %lld)", text,
                       (long long)limit);
    }
    last = v > last ? v : last;
  }
  size_t i;
  json_t *token;
  json_array_foreach(added, i, token) {
    const json_t *value = json_object_get(token, "id");
    const int64_t v = json_integer_value(value);
    if (!json_is_integer(value) || v < 0 || v >= limit ||
        is_absent(json_object_get(token, "content"))) {
      return vise_fail(err, VISE_EFORMAT, "added token %zu has no content or no id in [0, %lld)", i,
                       (long long)limit);
    }
    last = v > last ? v : last;
  }
  if (json_object_size(vocab) == 0) {
    return vise_fail(err, VISE_EFORMAT, "model has no vocabulary");
  }
  void *pieces;
  VISE_TRY(vise_mem_zalloc(&pieces, (size_t)(last + 1) * sizeof *bpe->base.pieces, err));
  bpe->base.pieces = pieces;
  bpe->base.size = last + 1;
  return VISE_OK;
}

static vise_status set_piece(vise_bpe *bpe, int64_t id, vise_piece p, vise_err *err) {
  const vise_piece *old = &bpe->base.pieces[id];
  if (old->text != NULL && (old->bytes != p.bytes || memcmp(old->text, p.text, p.bytes) != 0)) {
    return vise_fail(err, VISE_EFORMAT, "id %lld is both '%.64s' and '%.64s'", (long long)id,
                     old->text, p.text);
  }
  bpe->base.pieces[id] = p;
  return VISE_OK;
}

static vise_status
index_vocabulary(vise_bpe *bpe, vise_piece_map *by_text, json_t *vocab, vise_err *err) {
  VISE_TRY(vise_piece_map_init(by_text, json_object_size(vocab), err));
  const char *text;
  json_t *id;
  json_object_foreach(vocab, text, id) {
    const int64_t v = json_integer_value(id);
    const vise_piece p = {text, strlen(text)};
    if (bpe->base.pieces[v].text != NULL) {
      return vise_fail(err, VISE_EFORMAT, "id %lld is both '%.64s' and '%.64s'", (long long)v,
                       bpe->base.pieces[v].text, text);
    }
    VISE_TRY(set_piece(bpe, v, p, err));
    vise_piece_map_add(by_text, p.text, p.bytes, (int32_t)v); /* keys of an object are distinct */
  }
  return VISE_OK;
}

/* Both sides of a merge: ["a", "b"], or "a b" in older files. */
static bool sides_of(const json_t *merge, vise_piece *a, vise_piece *b) {
  if (json_array_size(merge) == 2) {
    *a = piece_of(json_array_get(merge, 0));
    *b = piece_of(json_array_get(merge, 1));
    return a->text != NULL && b->text != NULL;
  }
  const vise_piece whole = piece_of(merge);
  const char *space = whole.text == NULL ? NULL : memchr(whole.text, ' ', whole.bytes);
  if (space == NULL) {
    return false;
  }
  *a = (vise_piece){whole.text, (size_t)(space - whole.text)};
  *b = (vise_piece){space + 1, whole.bytes - a->bytes - 1};
  return memchr(b->text, ' ', b->bytes) == NULL;
}

static vise_status
read_merges(vise_bpe *bpe, const vise_piece_map *by_text, const json_t *merges, vise_err *err) {
  VISE_TRY(vise_merges_init(&bpe->merges, json_array_size(merges), err));
  vise_text joined = {0};
  vise_status st = VISE_OK;
  size_t i;
  json_t *merge;
  json_array_foreach(merges, i, merge) {
    vise_piece a, b;
    if (!sides_of(merge, &a, &b)) {
      st = vise_fail(err, VISE_EFORMAT, "merge %zu is no pair of tokens", i);
      break;
    }
    joined.count = 0;
    if ((st = vise_text_append(&joined, a.text, a.bytes, err)) != VISE_OK ||
        (st = vise_text_append(&joined, b.text, b.bytes, err)) != VISE_OK) {
      break;
    }
    const int32_t left = vise_piece_map_find(by_text, a.text, a.bytes);
    const int32_t right = vise_piece_map_find(by_text, b.text, b.bytes);
    const int32_t merged =
        joined.count == 0 ? -1 : vise_piece_map_find(by_text, joined.data, joined.count);
    if (left < 0 || right < 0 || merged < 0) {
      st = vise_fail(err, VISE_EFORMAT,
                     "merge %zu: '%.*s' and '%.*s' and what they make are not all "
                     "in the vocabulary",
                     i, a.bytes < 64 ? (int)a.bytes : 64, a.text, b.bytes < 64 ? (int)b.bytes : 64,
                     b.text);
      break;
    }
    vise_merges_set(&bpe->merges, left, right, (uint32_t)i, merged);
  }
  vise_mem_free(joined.data);
  return st;
}

static vise_status parse_model(vise_bpe *bpe, json_t *model, const json_t *added, vise_err *err) {
  VISE_TRY(check_options(bpe, model, err));
  json_t *vocab = json_object_get(model, "vocab");
  VISE_TRY(size_pieces(bpe, vocab, added, err));
  vise_piece_map by_text = {0};
  vise_status st = index_vocabulary(bpe, &by_text, vocab, err);
  if (st == VISE_OK) {
    st = read_merges(bpe, &by_text, json_object_get(model, "merges"), err);
  }
  if (st != VISE_OK || bpe->is_byte_level) {
    vise_piece_map_free(&by_text);
    return st;
  }
  bpe->vocabulary = by_text;
  return vise_bpe_index_characters(bpe, piece_of(json_object_get(model, "unk_token")), err);
}

/* ---- added tokens and post-processor ---- */

static vise_status parse_added_token(vise_bpe *bpe, const json_t *token, vise_err *err) {
  static const char *const refused[] = {"single_word", "lstrip", "rstrip"};
  const vise_piece content = piece_of(json_object_get(token, "content"));
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    if (json_is_true(json_object_get(token, refused[i]))) {
      return vise_fail(err, VISE_EUNSUPPORTED, "added token '%.64s' with %s is unsupported",
                       content.text, refused[i]);
    }
  }
  return set_piece(bpe, json_integer_value(json_object_get(token, "id")), content, err);
}

/* Tokens sought in normalized text are sought in their normalized form. The forms are made twice:
   first to learn the room they need, so that in the second round they do not move any more. */
static vise_status
index_later(vise_bpe *bpe, const json_t *added, bool is_counting, vise_err *err) {
  bpe->forms.count = 0;
  size_t i;
  json_t *token;
  json_array_foreach(added, i, token) {
    if (json_is_true(json_object_get(token, "normalized"))) {
      const vise_piece content = piece_of(json_object_get(token, "content"));
      const size_t at = bpe->forms.count;
      VISE_TRY(vise_bpe_rewrite(&bpe->forms, bpe->normalizer, bpe->n_normalizer, content.text,
                                content.bytes, err));
      if (!is_counting && bpe->forms.count > at) {
        vise_piece_map_add(&bpe->added_later, bpe->forms.data + at, bpe->forms.count - at,
                           (int32_t)json_integer_value(json_object_get(token, "id")));
      }
    }
  }
  return VISE_OK;
}

static vise_status index_added(vise_bpe *bpe, const json_t *added, vise_err *err) {
  const size_t n = json_array_size(added);
  VISE_TRY(vise_piece_map_init(&bpe->added, n, err));
  VISE_TRY(vise_piece_map_init(&bpe->added_later, n, err));
  size_t i;
  json_t *token;
  json_array_foreach(added, i, token) {
    if (!json_is_true(json_object_get(token, "normalized"))) {
      const vise_piece content = piece_of(json_object_get(token, "content"));
      vise_piece_map_add(&bpe->added, content.text, content.bytes,
                         (int32_t)json_integer_value(json_object_get(token, "id")));
    }
  }
  VISE_TRY(index_later(bpe, added, true, err));
  return index_later(bpe, added, false, err);
}

static vise_status parse_template(vise_bpe *bpe, const json_t *spec, vise_err *err) {
  size_t i;
  json_t *item;
  bool has_text = false;
  json_array_foreach(json_object_get(spec, "single"), i, item) {
    const char *special = text_of(json_object_get(item, "SpecialToken"), "id");
    if (special == NULL) {
      has_text |= json_object_get(item, "Sequence") != NULL;
      continue;
    }
    if (has_text) {
      return vise_fail(err, VISE_EUNSUPPORTED,
                       "post_processor that puts '%.64s' after the text is "
                       "unsupported",
                       special);
    }
    const json_t *ids =
        json_object_get(json_object_get(json_object_get(spec, "special_tokens"), special), "ids");
    for (size_t k = 0; k < json_array_size(ids); k++) {
      const int64_t id = json_integer_value(json_array_get(ids, k));
      if (id < 0 || id >= bpe->base.size || bpe->base.pieces[id].text == NULL) {
        return vise_fail(err, VISE_EFORMAT, "post_processor: '%.64s' has an id that is no token",
                         special);
      }
      VISE_TRY(vise_ids_append(&bpe->before, &(int32_t){(int32_t)id}, 1, err));
    }
  }
  return VISE_OK;
}

static vise_status parse_post_processor(vise_bpe *bpe, const json_t *spec, vise_err *err) {
  if (is_absent(spec) || is_type(spec, "ByteLevel")) {
    return VISE_OK;
  }
  if (is_type(spec, "TemplateProcessing")) {
    return parse_template(bpe, spec, err);
  }
  if (is_type(spec, "Sequence")) {
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(spec, "processors"), i, step) {
      VISE_TRY(parse_post_processor(bpe, step, err));
    }
    return VISE_OK;
  }
  return unsupported(err, "post_processor", spec);
}

static vise_status parse_spec(vise_bpe *bpe, vise_err *err) {
  json_t *model = json_object_get(bpe->spec, "model");
  const json_t *added = json_object_get(bpe->spec, "added_tokens");
  VISE_TRY(vise_pretokenizer_create(&bpe->pretokenizer, json_object_get(bpe->spec, "pre_tokenizer"),
                                    err));
  bpe->is_byte_level = vise_pretokenizer_is_byte_level(bpe->pretokenizer);
  VISE_TRY(parse_normalizer(bpe, json_object_get(bpe->spec, "normalizer"), err));
  VISE_TRY(parse_model(bpe, model, added, err));
  size_t i;
  json_t *token;
  json_array_foreach(added, i, token) {
    VISE_TRY(parse_added_token(bpe, token, err));
  }
  if (bpe->is_byte_level) {
    VISE_TRY(vise_bpe_index_bytes(bpe, err));
  }
  VISE_TRY(parse_decoder(bpe, json_object_get(bpe->spec, "decoder"), err));
  VISE_TRY(index_added(bpe, added, err));
  VISE_TRY(parse_post_processor(bpe, json_object_get(bpe->spec, "post_processor"), err));
  bpe->base.bos = bpe->before.count > 0 ? bpe->before.data[0] : -1;
  json_object_del(model, "merges"); /* most of the memory, and of no more use */
  return VISE_OK;
}

vise_status
vise_tokenizer_create_bpe(vise_tokenizer **out, const char *data, size_t bytes, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_bpe), err));
  vise_bpe *bpe = memory;
  bpe->base.functions = &vise_bpe_functions;
  bpe->base.bos = bpe->base.eos = bpe->unknown = -1;
  vise_status st = vise_json_parse(&bpe->spec, data, bytes, err);
  if (st == VISE_OK) {
    st = parse_spec(bpe, err);
  }
  if (st != VISE_OK) {
    vise_tokenizer_free(&bpe->base);
    return st;
  }
  *out = &bpe->base;
  return VISE_OK;
}
