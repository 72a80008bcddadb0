/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/word_count.h -- the words of a text, as a pre-tokenizer cuts it, and how often each is there:
 * what a tokenizer is trained from.
 */
#ifndef VISE_IO_WORD_COUNT_H
#define VISE_IO_WORD_COUNT_H

#include "io/tokenizer_parts.h"

#include <jansson.h>

/* Words in the order of their first appearance. words[i].text is borrowed from the text. */
typedef struct vise_word_counts {
  vise_piece *words; /* owned */
  int64_t *counts;   /* owned */
  int64_t n, room;
  vise_piece_map index; /* owned */
} vise_word_counts;

/*
 * Count the words of `text`.
 *
 * out              free with vise_word_counts_free(), whatever is returned
 * pre_tokenizer    as in a tokenizer.json (io/pretokenizer.h); borrowed
 * text             `bytes` of UTF-8, borrowed as long as `out` lives
 *
 * Errors: VISE_EFORMAT the text is not UTF-8, naming the byte; those of the pre-tokenizer;
 *         VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_word_counts_init(vise_word_counts *out,
                                  const json_t *pre_tokenizer,
                                  const char *text,
                                  size_t bytes,
                                  vise_err *err) VISE_MUST_USE;
void vise_word_counts_free(vise_word_counts *c);

#endif
