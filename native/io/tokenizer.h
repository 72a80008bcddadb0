/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/tokenizer.h -- text to token ids and back.
 *
 * Two kinds: 'sentencepiece' (tokenizer.model, BPE with byte fallback) and 'bpe' (tokenizer.json).
 * Each encodes as the program that made its file does, to the id; what it cannot do like that it
 * refuses when the file is read, naming the component.
 *
 * A tokenizer is not changed by use and may be used from several threads at once.
 */
#ifndef VISE_IO_TOKENIZER_H
#define VISE_IO_TOKENIZER_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_tokenizer vise_tokenizer;

/*
 * From the bytes of a tokenizer.model or the text of a tokenizer.json.
 *
 * out    owned by the caller, free with vise_tokenizer_free().
 * data   borrowed during the call only.
 *
 * Errors: VISE_EFORMAT; VISE_EUNSUPPORTED a component that is not known here; VISE_ENOMEM.
 */
vise_status vise_tokenizer_create_sentencepiece(vise_tokenizer **out,
                                                const void *data,
                                                size_t bytes,
                                                vise_err *err) VISE_MUST_USE;
vise_status vise_tokenizer_create_bpe(vise_tokenizer **out,
                                      const char *data,
                                      size_t bytes,
                                      vise_err *err) VISE_MUST_USE;

void vise_tokenizer_free(vise_tokenizer *t); /* accepts NULL */

/*
 * The ids of `text`.
 *
 * ids_out, n_out   owned by the caller, free with vise_mem_free(); n may be 0.
 * text             `bytes` bytes; what is not UTF-8 counts as U+FFFD, one for each byte.
 * with_bos         put in front what the tokenizer puts before a text: BOS, or nothing if it has
 * none
 *
 * Time O(bytes log bytes) at worst. Polls the cancel flag.
 * Errors: VISE_EFORMAT a regular expression that gives up; VISE_EUNSUPPORTED the normalizer is NFC
 *         and the text is not in that form; VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_tokenizer_encode(int32_t **ids_out,
                                  int64_t *n_out,
                                  const vise_tokenizer *t,
                                  const char *text,
                                  size_t bytes,
                                  bool with_bos,
                                  vise_err *err) VISE_MUST_USE;

/*
 * The text of `n` ids, always UTF-8; bytes that are not become U+FFFD.
 *
 * text_out, bytes_out   owned by the caller, free with vise_mem_free(); NUL-terminated.
 *
 * Errors: VISE_EARG an id that is none; VISE_ENOMEM.
 */
vise_status vise_tokenizer_decode(char **text_out,
                                  size_t *bytes_out,
                                  const vise_tokenizer *t,
                                  const int32_t *ids,
                                  int64_t n,
                                  vise_err *err) VISE_MUST_USE;

const char *vise_tokenizer_kind(const vise_tokenizer *t); /* "sentencepiece" or "bpe" */
int64_t vise_tokenizer_size(const vise_tokenizer *t);     /* ids are 0 .. size - 1 */
int32_t vise_tokenizer_bos(const vise_tokenizer *t);      /* -1 if it has none */
int32_t vise_tokenizer_eos(const vise_tokenizer *t);      /* -1 if the file names none */

/* The bytes of piece `id` as the file has them, borrowed; NULL where no piece has that id. */
const char *vise_tokenizer_piece(size_t *bytes_out, const vise_tokenizer *t, int64_t id);

#endif
