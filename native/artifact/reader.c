/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is asked for becomes a list of frames. They are checked in parallel, each decoded to
 * where its content belongs; of those that fail, the first in the list is reported. A part whose
 * frames lie in the file as they are is checked once and then used where it lies. Pages of the
 * mapping that have been copied or only looked at are let go at once: reading a large model frame
 * by frame takes no more memory than what is kept of it.
 */
#include "artifact/artifact.h"
#include "artifact/entropy.h"
#include "artifact/index.h"
#include "artifact/xxh64.h"
#include "core/bytes.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One frame to check; `out` is NULL when its content is not wanted. */
typedef struct job {
  const vise_index_part *part;
  uint64_t frame, offset;
  vise_frame_form form;
  uint8_t *out;
  vise_status status;
} job;

typedef struct job_list {
  vise_artifact *a;
  vise_buffer jobs;
  vise_frame_coder **coders; /* owned, one per thread */
  uint8_t **scratch;         /* owned: a frame per thread, for content that is not wanted */
  int n_threads;
  bool is_verifying;        /* nothing of what is looked at is used afterwards */
  vise_byte_counts *counts; /* NULL, or of each part of the artifact */
} job_list;

static int64_t count_jobs(const job_list *l) {
  return (int64_t)(l->jobs.bytes / sizeof(job));
}

static vise_status add_jobs(job_list *l, const vise_index_part *p, uint8_t *out, vise_err *err) {
  uint64_t offset = p->begin;
  for (uint64_t i = 0; i < p->n_frames; i++) {
    const vise_frame_form form = vise_index_form(p, i);
    const job j = {.part = p,
                   .frame = i,
                   .offset = offset,
                   .form = form,
                   .out = out == NULL ? NULL : out + i * VISE_FRAME_BYTES};
    VISE_TRY(vise_buffer_add(&l->jobs, &j, sizeof j, err));
    offset += form.bytes;
  }
  return VISE_OK;
}

static vise_status check_padding(const vise_artifact *a, const vise_index_part *p, vise_err *err) {
  for (uint64_t at = p->begin - p->padding; at < p->begin; at++) {
    if (a->data[at] != 0) {
      return vise_fail(err, VISE_EFORMAT, "has a byte before it, %" PRIu64 ", that is not zero",
                       at);
    }
  }
  return VISE_OK;
}

static vise_status
check_content(const job *j, const uint8_t *content, size_t bytes, vise_err *err) {
  uint8_t hashed[VISE_SHA256_BYTES + 8], digest[VISE_SHA256_BYTES];
  vise_sha256(hashed, content, bytes);
  const uint8_t *expected = j->part->digest, *actual = digest;
  if (j->part->leaves != NULL) {
    expected = j->part->leaves + j->frame * VISE_SHA256_BYTES;
    actual = hashed;
  } else {
    vise_store_u64(hashed + VISE_SHA256_BYTES, j->part->bytes);
    vise_container_part_digest(digest, hashed, 1);
  }
  if (!vise_index_same_digest(actual, expected, VISE_SHA256_BYTES)) {
    return vise_fail(err, VISE_EFORMAT, "does not match its digest");
  }
  return VISE_OK;
}

/* `*content_out` is valid until the next job of this worker. */
static vise_status run_job(const uint8_t **content_out,
                           const vise_artifact *a,
                           const job *j,
                           vise_frame_coder *coder,
                           uint8_t *scratch,
                           vise_err *err) {
  const vise_index_part *p = j->part;
  if (j->frame == 0) {
    VISE_TRY(check_padding(a, p, err));
  }
  const size_t bytes = vise_container_frame_bytes(p->bytes, j->frame);
  const uint8_t *stored = a->data + j->offset;
  if (j->form.coder == VISE_CODER_RAW) {
    *content_out = stored;
    VISE_TRY(check_content(j, stored, bytes, err));
    if (j->out != NULL) {
      memcpy(j->out, stored, bytes);
    }
    return VISE_OK;
  }
  uint8_t check[8];
  vise_store_u64(check, vise_xxh64(stored, j->form.bytes));
  if (!vise_index_same_digest(check, p->checks + 8 * j->frame, sizeof check)) {
    return vise_fail(err, VISE_EFORMAT, "does not match its checksum");
  }
  uint8_t *out = j->out != NULL ? j->out : scratch;
  *content_out = out;
  VISE_TRY(vise_frame_decode(coder, out, bytes, stored, j->form, p->width, err));
  return check_content(j, out, bytes, err);
}

static void run_jobs_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  job_list *l = arg;
  job *jobs = l->jobs.data;
  for (int64_t i = begin; i < end; i++) {
    const vise_index_part *p = jobs[i].part;
    const uint8_t *content;
    jobs[i].status = run_job(&content, l->a, &jobs[i], l->coders[worker], l->scratch[worker], NULL);
    if (jobs[i].status == VISE_OK && l->counts != NULL) {
      vise_byte_counts_add(&l->counts[p - l->a->parts], content,
                           vise_container_frame_bytes(p->bytes, jobs[i].frame));
    }
    if (vise_storage_is_mapped(l->a->storage) && (l->is_verifying || jobs[i].out != NULL)) {
      vise_file_drop_pages(l->a->data + jobs[i].offset, jobs[i].form.bytes);
    }
  }
}

static vise_status create_threads(job_list *l, vise_err *err) {
  const int n = vise_threads();
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, (size_t)n * sizeof *l->coders, err));
  l->coders = memory;
  VISE_TRY(vise_mem_zalloc(&memory, (size_t)n * sizeof *l->scratch, err));
  l->scratch = memory;
  for (; l->n_threads < n; l->n_threads++) {
    VISE_TRY(vise_frame_coder_create(&l->coders[l->n_threads], err));
    const vise_status st = vise_mem_alloc(&memory, VISE_FRAME_BYTES, err);
    if (st != VISE_OK) {
      vise_frame_coder_free(l->coders[l->n_threads]);
      return st;
    }
    l->scratch[l->n_threads] = memory;
  }
  return VISE_OK;
}

static void free_jobs(job_list *l) {
  for (int i = 0; i < l->n_threads; i++) {
    vise_frame_coder_free(l->coders[i]);
    vise_mem_free(l->scratch[i]);
  }
  vise_mem_free(l->coders);
  vise_mem_free(l->scratch);
  vise_buffer_free(&l->jobs);
}

/* ---- naming the place of a frame ---- */

typedef struct place {
  const vise_index_part *part;
  const vise_artifact *a;
  char text[VISE_PLACE_MAX];
  bool is_found;
} place;

static vise_status
note_place(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err) {
  (void)tensor_out;
  (void)err;
  place *p = arg;
  if (!p->is_found && &p->a->parts[use->part] == p->part) {
    p->is_found = true;
    snprintf(p->text, sizeof p->text, "%s", use->place);
  }
  return VISE_OK;
}

/* "part 'codes' of 'layers.0.mlp.down': frame 3 " and what is wrong with it, after the path. */
static vise_status
fail_at(vise_artifact *a, const job *j, vise_status status, const char *what, vise_err *err) {
  place p = {.part = j->part, .a = a};
  const int64_t object = j->part->first_object;
  VISE_TRY(vise_index_walk(a, object, NULL, NULL, NULL, note_place, &p, err));
  const char *name = a->names[a->objects[object].first_name].text;
  if (a->objects[object].is_weight) {
    return vise_fail(err, status, "%s: part '%s' of '%s': frame %" PRIu64 " %s", a->path, p.text,
                     name, j->frame, what);
  }
  return vise_fail(err, status, "%s: tensor '%s': frame %" PRIu64 " %s", a->path, name, j->frame,
                   what);
}

static vise_status run_jobs(job_list *l, vise_err *err) {
  if (count_jobs(l) == 0) {
    return VISE_OK;
  }
  VISE_TRY(create_threads(l, err));
  VISE_TRY(vise_parallel_for(count_jobs(l), 1, run_jobs_chunk, l, err));
  const job *jobs = l->jobs.data;
  for (int64_t i = 0; i < count_jobs(l); i++) {
    if (jobs[i].status != VISE_OK) {
      vise_err inner; /* once more, for the words */
      const uint8_t *content;
      const vise_status st = run_job(&content, l->a, &jobs[i], l->coders[0], l->scratch[0], &inner);
      if (st == VISE_OK || st == VISE_ENOMEM) {
        return vise_fail(err, VISE_ENOMEM, "out of memory reading %s", l->a->path);
      }
      return fail_at(l->a, &jobs[i], st, inner.msg, err);
    }
  }
  return VISE_OK;
}

/* ---- opening ---- */

vise_status
vise_artifact_create(vise_artifact **out, vise_storage *storage, const char *path, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_artifact), err));
  vise_artifact *a = memory;
  a->storage = vise_storage_retain(storage);
  a->data = vise_storage_data(storage);
  a->file_bytes = vise_storage_bytes(storage);
  vise_status st = vise_mem_strdup(&a->path, path, strlen(path), err);
  if (st == VISE_OK) {
    st = vise_index_parse(a, err);
    if (st != VISE_OK && st != VISE_ENOMEM) {
      vise_fail_in(err, st, path);
    }
  }
  if (st != VISE_OK) {
    vise_artifact_close(a);
    return st;
  }
  *out = a;
  return VISE_OK;
}

vise_status vise_artifact_open(vise_artifact **out, const char *path, vise_err *err) {
  *out = NULL;
  vise_storage *storage;
  VISE_TRY(vise_storage_open(&storage, path, err));
  const vise_status st = vise_artifact_create(out, storage, path, err);
  vise_storage_release(storage);
  return st;
}

void vise_artifact_close(vise_artifact *a) {
  if (a != NULL) {
    vise_index_free(a);
    vise_storage_release(a->storage);
    vise_mem_free(a->path);
    vise_mem_free(a);
  }
}

/* ---- content ---- */

/* A tensor of a use: a view of the file, or memory that the jobs will fill. */
static vise_status
use_tensor(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err) {
  job_list *l = arg;
  vise_index_part *p = &l->a->parts[use->part];
  const bool is_in_place = p->sizes == NULL && p->n_frames > 0 &&
                           (uintptr_t)(l->a->data + p->begin) % vise_dtype_bytes(use->dtype) == 0;
  if (is_in_place) {
    VISE_TRY(vise_tensor_over(tensor_out, l->a->storage, (size_t)p->begin, use->dtype, use->rank,
                              use->shape, err));
    return p->is_verified ? VISE_OK : add_jobs(l, p, NULL, err);
  }
  VISE_TRY(vise_tensor_create(tensor_out, use->dtype, use->rank, use->shape, err));
  return add_jobs(l, p, vise_tensor_data(*tensor_out), err);
}

static void mark_verified(job_list *l) {
  const job *jobs = l->jobs.data;
  for (int64_t i = 0; i < count_jobs(l); i++) {
    l->a->parts[jobs[i].part - l->a->parts].is_verified = jobs[i].part->sizes == NULL;
  }
}

/* The tree or tensor of an object, its content checked. */
static vise_status load(vise_artifact *a,
                        int64_t object,
                        vise_tree **tree_out,
                        vise_tensor **tensor_out,
                        vise_err *err) {
  job_list l = {.a = a};
  vise_status st = vise_index_walk(a, object, tree_out, tensor_out, NULL, use_tensor, &l, err);
  if (st == VISE_OK) {
    st = run_jobs(&l, err);
  } else if (st != VISE_ENOMEM) {
    vise_fail_in(err, st, a->path);
  }
  if (st == VISE_OK) {
    mark_verified(&l);
  }
  free_jobs(&l);
  return st;
}

static vise_status check_sort(const vise_artifact *a, int64_t i, bool is_weight, vise_err *err) {
  if (a->objects[a->names[i].object].is_weight == is_weight) {
    return VISE_OK;
  }
  return vise_fail(err, VISE_EARG, "%s: '%s' is a %s, expected a %s", a->path, a->names[i].text,
                   is_weight ? "tensor" : "weight", is_weight ? "weight" : "tensor");
}

vise_status vise_artifact_tree(vise_tree **out, vise_artifact *a, int64_t i, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_sort(a, i, true, err));
  vise_tree *tree = NULL;
  const vise_status st = load(a, a->names[i].object, &tree, NULL, err);
  if (st != VISE_OK) {
    vise_tree_free(tree);
    return st;
  }
  *out = tree;
  return VISE_OK;
}

static vise_status load_weight(vise_weight **out, vise_artifact *a, int64_t i, vise_err *err) {
  vise_tree *tree;
  vise_status st = vise_artifact_tree(&tree, a, i, err);
  if (st == VISE_OK) {
    st = vise_weight_load(out, tree, err);
    if (st != VISE_OK && st != VISE_ENOMEM) {
      st = VISE_EFORMAT; /* whatever the kind called it: it is the file's fault */
      char prefix[VISE_NAME_MAX + 16];
      snprintf(prefix, sizeof prefix, "weight '%s'", a->names[i].text);
      vise_fail_in(err, st, prefix);
      vise_fail_in(err, st, a->path);
    }
  }
  vise_tree_free(tree);
  return st;
}

vise_status vise_artifact_weight(vise_weight **out, vise_artifact *a, int64_t i, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_sort(a, i, true, err));
  vise_index_object *o = &a->objects[a->names[i].object];
  if (o->weight == NULL) {
    VISE_TRY(load_weight(out, a, i, err));
    if (o->n_names > 1) {
      o->weight = vise_weight_retain(*out);
    }
    return VISE_OK;
  }
  *out = vise_weight_retain(o->weight);
  return VISE_OK;
}

vise_status vise_artifact_tensor(vise_tensor **out, vise_artifact *a, int64_t i, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_sort(a, i, false, err));
  vise_tensor *t = NULL;
  const vise_status st = load(a, a->names[i].object, NULL, &t, err);
  if (st != VISE_OK) {
    vise_tensor_release(t);
    return st;
  }
  *out = t;
  return VISE_OK;
}

/* Check every frame; with `counts`, of each part, count its bytes. */
static vise_status check_all(vise_artifact *a, vise_byte_counts *counts, vise_err *err) {
  job_list l = {.a = a, .is_verifying = true, .counts = counts};
  vise_status st = VISE_OK;
  for (int64_t i = 0; i < a->n_parts && st == VISE_OK; i++) {
    st = add_jobs(&l, &a->parts[i], NULL, err);
  }
  if (st == VISE_OK) {
    st = run_jobs(&l, err);
  }
  if (st == VISE_OK) {
    mark_verified(&l);
  }
  free_jobs(&l);
  return st;
}

vise_status vise_artifact_verify(vise_artifact *a, vise_err *err) {
  return check_all(a, NULL, err);
}

vise_status vise_artifact_measure_entropy(vise_artifact *a, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, a->n_parts, sizeof(vise_byte_counts), err));
  vise_byte_counts *counts = memory;
  memset(counts, 0, (size_t)a->n_parts * sizeof *counts);
  const vise_status st = check_all(a, counts, err);
  for (int64_t i = 0; i < a->n_parts && st == VISE_OK; i++) {
    a->parts[i].entropy_bytes = vise_byte_counts_entropy(&counts[i]);
  }
  a->has_entropy = a->has_entropy || st == VISE_OK;
  vise_mem_free(counts);
  return st;
}
