/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects are encoded with gaps where the numbers of their parts go, which are known when all frames
 * have been coded; then they are found again by the digest of their encoding: equal weights are
 * one, whoever made them. Contents, manifest, record, layout and
 * trailer are written when all else is.
 */
#include "artifact/writer.h"
#include "core/bytes.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "io/json.h"

#include <string.h>

/* ---- objects ---- */

typedef struct draft {
  size_t begin; /* in `encoded` */
  size_t text;  /* in `texts`: its name and its description, each with a NUL */
} draft;

static vise_status encode_array(vise_artifact_writer *w, const vise_tensor *t, vise_err *err) {
  vise_buffer *out = &w->encoded;
  const int rank = vise_tensor_rank(t);
  VISE_TRY(vise_buffer_add_u8(out, vise_container_dtype_code(vise_tensor_dtype(t)), err));
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)rank, err));
  for (int i = 0; i < rank; i++) {
    VISE_TRY(vise_buffer_add_u64(out, (uint64_t)vise_tensor_dim(t, i), err));
  }
  VISE_TRY(vise_buffer_add(&w->gaps, &out->bytes, sizeof out->bytes, err));
  return vise_buffer_add_u32(out, 0, err);
}

static vise_status encode_attribute(vise_buffer *out, const vise_attribute *a, vise_err *err) {
  VISE_TRY(vise_buffer_add_text(out, a->name, err));
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)a->type, err));
  uint64_t bits;
  switch (a->type) {
  case VISE_ATTRIBUTE_INT: return vise_buffer_add_u64(out, (uint64_t)a->i, err);
  case VISE_ATTRIBUTE_REAL:
    memcpy(&bits, &a->r, sizeof bits);
    return vise_buffer_add_u64(out, bits, err);
  case VISE_ATTRIBUTE_TEXT: break;
  }
  return vise_buffer_add_text(out, a->text, err);
}

static vise_status encode_tree(vise_artifact_writer *w, const vise_tree *t, vise_err *err) {
  vise_buffer *out = &w->encoded;
  VISE_TRY(vise_buffer_add_text(out, t->kind, err));
  VISE_TRY(vise_buffer_add_u64(out, (uint64_t)t->m, err));
  VISE_TRY(vise_buffer_add_u64(out, (uint64_t)t->k, err));
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)t->n_attributes, err));
  for (int i = 0; i < t->n_attributes; i++) {
    VISE_TRY(encode_attribute(out, &t->attributes[i], err));
  }
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)t->n_parts, err));
  for (int i = 0; i < t->n_parts; i++) {
    VISE_TRY(vise_buffer_add_text(out, t->parts[i].name, err));
    VISE_TRY(encode_array(w, t->parts[i].tensor, err));
  }
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)t->n_children, err));
  for (int i = 0; i < t->n_children; i++) {
    VISE_TRY(encode_tree(w, t->children[i], err));
  }
  return VISE_OK;
}

static vise_status add_tree_parts(vise_artifact_writer *w, const vise_tree *t, vise_err *err) {
  for (int i = 0; i < t->n_parts; i++) {
    VISE_TRY(vise_writer_add_part(w, t->parts[i].tensor, err));
  }
  for (int i = 0; i < t->n_children; i++) {
    VISE_TRY(add_tree_parts(w, t->children[i], err));
  }
  return VISE_OK;
}

static vise_status check_text(const char *what, const char *s, size_t least, vise_err *err) {
  const size_t n = strlen(s);
  if (n < least || n > VISE_NAME_MAX || !vise_container_is_text(s, n)) {
    return vise_fail(err, VISE_EARG,
                     "%s of %zu bytes, expected %zu to %d of UTF-8 without control characters",
                     what, n, least, VISE_NAME_MAX);
  }
  return VISE_OK;
}

/* What the reader would refuse is refused before anything is written. */
static vise_status check_tree(const vise_tree *t, int depth, int *n_nodes, vise_err *err) {
  if (depth >= VISE_TREE_DEPTH || ++*n_nodes > VISE_TREE_NODES_MAX) {
    return vise_fail(err, VISE_EARG, "tree is nested deeper than %d or has more than %d nodes",
                     VISE_TREE_DEPTH, VISE_TREE_NODES_MAX);
  }
  VISE_TRY(check_text("kind", t->kind, 1, err));
  for (int i = 0; i < t->n_attributes; i++) {
    VISE_TRY(check_text("attribute", t->attributes[i].name, 1, err));
    VISE_TRY(check_text("attribute's value", t->attributes[i].text, 0, err));
  }
  for (int i = 0; i < t->n_parts; i++) {
    VISE_TRY(check_text("part", t->parts[i].name, 1, err));
  }
  for (int i = 0; i < t->n_children; i++) {
    VISE_TRY(check_tree(t->children[i], depth + 1, n_nodes, err));
  }
  return VISE_OK;
}

/* The encoded object gets a number: that of an equal one if there is one. */
static vise_status intern_object(vise_artifact_writer *w,
                                 uint32_t *out,
                                 const uint8_t *encoded,
                                 size_t bytes,
                                 const char *description,
                                 vise_err *err) {
  uint8_t digest[VISE_SHA256_BYTES];
  vise_sha256(digest, encoded, bytes);
  int64_t number;
  VISE_TRY(vise_digest_map_intern(&number, &w->object_map, digest, w->n_objects, err));
  if (number == w->n_objects) {
    VISE_TRY(vise_buffer_add(&w->objects, encoded, bytes, err));
    VISE_TRY(vise_buffer_add_text(&w->descriptions, description, err));
    w->n_objects++;
  }
  *out = (uint32_t)number;
  return VISE_OK;
}

/* All frames have been coded: fill the gaps, number the objects, name them. */
static vise_status finish_objects(vise_artifact_writer *w, vise_err *err) {
  uint8_t *encoded = w->encoded.data;
  const size_t *gaps = w->gaps.data;
  const uint32_t *numbers = w->numbers.data; /* little-endian, as they go out again */
  for (size_t i = 0; i < w->gaps.bytes / sizeof *gaps; i++) {
    memcpy(encoded + gaps[i], &numbers[i], sizeof *numbers);
  }
  const draft *drafts = w->drafts.data;
  const size_t n = w->drafts.bytes / sizeof *drafts;
  for (size_t i = 0; i < n; i++) {
    const char *name = (const char *)w->texts.data + drafts[i].text;
    const size_t end = i + 1 < n ? drafts[i + 1].begin : w->encoded.bytes;
    uint32_t number;
    VISE_TRY(intern_object(w, &number, encoded + drafts[i].begin, end - drafts[i].begin,
                           name + strlen(name) + 1, err));
    VISE_TRY(vise_buffer_add_text(&w->names, name, err));
    VISE_TRY(vise_buffer_add_u32(&w->names, number, err));
  }
  w->n_names = (uint32_t)n;
  return VISE_OK;
}

static vise_status check_name(const vise_artifact_writer *w, const char *name, vise_err *err) {
  if (w->is_broken) {
    return vise_fail(err, VISE_EARG, "artifact: writing has failed before");
  }
  const vise_status st = check_text("name", name, 1, err);
  return st == VISE_OK ? st : vise_fail_in(err, st, "artifact");
}

static vise_status intern_name(vise_artifact_writer *w, const char *name, vise_err *err) {
  uint8_t digest[VISE_SHA256_BYTES];
  vise_sha256(digest, name, strlen(name));
  const size_t before = w->name_map.count;
  int64_t ignored;
  VISE_TRY(vise_digest_map_intern(&ignored, &w->name_map, digest, 0, err));
  if (w->name_map.count == before) {
    return vise_fail(err, VISE_EARG, "artifact: name '%s' is there already", name);
  }
  return VISE_OK;
}

/* A tree, or a tensor when `tree` is NULL. */
static vise_status add_object(vise_artifact_writer *w,
                              const char *name,
                              const vise_tree *tree,
                              vise_tensor *t,
                              const char *description,
                              vise_err *err) {
  VISE_TRY(vise_cancel_check(err)); /* small ones wait for others before they are coded */
  const draft d = {.begin = w->encoded.bytes, .text = w->texts.bytes};
  VISE_TRY(vise_buffer_add(&w->drafts, &d, sizeof d, err));
  VISE_TRY(vise_buffer_add(&w->texts, name, strlen(name) + 1, err));
  VISE_TRY(vise_buffer_add(&w->texts, description, strlen(description) + 1, err));
  VISE_TRY(
      vise_buffer_add_u8(&w->encoded, tree != NULL ? VISE_OBJECT_WEIGHT : VISE_OBJECT_TENSOR, err));
  VISE_TRY(tree != NULL ? encode_tree(w, tree, err) : encode_array(w, t, err));
  return tree != NULL ? add_tree_parts(w, tree, err) : vise_writer_add_part(w, t, err);
}

static vise_status add(vise_artifact_writer *w,
                       const char *name,
                       const vise_tree *tree,
                       vise_tensor *t,
                       const char *description,
                       vise_err *err) {
  vise_status st = intern_name(w, name, err);
  if (st == VISE_EARG) {
    return st;
  }
  if (st == VISE_OK) {
    st = add_object(w, name, tree, t, description, err);
  }
  w->is_broken = st != VISE_OK;
  return st;
}

vise_status vise_artifact_writer_add_tree(vise_artifact_writer *w,
                                          const char *name,
                                          const vise_tree *tree,
                                          const char *description,
                                          vise_err *err) {
  VISE_TRY(check_name(w, name, err));
  int n_nodes = 0;
  vise_status st = check_text("description", description, 0, err);
  if (st == VISE_OK) {
    st = check_tree(tree, 0, &n_nodes, err);
  }
  if (st != VISE_OK) {
    return vise_fail_in(err, st, name);
  }
  return add(w, name, tree, NULL, description, err);
}

vise_status vise_artifact_writer_add_weight(vise_artifact_writer *w,
                                            const char *name,
                                            const vise_weight *weight,
                                            vise_err *err) {
  char description[VISE_WEIGHT_DESCRIPTION];
  vise_tree *tree;
  VISE_TRY(vise_weight_save(weight, &tree, err));
  vise_status st = vise_weight_describe_tree(tree, description, sizeof description, err);
  if (st == VISE_OK) {
    st = vise_artifact_writer_add_tree(w, name, tree, description, err);
  }
  vise_tree_free(tree);
  return st;
}

vise_status vise_artifact_writer_add_tensor(vise_artifact_writer *w,
                                            const char *name,
                                            vise_tensor *t,
                                            vise_err *err) {
  VISE_TRY(check_name(w, name, err));
  const char *description = vise_dtype_name(vise_tensor_dtype(t));
  if (vise_tensor_is_contiguous(t)) {
    return add(w, name, NULL, t, description, err);
  }
  vise_tensor *copy;
  VISE_TRY(vise_tensor_convert(&copy, t, vise_tensor_dtype(t), err));
  const vise_status st = add(w, name, NULL, copy, description, err);
  vise_tensor_release(copy);
  return st;
}

/* ---- the tail ---- */

static vise_status check_json(const char *what, const char *text, vise_err *err) {
  json_t *value;
  const vise_status st = vise_json_parse(&value, text, strlen(text), err);
  if (st == VISE_ENOMEM) {
    return st;
  }
  if (st != VISE_OK) {
    return vise_fail_in(err, VISE_EARG, what);
  }
  const bool is_object = json_is_object(value);
  json_decref(value);
  return is_object ? VISE_OK : vise_fail(err, VISE_EARG, "%s: is no JSON object", what);
}

/* Contents, manifest, record, layout and trailer in `tail`, and the hash. */
static vise_status encode_tail(vise_artifact_writer *w,
                               vise_buffer *tail,
                               vise_artifact_seal *seal,
                               const char *manifest,
                               const char *record,
                               vise_err *err) {
  VISE_TRY(vise_buffer_add_u32(tail, w->n_parts, err));
  VISE_TRY(vise_buffer_add_u32(tail, w->n_objects, err));
  VISE_TRY(vise_buffer_add_u32(tail, w->n_names, err));
  VISE_TRY(vise_buffer_add(tail, w->parts.data, w->parts.bytes, err));
  VISE_TRY(vise_buffer_add(tail, w->objects.data, w->objects.bytes, err));
  VISE_TRY(vise_buffer_add(tail, w->names.data, w->names.bytes, err));
  const size_t contents_bytes = tail->bytes;
  VISE_TRY(vise_buffer_add(tail, manifest, strlen(manifest), err));
  VISE_TRY(vise_buffer_add(tail, record, strlen(record), err));
  VISE_TRY(vise_buffer_add(tail, w->layout.data, w->layout.bytes, err));
  VISE_TRY(vise_buffer_add(tail, w->descriptions.data, w->descriptions.bytes, err));

  uint8_t contents_digest[VISE_SHA256_BYTES], manifest_digest[VISE_SHA256_BYTES];
  uint8_t tail_digest[VISE_SHA256_BYTES];
  vise_sha256(contents_digest, tail->data, contents_bytes);
  vise_sha256(manifest_digest, manifest, strlen(manifest));
  vise_container_hash(seal->hash, contents_digest, manifest_digest);
  vise_sha256(tail_digest, tail->data, tail->bytes);
  seal->bytes = w->end + tail->bytes + VISE_TRAILER_BYTES;

  uint8_t sealed[VISE_HEADER_BYTES + VISE_SEALED_BYTES], digest[VISE_SHA256_BYTES];
  vise_container_header(sealed);
  uint8_t *trailer = sealed + VISE_HEADER_BYTES;
  vise_store_u64(trailer, w->end);
  vise_store_u64(trailer + 8, contents_bytes);
  vise_store_u64(trailer + 16, strlen(manifest));
  vise_store_u64(trailer + 24, strlen(record));
  vise_store_u64(trailer + 32, w->layout.bytes + w->descriptions.bytes);
  vise_store_u64(trailer + 40, seal->bytes);
  memcpy(trailer + 48, tail_digest, sizeof tail_digest);
  memcpy(trailer + 80, seal->hash, sizeof seal->hash);
  vise_sha256(digest, sealed, sizeof sealed);
  VISE_TRY(vise_buffer_add(tail, trailer, VISE_SEALED_BYTES, err));
  VISE_TRY(vise_buffer_add(tail, digest, sizeof digest, err));
  return vise_buffer_add(tail, vise_container_end, sizeof vise_container_end, err);
}

static vise_status write_all(vise_artifact_writer *w,
                             vise_artifact_seal *seal,
                             const char *manifest,
                             const char *record,
                             vise_buffer *tail,
                             vise_err *err) {
  uint8_t header[VISE_HEADER_BYTES];
  vise_container_header(header);
  if (w->is_broken) {
    return vise_fail(err, VISE_EARG, "artifact: writing has failed before");
  }
  VISE_TRY(check_json("manifest", manifest, err));
  if (record[0] != '\0') {
    VISE_TRY(check_json("record", record, err));
  }
  VISE_TRY(vise_writer_run_batch(w, err)); /* codes what is left */
  VISE_TRY(vise_writer_run_batch(w, err)); /* and writes it */
  VISE_TRY(finish_objects(w, err));
  VISE_TRY(encode_tail(w, tail, seal, manifest, record, err));
  VISE_TRY(vise_file_writer_write_at(w->file, 0, header, sizeof header, err));
  VISE_TRY(vise_file_writer_write_at(w->file, w->end, tail->data, tail->bytes, err));
  VISE_TRY(vise_file_writer_truncate(w->file, seal->bytes, err)); /* of a last equal part */
  return vise_cancel_check(err);
}

vise_status vise_artifact_writer_commit(vise_artifact_writer *w,
                                        vise_artifact_seal *out,
                                        const char *manifest,
                                        const char *record,
                                        vise_err *err) {
  vise_buffer tail = {0};
  vise_artifact_seal seal = {0};
  vise_status st = write_all(w, &seal, manifest, record == NULL ? "" : record, &tail, err);
  if (st == VISE_OK) {
    vise_file_writer *file = w->file;
    w->file = NULL; /* freed by its commit, whatever comes of it */
    st = vise_file_writer_commit(file, w->options.is_synced, err);
  }
  if (st == VISE_OK && out != NULL) {
    *out = seal;
  }
  vise_buffer_free(&tail);
  vise_artifact_writer_abort(w);
  return st;
}
