/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an opened artifact, and what it costs. */
#include "artifact/artifact.h"
#include "artifact/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *vise_artifact_path(const vise_artifact *a) {
  return a->path;
}

uint64_t vise_artifact_bytes(const vise_artifact *a) {
  return a->file_bytes;
}

const uint8_t *vise_artifact_hash(const vise_artifact *a) {
  return a->hash;
}

const char *vise_artifact_manifest(const vise_artifact *a, size_t *bytes_out) {
  *bytes_out = (size_t)a->manifest_bytes;
  return (const char *)a->manifest;
}

const char *vise_artifact_record(const vise_artifact *a, size_t *bytes_out) {
  *bytes_out = (size_t)a->record_bytes;
  return (const char *)a->record;
}

int64_t vise_artifact_count(const vise_artifact *a) {
  return a->n_names;
}

static int compare_key(const void *key, const void *name) {
  return strcmp(key, (*(const vise_index_name *const *)name)->text);
}

int64_t vise_artifact_find(const vise_artifact *a, const char *name) {
  const vise_index_name *const *found =
      bsearch(name, a->by_name, (size_t)a->n_names, sizeof *a->by_name, compare_key);
  return found == NULL ? -1 : *found - a->names;
}

const char *vise_artifact_name_at(const vise_artifact *a, int64_t i) {
  return a->names[i].text;
}

bool vise_artifact_is_weight(const vise_artifact *a, int64_t i) {
  return a->objects[a->names[i].object].is_weight;
}

typedef struct part_visit {
  const vise_artifact *a;
  vise_artifact_part_fn *fn;
  void *arg;
} part_visit;

static const char *coder_name(const vise_index_part *p) {
  static const char *const names[2][2][2] = {
      {{"raw", "zstd"}, {"rans", "rans+zstd"}},
      {{"raw", "planes+zstd"}, {"planes+rans", "planes+rans+zstd"}},
  };
  return names[p->width != 0][p->has_rans][p->has_zstd];
}

static vise_status
visit_part(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err) {
  (void)tensor_out;
  (void)err;
  const part_visit *v = arg;
  const vise_index_part *p = &v->a->parts[use->part];
  const vise_artifact_part part = {
      .name = use->place,
      .dtype = use->dtype,
      .rank = use->rank,
      .shape = use->shape,
      .packed_bytes = p->bytes,
      .coded_bytes = p->stored_bytes,
      .coder = coder_name(p),
      .is_first = p->first_use == use->use,
      .entropy_bytes = v->a->has_entropy ? (int64_t)p->entropy_bytes : -1,
  };
  v->fn(v->arg, &part);
  return VISE_OK;
}

void vise_artifact_each_part(const vise_artifact *a,
                             int64_t i,
                             vise_artifact_part_fn *fn,
                             void *arg) {
  part_visit v = {a, fn, arg};
  /* What was walked at opening walks again. The walk changes nothing when it builds nothing. */
  const vise_status st = vise_index_walk((vise_artifact *)(uintptr_t)a, a->names[i].object, NULL,
                                         NULL, NULL, visit_part, &v, NULL);
  (void)st;
}

/* A tensor without elements in place of each part: what a description needs is its dtype. */
static vise_status
stand_in(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err) {
  (void)arg;
  return vise_tensor_create(tensor_out, use->dtype, 1, (const int64_t[]){0}, err);
}

/* What the file says of it for people lies outside the artifact hash, so it is made again. */
static void describe(const vise_artifact *a, int64_t object, char *out, size_t out_bytes) {
  vise_tree *tree = NULL;
  vise_tensor *t = NULL;
  vise_status st =
      vise_index_walk((vise_artifact *)(uintptr_t)a, object, &tree, &t, NULL, stand_in, NULL, NULL);
  snprintf(out, out_bytes, "%s", t != NULL ? vise_dtype_name(vise_tensor_dtype(t)) : "");
  if (st == VISE_OK && tree != NULL) {
    st = vise_weight_describe_tree(tree, out, out_bytes, NULL);
  }
  if (st != VISE_OK) {
    snprintf(out, out_bytes, "%s", a->objects[object].kind);
  }
  vise_tree_free(tree);
  vise_tensor_release(t);
}

static void add_bytes(void *arg, const vise_artifact_part *part) {
  vise_artifact_entry *e = arg;
  e->packed_bytes += part->packed_bytes;
  e->coded_bytes += part->is_first ? part->coded_bytes : 0;
  e->entropy_bytes += part->is_first ? part->entropy_bytes : 0;
}

vise_artifact_entry vise_artifact_entry_at(const vise_artifact *a, int64_t i) {
  const vise_index_object *o = &a->objects[a->names[i].object];
  vise_artifact_entry e = {.name = a->names[i].text, .is_weight = o->is_weight, .kind = o->kind};
  describe(a, a->names[i].object, e.description, sizeof e.description);
  vise_artifact_each_part(a, i, add_bytes, &e);
  if (o->first_name != i) {
    e.same_as = a->names[o->first_name].text;
    e.coded_bytes = 0;
    e.entropy_bytes = 0;
  }
  if (!a->has_entropy) {
    e.entropy_bytes = -1;
  }
  return e;
}
