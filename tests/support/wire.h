/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/wire.h -- writes small SentencePiece models, as protocol buffers. */
#ifndef VISE_TESTS_SUPPORT_WIRE_H
#define VISE_TESTS_SUPPORT_WIRE_H

#include <stdint.h>
#include <string.h>

typedef struct test_wire {
  uint8_t bytes[16384];
  size_t n;
} test_wire;

static inline void wire_varint(test_wire *w, uint64_t v) {
  for (; v >= 128; v >>= 7) {
    w->bytes[w->n++] = (uint8_t)(v | 128);
  }
  w->bytes[w->n++] = (uint8_t)v;
}

static inline void wire_number(test_wire *w, uint32_t field, uint64_t v) {
  wire_varint(w, field << 3);
  wire_varint(w, v);
}

static inline void wire_bytes(test_wire *w, uint32_t field, const void *data, size_t n) {
  wire_varint(w, field << 3 | 2);
  wire_varint(w, n);
  memcpy(w->bytes + w->n, data, n);
  w->n += n;
}

/* type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte */
static inline void wire_piece(test_wire *w, const char *text, float score, int type) {
  test_wire piece = {.n = 0};
  uint8_t bits[4];
  memcpy(bits, &score, sizeof bits);
  wire_bytes(&piece, 1, text, strlen(text));
  wire_varint(&piece, 2 << 3 | 5);
  memcpy(piece.bytes + piece.n, bits, sizeof bits);
  piece.n += sizeof bits;
  wire_number(&piece, 3, (uint64_t)type);
  wire_bytes(w, 1, piece.bytes, piece.n);
}

#endif
