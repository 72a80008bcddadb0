/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/storage.h -- the bytes behind tensors: on the heap or in a mapped file. */
#ifndef VISE_TENSOR_STORAGE_H
#define VISE_TENSOR_STORAGE_H

#include "core/file.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct vise_storage vise_storage; /* reference counted, thread safe */

vise_status vise_storage_create(vise_storage **out, size_t bytes, vise_err *err) VISE_MUST_USE;

/* Bytes [offset, offset + bytes) of a mapping, which is retained. The caller checked the range. */
vise_status vise_storage_map(vise_storage **out,
                             vise_file_map *map,
                             size_t offset,
                             size_t bytes,
                             vise_err *err) VISE_MUST_USE;

/* A whole file, mapped. Errors: VISE_EIO; VISE_ENOMEM. */
vise_status vise_storage_open(vise_storage **out, const char *path, vise_err *err) VISE_MUST_USE;

vise_storage *vise_storage_retain(vise_storage *s);
void vise_storage_release(vise_storage *s); /* accepts NULL */
void *vise_storage_data(const vise_storage *s);
size_t vise_storage_bytes(const vise_storage *s);
bool vise_storage_is_mapped(const vise_storage *s); /* its bytes must not be written */

/* Copy bytes [offset, offset + bytes), which lie inside, to `out`; of a mapped storage from the
   file, so that none of its pages become resident. False if the file cannot be read any more. */
bool vise_storage_read(const vise_storage *s, size_t offset, void *out, size_t bytes);

#endif
