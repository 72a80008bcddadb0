/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/gguf.h -- GGUF files, versions 2 and 3: typed metadata and named tensors in ggml's types.
 *
 *   "GGUF", u32 version, u64 tensors, u64 keys; the keys and values; the table of tensors; padding
 *   to the alignment; the data, each tensor at a multiple of the alignment.
 *
 * The reader checks everything but the data before it hands out anything: lengths, types, that
 * tensors are aligned, lie in the file and do not overlap, that no name is there twice. Opening
 * reads the header only; tensors are views of the mapped file. Little-endian files only.
 *
 * A tensor of floats or integers is given as such. One in blocks is given as its bytes: u8
 * [rows, bytes of a row], which is the part `blocks` of the number format of that name.
 *
 * Messages start with the path and name the key or tensor and the byte of the file.
 */
#ifndef VISE_IO_GGUF_H
#define VISE_IO_GGUF_H

#include "core/status.h"
#include "tensor/tensor.h"
#include "weight/weight.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VISE_GGUF_RANK_MAX = 4, VISE_GGUF_ALIGNMENT = 32 };

/* A type of tensors: `block` consecutive columns take `bytes`. */
typedef struct vise_gguf_type {
  uint32_t number;
  const char *name; /* "f32", "q4_k"; lower case */
  int block, bytes;
  bool is_plain;    /* block is 1, and the elements are of ... */
  vise_dtype dtype; /* u8 if it is in blocks */
} vise_gguf_type;

const vise_gguf_type *vise_gguf_type_find(const char *name);     /* NULL if none */
const vise_gguf_type *vise_gguf_type_of_number(uint32_t number); /* NULL if none */
bool vise_gguf_type_bytes(
    uint64_t *out,                            /* of a tensor of that shape, */
    const vise_gguf_type *type,               /* row-major; false if the */
    int rank,                                 /* block does not divide the */
    const int64_t shape[VISE_GGUF_RANK_MAX]); /* columns, or 64 bits overflow */

/* Types of metadata; the numbers are the file's. */
typedef enum vise_gguf_kind {
  VISE_GGUF_U8,
  VISE_GGUF_I8,
  VISE_GGUF_U16,
  VISE_GGUF_I16,
  VISE_GGUF_U32,
  VISE_GGUF_I32,
  VISE_GGUF_F32,
  VISE_GGUF_BOOL,
  VISE_GGUF_STRING,
  VISE_GGUF_ARRAY,
  VISE_GGUF_U64,
  VISE_GGUF_I64,
  VISE_GGUF_F64,
  VISE_GGUF_KINDS
} vise_gguf_kind;

const char *vise_gguf_kind_name(vise_gguf_kind kind); /* "u32", "string", "array"; static */
bool vise_gguf_kind_find(vise_gguf_kind *out, const char *name);
size_t vise_gguf_kind_bytes(vise_gguf_kind kind); /* 0 of strings and arrays */

typedef struct vise_gguf_value {
  vise_gguf_kind kind;
  uint64_t u;           /* U8 .. U64, BOOL */
  int64_t i;            /* I8 .. I64 */
  double r;             /* F32, F64 */
  const char *text;     /* STRING: borrowed, `n` bytes, no NUL behind */
  uint64_t n;           /* STRING: bytes; ARRAY: elements */
  vise_gguf_kind of;    /* ARRAY: kind of the elements */
  const uint8_t *first; /* ARRAY: of its elements, for vise_gguf_next */
} vise_gguf_value;

typedef struct vise_gguf_text {
  const char *text; /* borrowed from the file's handle, `bytes` of UTF-8, no NUL behind */
  size_t bytes;
} vise_gguf_text;

typedef struct vise_gguf_key {
  vise_gguf_text name;
  vise_gguf_value value;
} vise_gguf_key;

typedef struct vise_gguf_entry {
  vise_gguf_text name;
  const vise_gguf_type *type;
  int rank;
  int64_t shape[VISE_GGUF_RANK_MAX]; /* row-major: the file's order turned round */
  uint64_t begin, end;               /* bytes of the file */
} vise_gguf_entry;

typedef struct vise_gguf vise_gguf;

/*
 * Map and check the file at `path`.
 *
 * out    owned by the caller, close with vise_gguf_close(); tensors of it may live longer.
 *
 * Errors: VISE_EIO; VISE_EFORMAT; VISE_EUNSUPPORTED version 1, a big-endian file, a type of tensors
 *         that is not known here; VISE_ENOMEM.
 */
vise_status vise_gguf_open(vise_gguf **out, const char *path, vise_err *err) VISE_MUST_USE;

/* The same over bytes that are already here; `storage` is retained, `path` only names them. */
vise_status vise_gguf_create(vise_gguf **out,
                             vise_storage *storage,
                             const char *path,
                             vise_err *err) VISE_MUST_USE;

void vise_gguf_close(vise_gguf *f); /* accepts NULL */

const char *vise_gguf_path(const vise_gguf *f); /* borrowed */
uint32_t vise_gguf_version(const vise_gguf *f);
int64_t vise_gguf_count(const vise_gguf *f);                              /* of tensors */
const vise_gguf_entry *vise_gguf_entry_at(const vise_gguf *f, int64_t i); /* in file order */
const vise_gguf_entry *
vise_gguf_find(const vise_gguf *f, const char *name, size_t bytes); /* NULL if there is none */

int64_t vise_gguf_keys(const vise_gguf *f);                           /* their number */
const vise_gguf_key *vise_gguf_key_at(const vise_gguf *f, int64_t i); /* in file order */
const vise_gguf_key *vise_gguf_key_find(const vise_gguf *f, const char *name, size_t bytes);

/* The element at *inout of an array of `kind`, and *inout set behind it. Called at most `n` times
   from `first` of a value of an open file; cannot fail, because the file was checked. */
void vise_gguf_next(vise_gguf_value *out, const uint8_t **inout, vise_gguf_kind kind);

/* *out: the tensor of `entry`, a view of the file. Errors: VISE_ENOMEM. */
vise_status vise_gguf_tensor(vise_tensor **out,
                             const vise_gguf *f,
                             const vise_gguf_entry *entry,
                             vise_err *err) VISE_MUST_USE;

/*
 * The weight of a tensor of that type, [m, k] or its blocks; contiguous, retained: dense, or of the
 * kind quant. Errors: VISE_ESHAPE; VISE_EDTYPE integers; VISE_EFORMAT blocks that cannot be, such as
 * scales that are not finite; VISE_EUNSUPPORTED a type that is no number format here; VISE_ENOMEM.
 */
vise_status vise_gguf_weight(vise_weight **out,
                             const vise_gguf_type *type,
                             vise_tensor *t,
                             vise_err *err) VISE_MUST_USE;

#endif
