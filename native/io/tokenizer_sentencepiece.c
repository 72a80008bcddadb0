/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SentencePiece's BPE. A text is escaped (space -> U+2581), split into code points and user-defined
 * pieces, and adjacent symbols merge whenever their concatenation is a normal piece, highest score
 * first, leftmost first. Symbols that are no piece at the end become bytes, or the unknown piece.
 */
#include "io/tokenizer_sentencepiece.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "io/utf8.h"

#include <string.h>

enum { SPACE_BYTES = 3 };
static const char SPACE[] = "\xE2\x96\x81"; /* U+2581 */

/* ---- encoding ---- */

/* Escaped text of [text, text + n) after normalization, as one string of valid UTF-8. */
static vise_status
normalize(vise_text *out, const vise_sentencepiece *sp, const char *text, size_t n, vise_err *err) {
  const char *space = sp->escapes_spaces ? SPACE : " ";
  const size_t space_bytes = sp->escapes_spaces ? SPACE_BYTES : 1;
  const bool removes = sp->removes_extra_spaces;
  size_t i = 0;
  while (removes && i < n && text[i] == ' ') {
    i++;
  }
  if (i == n) {
    return VISE_OK;
  }
  VISE_TRY(vise_text_reserve(out, n + n / 4, err));
  if (sp->adds_dummy_prefix) {
    VISE_TRY(vise_text_append(out, space, space_bytes, err));
  }
  bool is_after_space = removes;
  while (i < n) {
    VISE_TRY(vise_text_reserve(out, VISE_UTF8_MAX, err));
    if (text[i] == ' ') {
      if (!is_after_space) {
        memcpy(out->data + out->count, space, space_bytes);
        out->count += space_bytes;
      }
      is_after_space = removes;
      i++;
      continue;
    }
    is_after_space = false;
    uint32_t code;
    const int length = vise_utf8_decode(&code, text + i, n - i);
    out->count += (size_t)vise_utf8_encode(out->data + out->count, code);
    i += length > 0 ? (size_t)length : 1;
  }
  while (removes && out->count >= space_bytes &&
         memcmp(out->data + out->count - space_bytes, space, space_bytes) == 0) {
    out->count -= space_bytes;
  }
  return VISE_OK;
}

/* Append what stands for a character that is no piece. */
static vise_status
append_unknown(vise_ids *out, const vise_sentencepiece *sp, uint32_t code, vise_err *err) {
  if (!sp->has_byte_fallback) {
    return vise_ids_append(out, &sp->unknown, 1, err);
  }
  char bytes[VISE_UTF8_MAX];
  const int n = vise_utf8_encode(bytes, code);
  for (int i = 0; i < n; i++) {
    VISE_TRY(vise_ids_append(out, &sp->byte_ids[(uint8_t)bytes[i]], 1, err));
  }
  return VISE_OK;
}

/* Symbols of one word into `symbols`, merged, and what they stand for appended to `out`. */
static vise_status encode_word(vise_ids *out,
                               const vise_sentencepiece *sp,
                               const char *word,
                               size_t n,
                               vise_ids *symbols,
                               vise_merge_scratch *scratch,
                               vise_err *err) {
  symbols->count = 0;
  VISE_TRY(vise_ids_reserve(symbols, (int64_t)n, err));
  for (size_t i = 0; i < n;) {
    const uint8_t byte = (uint8_t)word[i];
    uint32_t code;
    const int length = byte < 128 ? 1 : vise_utf8_decode(&code, word + i, n - i);
    if (byte < 128) {
      symbols->data[symbols->count] = sp->ascii[byte];
    } else {
      vise_sentencepiece_symbol(&symbols->data[symbols->count], sp, word + i, (size_t)length);
    }
    symbols->count++;
    i += (size_t)length;
  }
  VISE_TRY(vise_merge_run(symbols->data, &symbols->count, &sp->merges, scratch, err));
  for (int64_t i = 0; i < symbols->count; i++) {
    const int32_t symbol = symbols->data[i];
    if (symbol >= 0) {
      VISE_TRY(vise_ids_append(out, &symbol, 1, err));
    } else {
      VISE_TRY(append_unknown(out, sp, (uint32_t)(-1 - symbol), err));
    }
  }
  return VISE_OK;
}

/* Bytes of the word that begins at `s`: up to the next user-defined piece or cut. */
static size_t word_length(const vise_sentencepiece *sp, const char *s, size_t n) {
  bool has_other = false;
  size_t i = 0;
  while (i < n) {
    int32_t id;
    if (sp->user_defined.count > 0 && vise_piece_map_match(&sp->user_defined, s + i, n - i, &id)) {
      break;
    }
    const bool is_space = s[i] == SPACE[0] && n - i >= SPACE_BYTES && memcmp(s + i, SPACE, 3) == 0;
    if (is_space && has_other && sp->cuts_at_space) {
      break;
    }
    has_other |= !is_space;
    i += is_space ? SPACE_BYTES : 1;
  }
  return i;
}

static vise_status encode_words(vise_ids *out,
                                const vise_sentencepiece *sp,
                                const vise_text *text,
                                vise_ids *symbols,
                                vise_merge_scratch *scratch,
                                vise_err *err) {
  for (size_t at = 0, step = 1; at < text->count; step++) {
    if (step % 4096 == 0) {
      VISE_TRY(vise_cancel_check(err));
    }
    int32_t id;
    size_t n = vise_piece_map_match(&sp->user_defined, text->data + at, text->count - at, &id);
    if (n > 0) {
      VISE_TRY(vise_ids_append(out, &id, 1, err));
      at += n;
      continue;
    }
    n = word_length(sp, text->data + at, text->count - at);
    bool is_found;
    VISE_TRY(vise_word_find(&is_found, out, scratch, text->data, at, n, err));
    if (!is_found) {
      const int64_t first = out->count;
      VISE_TRY(encode_word(out, sp, text->data + at, n, symbols, scratch, err));
      vise_word_put(scratch, text->data, at, n, out, first);
    }
    at += n;
  }
  return VISE_OK;
}

/* A run of unknown pieces is one. */
static void join_unknowns(vise_ids *ids, int64_t first, int32_t unknown) {
  int64_t kept = first;
  for (int64_t i = first; i < ids->count; i++) {
    if (ids->data[i] != unknown || i == first || ids->data[i - 1] != unknown) {
      ids->data[kept++] = ids->data[i];
    }
  }
  ids->count = kept;
}

static vise_status encode(vise_ids *out,
                          const vise_tokenizer *t,
                          const char *text,
                          size_t bytes,
                          bool with_bos,
                          vise_err *err) {
  const vise_sentencepiece *sp = (const vise_sentencepiece *)t;
  if (with_bos && t->bos >= 0) {
    VISE_TRY(vise_ids_append(out, &t->bos, 1, err));
  }
  const int64_t first = out->count;
  vise_text normal = {0};
  vise_ids symbols = {0};
  vise_merge_scratch scratch = {0};
  vise_status st = normalize(&normal, sp, text, bytes, err);
  if (st == VISE_OK) {
    st = vise_merge_scratch_init(&scratch, normal.count, err);
  }
  if (st == VISE_OK) {
    st = encode_words(out, sp, &normal, &symbols, &scratch, err);
  }
  if (st == VISE_OK && !sp->has_byte_fallback) {
    join_unknowns(out, first, sp->unknown);
  }
  vise_merge_scratch_free(&scratch);
  vise_mem_free(symbols.data);
  vise_mem_free(normal.data);
  return st;
}

/* ---- decoding ---- */

/* Append a run of byte pieces as text. */
static vise_status append_bytes(
    vise_text *out, const vise_sentencepiece *sp, const int32_t *ids, int64_t n, vise_err *err) {
  while (n > 0) {
    char bytes[VISE_UTF8_MAX];
    uint32_t code;
    size_t have = 0;
    for (; have < VISE_UTF8_MAX && (int64_t)have < n; have++) {
      bytes[have] = (char)sp->byte_values[ids[have]];
    }
    const int length = vise_utf8_decode(&code, bytes, have);
    const int written = vise_utf8_encode(bytes, code);
    VISE_TRY(vise_text_append(out, bytes, (size_t)written, err));
    ids += length > 0 ? length : 1;
    n -= length > 0 ? length : 1;
  }
  return VISE_OK;
}

/* Append a piece with U+2581 as spaces, without a leading one if `drops_space`. */
static vise_status append_piece(
    vise_text *out, const vise_piece *p, bool drops_space, bool *dropped_out, vise_err *err) {
  size_t i = 0;
  *dropped_out = drops_space && p->bytes >= SPACE_BYTES && memcmp(p->text, SPACE, 3) == 0;
  if (*dropped_out) {
    i = SPACE_BYTES;
  }
  while (i < p->bytes) {
    const bool is_space = p->bytes - i >= SPACE_BYTES && memcmp(p->text + i, SPACE, 3) == 0;
    VISE_TRY(vise_text_append(out, is_space ? " " : p->text + i, 1, err));
    i += is_space ? SPACE_BYTES : 1;
  }
  return VISE_OK;
}

static vise_status
decode(vise_text *out, const vise_tokenizer *t, const int32_t *ids, int64_t n, vise_err *err) {
  const vise_sentencepiece *sp = (const vise_sentencepiece *)t;
  bool is_start = sp->adds_dummy_prefix || sp->removes_extra_spaces, dropped = false;
  for (int64_t i = 0; i < n; i++) {
    int64_t run = i;
    while (run < n && sp->types[ids[run]] == VISE_PIECE_BYTE) {
      run++;
    }
    VISE_TRY(append_bytes(out, sp, ids + i, run - i, err));
    i = run;
    if (i == n) {
      break;
    }
    is_start = is_start && !dropped && out->count == 0;
    dropped = false;
    if (sp->types[ids[i]] == VISE_PIECE_UNKNOWN) {
      VISE_TRY(vise_text_append(out, sp->unknown_surface.text, sp->unknown_surface.bytes, err));
    } else if (sp->types[ids[i]] != VISE_PIECE_CONTROL) {
      VISE_TRY(append_piece(out, &t->pieces[ids[i]], is_start, &dropped, err));
      dropped = dropped && !sp->removes_extra_spaces;
    }
  }
  return VISE_OK;
}

/* ---- the tokenizer ---- */

static void free_sentencepiece(vise_tokenizer *t) {
  vise_sentencepiece *sp = (vise_sentencepiece *)t;
  vise_merges_free(&sp->merges);
  vise_piece_map_free(&sp->user_defined);
  vise_piece_map_free(&sp->normal);
  vise_mem_free(sp->byte_values);
  vise_mem_free(sp->scores);
  vise_mem_free(sp->types);
  vise_mem_free(sp->base.pieces);
  vise_mem_free(sp->data);
  vise_mem_free(sp);
}

static const struct vise_tokenizer_functions functions = {
    .kind = "sentencepiece", .encode = encode, .decode = decode, .free = free_sentencepiece};

vise_status vise_tokenizer_create_sentencepiece(vise_tokenizer **out,
                                                const void *data,
                                                size_t bytes,
                                                vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_sentencepiece), err));
  vise_sentencepiece *sp = memory;
  sp->base.functions = &functions;
  const vise_status st = vise_sentencepiece_read(sp, data, bytes, err);
  if (st != VISE_OK) {
    free_sentencepiece(&sp->base);
    return st;
  }
  *out = &sp->base;
  return VISE_OK;
}
