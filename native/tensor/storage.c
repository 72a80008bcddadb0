/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/storage.h"

#include "core/mem.h"

#include <stdatomic.h>
#include <string.h>

struct vise_storage {
  atomic_int refs;
  void *data;
  size_t bytes;
  vise_file_map *map; /* retained; NULL when `data` is an owned heap block */
  size_t offset;      /* of `data` in the map */
};

vise_status vise_storage_create(vise_storage **out, size_t bytes, vise_err *err) {
  *out = NULL;
  void *s, *data;
  VISE_TRY(vise_mem_alloc(&s, sizeof(vise_storage), err));
  const vise_status st = vise_mem_alloc(&data, bytes, err);
  if (st != VISE_OK) {
    vise_mem_free(s);
    return st;
  }
  vise_mem_want_large_pages(data); /* fresh pages of an activation cost more than filling it */
  *out = s;
  **out = (vise_storage){.refs = 1, .data = data, .bytes = bytes};
  return VISE_OK;
}

vise_status vise_storage_map(
    vise_storage **out, vise_file_map *map, size_t offset, size_t bytes, vise_err *err) {
  *out = NULL;
  void *s;
  VISE_TRY(vise_mem_alloc(&s, sizeof(vise_storage), err));
  *out = s;
  **out = (vise_storage){.refs = 1,
                         .data = (void *)(uintptr_t)(vise_file_map_data(map) + offset),
                         .bytes = bytes,
                         .map = vise_file_map_retain(map),
                         .offset = offset};
  return VISE_OK;
}

vise_status vise_storage_open(vise_storage **out, const char *path, vise_err *err) {
  *out = NULL;
  vise_file_map *map;
  VISE_TRY(vise_file_map_open(&map, path, err));
  const vise_status st = vise_storage_map(out, map, 0, vise_file_map_bytes(map), err);
  vise_file_map_release(map);
  return st;
}

vise_storage *vise_storage_retain(vise_storage *s) {
  atomic_fetch_add(&s->refs, 1);
  return s;
}

void vise_storage_release(vise_storage *s) {
  if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1) {
    if (s->map != NULL) {
      vise_file_map_release(s->map);
    } else {
      vise_mem_free(s->data);
    }
    vise_mem_free(s);
  }
}

void *vise_storage_data(const vise_storage *s) {
  return s->data;
}

size_t vise_storage_bytes(const vise_storage *s) {
  return s->bytes;
}

bool vise_storage_is_mapped(const vise_storage *s) {
  return s->map != NULL;
}

bool vise_storage_read(const vise_storage *s, size_t offset, void *out, size_t bytes) {
  if (s->map != NULL) {
    return vise_file_map_read(s->map, s->offset + offset, out, bytes);
  }
  memcpy(out, (const char *)s->data + offset, bytes);
  return true;
}
