/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An input for a tokenizer: two bytes that say how long the text at its end is, a model, the text.
 * Whatever model is accepted must encode the text into ids that it decodes again, and leak nothing.
 */
#ifndef VISE_TESTS_FUZZ_TOKENIZER_INPUT_H
#define VISE_TESTS_FUZZ_TOKENIZER_INPUT_H

#include "core/mem.h"
#include "io/tokenizer.h"

typedef vise_status create_fn(vise_tokenizer **out, const void *data, size_t bytes, vise_err *err);

static void encode_and_decode(const vise_tokenizer *t, const char *text, size_t bytes) {
  int32_t *ids;
  int64_t count;
  if (vise_tokenizer_encode(&ids, &count, t, text, bytes, true, NULL) != VISE_OK) {
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    size_t piece_bytes;
    if (vise_tokenizer_piece(&piece_bytes, t, ids[i]) == NULL) {
      __builtin_trap();
    }
  }
  char *decoded;
  size_t decoded_bytes;
  if (vise_tokenizer_decode(&decoded, &decoded_bytes, t, ids, count, NULL) != VISE_OK) {
    __builtin_trap();
  }
  vise_mem_free(decoded);
  vise_mem_free(ids);
}

static void fuzz_tokenizer(create_fn *create, const uint8_t *data, size_t n) {
  if (n < 2) {
    return;
  }
  const size_t live = vise_mem_live_blocks();
  size_t text_bytes = (size_t)(data[0] << 8 | data[1]);
  text_bytes = text_bytes < n - 2 ? text_bytes : n - 2;
  const size_t model_bytes = n - 2 - text_bytes;
  vise_tokenizer *t;
  if (create(&t, data + 2, model_bytes, NULL) == VISE_OK) {
    encode_and_decode(t, (const char *)data + 2 + model_bytes, text_bytes);
    vise_tokenizer_free(t);
  }
  if (vise_mem_live_blocks() != live) {
    __builtin_trap();
  }
}

#endif
