/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/tokenizer_bpe.h -- the BPE tokenizer of a tokenizer.json, between the file that reads it
 * (tokenizer_json.c), the file that says what its symbols stand for (tokenizer_bpe_symbols.c) and
 * the file that runs it (tokenizer_bpe.c).
 */
#ifndef VISE_IO_TOKENIZER_BPE_H
#define VISE_IO_TOKENIZER_BPE_H

#include "io/pretokenizer.h"
#include "io/tokenizer_parts.h"

enum { VISE_BPE_REWRITES_MAX = 4 };

/* A step of normalization or decoding: text `from` becomes `to`; or, from NULL, `to` goes in front.
 */
typedef struct vise_rewrite {
  vise_piece from, to; /* borrowed from the specification */
} vise_rewrite;

typedef struct vise_bpe {
  vise_tokenizer base;
  json_t *spec;        /* owned: the file without its merges; strings are borrowed from it */
  char *pool;          /* owned: the strings of `decoded` */
  vise_text forms;     /* owned: the keys of `added_later` */
  vise_piece *decoded; /* owned [size]: byte level, the bytes a token stands for; NULL otherwise */
  vise_piece_map vocabulary;  /* tokens: byte level, by the bytes they stand for */
  vise_piece_map added;       /* cut out of the text as it is */
  vise_piece_map added_later; /* cut out of the normalized text, keyed by their normalized form */
  vise_merges merges;
  vise_pretokenizer *pretokenizer; /* owned */
  vise_rewrite normalizer[VISE_BPE_REWRITES_MAX], decoder[VISE_BPE_REWRITES_MAX];
  int n_normalizer, n_decoder;
  vise_ids before;       /* put before a text */
  int32_t byte_ids[256]; /* the token of a byte, with byte level or byte fallback; -1: none */
  int16_t *byte_values;  /* owned [size]: the byte of a token of byte fallback, -1 for others */
  int32_t unknown;       /* -1: none */
  int strips;            /* leading spaces that decoding takes away, at most */
  bool is_byte_level, ignores_merges, has_byte_fallback, fuses_unknown, cuts_at_space;
  bool wants_nfc; /* the normalizer is NFC: other text is refused */
} vise_bpe;

extern const struct vise_tokenizer_functions vise_bpe_functions;

/*
 * With the pieces in place: fill `decoded`, `vocabulary` and `byte_ids` of a byte-level model; or
 * those of byte fallback, or else the unknown token, of a model of characters.
 * Errors: VISE_EFORMAT a byte or an unknown character that no token stands for; VISE_ENOMEM.
 */
vise_status vise_bpe_index_bytes(vise_bpe *bpe, vise_err *err) VISE_MUST_USE;
vise_status
vise_bpe_index_characters(vise_bpe *bpe, vise_piece unknown, vise_err *err) VISE_MUST_USE;

/* Append [text, text + n) after the rewriting steps to `out`. */
vise_status vise_bpe_rewrite(vise_text *out,
                             const vise_rewrite *steps,
                             int n_steps,
                             const char *text,
                             size_t n,
                             vise_err *err) VISE_MUST_USE;

#endif
