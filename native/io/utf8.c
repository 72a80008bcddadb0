/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Well-formed sequences by the table of the Unicode standard (chapter 3, table 3-7): after the lead
 * byte only the second byte has a range of its own; those ranges exclude overlong forms, surrogates
 * and what lies above 10FFFF.
 */
#include "io/utf8.h"

#include <string.h>

int vise_utf8_decode(uint32_t *code_out, const char *p, size_t n) {
  const uint8_t *s = (const uint8_t *)p;
  const uint8_t lead = s[0];
  if (lead < 0x80) {
    *code_out = lead;
    return 1;
  }
  *code_out = VISE_UTF8_REPLACEMENT;
  const int length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0) {
    return -1;
  }
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t code = lead & (0x7Fu >> length);
  for (int i = 1; i < length; i++) {
    if ((size_t)i >= n || s[i] < (i == 1 ? low : 0x80) || s[i] > (i == 1 ? high : 0xBF)) {
      return -i;
    }
    code = code << 6 | (s[i] & 0x3Fu);
  }
  *code_out = code;
  return length;
}

int vise_utf8_encode(char out[VISE_UTF8_MAX], uint32_t code) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  const int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = length - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (char)(0xF00u >> length | code);
  return length;
}

size_t vise_utf8_repair(char *out, const char *text, size_t n, vise_utf8_policy policy) {
  size_t at = 0;
  for (size_t i = 0; i < n;) {
    uint32_t code;
    const int length = vise_utf8_decode(&code, text + i, n - i);
    if (length > 0) {
      if (out != NULL) {
        memcpy(out + at, text + i, (size_t)length);
      }
      at += (size_t)length;
      i += (size_t)length;
    } else {
      if (out != NULL) {
        vise_utf8_encode(out + at, code);
      }
      at += 3;
      i += policy == VISE_UTF8_EACH_BYTE ? 1 : (size_t)-length;
    }
  }
  return at;
}
