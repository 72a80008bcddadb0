/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/tokenizer_sentencepiece.h -- a SentencePiece BPE model, between the file that reads it
 * (tokenizer_sentencepiece_model.c) and the file that runs it (tokenizer_sentencepiece.c).
 */
#ifndef VISE_IO_TOKENIZER_SENTENCEPIECE_H
#define VISE_IO_TOKENIZER_SENTENCEPIECE_H

#include "io/tokenizer_parts.h"

/* The numbers of sentencepiece_model.proto. */
typedef enum vise_piece_type {
  VISE_PIECE_NORMAL = 1,
  VISE_PIECE_UNKNOWN,
  VISE_PIECE_CONTROL,
  VISE_PIECE_USER_DEFINED,
  VISE_PIECE_UNUSED,
  VISE_PIECE_BYTE
} vise_piece_type;

typedef struct vise_sentencepiece {
  vise_tokenizer base;
  char *data;     /* owned copy of the file; pieces borrow from it */
  uint8_t *types; /* owned [size], vise_piece_type */
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
} vise_sentencepiece;

/*
 * Fill `sp`, all zero before, from the bytes of a tokenizer.model. On failure what it holds is
 * still to be freed. Errors: VISE_EFORMAT; VISE_EUNSUPPORTED; VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_sentencepiece_read(vise_sentencepiece *sp,
                                    const void *data,
                                    size_t bytes,
                                    vise_err *err) VISE_MUST_USE;

/* The symbol that stands for a whole string; false if none can. A symbol is the id of a normal
   piece, or minus one minus the code point for a character that is none. */
bool vise_sentencepiece_symbol(int32_t *out, const vise_sentencepiece *sp, const char *s, size_t n);

#endif
