/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/index.h -- an opened artifact: its tables, parsed and checked. Internal to this folder.
 *
 *   part    distinct content, where its frames lie and what they must hash to
 *   object  a tensor or a tree of parts, parsed again from its bytes when it is asked for
 *   name    of an object; several may name one
 */
#ifndef VISE_ARTIFACT_INDEX_H
#define VISE_ARTIFACT_INDEX_H

#include "artifact/artifact.h"
#include "artifact/container.h"
#include "artifact/frame.h"

enum { VISE_PLACE_MAX = 3 * VISE_TREE_DEPTH + VISE_TREE_NAME };

typedef struct vise_index_part {
  uint64_t bytes, begin, stored_bytes;
  uint64_t padding; /* zeros before it */
  uint64_t n_frames;
  const uint8_t *digest;   /* all borrowed from the file */
  const uint8_t *leaves;   /* digests of frames; NULL when there is only one */
  const uint8_t *sizes;    /* u32 stored bytes and coder of frames; NULL if all are raw */
  const uint8_t *checks;   /* u64 */
  int width;               /* of its planes, 0 for none */
  bool has_rans, has_zstd; /* among its frames */
  int64_t first_use;       /* counting all uses in the order of objects; -1 until found */
  int64_t first_object;
  uint64_t entropy_bytes; /* once they have been measured */
  bool is_verified;       /* of raw parts, once its frames have been checked */
} vise_index_part;

typedef struct vise_index_object {
  const uint8_t *at; /* borrowed: its encoding, after the type */
  bool is_weight;
  char kind[VISE_TREE_NAME];
  int64_t first_use; /* of parts, as above, before this object */
  int64_t first_name;
  int64_t n_names;
  vise_weight *weight; /* retained once opened, when it has several names */
} vise_index_object;

typedef struct vise_index_name {
  const char *text; /* borrowed from `names_text` */
  int64_t object;
} vise_index_name;

struct vise_artifact {
  char *path;            /* owned */
  vise_storage *storage; /* retained: the whole file */
  const uint8_t *data;
  uint64_t file_bytes;
  const uint8_t *contents, *manifest, *record, *layout; /* borrowed from the file */
  uint64_t tail_begin, contents_bytes, manifest_bytes, record_bytes, layout_bytes;
  const uint8_t *hash;
  int64_t n_parts, n_objects, n_names;
  vise_index_part *parts;          /* owned */
  vise_index_object *objects;      /* owned */
  vise_index_name *names;          /* owned, in the order of the file */
  const vise_index_name **by_name; /* owned, sorted by text */
  char *names_text;                /* owned */
  bool has_entropy;                /* of its parts */
};

/* The form of frame `i` of a part. */
vise_frame_form vise_index_form(const vise_index_part *p, uint64_t i);

/* Parse and check the index of `a`, of which path, storage, data and file_bytes are set.
   Messages lack the path. */
vise_status vise_index_parse(vise_artifact *a, vise_err *err) VISE_MUST_USE;
void vise_index_free(vise_artifact *a);

/* One use of a part by an object. */
typedef struct vise_index_use {
  const char *place; /* "codes", "2.codes"; "" for a tensor */
  vise_dtype dtype;
  int rank;
  int64_t shape[VISE_RANK_MAX];
  int64_t part, use;
} vise_index_use;

/* Called for each use. `*tensor_out` is NULL on entry; whoever builds sets it to an owned tensor.
 */
typedef vise_status
vise_index_use_fn(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err);

/*
 * Walk object `i` through the uses of its parts, in order.
 *
 * tree_out     NULL, or gets the tree of a weight, whose parts are what `fn` made; owned
 * tensor_out   NULL, or gets what `fn` made for the one part of a tensor; owned
 * end_out      NULL, or gets the byte after the object
 *
 * Errors: VISE_EFORMAT; those of `fn`; VISE_ENOMEM.
 */
vise_status vise_index_walk(vise_artifact *a,
                            int64_t i,
                            vise_tree **tree_out,
                            vise_tensor **tensor_out,
                            const uint8_t **end_out,
                            vise_index_use_fn *fn,
                            void *arg,
                            vise_err *err) VISE_MUST_USE;

/* Digests as the file says and as computed. Fuzzers compile this to true, to get behind it. */
bool vise_index_same_digest(const uint8_t *a, const uint8_t *b, size_t bytes);

#endif
