/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is sound when its tensors, in order of their first byte, each begin where the one before
 * ended, the first at the first byte of data and the last ending with the file. That one pass over
 * the sorted table excludes holes, overlaps and rests together.
 */
#include "io/safetensors.h"

#include "core/bytes.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "io/json.h"
#include "io/utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t HEADER_MAX = 100000000; /* the format's own limit */
static const char METADATA[] = "__metadata__";

struct vise_safetensors {
  char *path;            /* owned */
  vise_storage *storage; /* retained: the whole file */
  json_t *header;        /* owned; entries and metadata borrow its strings */
  uint64_t data_begin, file_bytes;
  vise_safetensors_entry *entries;        /* owned, in order of their bytes */
  const vise_safetensors_entry **by_name; /* owned, sorted */
  int64_t count;
};

static vise_status parse_header(vise_safetensors *f, vise_err *err) {
  const uint8_t *data = vise_storage_data(f->storage);
  if (f->file_bytes < 8) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: file has %" PRIu64 " bytes, expected at least 8, the length of a header",
                     f->path, f->file_bytes);
  }
  const uint64_t n = vise_load_u64(data);
  if (n > HEADER_MAX) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: header of %" PRIu64 " bytes, expected at most %" PRIu64, f->path, n,
                     HEADER_MAX);
  }
  if (n > f->file_bytes - 8) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: header ends at byte %" PRIu64 ", file has %" PRIu64 " bytes", f->path,
                     n + 8, f->file_bytes);
  }
  if (n == 0 || data[8] != '{') {
    return vise_fail(err, VISE_EFORMAT, "%s: header does not begin with '{' at byte 8", f->path);
  }
  const vise_status st = vise_json_parse(&f->header, (const char *)data + 8, (size_t)n, err);
  if (st == VISE_EFORMAT) {
    vise_fail_in(err, st, "header");
  }
  if (st != VISE_OK) {
    return vise_fail_in(err, st, f->path);
  }
  f->data_begin = n + 8;
  return VISE_OK;
}

static vise_status check_metadata(const vise_safetensors *f, vise_err *err) {
  json_t *metadata = json_object_get(f->header, METADATA);
  if (metadata != NULL && !json_is_object(metadata)) {
    return vise_fail(err, VISE_EFORMAT, "%s: __metadata__ is no object", f->path);
  }
  const char *key;
  json_t *value;
  json_object_foreach(metadata, key, value) {
    if (!json_is_string(value)) {
      return vise_fail(err, VISE_EFORMAT, "%s: __metadata__ '%s' is no string", f->path, key);
    }
  }
  return VISE_OK;
}

static vise_status
parse_dtype(const vise_safetensors *f, vise_safetensors_entry *e, json_t *info, vise_err *err) {
  const char *dtype = json_string_value(json_object_get(info, "dtype"));
  if (dtype == NULL) {
    return vise_fail(err, VISE_EFORMAT, "%s: tensor '%s' has no dtype", f->path, e->name);
  }
  const bool is_upper = strpbrk(dtype, "abcdefghijklmnopqrstuvwxyz") == NULL;
  if (!is_upper || !vise_dtype_find(&e->dtype, dtype)) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensor '%s' has unknown dtype '%s', expected one of F64 F32 F16 BF16 "
                     "F8_E4M3 F8_E5M2 I64 I32 I16 I8 U64 U32 U16 U8 BOOL",
                     f->path, e->name, dtype);
  }
  return VISE_OK;
}

/* Shape of `e`, and the bytes it needs. */
static vise_status parse_shape(const vise_safetensors *f,
                               vise_safetensors_entry *e,
                               json_t *info,
                               uint64_t *need_out,
                               vise_err *err) {
  json_t *shape = json_object_get(info, "shape");
  if (!json_is_array(shape)) {
    return vise_fail(err, VISE_EFORMAT, "%s: tensor '%s' has no shape", f->path, e->name);
  }
  if (json_array_size(shape) > VISE_RANK_MAX) {
    return vise_fail(err, VISE_EFORMAT, "%s: tensor '%s' has %zu dimensions, expected at most %d",
                     f->path, e->name, json_array_size(shape), VISE_RANK_MAX);
  }
  e->rank = (int)json_array_size(shape);
  for (int i = 0; i < e->rank; i++) {
    json_t *dim = json_array_get(shape, (size_t)i);
    e->shape[i] = json_integer_value(dim);
    if (!json_is_integer(dim) || e->shape[i] < 0) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: dimension %d of tensor '%s' is no integer of 0 or more", f->path, i,
                       e->name);
    }
  }
  if (!vise_tensor_shape_bytes(need_out, e->dtype, e->rank, e->shape)) {
    return vise_fail(err, VISE_EFORMAT, "%s: shape of tensor '%s' overflows 64 bits", f->path,
                     e->name);
  }
  return VISE_OK;
}

static vise_status
parse_entry(const vise_safetensors *f, vise_safetensors_entry *e, json_t *info, vise_err *err) {
  if (!json_is_object(info)) {
    return vise_fail(err, VISE_EFORMAT, "%s: entry of tensor '%s' is no object", f->path, e->name);
  }
  uint64_t need = 0;
  VISE_TRY(parse_dtype(f, e, info, err));
  VISE_TRY(parse_shape(f, e, info, &need, err));
  json_t *offsets = json_object_get(info, "data_offsets");
  json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
      json_integer_value(first) < 0 || json_integer_value(last) < json_integer_value(first)) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: data_offsets of tensor '%s' are not two integers 0 <= begin <= end",
                     f->path, e->name);
  }
  /* Two numbers below 2^63 and a header below 10^8: the sums fit. */
  e->begin = f->data_begin + (uint64_t)json_integer_value(first);
  e->end = f->data_begin + (uint64_t)json_integer_value(last);
  if (e->end > f->file_bytes) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensor '%s' ends at byte %" PRIu64 ", file has %" PRIu64 " bytes",
                     f->path, e->name, e->end, f->file_bytes);
  }
  if (e->end - e->begin != need) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensor '%s' has %" PRIu64 " bytes, expected %" PRIu64
                     " from its dtype and shape",
                     f->path, e->name, e->end - e->begin, need);
  }
  return VISE_OK;
}

static int compare_bytes(const void *a, const void *b) {
  const vise_safetensors_entry *x = a, *y = b;
  if (x->begin != y->begin) {
    return x->begin < y->begin ? -1 : 1;
  }
  if (x->end != y->end) {
    return x->end < y->end ? -1 : 1;
  }
  return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b) {
  const vise_safetensors_entry *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

static vise_status check_cover(const vise_safetensors *f, vise_err *err) {
  uint64_t at = f->data_begin;
  for (int64_t i = 0; i < f->count; i++) {
    const vise_safetensors_entry *e = &f->entries[i];
    if (e->begin < at) {
      return vise_fail(err, VISE_EFORMAT, "%s: tensors '%s' and '%s' overlap at byte %" PRIu64,
                       f->path, f->entries[i - 1].name, e->name, e->begin);
    }
    if (e->begin > at) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: bytes %" PRIu64 " to %" PRIu64
                       " before tensor '%s' belong to no tensor",
                       f->path, at, e->begin, e->name);
    }
    at = e->end;
  }
  if (at != f->file_bytes) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensors end at byte %" PRIu64 ", file has %" PRIu64 " bytes", f->path, at,
                     f->file_bytes);
  }
  return VISE_OK;
}

static vise_status parse_entries(vise_safetensors *f, vise_err *err) {
  const int64_t n = (int64_t)json_object_size(f->header);
  void *entries, *by_name;
  VISE_TRY(vise_mem_alloc_array(&entries, n, sizeof *f->entries, err));
  f->entries = entries;
  VISE_TRY(vise_mem_alloc_array(&by_name, n, sizeof *f->by_name, err));
  f->by_name = by_name;

  const char *name;
  json_t *info;
  json_object_foreach(f->header, name, info) {
    if (strcmp(name, METADATA) != 0) {
      vise_safetensors_entry *e = &f->entries[f->count++];
      *e = (vise_safetensors_entry){.name = name};
      VISE_TRY(parse_entry(f, e, info, err));
    }
  }
  qsort(f->entries, (size_t)f->count, sizeof *f->entries, compare_bytes);
  VISE_TRY(check_cover(f, err));
  for (int64_t i = 0; i < f->count; i++) {
    f->by_name[i] = &f->entries[i];
  }
  qsort(f->by_name, (size_t)f->count, sizeof *f->by_name, compare_names);
  return VISE_OK;
}

vise_status vise_safetensors_create(vise_safetensors **out,
                                    vise_storage *storage,
                                    const char *path,
                                    vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_safetensors), err));
  vise_safetensors *f = memory;
  f->storage = vise_storage_retain(storage);
  f->file_bytes = vise_storage_bytes(storage);
  vise_status st = vise_mem_strdup(&f->path, path, strlen(path), err);
  if (st == VISE_OK) {
    st = parse_header(f, err);
  }
  if (st == VISE_OK) {
    st = check_metadata(f, err);
  }
  if (st == VISE_OK) {
    st = parse_entries(f, err);
  }
  if (st != VISE_OK) {
    vise_safetensors_close(f);
    return st;
  }
  *out = f;
  return VISE_OK;
}

vise_status vise_safetensors_open(vise_safetensors **out, const char *path, vise_err *err) {
  *out = NULL;
  vise_storage *storage;
  VISE_TRY(vise_storage_open(&storage, path, err));
  const vise_status st = vise_safetensors_create(out, storage, path, err);
  vise_storage_release(storage);
  return st;
}

void vise_safetensors_close(vise_safetensors *f) {
  if (f != NULL) {
    vise_mem_free(f->by_name);
    vise_mem_free(f->entries);
    json_decref(f->header);
    vise_storage_release(f->storage);
    vise_mem_free(f->path);
    vise_mem_free(f);
  }
}

const char *vise_safetensors_path(const vise_safetensors *f) {
  return f->path;
}

int64_t vise_safetensors_count(const vise_safetensors *f) {
  return f->count;
}

const vise_safetensors_entry *vise_safetensors_entry_at(const vise_safetensors *f, int64_t i) {
  return &f->entries[i];
}

const vise_safetensors_entry *vise_safetensors_find(const vise_safetensors *f, const char *name) {
  const vise_safetensors_entry key = {.name = name}, *pointer = &key;
  const vise_safetensors_entry **found =
      bsearch(&pointer, f->by_name, (size_t)f->count, sizeof *f->by_name, compare_names);
  return found == NULL ? NULL : *found;
}

int64_t vise_safetensors_metadata_count(const vise_safetensors *f) {
  return (int64_t)json_object_size(json_object_get(f->header, METADATA));
}

/* jansson iterates in the order of insertion, which is the file's. */
static void *metadata_iter(const vise_safetensors *f, int64_t i) {
  json_t *metadata = json_object_get(f->header, METADATA);
  void *iter = json_object_iter(metadata);
  while (i-- > 0) {
    iter = json_object_iter_next(metadata, iter);
  }
  return iter;
}

const char *vise_safetensors_metadata_key(const vise_safetensors *f, int64_t i) {
  return json_object_iter_key(metadata_iter(f, i));
}

const char *vise_safetensors_metadata_value(const vise_safetensors *f, int64_t i) {
  return json_string_value(json_object_iter_value(metadata_iter(f, i)));
}

vise_status vise_safetensors_tensor(vise_tensor **out,
                                    const vise_safetensors *f,
                                    const vise_safetensors_entry *entry,
                                    vise_err *err) {
  *out = NULL;
  const uint8_t *data = (const uint8_t *)vise_storage_data(f->storage) + entry->begin;
  if ((uintptr_t)data % vise_dtype_bytes(entry->dtype) == 0) {
    return vise_tensor_over(out, f->storage, (size_t)entry->begin, entry->dtype, entry->rank,
                            entry->shape, err);
  }
  VISE_TRY(vise_tensor_create(out, entry->dtype, entry->rank, entry->shape, err));
  memcpy(vise_tensor_data(*out), data, vise_tensor_bytes(*out));
  return VISE_OK;
}

/* Order of the data: wider elements first, otherwise as given. `order` has `n` places. */
static void order_items(int64_t *order, const vise_safetensors_item *items, int64_t n) {
  int64_t at = 0;
  for (size_t width = 8; width > 0; width /= 2) {
    for (int64_t i = 0; i < n; i++) {
      if (vise_dtype_bytes(vise_tensor_dtype(items[i].tensor)) == width) {
        order[at++] = i;
      }
    }
  }
}

/* An entry of the header; NULL if memory is out. `dtype` in the upper case of the format. */
static json_t *describe_tensor(const vise_tensor *t, uint64_t begin) {
  char dtype[16];
  size_t n = 0;
  for (const char *p = vise_dtype_name(vise_tensor_dtype(t)); *p != '\0'; p++) {
    dtype[n++] = (char)toupper((unsigned char)*p);
  }
  dtype[n] = '\0';
  json_t *shape = json_array();
  for (int i = 0; i < vise_tensor_rank(t); i++) {
    if (json_array_append_new(shape, json_integer(vise_tensor_dim(t, i))) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape, "data_offsets",
                   (json_int_t)begin, (json_int_t)(begin + vise_tensor_bytes(t)));
}

static bool is_utf8(const char *text) {
  uint32_t code;
  for (size_t left = strlen(text); left > 0;) {
    const int n = vise_utf8_decode(&code, text, left);
    if (n <= 0) {
      return false;
    }
    text += n;
    left -= (size_t)n;
  }
  return true;
}

static vise_status
add_entry(json_t *header, const vise_safetensors_item *item, uint64_t begin, vise_err *err) {
  if (item->name[0] == '\0' || strcmp(item->name, METADATA) == 0) {
    return vise_fail(err, VISE_EARG, "safetensors: no tensor may be named '%s'", item->name);
  }
  if (json_object_get(header, item->name) != NULL) {
    return vise_fail(err, VISE_EARG, "safetensors: two tensors are named '%s'", item->name);
  }
  if (!is_utf8(item->name)) {
    return vise_fail(err, VISE_EARG, "safetensors: name '%s' is not UTF-8", item->name);
  }
  json_t *entry = describe_tensor(item->tensor, begin);
  if (entry == NULL) {
    return vise_fail(err, VISE_ENOMEM, "out of memory describing tensor '%s'", item->name);
  }
  if (json_object_set_new(header, item->name, entry) != 0) {
    return vise_fail(err, VISE_ENOMEM, "out of memory describing tensor '%s'", item->name);
  }
  return VISE_OK;
}

static vise_status
add_metadata(json_t *header, const char *const *metadata, int64_t n, vise_err *err) {
  json_t *object = json_object();
  if (json_object_set_new(header, METADATA, object) != 0) {
    return vise_fail(err, VISE_ENOMEM, "out of memory writing safetensors metadata");
  }
  for (int64_t i = 0; i < n; i++) {
    const char *key = metadata[2 * i], *value = metadata[2 * i + 1];
    if (!is_utf8(key) || !is_utf8(value)) {
      return vise_fail(err, VISE_EARG, "safetensors: metadata '%s' is not UTF-8", key);
    }
    if (json_object_set_new(object, key, json_string(value)) != 0) {
      return vise_fail(err, VISE_ENOMEM, "out of memory writing safetensors metadata '%s'", key);
    }
  }
  return VISE_OK;
}

static vise_status
write_header(vise_file_writer *w, const json_t *header, uint64_t *data_begin_out, vise_err *err) {
  char *text = json_dumps(header, JSON_COMPACT);
  if (text == NULL) {
    return vise_fail(err, VISE_ENOMEM, "out of memory writing a safetensors header");
  }
  const size_t n = strlen(text), padded = (n + 7) / 8 * 8;
  uint8_t length[8];
  vise_store_u64(length, padded);
  vise_status st = vise_file_writer_write_at(w, 0, length, sizeof length, err);
  if (st == VISE_OK) {
    st = vise_file_writer_write_at(w, 8, text, n, err);
  }
  if (st == VISE_OK) {
    st = vise_file_writer_write_at(w, 8 + n, "        ", padded - n, err);
  }
  free(text);
  *data_begin_out = 8 + padded;
  return st;
}

static vise_status write_all(vise_file_writer *w,
                             json_t *header,
                             const vise_safetensors_item *items,
                             const int64_t *order,
                             int64_t n,
                             vise_err *err) {
  uint64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    VISE_TRY(add_entry(header, &items[order[i]], at, err));
    at += vise_tensor_bytes(items[order[i]].tensor);
  }
  VISE_TRY(write_header(w, header, &at, err));
  for (int64_t i = 0; i < n; i++) {
    VISE_TRY(vise_cancel_check(err));
    VISE_TRY(vise_tensor_write(items[order[i]].tensor, w, at, err));
    at += vise_tensor_bytes(items[order[i]].tensor);
  }
  return VISE_OK;
}

vise_status vise_safetensors_write(const char *path,
                                   const vise_safetensors_item *items,
                                   int64_t n,
                                   const char *const *metadata,
                                   int64_t n_metadata,
                                   vise_err *err) {
  void *order = NULL;
  vise_file_writer *w = NULL;
  json_t *header = json_object();
  vise_status st = vise_mem_alloc_array(&order, n, sizeof(int64_t), err);
  if (st == VISE_OK && n_metadata > 0) {
    st = add_metadata(header, metadata, n_metadata, err);
  }
  if (st == VISE_OK) {
    st = vise_file_writer_create(&w, path, err);
  }
  if (st == VISE_OK) {
    order_items(order, items, n);
    st = write_all(w, header, items, order, n, err);
  }
  if (st == VISE_OK) {
    st = vise_file_writer_commit(w, true, err);
  } else {
    vise_file_writer_abort(w);
  }
  json_decref(header);
  vise_mem_free(order);
  return st;
}
