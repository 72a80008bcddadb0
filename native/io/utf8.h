/* SPDX-License-Identifier: Apache-2.0 */
/* io/utf8.h -- text that may not be UTF-8, as tokenizers read and write it. */
#ifndef VISE_IO_UTF8_H
#define VISE_IO_UTF8_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { VISE_UTF8_MAX = 4, VISE_UTF8_REPLACEMENT = 0xFFFD };

/*
 * The code point at `p`, n >= 1 bytes left. Returns its length, 1 to 4; or, where the bytes are not
 * UTF-8 (overlong forms, surrogates and values above 10FFFF included), minus the length of the
 * maximal bad part, -1 to -3, with U+FFFD in *code_out.
 */
int vise_utf8_decode(uint32_t *code_out, const char *p, size_t n);

/* Bytes of `code` (a valid code point) into `out`; returns how many, 1 to 4. */
int vise_utf8_encode(char out[VISE_UTF8_MAX], uint32_t code);

/* How a bad part turns into U+FFFD. */
typedef enum vise_utf8_policy {
  VISE_UTF8_EACH_BYTE, /* one for each byte, as SentencePiece does */
  VISE_UTF8_EACH_PART  /* one for each maximal bad part, as the Unicode standard recommends */
} vise_utf8_policy;

/* Bytes of the repaired text, at most 3 n; written to `out` unless that is NULL. */
size_t vise_utf8_repair(char *out, const char *text, size_t n, vise_utf8_policy policy);

#endif
