/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hash.h"

#include "core/bytes.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

void vise_sha256(uint8_t out[VISE_SHA256_BYTES], const void *data, size_t n) {
  SHA256(data, n, out);
}

void vise_sha256_hex(char out[VISE_SHA256_HEX], const uint8_t digest[VISE_SHA256_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < VISE_SHA256_BYTES; i++) {
    out[2 * i] = digits[digest[i] >> 4];
    out[2 * i + 1] = digits[digest[i] & 15];
  }
  out[2 * VISE_SHA256_BYTES] = '\0';
}

typedef struct leaves {
  const uint8_t *data;
  size_t n;
  uint8_t *digests;
  bool is_dropped; /* the data is mapped and its pages are let go once read */
} leaves;

/* Chunks of two leaves, hashed side by side while both are whole. */
static void hash_leaves(void *arg, int64_t begin, int64_t end, int worker) {
  (void)end;
  (void)worker;
  const leaves *l = arg;
  const size_t first = (size_t)begin * VISE_LEAF_BYTES, left = l->n - first;
  const uint8_t *data = l->data + first;
  uint8_t *digest = l->digests + (size_t)begin * VISE_SHA256_BYTES;
  const size_t bytes = left < 2 * VISE_LEAF_BYTES ? left : 2 * VISE_LEAF_BYTES;
  if (bytes > VISE_LEAF_BYTES) {
    vise_sha256_pair(digest, data, VISE_LEAF_BYTES, digest + VISE_SHA256_BYTES,
                     data + VISE_LEAF_BYTES, bytes - VISE_LEAF_BYTES);
  } else {
    vise_sha256(digest, data, bytes);
  }
  if (l->is_dropped) {
    vise_file_drop_pages(data, bytes);
  }
}

static vise_status hash_tree(
    uint8_t out[VISE_SHA256_BYTES], const void *data, size_t n, bool is_dropped, vise_err *err) {
  const size_t n_leaves = n / VISE_LEAF_BYTES + (n % VISE_LEAF_BYTES != 0);
  const size_t bytes = n_leaves * VISE_SHA256_BYTES;
  void *digests;
  VISE_TRY(vise_mem_alloc(&digests, bytes + 8, err));
  leaves l = {data, n, digests, is_dropped};
  const vise_status st = vise_parallel_for((int64_t)n_leaves, 2, hash_leaves, &l, err);
  vise_store_u64(l.digests + bytes, n);
  if (st == VISE_OK) {
    vise_sha256(out, digests, bytes + 8);
  }
  vise_mem_free(digests);
  return st;
}

vise_status
vise_sha256_tree(uint8_t out[VISE_SHA256_BYTES], const void *data, size_t n, vise_err *err) {
  return hash_tree(out, data, n, false, err);
}

vise_status vise_sha256_file(uint8_t out[VISE_SHA256_BYTES], const char *path, vise_err *err) {
  vise_file_map *map;
  VISE_TRY(vise_file_map_open(&map, path, err));
  const vise_status st =
      hash_tree(out, vise_file_map_data(map), vise_file_map_bytes(map), true, err);
  vise_file_map_release(map);
  return st;
}
