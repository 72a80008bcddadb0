/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor/tensor.h -- n-dimensional arrays: a view (dtype, shape, strides, offset) of a storage.
 *
 * A tensor is reference counted and, once shared, not changed: whoever creates it fills it before
 * handing it on. Views retain their storage, so a view of a mapped file keeps the file mapped.
 * Row-major; strides count elements and are never negative.
 */
#ifndef VISE_TENSOR_TENSOR_H
#define VISE_TENSOR_TENSOR_H

#include "core/status.h"
#include "tensor/dtype.h"
#include "tensor/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VISE_RANK_MAX = 8 };

typedef struct vise_tensor vise_tensor;

/* A new contiguous tensor, uninitialised. `shape`: `rank` dimensions >= 0; rank 0 is a scalar.
   Errors: ESHAPE (negative, rank > 8, product overflows), ENOMEM. */
vise_status vise_tensor_create(vise_tensor **out,
                               vise_dtype dtype,
                               int rank,
                               const int64_t *shape,
                               vise_err *err) VISE_MUST_USE;

/* A contiguous tensor over bytes [offset, ...) of `storage`, which is retained.
   Errors: as above; ESHAPE if it ends after the storage or `offset` is not a multiple of the
   element. */
vise_status vise_tensor_over(vise_tensor **out,
                             vise_storage *storage,
                             size_t offset,
                             vise_dtype dtype,
                             int rank,
                             const int64_t *shape,
                             vise_err *err) VISE_MUST_USE;

/* The bytes of a tensor of that shape; false if there can be none, as create and over say. */
bool vise_tensor_shape_bytes(uint64_t *out, vise_dtype dtype, int rank, const int64_t *shape);

vise_tensor *vise_tensor_retain(vise_tensor *t);
void vise_tensor_release(vise_tensor *t); /* accepts NULL */

/* Views, sharing the storage. `narrow`: indices [start, start + n) of dimension `dim`.
   `reshape` needs a contiguous tensor and the same number of elements. `transpose` swaps two. */
vise_status vise_tensor_narrow(vise_tensor **out,
                               vise_tensor *t,
                               int dim,
                               int64_t start,
                               int64_t n,
                               vise_err *err) VISE_MUST_USE;
vise_status vise_tensor_reshape(
    vise_tensor **out, vise_tensor *t, int rank, const int64_t *shape, vise_err *err) VISE_MUST_USE;
vise_status vise_tensor_transpose(
    vise_tensor **out, vise_tensor *t, int dim_a, int dim_b, vise_err *err) VISE_MUST_USE;

/* A new contiguous tensor with the values of `t` in `dtype`. Float to float rounds to nearest even
   (8-bit floats saturate); integers must fit.
   Errors: ENOMEM; ENUMERIC naming the first index whose value `dtype` cannot hold; EUNSUPPORTED. */
vise_status vise_tensor_convert(vise_tensor **out,
                                const vise_tensor *t,
                                vise_dtype dtype,
                                vise_err *err) VISE_MUST_USE;

vise_dtype vise_tensor_dtype(const vise_tensor *t);
int vise_tensor_rank(const vise_tensor *t);
const int64_t *vise_tensor_shape(const vise_tensor *t); /* borrowed, `rank` entries */
int64_t vise_tensor_dim(const vise_tensor *t, int dim);
int64_t vise_tensor_stride(const vise_tensor *t, int dim); /* in elements */
int64_t vise_tensor_count(const vise_tensor *t);           /* of elements */
size_t vise_tensor_bytes(const vise_tensor *t);            /* count x bytes of an element */
bool vise_tensor_is_contiguous(const vise_tensor *t);
bool vise_tensor_is_mapped(const vise_tensor *t); /* not to be written; its pages may be dropped */
void *vise_tensor_data(const vise_tensor *t);     /* of element 0; borrowed */

/* Copy bytes [at, at + bytes) of a contiguous tensor's elements: see vise_storage_read. */
bool vise_tensor_read(const vise_tensor *t, size_t at, void *out, size_t bytes);

/* Write the elements in row-major order at byte `at` of a file. Errors: VISE_EIO; VISE_ENOMEM. */
vise_status vise_tensor_write(const vise_tensor *t, vise_file_writer *w, uint64_t at, vise_err *err)
    VISE_MUST_USE;

/* "[4096, 11008]" into `out`, cut if need be; returns `out`. For messages. */
const char *vise_tensor_shape_text(char *out, size_t out_bytes, const vise_tensor *t);

/* The element with row-major index `index`; borrowed. No bounds check. */
const void *vise_tensor_element(const vise_tensor *t, int64_t index);

/* Values [begin, end) in row-major order as f32 / from one flat index as f64. No bounds check. */
void vise_tensor_to_f32(const vise_tensor *t, int64_t begin, int64_t end, float *out);
double vise_tensor_get(const vise_tensor *t, int64_t index);

/* One element of an integer tensor, exact; a u64 of 2^63 or more wraps. No bounds check. */
int64_t vise_tensor_get_i64(const vise_tensor *t, int64_t index);

#endif
