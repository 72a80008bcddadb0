/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames go through two batches of slots. One parallel loop codes and hashes the frames of the
 * current batch while it writes those of the batch before, whose places are known by then. Between
 * loops, on one thread and in the order of the frames, each frame gets its place; so the bytes of
 * the file depend neither on threads nor on the size of a batch.
 *
 * A part's digest is known after its last frame. If an equal part is in the file already, the end
 * of the file moves back to where the part began: its frames that were written are written over,
 * those that were not never are.
 */
#include "artifact/artifact.h"
#include "artifact/container.h"
#include "artifact/frame.h"
#include "artifact/xxh64.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "io/json.h"

#include <string.h>

enum { SLOTS_PER_THREAD = 4, SLOTS_MIN = 8, SLOTS_MAX = 128 };

typedef struct slot {
  vise_tensor *tensor; /* retained: whose part the frame is of; NULL when free */
  const uint8_t *content;
  size_t content_bytes;
  int width;             /* of its planes, 0 for none */
  uint8_t *buffer;       /* owned, 1 MiB; NULL with coder raw */
  const uint8_t *stored; /* what to write: `buffer` or `content` */
  size_t stored_bytes;
  uint64_t check;
  uint8_t leaf[VISE_SHA256_BYTES];
  uint64_t offset, padding; /* of the stored bytes; zeros before them */
  bool is_last;             /* of its part */
  bool is_dropped;          /* its part is in the file already */
  vise_status status;
  vise_err err;
} slot;

typedef struct batch {
  slot *slots; /* owned, n_slots of them */
  int count;
} batch;

/* The part whose frames are coming in. */
typedef struct open_part {
  vise_buffer leaves; /* digests */
  vise_buffer stored; /* u32 each */
  vise_buffer checks; /* u64 each */
  uint64_t bytes, begin, end;
  int first_slot; /* of this batch that belongs to it */
  int width;
  bool is_open, is_coded; /* some frame is smaller than its content */
} open_part;

struct vise_artifact_writer {
  vise_file_writer *file; /* owned */
  vise_artifact_options options;
  bool is_broken;
  int n_slots;
  batch batches[2]; /* the current one and the one being written */
  int current;
  vise_frame_coder **coders; /* owned, one per thread */
  int n_coders;
  open_part part;
  uint64_t end; /* of the parts so far */
  uint32_t n_parts, n_objects, n_names;
  vise_digest_map part_map, object_map, name_map;
  vise_buffer parts, objects, names, layout, descriptions;
  vise_buffer numbers; /* u32: the parts of the object being added */
};

/* ---- frames ---- */

static void code_frame(vise_artifact_writer *w, slot *s, int worker) {
  vise_sha256(s->leaf, s->content, s->content_bytes);
  s->stored = s->content;
  s->stored_bytes = s->content_bytes;
  s->check = 0;
  s->status = VISE_OK;
  if (w->options.coder != VISE_CODER_ZSTD) {
    return;
  }
  s->status = vise_frame_encode(&s->stored_bytes, w->coders[worker], s->buffer, s->content,
                                s->content_bytes, s->width, w->options.level, &s->err);
  if (s->status == VISE_OK && s->stored_bytes < s->content_bytes) {
    s->stored = s->buffer;
    s->check = vise_xxh64(s->stored, s->stored_bytes);
  }
}

static void write_frame(vise_artifact_writer *w, slot *s) {
  static const uint8_t zeros[VISE_PART_ALIGN] = {0};
  s->status = VISE_OK;
  if (s->is_dropped) {
    return;
  }
  if (s->padding > 0) {
    s->status = vise_file_writer_write_at(w->file, s->offset - s->padding, zeros,
                                          (size_t)s->padding, &s->err);
  }
  if (s->status == VISE_OK) {
    s->status = vise_file_writer_write_at(w->file, s->offset, s->stored, s->stored_bytes, &s->err);
  }
}

/* Task 2i codes frame i of the current batch, task 2i + 1 writes frame i of the one before: writes
   to one file wait for each other, so they are spread among the tasks that need no file. */
static void run_task(void *arg, int64_t begin, int64_t end, int worker) {
  vise_artifact_writer *w = arg;
  for (int64_t task = begin; task < end; task++) {
    const int i = (int)(task / 2);
    batch *coded = &w->batches[w->current], *written = &w->batches[1 - w->current];
    if (task % 2 == 0 && i < coded->count) {
      code_frame(w, &coded->slots[i], worker);
    } else if (task % 2 == 1 && i < written->count) {
      write_frame(w, &written->slots[i]);
    }
  }
}

static vise_status first_failure(const batch *b, vise_err *err) {
  for (int i = 0; i < b->count; i++) {
    if (b->slots[i].status != VISE_OK) {
      return vise_fail(err, b->slots[i].status, "%s", b->slots[i].err.msg);
    }
  }
  return VISE_OK;
}

static void clear_batch(batch *b) {
  for (int i = 0; i < b->count; i++) {
    vise_tensor_release(b->slots[i].tensor);
    b->slots[i].tensor = NULL;
  }
  b->count = 0;
}

/* ---- parts ---- */

/* Number of the part that is complete, and a row of the layout if it is new. */
static vise_status close_part(vise_artifact_writer *w, batch *b, int last_slot, vise_err *err) {
  open_part *p = &w->part;
  const uint64_t n_frames = vise_container_frames(p->bytes);
  VISE_TRY(vise_buffer_add_u64(&p->leaves, p->bytes, err));
  uint8_t digest[VISE_SHA256_BYTES];
  vise_container_part_digest(digest, p->leaves.data, n_frames);
  int64_t number;
  VISE_TRY(vise_digest_map_intern(&number, &w->part_map, digest, w->n_parts, err));
  VISE_TRY(vise_buffer_add_u32(&w->numbers, (uint32_t)number, err));
  p->is_open = false;
  if (number < w->n_parts) {
    for (int i = p->first_slot; i <= last_slot; i++) {
      b->slots[i].is_dropped = true;
    }
    return VISE_OK;
  }
  w->n_parts++;
  w->end = p->end;
  VISE_TRY(vise_buffer_add_u64(&w->parts, p->bytes, err));
  VISE_TRY(vise_buffer_add(&w->parts, digest, sizeof digest, err));
  VISE_TRY(vise_buffer_add_u64(&w->layout, p->begin, err));
  VISE_TRY(vise_buffer_add_u8(&w->layout, p->is_coded ? VISE_CODER_ZSTD : VISE_CODER_RAW, err));
  VISE_TRY(vise_buffer_add_u8(&w->layout, p->is_coded ? (uint8_t)p->width : 0, err));
  if (n_frames > 1) {
    VISE_TRY(vise_buffer_add(&w->layout, p->leaves.data, p->leaves.bytes, err));
  }
  if (p->is_coded) {
    VISE_TRY(vise_buffer_add(&w->layout, p->stored.data, p->stored.bytes, err));
    VISE_TRY(vise_buffer_add(&w->layout, p->checks.data, p->checks.bytes, err));
  }
  return VISE_OK;
}

static void begin_part(vise_artifact_writer *w, uint64_t bytes, int width) {
  open_part *p = &w->part;
  uint64_t begin = w->end;
  if (w->options.coder == VISE_CODER_RAW && bytes > 0) {
    begin = (begin + VISE_PART_ALIGN - 1) / VISE_PART_ALIGN * VISE_PART_ALIGN;
  }
  p->leaves.bytes = p->stored.bytes = p->checks.bytes = 0;
  p->bytes = bytes;
  p->begin = p->end = begin;
  p->first_slot = 0;
  p->width = width;
  p->is_open = true;
  p->is_coded = false;
}

/* Give the coded frames of `b` their places, in order. */
static vise_status place_frames(vise_artifact_writer *w, batch *b, vise_err *err) {
  open_part *p = &w->part;
  p->first_slot = 0;
  for (int i = 0; i < b->count; i++) {
    slot *s = &b->slots[i];
    if (!p->is_open) {
      begin_part(w, vise_tensor_bytes(s->tensor), s->width);
      p->first_slot = i;
    }
    s->padding = p->end == p->begin ? p->begin - w->end : 0;
    s->offset = p->end;
    s->is_dropped = false;
    p->end += s->stored_bytes;
    p->is_coded = p->is_coded || s->stored_bytes < s->content_bytes;
    VISE_TRY(vise_buffer_add(&p->leaves, s->leaf, sizeof s->leaf, err));
    VISE_TRY(vise_buffer_add_u32(&p->stored, (uint32_t)s->stored_bytes, err));
    VISE_TRY(vise_buffer_add_u64(&p->checks, s->check, err));
    if (s->is_last) {
      VISE_TRY(close_part(w, b, i, err));
    }
  }
  return VISE_OK;
}

/* One coder per thread; their number may have grown since the last batch. */
static vise_status need_coders(vise_artifact_writer *w, vise_err *err) {
  if (w->n_coders < vise_threads()) {
    void *memory = w->coders;
    VISE_TRY(vise_mem_resize(&memory, (size_t)vise_threads() * sizeof *w->coders, err));
    w->coders = memory;
  }
  for (; w->n_coders < vise_threads(); w->n_coders++) {
    VISE_TRY(vise_frame_coder_create(&w->coders[w->n_coders], err));
  }
  return VISE_OK;
}

static vise_status run_batch(vise_artifact_writer *w, vise_err *err) {
  VISE_TRY(need_coders(w, err));
  batch *coded = &w->batches[w->current], *written = &w->batches[1 - w->current];
  const int n = coded->count > written->count ? coded->count : written->count;
  VISE_TRY(vise_parallel_for(2 * n, 1, run_task, w, err));
  VISE_TRY(first_failure(written, err));
  VISE_TRY(first_failure(coded, err));
  clear_batch(written);
  VISE_TRY(place_frames(w, coded, err));
  w->current = 1 - w->current;
  return VISE_OK;
}

static vise_status add_part(vise_artifact_writer *w, vise_tensor *t, vise_err *err) {
  const uint64_t bytes = vise_tensor_bytes(t);
  const vise_dtype dtype = vise_tensor_dtype(t);
  const bool has_planes = vise_dtype_is_float(dtype) && vise_dtype_bytes(dtype) > 1;
  const uint8_t *data = vise_tensor_data(t);
  const uint64_t n_frames = vise_container_frames(bytes);
  for (uint64_t i = 0; i < n_frames; i++) {
    batch *b = &w->batches[w->current];
    slot *s = &b->slots[b->count++];
    s->tensor = vise_tensor_retain(t);
    s->content = data + i * VISE_FRAME_BYTES;
    s->content_bytes = vise_container_frame_bytes(bytes, i);
    s->width = has_planes ? (int)vise_dtype_bytes(dtype) : 0;
    s->is_last = i == n_frames - 1;
    if (b->count == w->n_slots) {
      VISE_TRY(run_batch(w, err));
    }
  }
  if (n_frames == 0) {
    VISE_TRY(run_batch(w, err)); /* the parts before it come before it */
    begin_part(w, 0, 0);
    VISE_TRY(close_part(w, &w->batches[w->current], -1, err));
  }
  return VISE_OK;
}

/* ---- objects ---- */

static vise_status encode_array(vise_artifact_writer *w,
                                vise_buffer *out,
                                const vise_tensor *t,
                                uint32_t *next,
                                vise_err *err) {
  const int rank = vise_tensor_rank(t);
  VISE_TRY(vise_buffer_add_u8(out, vise_container_dtype_code(vise_tensor_dtype(t)), err));
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)rank, err));
  for (int i = 0; i < rank; i++) {
    VISE_TRY(vise_buffer_add_u64(out, (uint64_t)vise_tensor_dim(t, i), err));
  }
  const uint32_t *numbers = w->numbers.data; /* little-endian, as they go out again */
  return vise_buffer_add(out, &numbers[(*next)++], sizeof *numbers, err);
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

static vise_status encode_tree(
    vise_artifact_writer *w, vise_buffer *out, const vise_tree *t, uint32_t *next, vise_err *err) {
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
    VISE_TRY(encode_array(w, out, t->parts[i].tensor, next, err));
  }
  VISE_TRY(vise_buffer_add_u8(out, (uint8_t)t->n_children, err));
  for (int i = 0; i < t->n_children; i++) {
    VISE_TRY(encode_tree(w, out, t->children[i], next, err));
  }
  return VISE_OK;
}

static vise_status add_tree_parts(vise_artifact_writer *w, const vise_tree *t, vise_err *err) {
  for (int i = 0; i < t->n_parts; i++) {
    VISE_TRY(add_part(w, t->parts[i].tensor, err));
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

/* The object in `encoded` gets a number: that of an equal one if there is one. */
static vise_status intern_object(vise_artifact_writer *w,
                                 uint32_t *out,
                                 const vise_buffer *encoded,
                                 const char *description,
                                 vise_err *err) {
  uint8_t digest[VISE_SHA256_BYTES];
  vise_sha256(digest, encoded->data, encoded->bytes);
  int64_t number;
  VISE_TRY(vise_digest_map_intern(&number, &w->object_map, digest, w->n_objects, err));
  if (number == w->n_objects) {
    VISE_TRY(vise_buffer_add(&w->objects, encoded->data, encoded->bytes, err));
    VISE_TRY(vise_buffer_add_text(&w->descriptions, description, err));
    w->n_objects++;
  }
  *out = (uint32_t)number;
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
                              vise_buffer *encoded,
                              vise_err *err) {
  w->numbers.bytes = 0;
  VISE_TRY(tree != NULL ? add_tree_parts(w, tree, err) : add_part(w, t, err));
  VISE_TRY(run_batch(w, err)); /* so that the numbers of all parts are known */
  uint32_t next = 0, number = 0;
  VISE_TRY(
      vise_buffer_add_u8(encoded, tree != NULL ? VISE_OBJECT_WEIGHT : VISE_OBJECT_TENSOR, err));
  VISE_TRY(tree != NULL ? encode_tree(w, encoded, tree, &next, err)
                        : encode_array(w, encoded, t, &next, err));
  VISE_TRY(intern_object(w, &number, encoded, description, err));
  VISE_TRY(vise_buffer_add_text(&w->names, name, err));
  VISE_TRY(vise_buffer_add_u32(&w->names, number, err));
  w->n_names++;
  return VISE_OK;
}

static vise_status add(vise_artifact_writer *w,
                       const char *name,
                       const vise_tree *tree,
                       vise_tensor *t,
                       const char *description,
                       vise_err *err) {
  vise_buffer encoded = {0};
  vise_status st = intern_name(w, name, err);
  if (st == VISE_EARG) {
    return st;
  }
  if (st == VISE_OK) {
    st = add_object(w, name, tree, t, description, &encoded, err);
  }
  vise_buffer_free(&encoded);
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
  char description[VISE_NAME_MAX + 1];
  vise_weight_describe(weight, description, sizeof description);
  vise_tree *tree;
  VISE_TRY(vise_weight_save(weight, &tree, err));
  const vise_status st = vise_artifact_writer_add_tree(w, name, tree, description, err);
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
  VISE_TRY(run_batch(w, err)); /* writes what is left */
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

void vise_artifact_writer_abort(vise_artifact_writer *w) {
  if (w == NULL) {
    return;
  }
  vise_file_writer_abort(w->file);
  for (int b = 0; b < 2; b++) {
    clear_batch(&w->batches[b]);
    for (int i = 0; w->batches[b].slots != NULL && i < w->n_slots; i++) {
      vise_mem_free(w->batches[b].slots[i].buffer);
    }
    vise_mem_free(w->batches[b].slots);
  }
  for (int i = 0; i < w->n_coders; i++) {
    vise_frame_coder_free(w->coders[i]);
  }
  vise_mem_free(w->coders);
  vise_buffer *const buffers[] = {&w->part.leaves, &w->part.stored,  &w->part.checks,
                                  &w->parts,       &w->objects,      &w->names,
                                  &w->layout,      &w->descriptions, &w->numbers};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    vise_buffer_free(buffers[i]);
  }
  vise_digest_map_free(&w->part_map);
  vise_digest_map_free(&w->object_map);
  vise_digest_map_free(&w->name_map);
  vise_mem_free(w);
}

static vise_status create_slots(vise_artifact_writer *w, vise_err *err) {
  const int wanted = SLOTS_PER_THREAD * vise_threads();
  w->n_slots = wanted < SLOTS_MIN ? SLOTS_MIN : wanted > SLOTS_MAX ? SLOTS_MAX : wanted;
  for (int b = 0; b < 2; b++) {
    void *memory;
    VISE_TRY(vise_mem_zalloc(&memory, (size_t)w->n_slots * sizeof(slot), err));
    w->batches[b].slots = memory;
    for (int i = 0; i < w->n_slots && w->options.coder == VISE_CODER_ZSTD; i++) {
      VISE_TRY(vise_mem_alloc(&memory, VISE_FRAME_BYTES, err));
      w->batches[b].slots[i].buffer = memory;
    }
  }
  return VISE_OK;
}

vise_status vise_artifact_writer_create(vise_artifact_writer **out,
                                        const char *path,
                                        const vise_artifact_options *options,
                                        vise_err *err) {
  *out = NULL;
  if (options->level < VISE_ARTIFACT_LEVEL_MIN || options->level > VISE_ARTIFACT_LEVEL_MAX) {
    return vise_fail(err, VISE_EARG, "artifact: level is %d, expected %d to %d", options->level,
                     VISE_ARTIFACT_LEVEL_MIN, VISE_ARTIFACT_LEVEL_MAX);
  }
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_artifact_writer), err));
  vise_artifact_writer *w = memory;
  w->options = *options;
  w->end = VISE_HEADER_BYTES;
  vise_status st = create_slots(w, err);
  if (st == VISE_OK) {
    st = vise_file_writer_create(&w->file, path, err);
  }
  if (st != VISE_OK) {
    vise_artifact_writer_abort(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}
