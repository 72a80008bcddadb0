/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/gguf_bytes.h -- GGUF headers put together number by number, also wrong ones. */
#ifndef VISE_TESTS_SUPPORT_GGUF_BYTES_H
#define VISE_TESTS_SUPPORT_GGUF_BYTES_H

#include "io/gguf.h"
#include "support/test.h"

#include <string.h>

typedef struct gguf_bytes {
  uint8_t data[4096];
  size_t n;
} gguf_bytes;

static inline void put_number(gguf_bytes *b, uint64_t v, size_t bytes) {
  assert_true(b->n + bytes <= sizeof b->data);
  for (size_t i = 0; i < bytes; i++) {
    b->data[b->n++] = (uint8_t)(v >> 8 * i);
  }
}

static inline void put_string(gguf_bytes *b, const char *s) {
  put_number(b, strlen(s), 8);
  for (; *s != '\0'; s++) {
    put_number(b, (uint8_t)*s, 1);
  }
}

static inline void put_start(gguf_bytes *b, uint64_t tensors, uint64_t keys) {
  b->n = 0;
  put_number(b, 0x46554747, 4); /* "GGUF" */
  put_number(b, 3, 4);
  put_number(b, tensors, 8);
  put_number(b, keys, 8);
}

static inline void put_key(gguf_bytes *b, const char *name, uint32_t kind) {
  put_string(b, name);
  put_number(b, kind, 4);
}

/* A tensor of one dimension. */
static inline void
put_tensor(gguf_bytes *b, const char *name, uint64_t dim, uint32_t type, uint64_t offset) {
  put_string(b, name);
  put_number(b, 1, 4);
  put_number(b, dim, 8);
  put_number(b, type, 4);
  put_number(b, offset, 8);
}

static inline void put_padding(gguf_bytes *b, size_t alignment, size_t data) {
  while (b->n % alignment != 0) {
    put_number(b, 0, 1);
  }
  for (size_t i = 0; i < data; i++) {
    put_number(b, i, 1);
  }
}

static inline vise_storage *storage_of(const gguf_bytes *b, size_t n) {
  vise_storage *storage;
  assert_int_equal(vise_storage_create(&storage, n, NULL), VISE_OK);
  if (n > 0) {
    memcpy(vise_storage_data(storage), b->data, n);
  }
  return storage;
}

#endif
