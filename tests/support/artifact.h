/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/artifact.h -- small artifacts for tests, and their bytes put together by hand, so
 * that a lie in the index can carry the right hashes. The layout follows share/doc/artifact.md.
 */
#ifndef VISE_TESTS_SUPPORT_ARTIFACT_H
#define VISE_TESTS_SUPPORT_ARTIFACT_H

#include "artifact/artifact.h"
#include "artifact/container.h"
#include "core/bytes.h"
#include "core/file.h"
#include "core/mem.h"
#include "support/folder.h"

#include <stdlib.h>
#include <string.h>

/* A tensor whose bytes are numbers of a linear congruence; `levels` limits them (256: all). */
static inline vise_tensor *
test_tensor(vise_dtype dtype, int rank, const int64_t *shape, unsigned seed, unsigned levels) {
  vise_tensor *t;
  vise_err err;
  if (vise_tensor_create(&t, dtype, rank, shape, &err) != VISE_OK) {
    return NULL;
  }
  uint8_t *p = vise_tensor_data(t);
  uint32_t x = seed;
  for (size_t i = 0; i < vise_tensor_bytes(t); i++) {
    x = x * 1664525u + 1013904223u;
    p[i] = (uint8_t)((x >> 24) % levels);
  }
  return t;
}

/* A tree of kind "sum" over two trees of kind "leaf", the second with a child of its own. */
static inline vise_tree *test_tree(void) {
  vise_tree *sum = NULL, *leaves[3] = {NULL};
  vise_err err;
  int bad = vise_tree_create(&sum, "sum", 4, 6, &err) != VISE_OK;
  bad += vise_tree_add_text(sum, "about", "two terms", &err) != VISE_OK;
  for (int i = 0; i < 3; i++) {
    const int64_t shape[] = {4, 6};
    vise_tensor *t = test_tensor(VISE_DTYPE_F16, 2, shape, 7u + (unsigned)i / 2, 200);
    bad += vise_tree_create(&leaves[i], "leaf", 4, 6, &err) != VISE_OK;
    bad += vise_tree_add_int(leaves[i], "bits", -i, &err) != VISE_OK;
    bad += vise_tree_add_real(leaves[i], "share", 0.1, &err) != VISE_OK;
    bad += vise_tree_add_part(leaves[i], "values", t, &err) != VISE_OK;
    vise_tensor_release(t);
  }
  bad += vise_tree_add_child(leaves[1], leaves[2], &err) != VISE_OK;
  bad += vise_tree_add_child(sum, leaves[0], &err) != VISE_OK;
  bad += vise_tree_add_child(sum, leaves[1], &err) != VISE_OK;
  return bad > 0 ? NULL : sum;
}

/* What the small artifact holds. Made once and kept, so that tests of failure fail in the writer.
 */
typedef struct test_small {
  vise_tensor *scalar, *ids, *empty;
  vise_weight *weight;
  vise_tree *tree;
} test_small;

static test_small test_small_kept;

static inline void test_small_free(void) {
  vise_tensor_release(test_small_kept.scalar);
  vise_tensor_release(test_small_kept.ids);
  vise_tensor_release(test_small_kept.empty);
  vise_weight_release(test_small_kept.weight);
  vise_tree_free(test_small_kept.tree);
}

static inline const test_small *test_small_content(void) {
  if (test_small_kept.tree == NULL) {
    test_small small = {0};
    const int64_t matrix[] = {8, 48}, row[] = {5}, none[] = {0, 3};
    vise_tensor *values = test_tensor(VISE_DTYPE_F32, 2, matrix, 1, 4);
    if (vise_weight_dense(&small.weight, values, NULL) != VISE_OK) {
      abort();
    }
    vise_tensor_release(values);
    small.scalar = test_tensor(VISE_DTYPE_F64, 0, NULL, 2, 256);
    small.ids = test_tensor(VISE_DTYPE_I32, 1, row, 3, 2);
    small.empty = test_tensor(VISE_DTYPE_BF16, 2, none, 4, 1);
    small.tree = test_tree();
    test_small_kept = small;
    atexit(test_small_free);
  }
  return &test_small_kept;
}

/* The first failure, if any. */
static inline vise_status test_fill(vise_artifact_writer *w, vise_err *err) {
  const test_small *s = test_small_content();
  VISE_TRY(vise_artifact_writer_add_weight(w, "embed", s->weight, err));
  VISE_TRY(vise_artifact_writer_add_weight(w, "head", s->weight, err));
  VISE_TRY(vise_artifact_writer_add_tensor(w, "scalar", s->scalar, err));
  VISE_TRY(vise_artifact_writer_add_tensor(w, "empty", s->empty, err));
  VISE_TRY(vise_artifact_writer_add_tree(w, "tree", s->tree, "two terms", err));
  return vise_artifact_writer_add_tensor(w, "ids", s->ids, err);
}

static inline vise_status
test_write(const char *path, vise_artifact_coder coder, vise_artifact_seal *seal, vise_err *err) {
  const vise_artifact_options options = {coder, 3, false};
  vise_artifact_writer *w;
  VISE_TRY(vise_artifact_writer_create(&w, path, &options, err));
  const vise_status st = test_fill(w, err);
  if (st != VISE_OK) {
    vise_artifact_writer_abort(w);
    return st;
  }
  return vise_artifact_writer_commit(w, seal, "{\"about\": \"small\"}", "{\"host\": \"h\"}", err);
}

/* Open `bytes` of `data` from memory, verify, and load everything. */
static inline vise_status test_read(const void *data, size_t bytes, vise_err *err) {
  vise_storage *storage;
  VISE_TRY(vise_storage_create(&storage, bytes, err));
  memcpy(vise_storage_data(storage), data, bytes);
  vise_artifact *a;
  vise_status st = vise_artifact_create(&a, storage, "memory", err);
  vise_storage_release(storage);
  VISE_TRY(st);
  st = vise_artifact_verify(a, err);
  for (int64_t i = 0; st == VISE_OK && i < vise_artifact_count(a); i++) {
    const vise_artifact_entry e = vise_artifact_entry_at(a, i);
    vise_tree *tree = NULL;
    vise_tensor *t = NULL;
    st = e.is_weight ? vise_artifact_tree(&tree, a, i, err) : vise_artifact_tensor(&t, a, i, err);
    vise_tree_free(tree);
    vise_tensor_release(t);
  }
  vise_artifact_close(a);
  return st;
}

/* An artifact in pieces. */
typedef struct test_pieces {
  vise_buffer parts, contents, layout; /* freed by test_assemble */
  const char *manifest;
} test_pieces;

/* Make the hashes of an artifact true again, whatever its numbers say, if they can be followed. */
static inline void test_reseal(uint8_t *data, size_t bytes) {
  uint8_t *trailer = data + bytes - VISE_TRAILER_BYTES, digests[2][VISE_SHA256_BYTES];
  const size_t tail = bytes - VISE_TRAILER_BYTES, begin = (size_t)vise_load_u64(trailer);
  const size_t contents = (size_t)vise_load_u64(trailer + 8);
  const size_t manifest = (size_t)vise_load_u64(trailer + 16);
  if (begin <= tail && contents <= tail - begin && manifest <= tail - begin - contents) {
    vise_sha256(trailer + 48, data + begin, tail - begin);
    vise_sha256(digests[0], data + begin, contents);
    vise_sha256(digests[1], data + begin + contents, manifest);
    vise_container_hash(trailer + 80, digests[0], digests[1]);
  }
  uint8_t sealed[VISE_HEADER_BYTES + VISE_SEALED_BYTES];
  memcpy(sealed, data, VISE_HEADER_BYTES);
  memcpy(sealed + VISE_HEADER_BYTES, trailer, VISE_SEALED_BYTES);
  vise_sha256(trailer + VISE_SEALED_BYTES, sealed, sizeof sealed);
}

/* *out: the whole file, sealed; owned. */
static inline size_t test_assemble(uint8_t **out, test_pieces *p) {
  vise_buffer all = {0};
  uint8_t header[VISE_HEADER_BYTES], trailer[VISE_TRAILER_BYTES] = {0};
  vise_container_header(header);
  int bad = vise_buffer_add(&all, header, sizeof header, NULL) != VISE_OK;
  bad += vise_buffer_add(&all, p->parts.data, p->parts.bytes, NULL) != VISE_OK;
  vise_store_u64(trailer, all.bytes);
  bad += vise_buffer_add(&all, p->contents.data, p->contents.bytes, NULL) != VISE_OK;
  bad += vise_buffer_add(&all, p->manifest, strlen(p->manifest), NULL) != VISE_OK;
  bad += vise_buffer_add(&all, p->layout.data, p->layout.bytes, NULL) != VISE_OK;
  vise_store_u64(trailer + 8, p->contents.bytes);
  vise_store_u64(trailer + 16, strlen(p->manifest));
  vise_store_u64(trailer + 32, p->layout.bytes);
  vise_store_u64(trailer + 40, all.bytes + sizeof trailer);
  memcpy(trailer + VISE_TRAILER_BYTES - 8, vise_container_end, 8);
  bad += vise_buffer_add(&all, trailer, sizeof trailer, NULL) != VISE_OK;
  test_reseal(all.data, all.bytes);
  vise_buffer_free(&p->parts);
  vise_buffer_free(&p->contents);
  vise_buffer_free(&p->layout);
  *out = all.data;
  return bad > 0 ? 0 : all.bytes;
}

#endif
