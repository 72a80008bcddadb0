/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header is made in memory when the writer is, with the type and the offset of each tensor left
 * out: where they go is remembered, and they are filled in as tensors come.
 */
#include "io/gguf_writer.h"

#include "core/bytes.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "io/tokenizer_parts.h"
#include "io/utf8.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_BYTES_MAX = 96 };

/* For "%.*s". */
#define SHOWN(t) (int)((t).bytes < SHOWN_BYTES_MAX ? (t).bytes : SHOWN_BYTES_MAX), (t).text

typedef struct place {
  vise_gguf_item item; /* its name is in the header */
  size_t type_at;      /* bytes of the header: u32 type, u64 offset */
} place;

struct vise_gguf_writer {
  vise_file_writer *file; /* owned */
  vise_text header;       /* owned */
  place *places;          /* owned */
  int64_t n, at;          /* tensors in all, and written */
  uint64_t data_begin, data_bytes;
};

static uint64_t pad(uint64_t bytes) {
  return (bytes + VISE_GGUF_ALIGNMENT - 1) / VISE_GGUF_ALIGNMENT * VISE_GGUF_ALIGNMENT;
}

static vise_status put(vise_text *header, uint64_t v, size_t bytes, vise_err *err) {
  char little[8];
  vise_store((uint8_t *)little, v, bytes);
  return vise_text_append(header, little, bytes, err);
}

static vise_status check_name(const vise_gguf_text *name, vise_piece_map *seen, vise_err *err) {
  if (name->bytes == 0 || memchr(name->text, '\0', name->bytes) != NULL ||
      vise_utf8_repair(NULL, name->text, name->bytes, VISE_UTF8_EACH_BYTE) != name->bytes) {
    return vise_fail(err, VISE_EARG, "gguf: name '%.*s' is empty or no UTF-8 without NUL",
                     SHOWN(*name));
  }
  if (!vise_piece_map_add(seen, name->text, name->bytes, 0)) {
    return vise_fail(err, VISE_EARG, "gguf: two tensors are named '%.*s'", SHOWN(*name));
  }
  return VISE_OK;
}

static vise_status check_names(const vise_gguf_item *items, int64_t n, vise_err *err) {
  vise_piece_map seen = {0};
  vise_status st = vise_piece_map_init(&seen, (size_t)n, err);
  for (int64_t i = 0; st == VISE_OK && i < n; i++) {
    st = check_name(&items[i].name, &seen, err);
  }
  vise_piece_map_free(&seen);
  return st;
}

static vise_status
put_item(vise_gguf_writer *w, int64_t i, const vise_gguf_item *item, vise_err *err) {
  vise_text *h = &w->header;
  w->places[i].item = *item;
  VISE_TRY(put(h, item->name.bytes, 8, err));
  VISE_TRY(vise_text_append(h, item->name.text, item->name.bytes, err));
  VISE_TRY(put(h, (uint64_t)item->rank, 4, err));
  for (int d = item->rank - 1; d >= 0; d--) {
    VISE_TRY(put(h, (uint64_t)item->shape[d], 8, err));
  }
  w->places[i].type_at = h->count;
  VISE_TRY(put(h, 0, 4, err));
  return put(h, 0, 8, err);
}

/* The names of the places, once the header does not move any more. */
static void borrow_names(vise_gguf_writer *w) {
  for (int64_t i = 0; i < w->n; i++) {
    place *p = &w->places[i];
    const size_t behind = 4 + 8 * (size_t)p->item.rank; /* the rank and the dimensions */
    p->item.name.text = w->header.data + p->type_at - behind - p->item.name.bytes;
  }
}

static vise_status put_header(vise_gguf_writer *w,
                              const void *keys,
                              size_t key_bytes,
                              int64_t n_keys,
                              const vise_gguf_item *items,
                              vise_err *err) {
  vise_text *h = &w->header;
  VISE_TRY(vise_text_append(h, "GGUF", 4, err));
  VISE_TRY(put(h, 3, 4, err));
  VISE_TRY(put(h, (uint64_t)w->n, 8, err));
  VISE_TRY(put(h, (uint64_t)n_keys, 8, err));
  VISE_TRY(vise_text_append(h, keys, key_bytes, err));
  for (int64_t i = 0; i < w->n; i++) {
    VISE_TRY(put_item(w, i, &items[i], err));
  }
  const size_t padding = (size_t)pad(h->count) - h->count;
  VISE_TRY(vise_text_append(h, (const char[VISE_GGUF_ALIGNMENT]){0}, padding, err));
  w->data_begin = h->count;
  borrow_names(w);
  return VISE_OK;
}

vise_status vise_gguf_writer_create(vise_gguf_writer **out,
                                    const char *path,
                                    const void *keys,
                                    size_t key_bytes,
                                    int64_t n_keys,
                                    const vise_gguf_item *items,
                                    int64_t n,
                                    vise_err *err) {
  *out = NULL;
  void *memory, *places;
  VISE_TRY(check_names(items, n, err));
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_gguf_writer), err));
  vise_gguf_writer *w = memory;
  w->n = n;
  vise_status st = vise_mem_alloc_array(&places, n, sizeof *w->places, err);
  if (st == VISE_OK) {
    w->places = places;
    st = put_header(w, keys, key_bytes, n_keys, items, err);
  }
  if (st == VISE_OK) {
    st = vise_file_writer_create(&w->file, path, err);
  }
  if (st != VISE_OK) {
    vise_gguf_writer_abort(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}

static vise_status check_tensor(const vise_gguf_item *item,
                                const vise_gguf_type *type,
                                const vise_tensor *t,
                                vise_err *err) {
  uint64_t bytes;
  if (vise_tensor_dtype(t) != type->dtype) {
    return vise_fail(err, VISE_EDTYPE, "gguf: tensor '%.*s' is %s, expected %s (%s)",
                     SHOWN(item->name), vise_dtype_name(vise_tensor_dtype(t)),
                     vise_dtype_name(type->dtype), type->name);
  }
  bool is_same = vise_tensor_rank(t) == item->rank &&
                 vise_gguf_type_bytes(&bytes, type, item->rank, item->shape) &&
                 vise_tensor_bytes(t) == bytes;
  for (int d = 0; is_same && d < item->rank - !type->is_plain; d++) {
    is_same = vise_tensor_dim(t, d) == item->shape[d];
  }
  if (!is_same) {
    char shape[160];
    return vise_fail(err, VISE_ESHAPE, "gguf: tensor '%.*s' is %s, which is not its shape in %s",
                     SHOWN(item->name), vise_tensor_shape_text(shape, sizeof shape, t), type->name);
  }
  return VISE_OK;
}

vise_status vise_gguf_writer_add(vise_gguf_writer *w,
                                 const vise_gguf_type *type,
                                 const vise_tensor *t,
                                 vise_err *err) {
  if (w->at == w->n) {
    return vise_fail(err, VISE_EARG, "gguf: has its %" PRId64 " tensors, expected no other", w->n);
  }
  const place *p = &w->places[w->at];
  VISE_TRY(vise_cancel_check(err));
  VISE_TRY(check_tensor(&p->item, type, t, err));
  VISE_TRY(vise_tensor_write(t, w->file, w->data_begin + w->data_bytes, err));
  vise_store_u32((uint8_t *)w->header.data + p->type_at, type->number);
  vise_store_u64((uint8_t *)w->header.data + p->type_at + 4, w->data_bytes);
  w->data_bytes += pad(vise_tensor_bytes(t));
  w->at++;
  return VISE_OK;
}

vise_status vise_gguf_writer_commit(uint64_t *bytes_out, vise_gguf_writer *w, vise_err *err) {
  vise_status st = VISE_OK;
  if (w->at < w->n) {
    st = vise_fail(err, VISE_EARG, "gguf: tensor '%.*s' was not written",
                   SHOWN(w->places[w->at].item.name));
  }
  *bytes_out = w->data_begin + w->data_bytes;
  if (st == VISE_OK) {
    st = vise_file_writer_truncate(w->file, *bytes_out, err); /* the last padding too */
  }
  if (st == VISE_OK) {
    st = vise_file_writer_write_at(w->file, 0, w->header.data, w->header.count, err);
  }
  if (st == VISE_OK) {
    vise_file_writer *file = w->file;
    w->file = NULL;
    st = vise_file_writer_commit(file, true, err);
  }
  vise_gguf_writer_abort(w);
  return st;
}

void vise_gguf_writer_abort(vise_gguf_writer *w) {
  if (w != NULL) {
    vise_file_writer_abort(w->file);
    vise_mem_free(w->places);
    vise_mem_free(w->header.data);
    vise_mem_free(w);
  }
}
