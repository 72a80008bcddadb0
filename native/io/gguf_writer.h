/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/gguf_writer.h -- GGUF files of version 3, written one tensor at a time.
 *
 * Names and shapes are said first, types when a tensor comes: the header has the same length
 * whatever they are, and is written last. The file appears under its name complete or not at all.
 */
#ifndef VISE_IO_GGUF_WRITER_H
#define VISE_IO_GGUF_WRITER_H

#include "io/gguf.h"

typedef struct vise_gguf_writer vise_gguf_writer;

/* A tensor to come; `shape` row-major. */
typedef struct vise_gguf_item {
  vise_gguf_text name;
  int rank;
  int64_t shape[VISE_GGUF_RANK_MAX];
} vise_gguf_item;

/*
 * Begin a file at `path` of `n` tensors in this order.
 *
 * out    owned by the caller; ended by commit or abort
 * keys   `key_bytes` bytes, `n_keys` keys and values as the file has them; without
 *        general.alignment, which is 32. Borrowed during the call, as is `items`.
 *
 * Errors: VISE_EARG a name that is empty, twice or not UTF-8 without NUL; VISE_EIO; VISE_ENOMEM.
 */
vise_status vise_gguf_writer_create(vise_gguf_writer **out,
                                    const char *path,
                                    const void *keys,
                                    size_t key_bytes,
                                    int64_t n_keys,
                                    const vise_gguf_item *items,
                                    int64_t n,
                                    vise_err *err) VISE_MUST_USE;

/*
 * Write the next tensor. `t`, of any strides, has the type's dtype and the shape said before; of a
 * type in blocks it is u8, its last dimension the bytes of the row's blocks.
 * Errors: VISE_EARG no tensor is expected any more; VISE_EDTYPE; VISE_ESHAPE; VISE_EIO;
 *         VISE_ENOMEM; VISE_ECANCELLED.
 */
vise_status vise_gguf_writer_add(vise_gguf_writer *w,
                                 const vise_gguf_type *type,
                                 const vise_tensor *t,
                                 vise_err *err) VISE_MUST_USE;

/* Write the header, give the file its name, free. On failure nothing of the file is left.
   *bytes_out: its size. Errors: VISE_EARG tensors are missing; VISE_EIO; VISE_ENOMEM. */
vise_status
vise_gguf_writer_commit(uint64_t *bytes_out, vise_gguf_writer *w, vise_err *err) VISE_MUST_USE;

void vise_gguf_writer_abort(vise_gguf_writer *w); /* nothing is left; accepts NULL */

#endif
