/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/pretokenizer.h -- the member pre_tokenizer of a tokenizer.json: how a text is cut into the
 * pieces that are encoded one by one.
 *
 * Known: null, ByteLevel, Split by a regular expression (matches and what lies between them are
 * pieces), Digits, and a Sequence of those. Regular expressions are PCRE2's with Unicode properties;
 * its Unicode is version 14, so letters and digits younger than that count as neither.
 */
#ifndef VISE_IO_PRETOKENIZER_H
#define VISE_IO_PRETOKENIZER_H

#include "core/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct vise_pretokenizer vise_pretokenizer;

/* `spec` NULL or null: no cuts. Errors: VISE_EFORMAT; VISE_EUNSUPPORTED; VISE_ENOMEM. */
vise_status
vise_pretokenizer_create(vise_pretokenizer **out, const json_t *spec, vise_err *err) VISE_MUST_USE;
void vise_pretokenizer_free(vise_pretokenizer *p); /* accepts NULL */

bool vise_pretokenizer_is_byte_level(const vise_pretokenizer *p); /* tokens are of mapped bytes */

/* One piece: bytes [at, at + n) of the text, n > 0. */
typedef vise_status vise_piece_fn(void *arg, size_t at, size_t n, vise_err *err);

/*
 * Call `fn` for the pieces of `text`, which is valid UTF-8, from left to right.
 * All texts together get a second and four microseconds for each byte.
 * Errors: VISE_EFORMAT a regular expression that reaches its limits; VISE_ECANCELLED; VISE_ENOMEM;
 * those of `fn`.
 */
vise_status vise_pretokenizer_split(vise_pretokenizer *p,
                                    const char *text,
                                    size_t bytes,
                                    vise_piece_fn *fn,
                                    void *arg,
                                    vise_err *err) VISE_MUST_USE;

#endif
