/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an artifact: opened, every table walked, every part read and every weight loaded, or
 * refused. Fuzzing builds define FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION, under which digests
 * are computed but not compared, so that what lies behind them is reached.
 */
#include "artifact/artifact.h"
#include "core/parallel.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_part(void *arg, const vise_artifact_part *part) {
  *(uint64_t *)arg += part->packed_bytes + strlen(part->name);
}

/* Of all parts. Content is only decoded where it is small, so that inputs take no seconds. */
static uint64_t packed_bytes(const vise_artifact *a) {
  uint64_t bytes = 0;
  for (int64_t i = 0; i < vise_artifact_count(a); i++) {
    vise_artifact_each_part(a, i, note_part, &bytes);
  }
  return bytes;
}

static void read_all(vise_artifact *a) {
  for (int64_t i = 0; i < vise_artifact_count(a); i++) {
    const vise_artifact_entry e = vise_artifact_entry_at(a, i);
    vise_status st = VISE_OK;
    if (e.is_weight) {
      vise_weight *w;
      st = vise_artifact_weight(&w, a, i, NULL);
      vise_weight_release(w);
    } else {
      vise_tensor *t;
      st = vise_artifact_tensor(&t, a, i, NULL);
      vise_tensor_release(t);
    }
    (void)st;
    if (vise_artifact_find(a, e.name) != i) {
      __builtin_trap();
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  vise_threads_set(1);
  vise_storage *storage;
  vise_artifact *a;
  if (vise_storage_create(&storage, size, NULL) != VISE_OK) {
    return 0;
  }
  if (size > 0) {
    memcpy(vise_storage_data(storage), data, size);
  }
  vise_err err;
  const vise_status st = vise_artifact_create(&a, storage, "fuzz.vise", &err);
  vise_storage_release(storage);
  if (st != VISE_OK) {
    return 0;
  }
  if (packed_bytes(a) < (64u << 20)) {
    read_all(a);
    (void)!vise_artifact_verify(a, &err);
  }
  vise_artifact_close(a);
  return 0;
}
