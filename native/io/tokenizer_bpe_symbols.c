/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the symbols of a BPE model stand for. Byte level: a token is written with one printable
 * character for each byte, so that the file is text. Otherwise a token is its text, and characters
 * that are no token are the 256 tokens <0x00> .. <0xFF>, or one unknown token.
 */
#include "core/mem.h"
#include "io/tokenizer_bpe.h"
#include "io/utf8.h"

#include <stdio.h>
#include <string.h>

/* The byte that a character of a byte-level token stands for; -1 if none. Printable bytes stand for
   themselves, the 68 others are U+0100 onwards in order. */
static int byte_of(uint32_t code) {
  static const struct { uint32_t first, last; } printable[] = {{33, 126}, {161, 172}, {174, 255}};
  for (int i = 0; i < 3; i++) {
    if (code >= printable[i].first && code <= printable[i].last) {
      return (int)code;
    }
  }
  if (code < 256 || code >= 256 + 68) {
    return -1;
  }
  const int n = (int)code - 256; /* 0..32, then 127..160, then 173 */
  return n < 33 ? n : n < 67 ? n - 33 + 127 : 173;
}

/* The bytes of a token into `out`; a token with another character stands for its own bytes. */
static size_t decode_token(char *out, const vise_piece *p, bool *is_mapped_out) {
  size_t n = 0;
  *is_mapped_out = true;
  for (size_t i = 0; i < p->bytes;) {
    uint32_t code;
    i += (size_t)vise_utf8_decode(&code, p->text + i, p->bytes - i);
    const int byte = byte_of(code);
    if (byte < 0) {
      *is_mapped_out = false;
      memcpy(out, p->text, p->bytes);
      return p->bytes;
    }
    out[n++] = (char)byte;
  }
  return n;
}

vise_status vise_bpe_index_bytes(vise_bpe *bpe, vise_err *err) {
  size_t total = 0;
  for (int64_t i = 0; i < bpe->base.size; i++) {
    total += bpe->base.pieces[i].bytes;
  }
  void *pool, *decoded;
  VISE_TRY(vise_mem_alloc(&pool, total, err));
  bpe->pool = pool;
  VISE_TRY(vise_mem_zalloc(&decoded, (size_t)bpe->base.size * sizeof *bpe->decoded, err));
  bpe->decoded = decoded;
  VISE_TRY(vise_piece_map_init(&bpe->vocabulary, (size_t)bpe->base.size, err));
  char *at = pool;
  for (int32_t id = 0; id < (int32_t)bpe->base.size; id++) {
    const vise_piece *p = &bpe->base.pieces[id];
    if (p->text != NULL) {
      bool is_mapped;
      const size_t n = decode_token(at, p, &is_mapped);
      bpe->decoded[id] = (vise_piece){at, n};
      at += n;
      if (is_mapped) {
        vise_piece_map_add(&bpe->vocabulary, bpe->decoded[id].text, n, id);
      }
    }
  }
  for (int byte = 0; byte < 256; byte++) {
    const char text = (char)byte;
    bpe->byte_ids[byte] = vise_piece_map_find(&bpe->vocabulary, &text, 1);
    if (bpe->byte_ids[byte] < 0) {
      return vise_fail(err, VISE_EFORMAT, "no token stands for byte 0x%02X", (unsigned)byte);
    }
  }
  return VISE_OK;
}

static vise_status index_fallback(vise_bpe *bpe, vise_err *err) {
  void *values;
  VISE_TRY(vise_mem_alloc_array(&values, bpe->base.size, sizeof *bpe->byte_values, err));
  bpe->byte_values = values;
  memset(values, -1, (size_t)bpe->base.size * sizeof *bpe->byte_values);
  for (int byte = 0; byte < 256; byte++) {
    char text[8];
    snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
    const int32_t id = vise_piece_map_find(&bpe->vocabulary, text, 6);
    if (id < 0) {
      return vise_fail(err, VISE_EFORMAT, "byte_fallback without the token %s", text);
    }
    bpe->byte_ids[byte] = id;
    bpe->byte_values[id] = (int16_t)byte;
  }
  return VISE_OK;
}

vise_status vise_bpe_index_characters(vise_bpe *bpe, vise_piece unknown, vise_err *err) {
  if (bpe->has_byte_fallback) {
    VISE_TRY(index_fallback(bpe, err));
    bpe->cuts_at_space =
        !bpe->ignores_merges && vise_pieces_cut_at_space(bpe->base.pieces, bpe->base.size);
    return VISE_OK;
  }
  bpe->unknown = unknown.text == NULL
                     ? -1
                     : vise_piece_map_find(&bpe->vocabulary, unknown.text, unknown.bytes);
  if (bpe->unknown < 0) {
    return vise_fail(err, VISE_EFORMAT,
                     "model without byte level, byte_fallback and unk_token cannot "
                     "encode every text");
  }
  return VISE_OK;
}
