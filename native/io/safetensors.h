/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/safetensors.h -- files of named tensors: a u64 length n, n bytes of JSON, the data.
 *
 * The reader checks the whole table before it hands out anything: every tensor lies in the file,
 * its bytes are those of its shape, and together they cover the data without hole, overlap or rest.
 * Opening reads the header only. Tensors are views of the mapped file; one whose address does not
 * suit its element type is copied.
 *
 * Messages start with the path and name the tensor and the byte, counted from the start of the
 * file.
 */
#ifndef VISE_IO_SAFETENSORS_H
#define VISE_IO_SAFETENSORS_H

#include "core/status.h"
#include "tensor/tensor.h"

#include <stddef.h>
#include <stdint.h>

typedef struct vise_safetensors vise_safetensors;

typedef struct vise_safetensors_entry {
  const char *name; /* borrowed from the file's handle */
  vise_dtype dtype;
  int rank;
  int64_t shape[VISE_RANK_MAX];
  uint64_t begin, end; /* bytes of the file */
} vise_safetensors_entry;

/*
 * Map and check the file at `path`.
 *
 * out    owned by the caller, close with vise_safetensors_close(); tensors of it may live longer.
 *
 * Errors: VISE_EIO; VISE_EFORMAT; VISE_ENOMEM.
 */
vise_status
vise_safetensors_open(vise_safetensors **out, const char *path, vise_err *err) VISE_MUST_USE;

/* The same over bytes that are already here; `storage` is retained, `path` only names them. */
vise_status vise_safetensors_create(vise_safetensors **out,
                                    vise_storage *storage,
                                    const char *path,
                                    vise_err *err) VISE_MUST_USE;

void vise_safetensors_close(vise_safetensors *f); /* accepts NULL */

const char *vise_safetensors_path(const vise_safetensors *f); /* borrowed */
int64_t vise_safetensors_count(const vise_safetensors *f);    /* of tensors */
const vise_safetensors_entry *vise_safetensors_entry_at(const vise_safetensors *f,
                                                        int64_t i); /* in order of their bytes */
const vise_safetensors_entry *vise_safetensors_find(const vise_safetensors *f,
                                                    const char *name); /* NULL if there is none */

/* The strings of __metadata__ in the file's order; 0 if it has none. Borrowed. */
int64_t vise_safetensors_metadata_count(const vise_safetensors *f);
const char *vise_safetensors_metadata_key(const vise_safetensors *f, int64_t i);
const char *vise_safetensors_metadata_value(const vise_safetensors *f, int64_t i);

/* *out: the tensor of `entry`, a view of the file where alignment allows, a copy otherwise.
   Errors: VISE_ENOMEM. */
vise_status vise_safetensors_tensor(vise_tensor **out,
                                    const vise_safetensors *f,
                                    const vise_safetensors_entry *entry,
                                    vise_err *err) VISE_MUST_USE;

typedef struct vise_safetensors_item {
  const char *name;
  const vise_tensor *tensor; /* any strides */
} vise_safetensors_item;

/*
 * Replace `path` by a file of `n` tensors and `n_metadata` pairs of strings (key, value, key, ...),
 * atomically. Tensors keep their order, except that wider elements come first, so that each is
 * aligned; the header is padded with spaces to a multiple of 8.
 *
 * Errors: VISE_EARG a name that is empty, twice, reserved or not UTF-8; VISE_EIO; VISE_ENOMEM.
 */
vise_status vise_safetensors_write(const char *path,
                                   const vise_safetensors_item *items,
                                   int64_t n,
                                   const char *const *metadata,
                                   int64_t n_metadata,
                                   vise_err *err) VISE_MUST_USE;

#endif
