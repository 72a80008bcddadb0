/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/artifact.h -- one `.vise` file: named weights and tensors, sealed with their hashes.
 *
 *   header | parts, in frames of 1 MiB of content | contents | manifest | record | layout | trailer
 *
 * share/doc/artifact.md is the format to the byte. The file stores trees (weight/tree.h) and knows
 * no kind. Equal parts are stored once, by content; weights whose trees are equal are one weight
 * under several names. Every byte of the file is covered by a digest, and the parts by one per
 * frame, so that one tensor can be read and trusted without the rest.
 *
 * The artifact hash covers names, trees, contents of parts and the manifest. It does not depend on
 * the coder, its level and version, on threads, CPU level, time or path.
 *
 * Messages start with the path and name the place.
 */
#ifndef VISE_ARTIFACT_ARTIFACT_H
#define VISE_ARTIFACT_ARTIFACT_H

#include "core/hash.h"
#include "core/status.h"
#include "tensor/tensor.h"
#include "weight/weight.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- writing ---- */

/* In the order of the time they take. */
typedef enum vise_artifact_coder {
  VISE_CODER_RAW, /* parts lie in the file as in memory, and open as views of it */
  VISE_CODER_RANS,
  VISE_CODER_ZSTD,
} vise_artifact_coder;

typedef struct vise_artifact_options {
  vise_artifact_coder coder; /* of each frame: this or one before it, whichever is smallest */
  int level;                 /* of zstd, in [VISE_ARTIFACT_LEVEL_MIN, VISE_ARTIFACT_LEVEL_MAX] */
  bool is_synced;            /* commit waits until the disk has the file */
} vise_artifact_options;

enum { VISE_ARTIFACT_LEVEL_MIN = -50, VISE_ARTIFACT_LEVEL_MAX = 19 };

typedef struct vise_artifact_writer vise_artifact_writer;

typedef struct vise_artifact_seal {
  uint64_t bytes;                  /* of the file */
  uint8_t hash[VISE_SHA256_BYTES]; /* the artifact hash */
} vise_artifact_seal;

/*
 * Begin the file that will replace `path`.
 *
 * out    owned; ends with commit or abort. Until commit nothing appears under `path`.
 *
 * Memory: two frames per slot (4 slots per thread, at least 8), and the weight being added.
 * Errors: VISE_EARG level out of range; VISE_EIO; VISE_ENOMEM.
 */
vise_status vise_artifact_writer_create(vise_artifact_writer **out,
                                        const char *path,
                                        const vise_artifact_options *options,
                                        vise_err *err) VISE_MUST_USE;

/*
 * Add a weight or tensor under `name`: 1 to 255 bytes of UTF-8 without control characters, new in
 * this file. `t` may have any strides; it is retained until its last frame is written, which a
 * later call may do.
 *
 * After a failure other than VISE_EARG only abort and commit (which then fails) may follow.
 * Errors: VISE_EARG the name; VISE_EIO; VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_artifact_writer_add_weight(vise_artifact_writer *w,
                                            const char *name,
                                            const vise_weight *weight,
                                            vise_err *err) VISE_MUST_USE;
vise_status vise_artifact_writer_add_tensor(vise_artifact_writer *w,
                                            const char *name,
                                            vise_tensor *t,
                                            vise_err *err) VISE_MUST_USE;

/* The same for a tree that no weight of ours made; `description` is for people. Borrowed. */
vise_status vise_artifact_writer_add_tree(vise_artifact_writer *w,
                                          const char *name,
                                          const vise_tree *tree,
                                          const char *description,
                                          vise_err *err) VISE_MUST_USE;

/*
 * Write the rest, rename into place and free `w`, also on failure, after which `path` is as before.
 *
 * out        may be NULL
 * manifest   text of a JSON object: what the artifact is and how to make it again. Hashed, so it
 *            holds no time, host, path or thread count.
 * record     text of a JSON object, or NULL: when, where and by what it was made. Not hashed.
 *
 * Errors: VISE_EARG manifest or record is no JSON object; VISE_EIO; VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_artifact_writer_commit(vise_artifact_writer *w,
                                        vise_artifact_seal *out,
                                        const char *manifest,
                                        const char *record,
                                        vise_err *err) VISE_MUST_USE;
void vise_artifact_writer_abort(vise_artifact_writer *w); /* leaves nothing; accepts NULL */

/* ---- reading ---- */

typedef struct vise_artifact vise_artifact;

/*
 * Map the file at `path` and check everything but the content of parts.
 *
 * out    owned, close with vise_artifact_close(); weights and tensors of it may live longer.
 *
 * Errors: VISE_EIO; VISE_EFORMAT; VISE_ENOMEM.
 */
vise_status vise_artifact_open(vise_artifact **out, const char *path, vise_err *err) VISE_MUST_USE;

/* The same over bytes that are already here; `storage` is retained, `path` only names them. */
vise_status vise_artifact_create(vise_artifact **out,
                                 vise_storage *storage,
                                 const char *path,
                                 vise_err *err) VISE_MUST_USE;

void vise_artifact_close(vise_artifact *a); /* accepts NULL */

const char *vise_artifact_path(const vise_artifact *a);    /* borrowed, as are all strings here */
uint64_t vise_artifact_bytes(const vise_artifact *a);      /* of the file */
const uint8_t *vise_artifact_hash(const vise_artifact *a); /* VISE_SHA256_BYTES */
const char *vise_artifact_manifest(const vise_artifact *a,
                                   size_t *bytes_out);                       /* no NUL at its end */
const char *vise_artifact_record(const vise_artifact *a, size_t *bytes_out); /* 0 bytes if none */

/* One name, in the order in which they were added. Coded bytes are counted where a part is first
   used, so that the sum over all entries plus header, padding and index is the size of the file. */
typedef struct vise_artifact_entry {
  const char *name;
  bool is_weight;
  const char *kind; /* of the weight; "" for a tensor */
  /* "int4/g64", "f32"; the kind alone where it is unknown or refuses the tree. */
  char description[VISE_WEIGHT_DESCRIPTION];
  const char *same_as;   /* the first name of the same weight or tensor; NULL if this is it */
  uint64_t packed_bytes; /* of all parts */
  uint64_t coded_bytes;  /* of the frames that this entry is the first to use; 0 if `same_as` */
  int64_t entropy_bytes; /* as coded_bytes, but of the content; -1 until they have been measured */
} vise_artifact_entry;

int64_t vise_artifact_count(const vise_artifact *a);
int64_t vise_artifact_find(const vise_artifact *a, const char *name); /* -1 if there is none */
const char *vise_artifact_name_at(const vise_artifact *a, int64_t i);
bool vise_artifact_is_weight(const vise_artifact *a, int64_t i);
vise_artifact_entry vise_artifact_entry_at(const vise_artifact *a, int64_t i);

/* The parts of entry `i` in the order of its tree; "2.codes" is the part of its second child. */
typedef struct vise_artifact_part {
  const char *name;
  vise_dtype dtype;
  int rank;
  const int64_t *shape;
  uint64_t packed_bytes, coded_bytes;
  const char *coder;     /* "raw", "rans", "zstd" or "rans+zstd"; "planes+rans" and so on */
  bool is_first;         /* its frames are counted here */
  int64_t entropy_bytes; /* -1 unless vise_artifact_measure_entropy() has been called */
} vise_artifact_part;

typedef void vise_artifact_part_fn(void *arg, const vise_artifact_part *part);
void vise_artifact_each_part(const vise_artifact *a,
                             int64_t i,
                             vise_artifact_part_fn *fn,
                             void *arg);

/*
 * The weight or tensor of entry `i`, its frames checked against their digests: a view of the mapped
 * file where the frames lie there as they are, decoded otherwise. The caller releases it. Names of
 * one weight give one retained weight. Not for two threads at once on one handle.
 *
 * Errors: VISE_EFORMAT a digest, or a tree that its kind refuses; VISE_EARG the other sort of
 * entry; VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status
vise_artifact_weight(vise_weight **out, vise_artifact *a, int64_t i, vise_err *err) VISE_MUST_USE;
vise_status
vise_artifact_tensor(vise_tensor **out, vise_artifact *a, int64_t i, vise_err *err) VISE_MUST_USE;

/* The tree of entry `i`, a weight, whether or not we know its kind; the caller frees it. */
vise_status
vise_artifact_tree(vise_tree **out, vise_artifact *a, int64_t i, vise_err *err) VISE_MUST_USE;

/* Check every frame and all padding. Errors: VISE_EFORMAT naming the first; VISE_ENOMEM;
   VISE_ECANCELLED. */
vise_status vise_artifact_verify(vise_artifact *a, vise_err *err) VISE_MUST_USE;

/* The same, and measure the order-0 entropy of the bytes of each part. */
vise_status vise_artifact_measure_entropy(vise_artifact *a, vise_err *err) VISE_MUST_USE;

#endif
