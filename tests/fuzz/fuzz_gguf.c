/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a file. Sound or refused; a sound one gives all its keys and tensors, and every byte
 * of them can be read.
 */
#include "core/mem.h"
#include "io/gguf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint64_t sum;

static void read_value(const vise_gguf_value *v) {
  sum += v->u + (v->r > 0);
  for (uint64_t i = 0; v->kind == VISE_GGUF_STRING && i < v->n; i++) {
    sum += (uint8_t)v->text[i];
  }
  const uint8_t *at = v->first;
  for (uint64_t i = 0; v->kind == VISE_GGUF_ARRAY && i < v->n; i++) {
    vise_gguf_value element;
    vise_gguf_next(&element, &at, v->of);
    read_value(&element);
  }
}

static void read_all(const vise_gguf *f) {
  for (int64_t i = 0; i < vise_gguf_keys(f); i++) {
    const vise_gguf_key *key = vise_gguf_key_at(f, i);
    if (vise_gguf_key_find(f, key->name.text, key->name.bytes) != key) {
      __builtin_trap();
    }
    read_value(&key->value);
  }
  for (int64_t i = 0; i < vise_gguf_count(f); i++) {
    const vise_gguf_entry *e = vise_gguf_entry_at(f, i);
    vise_tensor *t;
    if (vise_gguf_find(f, e->name.text, e->name.bytes) != e) {
      __builtin_trap();
    }
    if (vise_gguf_tensor(&t, f, e, NULL) == VISE_OK) {
      const uint8_t *bytes = vise_tensor_data(t);
      if (vise_tensor_bytes(t) != e->end - e->begin) {
        __builtin_trap();
      }
      for (size_t k = 0; k < vise_tensor_bytes(t); k++) {
        sum += bytes[k];
      }
      vise_tensor_release(t);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const size_t live = vise_mem_live_blocks();
  vise_storage *storage;
  vise_gguf *f;
  if (vise_storage_create(&storage, n, NULL) != VISE_OK) {
    return 0;
  }
  if (n > 0) {
    memcpy(vise_storage_data(storage), data, n);
  }
  if (vise_gguf_create(&f, storage, "input", NULL) == VISE_OK) {
    read_all(f);
    vise_gguf_close(f);
  }
  vise_storage_release(storage);
  if (vise_mem_live_blocks() != live) {
    __builtin_trap();
  }
  return 0;
}
