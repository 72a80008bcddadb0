/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SentencePiece's BPE. A text is escaped (space -> U+2581), split into code points and user-defined
 * pieces, and adjacent symbols merge whenever their concatenation is a normal piece, highest score
 * first, leftmost first. Symbols that are no piece at the end become bytes, or the unknown piece.
 *
 * "The concatenation is a piece" is turned into a table of pairs when the file is read: every piece
 * is cut at each code point, and the cuts whose two sides can be symbols are its merges. A symbol
 * is the id of a piece, or minus one minus the code point for a character that is no piece.
 *
 * The format is that of sentencepiece_model.proto (ModelProto), read with io/wire.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "io/tokenizer_parts.h"
#include "io/utf8.h"
#include "io/wire.h"

#include <math.h>
#include <string.h>

typedef enum piece_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE } piece_type;

enum { PIECE_BYTES_MAX = 1024, SPACE_BYTES = 3 };
static const char SPACE[] = "\xE2\x96\x81"; /* U+2581 */

typedef struct sentencepiece {
  vise_tokenizer base;
  char *data;     /* owned copy of the file; pieces borrow from it */
  uint8_t *types; /* owned [size], piece_type */
  float *scores;  /* owned [size] */
  vise_piece_map normal, user_defined;
  vise_merges merges;
  int32_t ascii[128];    /* symbol of a character below 128 */
  int32_t byte_ids[256]; /* with byte fallback */
  uint8_t *byte_values;  /* owned [size]: value of a byte piece */
  int32_t unknown;
  vise_piece bos_name, eos_name, unknown_surface;
  bool has_byte_fallback, adds_dummy_prefix, removes_extra_spaces, escapes_spaces;
  bool cuts_at_space;
} sentencepiece;

static vise_piece piece_of(vise_wire bytes) {
  return (vise_piece){(const char *)bytes.at, (size_t)(bytes.end - bytes.at)};
}

/* ---- reading the file ---- */

/* Field of a nested message that must be bytes. */
static vise_status want_bytes(const vise_wire_field *f, const char *what, vise_err *err) {
  if (f->type != VISE_WIRE_BYTES) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: %s is no string", what);
  }
  return VISE_OK;
}

static vise_status parse_trainer(sentencepiece *sp, vise_wire w, vise_err *err) {
  uint64_t model_type = 1; /* the schema's default, unigram */
  bool more;
  vise_wire_field f;
  for (;;) {
    VISE_TRY(vise_wire_next(&more, &f, &w, err));
    if (!more) {
      break;
    }
    switch (f.number) {
    case 3: model_type = f.value; break;
    case 24:
      if (f.value != 0) {
        return vise_fail(err, VISE_EUNSUPPORTED,
                         "sentencepiece: treat_whitespace_as_suffix is unsupported");
      }
      break;
    case 35: sp->has_byte_fallback = f.value != 0; break;
    case 44:
      VISE_TRY(want_bytes(&f, "unk_surface", err));
      sp->unknown_surface = piece_of(f.bytes);
      break;
    case 46:
      VISE_TRY(want_bytes(&f, "bos_piece", err));
      sp->bos_name = piece_of(f.bytes);
      break;
    case 47:
      VISE_TRY(want_bytes(&f, "eos_piece", err));
      sp->eos_name = piece_of(f.bytes);
      break;
    default: break;
    }
  }
  if (model_type != 2) {
    static const char *const names[] = {"0", "unigram", "bpe", "word", "char"};
    return vise_fail(err, VISE_EUNSUPPORTED,
                     "sentencepiece: model type '%s' is unsupported, expected 'bpe'",
                     model_type < 5 ? names[model_type] : "unknown");
  }
  return VISE_OK;
}

static vise_status parse_normalizer(sentencepiece *sp, vise_wire w, vise_err *err) {
  vise_piece name = {"", 0};
  size_t charsmap_bytes = 0;
  bool more;
  vise_wire_field f;
  for (;;) {
    VISE_TRY(vise_wire_next(&more, &f, &w, err));
    if (!more) {
      break;
    }
    switch (f.number) {
    case 1:
      VISE_TRY(want_bytes(&f, "the normalizer's name", err));
      name = piece_of(f.bytes);
      break;
    case 2:
      VISE_TRY(want_bytes(&f, "precompiled_charsmap", err));
      charsmap_bytes = piece_of(f.bytes).bytes;
      break;
    case 3: sp->adds_dummy_prefix = f.value != 0; break;
    case 4: sp->removes_extra_spaces = f.value != 0; break;
    case 5: sp->escapes_spaces = f.value != 0; break;
    default: break;
    }
  }
  if (charsmap_bytes != 0) {
    return vise_fail(err, VISE_EUNSUPPORTED,
                     "sentencepiece: normalizer '%.*s' is unsupported, expected 'identity'",
                     name.bytes < 64 ? (int)name.bytes : 64, name.text);
  }
  return VISE_OK;
}

static vise_status parse_piece(sentencepiece *sp, int64_t id, vise_wire w, vise_err *err) {
  sp->types[id] = NORMAL;
  sp->scores[id] = 0;
  bool more;
  vise_wire_field f;
  for (;;) {
    VISE_TRY(vise_wire_next(&more, &f, &w, err));
    if (!more) {
      break;
    }
    if (f.number == 1) {
      VISE_TRY(want_bytes(&f, "a piece", err));
      sp->base.pieces[id] = piece_of(f.bytes);
    } else if (f.number == 2) {
      const uint32_t bits = (uint32_t)f.value;
      memcpy(&sp->scores[id], &bits, sizeof bits);
      if (f.type != VISE_WIRE_FIXED32 || isnan(sp->scores[id])) {
        return vise_fail(err, VISE_EFORMAT, "sentencepiece: score of piece %lld is no number",
                         (long long)id);
      }
    } else if (f.number == 3) {
      if (f.value < NORMAL || f.value > BYTE) {
        return vise_fail(err, VISE_EFORMAT, "sentencepiece: piece %lld has unknown type %llu",
                         (long long)id, (unsigned long long)f.value);
      }
      sp->types[id] = (uint8_t)f.value;
    }
  }
  const vise_piece *p = &sp->base.pieces[id];
  if (p->bytes == 0 || p->bytes > PIECE_BYTES_MAX ||
      vise_utf8_repair(NULL, p->text, p->bytes, VISE_UTF8_EACH_BYTE) != p->bytes) {
    return vise_fail(err, VISE_EFORMAT,
                     "sentencepiece: piece %lld has %zu bytes, expected UTF-8 of 1 to %d",
                     (long long)id, p->bytes, PIECE_BYTES_MAX);
  }
  return VISE_OK;
}

/* The pieces, in file order; the other parts of the model on the way. */
static vise_status parse_model(sentencepiece *sp, vise_wire w, vise_err *err) {
  int64_t at = 0;
  bool more, has_trainer = false;
  vise_wire_field f;
  for (;;) {
    VISE_TRY(vise_wire_next(&more, &f, &w, err));
    if (!more) {
      break;
    }
    if (f.number >= 1 && f.number <= 5) {
      VISE_TRY(want_bytes(&f, "a part of the model", err));
    }
    switch (f.number) {
    case 1: VISE_TRY(parse_piece(sp, at++, f.bytes, err)); break;
    case 2:
      VISE_TRY(parse_trainer(sp, f.bytes, err));
      has_trainer = true;
      break;
    case 3: VISE_TRY(parse_normalizer(sp, f.bytes, err)); break;
    case 5: /* the denormalizer is a normalizer for decoding; its flags mean nothing */
      VISE_TRY(parse_normalizer(&(sentencepiece){0}, f.bytes, err));
      break;
    default: break;
    }
  }
  if (!has_trainer) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: has no trainer_spec");
  }
  return VISE_OK;
}

static vise_status count_pieces(int64_t *n_out, vise_wire w, vise_err *err) {
  *n_out = 0;
  bool more;
  vise_wire_field f;
  for (;;) {
    VISE_TRY(vise_wire_next(&more, &f, &w, err));
    if (!more) {
      break;
    }
    *n_out += f.number == 1;
  }
  if (*n_out == 0 || *n_out > INT32_MAX) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: has %lld pieces", (long long)*n_out);
  }
  return VISE_OK;
}

static bool piece_is(const vise_piece *a, const vise_piece *b) {
  return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

/* Value of an upper-case hexadecimal digit; -1 if it is none. */
static int digit_of(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static vise_status index_byte(sentencepiece *sp, int32_t id, vise_err *err) {
  const vise_piece *p = &sp->base.pieces[id];
  const bool is_byte = p->bytes == 6 && memcmp(p->text, "<0x", 3) == 0 && p->text[5] == '>' &&
                       digit_of(p->text[3]) >= 0 && digit_of(p->text[4]) >= 0;
  if (!is_byte) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: byte piece %d is '%.*s', expected <0x00>",
                     id, p->bytes < 64 ? (int)p->bytes : 64, p->text);
  }
  const int value = digit_of(p->text[3]) * 16 + digit_of(p->text[4]);
  sp->byte_ids[value] = id;
  sp->byte_values[id] = (uint8_t)value;
  return VISE_OK;
}

static vise_status index_piece(sentencepiece *sp, int32_t id, vise_err *err) {
  const vise_piece *p = &sp->base.pieces[id];
  bool is_new = true;
  switch ((piece_type)sp->types[id]) {
  case NORMAL: is_new = vise_piece_map_add(&sp->normal, p->text, p->bytes, id); break;
  case USER_DEFINED:
    is_new = vise_piece_map_add(&sp->user_defined, p->text, p->bytes, id);
    if (sp->removes_extra_spaces && memchr(p->text, ' ', p->bytes) != NULL) {
      return vise_fail(err, VISE_EUNSUPPORTED,
                       "sentencepiece: user-defined piece %d with a space is unsupported together "
                       "with remove_extra_whitespaces",
                       id);
    }
    break;
  case BYTE: return index_byte(sp, id, err);
  case UNKNOWN:
    is_new = sp->unknown < 0;
    sp->unknown = id;
    break;
  case CONTROL:
    sp->base.bos = piece_is(p, &sp->bos_name) ? id : sp->base.bos;
    sp->base.eos = piece_is(p, &sp->eos_name) ? id : sp->base.eos;
    break;
  case UNUSED:
    return vise_fail(err, VISE_EUNSUPPORTED, "sentencepiece: unused piece %d is unsupported", id);
  }
  if (!is_new) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: piece %d '%.*s' is there twice", id,
                     p->bytes < 64 ? (int)p->bytes : 64, p->text);
  }
  return VISE_OK;
}

/* The symbol that stands for a whole string; false if none can. */
static bool symbol_of(int32_t *out, const sentencepiece *sp, const char *s, size_t n) {
  *out = vise_piece_map_find(&sp->normal, s, n);
  if (*out >= 0) {
    return true;
  }
  uint32_t code;
  if (vise_utf8_decode(&code, s, n) != (int)n) {
    return false;
  }
  *out = -1 - (int32_t)code;
  return true;
}

/* Scores as ranks: the bits of a float order like its value once the negative ones are turned over.
 */
static uint32_t rank_of(float score) {
  uint32_t bits;
  score += 0.0f; /* -0 is 0 */
  memcpy(&bits, &score, sizeof bits);
  const uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

/* Call merges_set for every merge of piece `id`, or only count them. */
static int64_t cut_piece(sentencepiece *sp, int32_t id, bool is_count) {
  const vise_piece *p = &sp->base.pieces[id];
  int64_t n = 0;
  for (size_t at = 1; at < p->bytes; at++) {
    int32_t a, b;
    if (((uint8_t)p->text[at] & 0xC0) != 0x80 && symbol_of(&a, sp, p->text, at) &&
        symbol_of(&b, sp, p->text + at, p->bytes - at)) {
      n++;
      if (!is_count) {
        vise_merges_set(&sp->merges, a, b, rank_of(sp->scores[id]), id);
      }
    }
  }
  return n;
}

static vise_status build_merges(sentencepiece *sp, vise_err *err) {
  int64_t n = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t id = 0; id < (int32_t)sp->base.size; id++) {
      if (id % 4096 == 0) {
        VISE_TRY(vise_cancel_check(err));
      }
      if (sp->types[id] == NORMAL) {
        n += cut_piece(sp, id, pass == 0);
      }
    }
    if (pass == 0) {
      VISE_TRY(vise_merges_init(&sp->merges, (size_t)n, err));
    }
  }
  return VISE_OK;
}

static vise_status index_pieces(sentencepiece *sp, vise_err *err) {
  size_t n_normal = 0, n_user = 0;
  for (int64_t i = 0; i < sp->base.size; i++) {
    n_normal += sp->types[i] == NORMAL;
    n_user += sp->types[i] == USER_DEFINED;
  }
  VISE_TRY(vise_piece_map_init(&sp->normal, n_normal, err));
  VISE_TRY(vise_piece_map_init(&sp->user_defined, n_user, err));
  memset(sp->byte_ids, -1, sizeof sp->byte_ids);
  for (int32_t id = 0; id < (int32_t)sp->base.size; id++) {
    VISE_TRY(index_piece(sp, id, err));
  }
  if (sp->unknown < 0) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: has no unknown piece");
  }
  for (int value = 0; sp->has_byte_fallback && value < 256; value++) {
    if (sp->byte_ids[value] < 0) {
      return vise_fail(err, VISE_EFORMAT, "sentencepiece: byte_fallback without the piece <0x%02X>",
                       (unsigned)value);
    }
  }
  for (int c = 0; c < 128; c++) {
    const char text = (char)c;
    symbol_of(&sp->ascii[c], sp, &text, 1);
  }
  sp->cuts_at_space = vise_pieces_cut_at_space(sp->base.pieces, sp->base.size);
  return build_merges(sp, err);
}

/* ---- encoding ---- */

/* Escaped text of [text, text + n) after normalization, as one string of valid UTF-8. */
static vise_status
normalize(vise_text *out, const sentencepiece *sp, const char *text, size_t n, vise_err *err) {
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
append_unknown(vise_ids *out, const sentencepiece *sp, uint32_t code, vise_err *err) {
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
                               const sentencepiece *sp,
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
      symbol_of(&symbols->data[symbols->count], sp, word + i, (size_t)length);
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
static size_t word_length(const sentencepiece *sp, const char *s, size_t n) {
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
                                const sentencepiece *sp,
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
  const sentencepiece *sp = (const sentencepiece *)t;
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
    vise_text *out, const sentencepiece *sp, const int32_t *ids, int64_t n, vise_err *err) {
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
  const sentencepiece *sp = (const sentencepiece *)t;
  bool is_start = sp->adds_dummy_prefix || sp->removes_extra_spaces, dropped = false;
  for (int64_t i = 0; i < n; i++) {
    int64_t run = i;
    while (run < n && sp->types[ids[run]] == BYTE) {
      run++;
    }
    VISE_TRY(append_bytes(out, sp, ids + i, run - i, err));
    i = run;
    if (i == n) {
      break;
    }
    is_start = is_start && !dropped && out->count == 0;
    dropped = false;
    if (sp->types[ids[i]] == UNKNOWN) {
      VISE_TRY(vise_text_append(out, sp->unknown_surface.text, sp->unknown_surface.bytes, err));
    } else if (sp->types[ids[i]] != CONTROL) {
      VISE_TRY(append_piece(out, &t->pieces[ids[i]], is_start, &dropped, err));
      dropped = dropped && !sp->removes_extra_spaces;
    }
  }
  return VISE_OK;
}

/* ---- the tokenizer ---- */

static void free_sentencepiece(vise_tokenizer *t) {
  sentencepiece *sp = (sentencepiece *)t;
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

static vise_status read_model(sentencepiece *sp, const void *data, size_t bytes, vise_err *err) {
  VISE_TRY(vise_mem_strdup(&sp->data, data, bytes, err));
  const vise_wire w = {(const uint8_t *)sp->data, (const uint8_t *)sp->data + bytes};
  VISE_TRY(count_pieces(&sp->base.size, w, err));
  void *pieces, *types, *scores, *byte_values;
  VISE_TRY(vise_mem_zalloc(&pieces, (size_t)sp->base.size * sizeof *sp->base.pieces, err));
  sp->base.pieces = pieces;
  VISE_TRY(vise_mem_alloc(&types, (size_t)sp->base.size, err));
  sp->types = types;
  VISE_TRY(vise_mem_alloc_array(&scores, sp->base.size, sizeof *sp->scores, err));
  sp->scores = scores;
  VISE_TRY(vise_mem_alloc(&byte_values, (size_t)sp->base.size, err));
  sp->byte_values = byte_values;
  VISE_TRY(parse_model(sp, w, err));
  return index_pieces(sp, err);
}

vise_status vise_tokenizer_create_sentencepiece(vise_tokenizer **out,
                                                const void *data,
                                                size_t bytes,
                                                vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(sentencepiece), err));
  sentencepiece *sp = memory;
  sp->base.functions = &functions;
  sp->base.bos = sp->base.eos = sp->unknown = -1;
  sp->bos_name = (vise_piece){"<s>", 3};
  sp->eos_name = (vise_piece){"</s>", 4};
  sp->unknown_surface = (vise_piece){" \xE2\x81\x87 ", 5};
  sp->adds_dummy_prefix = sp->removes_extra_spaces = sp->escapes_spaces = true;
  const vise_status st = read_model(sp, data, bytes, err);
  if (st != VISE_OK) {
    free_sentencepiece(&sp->base);
    return st;
  }
  *out = &sp->base;
  return VISE_OK;
}
