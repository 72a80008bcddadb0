/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a file. Sound or refused; a sound one gives all its tensors, and every byte of them
 * can be read.
 */
#include "core/mem.h"
#include "io/safetensors.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_all(const vise_safetensors *f) {
  for (int64_t i = 0; i < vise_safetensors_count(f); i++) {
    const vise_safetensors_entry *e = vise_safetensors_entry_at(f, i);
    vise_tensor *t;
    if (vise_safetensors_find(f, e->name) != e) {
      __builtin_trap();
    }
    if (vise_safetensors_tensor(&t, f, e, NULL) == VISE_OK) {
      volatile double sum = 0;
      for (int64_t k = 0; k < vise_tensor_count(t); k++) {
        sum += vise_tensor_get(t, k);
      }
      vise_tensor_release(t);
    }
  }
  for (int64_t i = 0; i < vise_safetensors_metadata_count(f); i++) {
    if (vise_safetensors_metadata_key(f, i) == NULL ||
        vise_safetensors_metadata_value(f, i) == NULL) {
      __builtin_trap();
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const size_t live = vise_mem_live_blocks();
  vise_storage *storage;
  vise_safetensors *f;
  if (vise_storage_create(&storage, n, NULL) != VISE_OK) {
    return 0;
  }
  if (n > 0) {
    memcpy(vise_storage_data(storage), data, n);
  }
  if (vise_safetensors_create(&f, storage, "input", NULL) == VISE_OK) {
    read_all(f);
    vise_safetensors_close(f);
  }
  vise_storage_release(storage);
  if (vise_mem_live_blocks() != live) {
    __builtin_trap();
  }
  return 0;
}
