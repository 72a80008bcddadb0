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
#include "artifact/writer.h"

#include "artifact/xxh64.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <stdatomic.h>
#include <string.h>

enum { SLOTS_PER_THREAD = 4, SLOTS_MIN = 8, SLOTS_MAX = 128 };

typedef vise_writer_slot slot;
typedef vise_writer_batch batch;
typedef vise_writer_part open_part;

/* ---- frames ---- */

/* Its leaf is hashed already. */
static void code_frame(vise_artifact_writer *w, slot *s, int worker) {
  s->stored = s->content;
  s->check = 0;
  s->status = vise_frame_encode(&s->form, w->coders[worker], s->buffer, s->content,
                                s->content_bytes, s->width, &w->options, &s->err);
  if (s->status == VISE_OK && s->form.coder != VISE_CODER_RAW) {
    s->stored = s->buffer;
    s->check = vise_xxh64(s->stored, s->form.bytes);
  }
}

/* One or two frames, whose leaves are hashed side by side. */
static void code_frames(vise_artifact_writer *w, slot *s, int n, int worker) {
  if (n == 2) {
    vise_sha256_pair(s[0].leaf, s[0].content, s[0].content_bytes, s[1].leaf, s[1].content,
                     s[1].content_bytes);
  } else {
    vise_sha256(s[0].leaf, s[0].content, s[0].content_bytes);
  }
  for (int i = 0; i < n; i++) {
    code_frame(w, &s[i], worker);
  }
}

/* The frame is done with: pages of a mapped tensor are let go, so that a model passes through. */
static void write_frame(vise_artifact_writer *w, slot *s) {
  static const uint8_t zeros[VISE_PART_ALIGN] = {0};
  s->status = VISE_OK;
  if (!s->is_dropped && s->padding > 0) {
    s->status = vise_file_writer_write_at(w->file, s->offset - s->padding, zeros,
                                          (size_t)s->padding, &s->err);
  }
  if (!s->is_dropped && s->status == VISE_OK) {
    s->status = vise_file_writer_write_at(w->file, s->offset, s->stored, s->form.bytes, &s->err);
  }
  if (vise_tensor_is_mapped(s->tensor)) {
    vise_file_drop_pages(s->content, s->content_bytes);
  }
}

/* What the threads that run a batch share. */
typedef struct sharing {
  vise_artifact_writer *w;
  batch *coded, *written;
  atomic_int next_coded, next_written;
  atomic_flag is_writing; /* by one thread at a time: others would only wait for the file */
} sharing;

static bool write_next(sharing *a) {
  if (atomic_load(&a->next_written) >= a->written->count ||
      atomic_flag_test_and_set_explicit(&a->is_writing, memory_order_acquire)) {
    return false;
  }
  const int i = atomic_fetch_add(&a->next_written, 1);
  if (i < a->written->count) {
    write_frame(a->w, &a->written->slots[i]);
  }
  atomic_flag_clear_explicit(&a->is_writing, memory_order_release);
  return true;
}

static bool code_next(sharing *a, int worker) {
  const int i = atomic_fetch_add(&a->next_coded, 2);
  if (i >= a->coded->count) {
    return false;
  }
  code_frames(a->w, &a->coded->slots[i], a->coded->count - i < 2 ? 1 : 2, worker);
  return true;
}

/* Whoever finds the file free writes; the others code. A thread that finds neither to do is done:
   what is left is in the hands of the one that writes. */
static void run_thread(void *arg, int64_t begin, int64_t end, int worker) {
  (void)begin;
  (void)end;
  while (!vise_cancelled() && (write_next(arg) || code_next(arg, worker))) {
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
  VISE_TRY(vise_buffer_add_u8(&w->layout, p->is_coded ? VISE_PART_CODED : VISE_PART_RAW, err));
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
    p->end += s->form.bytes;
    p->is_coded = p->is_coded || s->form.coder != VISE_CODER_RAW;
    VISE_TRY(vise_buffer_add(&p->leaves, s->leaf, sizeof s->leaf, err));
    const uint32_t by = s->form.coder == VISE_CODER_RANS ? VISE_FRAME_BY_RANS : 0;
    VISE_TRY(vise_buffer_add_u32(&p->stored, (uint32_t)s->form.bytes | by, err));
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

vise_status vise_writer_run_batch(vise_artifact_writer *w, vise_err *err) {
  VISE_TRY(need_coders(w, err));
  batch *coded = &w->batches[w->current], *written = &w->batches[1 - w->current];
  sharing a = {.w = w, .coded = coded, .written = written, .is_writing = ATOMIC_FLAG_INIT};
  VISE_TRY(vise_parallel_for(vise_threads(), 1, run_thread, &a, err));
  VISE_TRY(vise_cancel_check(err)); /* some frames were left */
  VISE_TRY(first_failure(written, err));
  VISE_TRY(first_failure(coded, err));
  clear_batch(written);
  VISE_TRY(place_frames(w, coded, err));
  w->current = 1 - w->current;
  return VISE_OK;
}

vise_status vise_writer_add_part(vise_artifact_writer *w, vise_tensor *t, vise_err *err) {
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
      VISE_TRY(vise_writer_run_batch(w, err));
    }
  }
  if (n_frames == 0) {
    VISE_TRY(vise_writer_run_batch(w, err)); /* the parts before it come before it */
    begin_part(w, 0, 0);
    VISE_TRY(close_part(w, &w->batches[w->current], -1, err));
  }
  return VISE_OK;
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
  vise_buffer *const buffers[] = {
      &w->part.leaves, &w->part.stored, &w->part.checks,  &w->parts,   &w->objects,
      &w->names,       &w->layout,      &w->descriptions, &w->numbers, &w->encoded,
      &w->gaps,        &w->drafts,      &w->texts};
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
    for (int i = 0; i < w->n_slots && w->options.coder != VISE_CODER_RAW; i++) {
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
