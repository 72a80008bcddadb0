/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the header checks every length against the end of the file before it moves on, so
 * that afterwards values are read without checks. The file is sound when tensors, in order of their
 * first byte, each begin where the one before has ended or later, and the last ends in the file.
 */
#include "io/gguf.h"

#include "core/bytes.h"
#include "core/checked.h"
#include "core/mem.h"
#include "io/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  KEY_BYTES_MIN = 8 + 4 + 1,        /* an empty name, a type, a value of a byte */
  TENSOR_BYTES_MIN = 8 + 4 + 4 + 8, /* an empty name, a rank of 0, a type, an offset */
  STRING_BYTES_MIN = 8,
  ARRAY_BYTES_MIN = 4 + 8,
  DEPTH_MAX = 4,       /* of arrays in arrays */
  SHOWN_BYTES_MAX = 96 /* of a name in a message */
};

struct vise_gguf {
  char *path;            /* owned */
  vise_storage *storage; /* retained: the whole file */
  const uint8_t *data;
  uint64_t bytes, alignment;
  uint32_t version;
  int64_t n_keys, n_entries;
  vise_gguf_key *keys;                /* owned, in file order; names borrow from the storage */
  vise_gguf_entry *entries;           /* owned, in file order */
  const vise_gguf_text **key_names;   /* owned, sorted; each the head of its key */
  const vise_gguf_text **entry_names; /* owned, sorted; each the head of its entry */
};

/* For "%.*s". */
#define SHOWN(t) (int)((t).bytes < SHOWN_BYTES_MAX ? (t).bytes : SHOWN_BYTES_MAX), (t).text

/* ---- values: read without checks, of a file that was checked ---- */

static int64_t sign_extend(uint64_t v, size_t bytes) {
  const unsigned unused = 64 - 8 * (unsigned)bytes;
  return (int64_t)(v << unused) >> unused;
}

void vise_gguf_next(vise_gguf_value *out, const uint8_t **inout, vise_gguf_kind kind) {
  const uint8_t *p = *inout;
  const size_t bytes = vise_gguf_kind_bytes(kind);
  *out = (vise_gguf_value){.kind = kind};
  switch (kind) {
  case VISE_GGUF_STRING:
    out->n = vise_load(p, 8);
    out->text = (const char *)p + 8;
    *inout = p + 8 + out->n;
    return;
  case VISE_GGUF_ARRAY: {
    vise_gguf_value element;
    out->of = (vise_gguf_kind)vise_load(p, 4);
    out->n = vise_load(p + 4, 8);
    out->first = *inout = p + ARRAY_BYTES_MIN;
    if (vise_gguf_kind_bytes(out->of) > 0) {
      *inout += out->n * vise_gguf_kind_bytes(out->of);
      return;
    }
    for (uint64_t i = 0; i < out->n; i++) {
      vise_gguf_next(&element, inout, out->of);
    }
    return;
  }
  case VISE_GGUF_F32: {
    const uint32_t bits = (uint32_t)vise_load(p, 4);
    float r;
    memcpy(&r, &bits, sizeof r);
    out->r = (double)r;
    break;
  }
  case VISE_GGUF_F64: {
    const uint64_t bits = vise_load(p, 8);
    memcpy(&out->r, &bits, sizeof out->r);
    break;
  }
  default:
    out->u = vise_load(p, bytes);
    out->i = sign_extend(out->u, bytes);
    break;
  }
  *inout = p + bytes;
}

/* ---- the checking pass ---- */

static vise_status
want(const vise_gguf *f, uint64_t at, uint64_t n, const char *what, vise_err *err) {
  if (n > f->bytes - at) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: %s at byte %" PRIu64 " has %" PRIu64 " bytes, file has %" PRIu64 " bytes",
                     f->path, what, at, n, f->bytes);
  }
  return VISE_OK;
}

static vise_status take(uint64_t *out,
                        const vise_gguf *f,
                        uint64_t *at,
                        size_t bytes,
                        const char *what,
                        vise_err *err) {
  VISE_TRY(want(f, *at, bytes, what, err));
  *out = vise_load(f->data + *at, bytes);
  *at += bytes;
  return VISE_OK;
}

/* A length and as many bytes; their place if `out` is there. */
static vise_status take_string(
    vise_gguf_text *out, const vise_gguf *f, uint64_t *at, const char *what, vise_err *err) {
  uint64_t n;
  VISE_TRY(take(&n, f, at, 8, what, err));
  VISE_TRY(want(f, *at, n, what, err));
  *out = (vise_gguf_text){(const char *)f->data + *at, (size_t)n};
  *at += n;
  return VISE_OK;
}

static vise_status
take_name(vise_gguf_text *out, const vise_gguf *f, uint64_t *at, const char *what, vise_err *err) {
  const uint64_t begin = *at;
  VISE_TRY(take_string(out, f, at, what, err));
  if (out->bytes == 0 || memchr(out->text, '\0', out->bytes) != NULL ||
      vise_utf8_repair(NULL, out->text, out->bytes, VISE_UTF8_EACH_BYTE) != out->bytes) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: %s at byte %" PRIu64 " is empty or no UTF-8 without NUL", f->path, what,
                     begin);
  }
  return VISE_OK;
}

static vise_status check_value(
    const vise_gguf *f, uint64_t *at, vise_gguf_text name, uint64_t kind, int depth, vise_err *err);

static vise_status
check_array(const vise_gguf *f, uint64_t *at, vise_gguf_text name, int depth, vise_err *err) {
  uint64_t kind, n, bytes;
  VISE_TRY(take(&kind, f, at, 4, "type of an array", err));
  VISE_TRY(take(&n, f, at, 8, "length of an array", err));
  if (kind >= VISE_GGUF_KINDS) {
    return vise_fail(err, VISE_EFORMAT, "%s: key '%.*s' is an array of unknown type %" PRIu64,
                     f->path, SHOWN(name), kind);
  }
  if (depth == DEPTH_MAX) {
    return vise_fail(err, VISE_EFORMAT, "%s: key '%.*s' nests arrays deeper than %d", f->path,
                     SHOWN(name), DEPTH_MAX);
  }
  const size_t fixed = vise_gguf_kind_bytes((vise_gguf_kind)kind);
  const size_t least = fixed > 0                  ? fixed
                       : kind == VISE_GGUF_STRING ? (size_t)STRING_BYTES_MIN
                                                  : (size_t)ARRAY_BYTES_MIN;
  if (!vise_mul_u64(&bytes, n, least) || bytes > f->bytes - *at) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: key '%.*s' at byte %" PRIu64 " is an array of %" PRIu64
                     " elements, file has %" PRIu64 " bytes",
                     f->path, SHOWN(name), *at, n, f->bytes);
  }
  if (fixed > 0 && kind != VISE_GGUF_BOOL) {
    *at += bytes;
    return VISE_OK;
  }
  for (uint64_t i = 0; i < n; i++) {
    VISE_TRY(check_value(f, at, name, kind, depth + 1, err));
  }
  return VISE_OK;
}

/* Move *at behind a value of `kind`, all of which lies in the file. */
static vise_status check_value(const vise_gguf *f,
                               uint64_t *at,
                               vise_gguf_text name,
                               uint64_t kind,
                               int depth,
                               vise_err *err) {
  if (kind >= VISE_GGUF_KINDS) {
    return vise_fail(err, VISE_EFORMAT, "%s: key '%.*s' is of unknown type %" PRIu64, f->path,
                     SHOWN(name), kind);
  }
  uint64_t v;
  vise_gguf_text text;
  switch ((vise_gguf_kind)kind) {
  case VISE_GGUF_STRING: return take_string(&text, f, at, "string", err);
  case VISE_GGUF_ARRAY: return check_array(f, at, name, depth, err);
  default:
    VISE_TRY(take(&v, f, at, vise_gguf_kind_bytes((vise_gguf_kind)kind), "value", err));
    if (kind == VISE_GGUF_BOOL && v > 1) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: key '%.*s' at byte %" PRIu64 " is %" PRIu64
                       ", expected a boolean, 0 or 1",
                       f->path, SHOWN(name), *at - 1, v);
    }
    return VISE_OK;
  }
}

static vise_status read_keys(vise_gguf *f, uint64_t *at, vise_err *err) {
  for (int64_t i = 0; i < f->n_keys; i++) {
    vise_gguf_key *key = &f->keys[i];
    uint64_t kind;
    VISE_TRY(take_name(&key->name, f, at, "name of a key", err));
    VISE_TRY(take(&kind, f, at, 4, "type of a key", err));
    const uint8_t *value = f->data + *at;
    VISE_TRY(check_value(f, at, key->name, kind, 0, err));
    vise_gguf_next(&key->value, &value, (vise_gguf_kind)kind);
  }
  return VISE_OK;
}

static vise_status
read_shape(const vise_gguf *f, vise_gguf_entry *e, uint64_t *at, uint64_t rank, vise_err *err) {
  if (rank > VISE_GGUF_RANK_MAX) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensor '%.*s' has %" PRIu64 " dimensions, expected at most %d", f->path,
                     SHOWN(e->name), rank, VISE_GGUF_RANK_MAX);
  }
  e->rank = (int)rank;
  for (int i = e->rank - 1; i >= 0; i--) {
    uint64_t dim;
    VISE_TRY(take(&dim, f, at, 8, "dimension of a tensor", err));
    if (dim > INT64_MAX) {
      return vise_fail(err, VISE_EFORMAT, "%s: shape of tensor '%.*s' overflows 64 bits", f->path,
                       SHOWN(e->name));
    }
    e->shape[i] = (int64_t)dim;
  }
  return VISE_OK;
}

/* All of an entry but where its bytes are: `begin` is an offset in the data, `end` their number. */
static vise_status read_entry(const vise_gguf *f, vise_gguf_entry *e, uint64_t *at, vise_err *err) {
  uint64_t rank, type;
  VISE_TRY(take_name(&e->name, f, at, "name of a tensor", err));
  VISE_TRY(take(&rank, f, at, 4, "rank of a tensor", err));
  VISE_TRY(read_shape(f, e, at, rank, err));
  VISE_TRY(take(&type, f, at, 4, "type of a tensor", err));
  VISE_TRY(take(&e->begin, f, at, 8, "offset of a tensor", err));
  e->type = vise_gguf_type_of_number((uint32_t)type);
  if (e->type == NULL) {
    return vise_fail(err, VISE_EUNSUPPORTED, "%s: tensor '%.*s' is of unknown type %" PRIu64,
                     f->path, SHOWN(e->name), type);
  }
  const int64_t columns = e->rank == 0 ? 1 : e->shape[e->rank - 1];
  if (columns % e->type->block != 0) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: blocks of %d (%s) do not divide the %" PRId64 " columns of tensor '%.*s'",
                     f->path, e->type->block, e->type->name, columns, SHOWN(e->name));
  }
  if (!vise_gguf_type_bytes(&e->end, e->type, e->rank, e->shape)) {
    return vise_fail(err, VISE_EFORMAT, "%s: shape of tensor '%.*s' overflows 64 bits", f->path,
                     SHOWN(e->name));
  }
  if (e->begin % f->alignment != 0) {
    return vise_fail(err, VISE_EFORMAT,
                     "%s: tensor '%.*s' begins at byte %" PRIu64
                     " of the data, expected a multiple of the alignment, %" PRIu64,
                     f->path, SHOWN(e->name), e->begin, f->alignment);
  }
  return VISE_OK;
}

static int compare_bytes(const void *a, const void *b) {
  const vise_gguf_entry *x = *(const vise_gguf_entry *const *)a;
  const vise_gguf_entry *y = *(const vise_gguf_entry *const *)b;
  if (x->begin != y->begin) {
    return x->begin < y->begin ? -1 : 1;
  }
  return x->end < y->end ? -1 : x->end > y->end;
}

/* Entries from offsets to bytes of the file. `order` has room for a pointer to each. */
static vise_status
place_entries(vise_gguf *f, const vise_gguf_entry **order, uint64_t header_end, vise_err *err) {
  /* The header's end is below the file's, and the alignment is at most 2^31: the sum fits. */
  const uint64_t data_begin = (header_end + f->alignment - 1) / f->alignment * f->alignment;
  for (int64_t i = 0; i < f->n_entries; i++) {
    vise_gguf_entry *e = &f->entries[i];
    const uint64_t bytes = e->end, offset = e->begin;
    if (!vise_add_u64(&e->begin, e->begin, data_begin) || !vise_add_u64(&e->end, e->begin, bytes) ||
        e->end > f->bytes) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: tensor '%.*s' of %" PRIu64 " bytes begins at byte %" PRIu64
                       " of the data, file has %" PRIu64 " bytes",
                       f->path, SHOWN(e->name), bytes, offset, f->bytes);
    }
    order[i] = e;
  }
  qsort(order, (size_t)f->n_entries, sizeof(const vise_gguf_entry *), compare_bytes);
  for (int64_t i = 1; i < f->n_entries; i++) {
    if (order[i]->begin < order[i - 1]->end) {
      return vise_fail(err, VISE_EFORMAT, "%s: tensors '%.*s' and '%.*s' overlap at byte %" PRIu64,
                       f->path, SHOWN(order[i - 1]->name), SHOWN(order[i]->name), order[i]->begin);
    }
  }
  return VISE_OK;
}

static int compare_names(const void *a, const void *b) {
  const vise_gguf_text *x = *(const vise_gguf_text *const *)a;
  const vise_gguf_text *y = *(const vise_gguf_text *const *)b;
  const int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);
  return order != 0 ? order : x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static vise_status check_names(
    const vise_gguf *f, const vise_gguf_text **names, int64_t n, const char *what, vise_err *err) {
  qsort(names, (size_t)n, sizeof(const vise_gguf_text *), compare_names);
  for (int64_t i = 1; i < n; i++) {
    if (compare_names(&names[i - 1], &names[i]) == 0) {
      return vise_fail(err, VISE_EFORMAT, "%s: two %s are named '%.*s'", f->path, what,
                       SHOWN(*names[i]));
    }
  }
  return VISE_OK;
}

static const vise_gguf_text *
find_name(const vise_gguf_text **names, int64_t n, const char *name, size_t bytes) {
  const vise_gguf_text key = {name, bytes}, *pointer = &key;
  const vise_gguf_text **found =
      bsearch(&pointer, names, (size_t)n, sizeof(const vise_gguf_text *), compare_names);
  return found == NULL ? NULL : *found;
}

static vise_status read_alignment(vise_gguf *f, vise_err *err) {
  static const char name[] = "general.alignment";
  const vise_gguf_key *key = vise_gguf_key_find(f, name, sizeof name - 1);
  f->alignment = VISE_GGUF_ALIGNMENT;
  if (key != NULL) {
    f->alignment = key->value.u;
    if (key->value.kind != VISE_GGUF_U32 || f->alignment < 8 ||
        (f->alignment & (f->alignment - 1)) != 0) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: %s is %s %" PRIu64 ", expected u32, a power of two of 8 or more",
                       f->path, name, vise_gguf_kind_name(key->value.kind), f->alignment);
    }
  }
  return VISE_OK;
}

/* How many things a header of so many bytes may have; before memory is asked for them. */
static vise_status take_count(int64_t *out,
                              const vise_gguf *f,
                              uint64_t *at,
                              uint64_t least,
                              const char *what,
                              vise_err *err) {
  uint64_t n;
  VISE_TRY(take(&n, f, at, 8, "header", err));
  if (n > f->bytes / least) {
    return vise_fail(err, VISE_EFORMAT, "%s: has %" PRIu64 " %s, file has %" PRIu64 " bytes",
                     f->path, n, what, f->bytes);
  }
  *out = (int64_t)n;
  return VISE_OK;
}

static vise_status read_counts(vise_gguf *f, uint64_t *at, vise_err *err) {
  uint64_t version;
  if (f->bytes < 4 || memcmp(f->data, "GGUF", 4) != 0) {
    return vise_fail(err, VISE_EFORMAT, "%s: does not begin with 'GGUF'", f->path);
  }
  *at = 4;
  VISE_TRY(take(&version, f, at, 4, "version", err));
  f->version = (uint32_t)version;
  if (f->version != 2 && f->version != 3) {
    const bool is_turned = f->version == 2u << 24 || f->version == 3u << 24;
    return vise_fail(err, VISE_EUNSUPPORTED, "%s: version is %" PRIu32 "%s, expected 2 or 3",
                     f->path, f->version, is_turned ? " (a big-endian file)" : "");
  }
  VISE_TRY(take_count(&f->n_entries, f, at, TENSOR_BYTES_MIN, "tensors", err));
  return take_count(&f->n_keys, f, at, KEY_BYTES_MIN, "keys", err);
}

static vise_status alloc(vise_gguf *f, vise_err *err) {
  void *keys, *entries, *key_names, *entry_names;
  VISE_TRY(vise_mem_alloc_array(&keys, f->n_keys, sizeof *f->keys, err));
  f->keys = keys;
  VISE_TRY(vise_mem_alloc_array(&entries, f->n_entries, sizeof *f->entries, err));
  f->entries = entries;
  VISE_TRY(vise_mem_alloc_array(&key_names, f->n_keys, sizeof *f->key_names, err));
  f->key_names = key_names;
  VISE_TRY(vise_mem_alloc_array(&entry_names, f->n_entries, sizeof *f->entry_names, err));
  f->entry_names = entry_names;
  return VISE_OK;
}

static vise_status read_header(vise_gguf *f, vise_err *err) {
  uint64_t at = 0;
  VISE_TRY(read_counts(f, &at, err));
  VISE_TRY(alloc(f, err));
  VISE_TRY(read_keys(f, &at, err));
  for (int64_t i = 0; i < f->n_keys; i++) {
    f->key_names[i] = &f->keys[i].name;
  }
  VISE_TRY(check_names(f, f->key_names, f->n_keys, "keys", err));
  VISE_TRY(read_alignment(f, err));
  for (int64_t i = 0; i < f->n_entries; i++) {
    f->entries[i] = (vise_gguf_entry){0};
    VISE_TRY(read_entry(f, &f->entries[i], &at, err));
  }
  /* A pointer to an entry is one to its name, which comes first. */
  VISE_TRY(place_entries(f, (const vise_gguf_entry **)(void *)f->entry_names, at, err));
  return check_names(f, f->entry_names, f->n_entries, "tensors", err);
}

vise_status
vise_gguf_create(vise_gguf **out, vise_storage *storage, const char *path, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_gguf), err));
  vise_gguf *f = memory;
  f->storage = vise_storage_retain(storage);
  f->data = vise_storage_data(storage);
  f->bytes = vise_storage_bytes(storage);
  vise_status st = vise_mem_strdup(&f->path, path, strlen(path), err);
  if (st == VISE_OK) {
    st = read_header(f, err);
  }
  if (st != VISE_OK) {
    vise_gguf_close(f);
    return st;
  }
  *out = f;
  return VISE_OK;
}

vise_status vise_gguf_open(vise_gguf **out, const char *path, vise_err *err) {
  *out = NULL;
  vise_storage *storage;
  VISE_TRY(vise_storage_open(&storage, path, err));
  const vise_status st = vise_gguf_create(out, storage, path, err);
  vise_storage_release(storage);
  return st;
}

void vise_gguf_close(vise_gguf *f) {
  if (f != NULL) {
    vise_mem_free(f->entry_names);
    vise_mem_free(f->key_names);
    vise_mem_free(f->entries);
    vise_mem_free(f->keys);
    vise_storage_release(f->storage);
    vise_mem_free(f->path);
    vise_mem_free(f);
  }
}

const char *vise_gguf_path(const vise_gguf *f) {
  return f->path;
}

uint32_t vise_gguf_version(const vise_gguf *f) {
  return f->version;
}

int64_t vise_gguf_count(const vise_gguf *f) {
  return f->n_entries;
}

const vise_gguf_entry *vise_gguf_entry_at(const vise_gguf *f, int64_t i) {
  return &f->entries[i];
}

const vise_gguf_entry *vise_gguf_find(const vise_gguf *f, const char *name, size_t bytes) {
  return (const vise_gguf_entry *)(const void *)find_name(f->entry_names, f->n_entries, name,
                                                          bytes);
}

int64_t vise_gguf_keys(const vise_gguf *f) {
  return f->n_keys;
}

const vise_gguf_key *vise_gguf_key_at(const vise_gguf *f, int64_t i) {
  return &f->keys[i];
}

const vise_gguf_key *vise_gguf_key_find(const vise_gguf *f, const char *name, size_t bytes) {
  return (const vise_gguf_key *)(const void *)find_name(f->key_names, f->n_keys, name, bytes);
}

vise_status vise_gguf_tensor(vise_tensor **out,
                             const vise_gguf *f,
                             const vise_gguf_entry *entry,
                             vise_err *err) {
  int64_t shape[VISE_GGUF_RANK_MAX + 1] = {0};
  memcpy(shape, entry->shape, (size_t)entry->rank * sizeof *shape);
  const int rank = entry->rank;
  if (!entry->type->is_plain) {
    assert(rank > 0); /* no block divides the one column of a scalar */
    shape[rank - 1] = shape[rank - 1] / entry->type->block * entry->type->bytes;
  }
  return vise_tensor_over(out, f->storage, (size_t)entry->begin, entry->type->dtype, rank, shape,
                          err);
}
