/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a tokenizer.json encodes: added tokens are cut out of the text, the rest is normalized, added
 * tokens that are sought in normalized text are cut out of that, the pre-tokenizer cuts what is
 * left into pieces, and each piece is merged on its own.
 *
 * Byte level: the symbols are the 256 bytes. Otherwise they are characters, those that are no token
 * become bytes or the unknown token, and U+2581 stands for the space.
 */
#include "io/tokenizer_bpe.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "io/nfc.h"
#include "io/utf8.h"

#include <string.h>

static const char SPACE[] = "\xE2\x96\x81"; /* U+2581 */

static vise_status
rewrite_once(vise_text *out, const vise_rewrite *r, const char *text, size_t n, vise_err *err) {
  if (r->from.text == NULL) {
    if (n > 0) {
      VISE_TRY(vise_text_append(out, r->to.text, r->to.bytes, err));
    }
    return vise_text_append(out, text, n, err);
  }
  size_t done = 0;
  while (done < n) {
    const char *hit = memmem(text + done, n - done, r->from.text, r->from.bytes);
    const size_t end = hit == NULL ? n : (size_t)(hit - text);
    VISE_TRY(vise_text_append(out, text + done, end - done, err));
    if (hit == NULL) {
      break;
    }
    VISE_TRY(vise_text_append(out, r->to.text, r->to.bytes, err));
    done = end + r->from.bytes;
  }
  return VISE_OK;
}

vise_status vise_bpe_rewrite(vise_text *out,
                             const vise_rewrite *steps,
                             int n_steps,
                             const char *text,
                             size_t n,
                             vise_err *err) {
  if (n_steps == 0) {
    return vise_text_append(out, text, n, err);
  }
  vise_text from = {0}, to = {0};
  vise_status st = vise_text_append(&from, text, n, err);
  for (int i = 0; st == VISE_OK && i < n_steps; i++) {
    to.count = 0;
    st = rewrite_once(&to, &steps[i], from.data, from.count, err);
    const vise_text swap = from;
    from = to;
    to = swap;
  }
  if (st == VISE_OK) {
    st = vise_text_append(out, from.data, from.count, err);
  }
  vise_mem_free(from.data);
  vise_mem_free(to.data);
  return st;
}

/* ---- encoding ---- */

typedef struct encoding {
  const vise_bpe *bpe;
  vise_ids *out;
  vise_text text;   /* normalized so far; words are remembered by their place in it */
  size_t section;   /* where the part being split begins in it */
  vise_ids symbols; /* scratch */
  vise_merge_scratch scratch;
  uint32_t step;
} encoding;

static vise_status append_symbols(encoding *e, const char *word, size_t n, vise_err *err) {
  const vise_bpe *bpe = e->bpe;
  vise_ids *symbols = &e->symbols;
  symbols->count = 0;
  VISE_TRY(vise_ids_reserve(symbols, (int64_t)n, err));
  bool is_after_unknown = false;
  for (size_t i = 0; i < n;) {
    uint32_t code;
    const size_t length = bpe->is_byte_level ? 1 : (size_t)vise_utf8_decode(&code, word + i, n - i);
    const int32_t id = bpe->is_byte_level ? bpe->byte_ids[(uint8_t)word[i]]
                                          : vise_piece_map_find(&bpe->vocabulary, word + i, length);
    const bool is_unknown = id < 0 && !bpe->has_byte_fallback;
    if (id >= 0) {
      symbols->data[symbols->count++] = id;
    } else if (bpe->has_byte_fallback) {
      for (size_t k = 0; k < length; k++) {
        symbols->data[symbols->count++] = bpe->byte_ids[(uint8_t)word[i + k]];
      }
    } else if (!is_after_unknown || !bpe->fuses_unknown) {
      symbols->data[symbols->count++] = bpe->unknown;
    }
    is_after_unknown = is_unknown;
    i += length;
  }
  return VISE_OK;
}

/* Encode bytes [at, at + n) of the normalized text as one word. */
static vise_status encode_word(encoding *e, size_t at, size_t n, vise_err *err) {
  if (++e->step % 4096 == 0) {
    VISE_TRY(vise_cancel_check(err));
  }
  bool is_found;
  VISE_TRY(vise_word_find(&is_found, e->out, &e->scratch, e->text.data, at, n, err));
  if (is_found) {
    return VISE_OK;
  }
  const int64_t first = e->out->count;
  const char *word = e->text.data + at;
  const int32_t whole =
      e->bpe->ignores_merges ? vise_piece_map_find(&e->bpe->vocabulary, word, n) : -1;
  if (whole >= 0) {
    VISE_TRY(vise_ids_append(e->out, &whole, 1, err));
  } else {
    VISE_TRY(append_symbols(e, word, n, err));
    VISE_TRY(vise_merge_run(e->symbols.data, &e->symbols.count, &e->bpe->merges, &e->scratch, err));
    VISE_TRY(vise_ids_append(e->out, e->symbols.data, e->symbols.count, err));
  }
  vise_word_put(&e->scratch, e->text.data, at, n, e->out, first);
  return VISE_OK;
}

/* A piece of the pre-tokenizer; where no merge crosses a space it is cut there too. */
static vise_status encode_piece(void *arg, size_t at, size_t n, vise_err *err) {
  encoding *e = arg;
  at += e->section;
  if (!e->bpe->cuts_at_space) {
    return encode_word(e, at, n, err);
  }
  size_t begin = at;
  bool has_other = false;
  for (size_t i = at; i < at + n; i++) {
    const bool is_space = at + n - i >= 3 && memcmp(e->text.data + i, SPACE, 3) == 0;
    if (is_space && has_other) {
      VISE_TRY(encode_word(e, begin, i - begin, err));
      begin = i;
      has_other = false;
    }
    has_other |= !is_space;
    i += is_space ? 2 : 0;
  }
  return encode_word(e, begin, at + n - begin, err);
}

/* Call `part` for what lies between the keys of `keys` in the text, and append the keys' ids. */
typedef vise_status part_fn(encoding *e, const char *text, size_t n, vise_err *err);

static vise_status cut_out(encoding *e,
                           const vise_piece_map *keys,
                           const char *text,
                           size_t n,
                           part_fn *part,
                           vise_err *err) {
  size_t done = 0;
  for (size_t i = 0; keys->count > 0 && i < n;) {
    int32_t id;
    const size_t length = vise_piece_map_match(keys, text + i, n - i, &id);
    if (length == 0) {
      i++;
      continue;
    }
    if (i > done) {
      VISE_TRY(part(e, text + done, i - done, err));
    }
    VISE_TRY(vise_ids_append(e->out, &id, 1, err));
    i += length;
    done = i;
  }
  return done < n ? part(e, text + done, n - done, err) : VISE_OK;
}

/* A part of the normalized text without added tokens. */
static vise_status encode_part(encoding *e, const char *text, size_t n, vise_err *err) {
  e->section = (size_t)(text - e->text.data);
  return vise_pretokenizer_split(e->bpe->pretokenizer, text, n, encode_piece, e, err);
}

/* A part of the given text without added tokens: `text` is not in e->text yet. */
static vise_status normalize_part(encoding *e, const char *text, size_t n, vise_err *err) {
  const vise_bpe *bpe = e->bpe;
  const size_t begin = e->text.count;
  uint32_t code;
  if (bpe->wants_nfc && !vise_nfc_holds(&code, text, n)) {
    return vise_fail(err, VISE_EUNSUPPORTED,
                     "encode: text has U+%04X where form NFC may compose it, expected text in form "
                     "NFC already, which the tokenizer's normalizer would make",
                     code);
  }
  VISE_TRY(vise_bpe_rewrite(&e->text, bpe->normalizer, bpe->n_normalizer, text, n, err));
  return cut_out(e, &bpe->added_later, e->text.data + begin, e->text.count - begin, encode_part,
                 err);
}

static vise_status encode_text(encoding *e, const char *text, size_t bytes, vise_err *err) {
  vise_text repaired = {0};
  const size_t valid = vise_utf8_repair(NULL, text, bytes, VISE_UTF8_EACH_BYTE);
  if (valid != bytes) { /* U+FFFD is longer than the byte it stands for */
    VISE_TRY(vise_text_reserve(&repaired, valid, err));
    vise_utf8_repair(repaired.data, text, bytes, VISE_UTF8_EACH_BYTE);
    text = repaired.data;
  }
  const vise_status st = cut_out(e, &e->bpe->added, text, valid, normalize_part, err);
  vise_mem_free(repaired.data);
  return st;
}

static vise_status encode(vise_ids *out,
                          const vise_tokenizer *t,
                          const char *text,
                          size_t bytes,
                          bool with_bos,
                          vise_err *err) {
  const vise_bpe *bpe = (const vise_bpe *)t;
  if (with_bos) {
    VISE_TRY(vise_ids_append(out, bpe->before.data, bpe->before.count, err));
  }
  encoding e = {.bpe = bpe, .out = out};
  vise_status st = vise_merge_scratch_init(&e.scratch, bytes, err);
  if (st == VISE_OK) {
    st = vise_text_reserve(&e.text, bytes, err);
  }
  if (st == VISE_OK) {
    st = encode_text(&e, text, bytes, err);
  }
  vise_mem_free(e.text.data);
  vise_mem_free(e.symbols.data);
  vise_merge_scratch_free(&e.scratch);
  return st;
}

/* ---- decoding ---- */

/* The bytes of `from`, which may not be UTF-8, as text. */
static vise_status append_repaired(vise_text *out, const vise_text *from, vise_err *err) {
  const size_t n = vise_utf8_repair(NULL, from->data, from->count, VISE_UTF8_EACH_PART);
  VISE_TRY(vise_text_reserve(out, n, err));
  out->count +=
      vise_utf8_repair(out->data + out->count, from->data, from->count, VISE_UTF8_EACH_PART);
  return VISE_OK;
}

static vise_status decode_byte_level(
    vise_text *out, const vise_bpe *bpe, const int32_t *ids, int64_t n, vise_err *err) {
  vise_text bytes = {0};
  vise_status st = VISE_OK;
  for (int64_t i = 0; st == VISE_OK && i < n; i++) {
    const vise_piece *p = &bpe->decoded[ids[i]];
    st = vise_text_append(&bytes, p->text, p->bytes, err);
  }
  if (st == VISE_OK) {
    st = append_repaired(out, &bytes, err);
  }
  vise_mem_free(bytes.data);
  return st;
}

/* A run of byte tokens: their text if that is valid, one U+FFFD for each otherwise. */
static vise_status
append_bytes(vise_text *out, const vise_bpe *bpe, const int32_t *ids, int64_t n, vise_err *err) {
  const size_t begin = out->count;
  for (int64_t i = 0; i < n; i++) {
    const char byte = (char)bpe->byte_values[ids[i]];
    VISE_TRY(vise_text_append(out, &byte, 1, err));
  }
  const size_t bytes = out->count - begin;
  if (bytes > 0 && vise_utf8_repair(NULL, out->data + begin, bytes, VISE_UTF8_EACH_BYTE) != bytes) {
    out->count = begin;
    for (int64_t i = 0; i < n; i++) {
      VISE_TRY(vise_text_append(out, "\xEF\xBF\xBD", 3, err));
    }
  }
  return VISE_OK;
}

static vise_status decode_characters(
    vise_text *out, const vise_bpe *bpe, const int32_t *ids, int64_t n, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    int64_t run = i;
    while (run < n && bpe->has_byte_fallback && bpe->byte_values[ids[run]] >= 0) {
      run++;
    }
    VISE_TRY(append_bytes(out, bpe, ids + i, run - i, err));
    i = run;
    if (i < n) {
      const vise_piece *p = &bpe->base.pieces[ids[i]];
      VISE_TRY(vise_bpe_rewrite(out, bpe->decoder, bpe->n_decoder, p->text, p->bytes, err));
    }
  }
  size_t spaces = 0;
  while (spaces < (size_t)bpe->strips && spaces < out->count && out->data[spaces] == ' ') {
    spaces++;
  }
  if (spaces > 0) {
    memmove(out->data, out->data + spaces, out->count - spaces);
    out->count -= spaces;
  }
  return VISE_OK;
}

static vise_status
decode(vise_text *out, const vise_tokenizer *t, const int32_t *ids, int64_t n, vise_err *err) {
  const vise_bpe *bpe = (const vise_bpe *)t;
  return bpe->is_byte_level ? decode_byte_level(out, bpe, ids, n, err)
                            : decode_characters(out, bpe, ids, n, err);
}

static void free_bpe(vise_tokenizer *t) {
  vise_bpe *bpe = (vise_bpe *)t;
  vise_mem_free(bpe->byte_values);
  vise_mem_free(bpe->before.data);
  vise_pretokenizer_free(bpe->pretokenizer);
  vise_merges_free(&bpe->merges);
  vise_piece_map_free(&bpe->added_later);
  vise_piece_map_free(&bpe->added);
  vise_piece_map_free(&bpe->vocabulary);
  vise_mem_free(bpe->decoded);
  vise_mem_free(bpe->base.pieces);
  vise_mem_free(bpe->pool);
  vise_mem_free(bpe->forms.data);
  json_decref(bpe->spec);
  vise_mem_free(bpe);
}

const struct vise_tokenizer_functions vise_bpe_functions = {
    .kind = "bpe", .encode = encode, .decode = decode, .free = free_bpe};
