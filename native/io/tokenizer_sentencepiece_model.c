/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads ModelProto of sentencepiece_model.proto: the pieces, trainer_spec, normalizer_spec.
 *
 * "The concatenation is a piece", the condition to merge, becomes a table of pairs: every piece is
 * cut at each code point, and the cuts whose two sides can be symbols are its merges.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "io/tokenizer_sentencepiece.h"
#include "io/utf8.h"
#include "io/wire.h"

#include <math.h>
#include <string.h>

enum { PIECE_BYTES_MAX = 1024 };

static vise_piece piece_of(vise_wire bytes) {
  return (vise_piece){(const char *)bytes.at, (size_t)(bytes.end - bytes.at)};
}

/* Field of a nested message that must be bytes. */
static vise_status want_bytes(const vise_wire_field *f, const char *what, vise_err *err) {
  if (f->type != VISE_WIRE_BYTES) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: %s is no string", what);
  }
  return VISE_OK;
}

static vise_status parse_trainer(vise_sentencepiece *sp, vise_wire w, vise_err *err) {
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

static vise_status parse_normalizer(vise_sentencepiece *sp, vise_wire w, vise_err *err) {
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

static vise_status parse_piece(vise_sentencepiece *sp, int64_t id, vise_wire w, vise_err *err) {
  sp->types[id] = VISE_PIECE_NORMAL;
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
      if (f.value < VISE_PIECE_NORMAL || f.value > VISE_PIECE_BYTE) {
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
static vise_status parse_model(vise_sentencepiece *sp, vise_wire w, vise_err *err) {
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
      VISE_TRY(parse_normalizer(&(vise_sentencepiece){0}, f.bytes, err));
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

static vise_status index_byte(vise_sentencepiece *sp, int32_t id, vise_err *err) {
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

static vise_status index_piece(vise_sentencepiece *sp, int32_t id, vise_err *err) {
  const vise_piece *p = &sp->base.pieces[id];
  bool is_new = true;
  switch ((vise_piece_type)sp->types[id]) {
  case VISE_PIECE_NORMAL: is_new = vise_piece_map_add(&sp->normal, p->text, p->bytes, id); break;
  case VISE_PIECE_USER_DEFINED:
    is_new = vise_piece_map_add(&sp->user_defined, p->text, p->bytes, id);
    if (sp->removes_extra_spaces && memchr(p->text, ' ', p->bytes) != NULL) {
      return vise_fail(err, VISE_EUNSUPPORTED,
                       "sentencepiece: user-defined piece %d with a space is unsupported together "
                       "with remove_extra_whitespaces",
                       id);
    }
    break;
  case VISE_PIECE_BYTE: return index_byte(sp, id, err);
  case VISE_PIECE_UNKNOWN:
    is_new = sp->unknown < 0;
    sp->unknown = id;
    break;
  case VISE_PIECE_CONTROL:
    sp->base.bos = piece_is(p, &sp->bos_name) ? id : sp->base.bos;
    sp->base.eos = piece_is(p, &sp->eos_name) ? id : sp->base.eos;
    break;
  case VISE_PIECE_UNUSED:
    return vise_fail(err, VISE_EUNSUPPORTED, "sentencepiece: unused piece %d is unsupported", id);
  }
  if (!is_new) {
    return vise_fail(err, VISE_EFORMAT, "sentencepiece: piece %d '%.*s' is there twice", id,
                     p->bytes < 64 ? (int)p->bytes : 64, p->text);
  }
  return VISE_OK;
}

bool vise_sentencepiece_symbol(int32_t *out,
                               const vise_sentencepiece *sp,
                               const char *s,
                               size_t n) {
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
static int64_t cut_piece(vise_sentencepiece *sp, int32_t id, bool is_count) {
  const vise_piece *p = &sp->base.pieces[id];
  int64_t n = 0;
  for (size_t at = 1; at < p->bytes; at++) {
    int32_t a, b;
    if (((uint8_t)p->text[at] & 0xC0) != 0x80 && vise_sentencepiece_symbol(&a, sp, p->text, at) &&
        vise_sentencepiece_symbol(&b, sp, p->text + at, p->bytes - at)) {
      n++;
      if (!is_count) {
        vise_merges_set(&sp->merges, a, b, rank_of(sp->scores[id]), id);
      }
    }
  }
  return n;
}

static vise_status build_merges(vise_sentencepiece *sp, vise_err *err) {
  int64_t n = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t id = 0; id < (int32_t)sp->base.size; id++) {
      if (id % 4096 == 0) {
        VISE_TRY(vise_cancel_check(err));
      }
      if (sp->types[id] == VISE_PIECE_NORMAL) {
        n += cut_piece(sp, id, pass == 0);
      }
    }
    if (pass == 0) {
      VISE_TRY(vise_merges_init(&sp->merges, (size_t)n, err));
    }
  }
  return VISE_OK;
}

static vise_status index_pieces(vise_sentencepiece *sp, vise_err *err) {
  size_t n_normal = 0, n_user = 0;
  for (int64_t i = 0; i < sp->base.size; i++) {
    n_normal += sp->types[i] == VISE_PIECE_NORMAL;
    n_user += sp->types[i] == VISE_PIECE_USER_DEFINED;
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
    vise_sentencepiece_symbol(&sp->ascii[c], sp, &text, 1);
  }
  sp->cuts_at_space = vise_pieces_cut_at_space(sp->base.pieces, sp->base.size);
  return build_merges(sp, err);
}

vise_status
vise_sentencepiece_read(vise_sentencepiece *sp, const void *data, size_t bytes, vise_err *err) {
  sp->base.bos = sp->base.eos = sp->unknown = -1;
  sp->bos_name = (vise_piece){"<s>", 3};
  sp->eos_name = (vise_piece){"</s>", 4};
  sp->unknown_surface = (vise_piece){" \xE2\x81\x87 ", 5};
  sp->adds_dummy_prefix = sp->removes_extra_spaces = sp->escapes_spaces = true;
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
