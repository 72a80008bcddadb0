/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tensor.h"

#include "core/checked.h"
#include "core/mem.h"
#include "kernels/convert.h"
#include "tensor/cast.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct vise_tensor {
  atomic_int refs;
  vise_dtype dtype;
  int rank;
  int64_t shape[VISE_RANK_MAX], strides[VISE_RANK_MAX];
  size_t offset;         /* bytes from the start of the storage */
  vise_storage *storage; /* retained */
};

static vise_status check_shape(int64_t *count_out, int rank, const int64_t *shape, vise_err *err) {
  if (rank < 0 || rank > VISE_RANK_MAX) {
    return vise_fail(err, VISE_ESHAPE, "tensor: has %d dimensions, expected at most %d", rank,
                     VISE_RANK_MAX);
  }
  int64_t extent = 1; /* the product without dimensions of 0, which bounds the strides too */
  bool is_empty = false;
  for (int i = 0; i < rank; i++) {
    const int64_t d = shape[i] == 0 ? 1 : shape[i];
    is_empty = is_empty || shape[i] == 0;
    if (d < 0 || !vise_mul_i64(&extent, extent, d) || extent > INT64_MAX / 8) {
      return vise_fail(err, VISE_ESHAPE, "tensor: dimension %d of the shape is %lld, expected %s",
                       i, (long long)shape[i], d < 0 ? "0 or more" : "fewer elements in all");
    }
  }
  *count_out = is_empty ? 0 : extent;
  return VISE_OK;
}

bool vise_tensor_shape_bytes(uint64_t *out, vise_dtype dtype, int rank, const int64_t *shape) {
  int64_t count;
  if (check_shape(&count, rank, shape, NULL) != VISE_OK) {
    return false;
  }
  *out = (uint64_t)count * vise_dtype_bytes(dtype);
  return true;
}

static vise_status wrap(vise_tensor **out,
                        vise_storage *storage,
                        size_t offset,
                        vise_dtype dtype,
                        int rank,
                        const int64_t *shape,
                        vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc(&memory, sizeof(vise_tensor), err));
  vise_tensor *t = memory;
  *t = (vise_tensor){.refs = 1,
                     .dtype = dtype,
                     .rank = rank,
                     .offset = offset,
                     .storage = vise_storage_retain(storage)};
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; i--) {
    t->shape[i] = shape[i];
    t->strides[i] = stride;
    stride *= shape[i] > 0 ? shape[i] : 1;
  }
  *out = t;
  return VISE_OK;
}

vise_status vise_tensor_create(
    vise_tensor **out, vise_dtype dtype, int rank, const int64_t *shape, vise_err *err) {
  *out = NULL;
  int64_t count;
  VISE_TRY(check_shape(&count, rank, shape, err));
  vise_storage *storage;
  VISE_TRY(vise_storage_create(&storage, (size_t)count * vise_dtype_bytes(dtype), err));
  const vise_status st = wrap(out, storage, 0, dtype, rank, shape, err);
  vise_storage_release(storage);
  return st;
}

vise_status vise_tensor_over(vise_tensor **out,
                             vise_storage *storage,
                             size_t offset,
                             vise_dtype dtype,
                             int rank,
                             const int64_t *shape,
                             vise_err *err) {
  *out = NULL;
  int64_t count;
  VISE_TRY(check_shape(&count, rank, shape, err));
  const size_t element = vise_dtype_bytes(dtype), bytes = vise_storage_bytes(storage);
  const uintptr_t address = (uintptr_t)vise_storage_data(storage) + offset;
  if (offset > bytes || (size_t)count * element > bytes - offset || address % element != 0) {
    return vise_fail(err, VISE_ESHAPE,
                     "tensor: %lld elements of %s at byte %zu do not fit the storage of %zu bytes",
                     (long long)count, vise_dtype_name(dtype), offset, bytes);
  }
  return wrap(out, storage, offset, dtype, rank, shape, err);
}

vise_tensor *vise_tensor_retain(vise_tensor *t) {
  atomic_fetch_add(&t->refs, 1);
  return t;
}

void vise_tensor_release(vise_tensor *t) {
  if (t != NULL && atomic_fetch_sub(&t->refs, 1) == 1) {
    vise_storage_release(t->storage);
    vise_mem_free(t);
  }
}

/* A copy of the view itself, to be changed by the caller. */
static vise_status view_of(vise_tensor **out, vise_tensor *t, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_alloc(&memory, sizeof(vise_tensor), err));
  *out = memory;
  memcpy(memory, t, sizeof(vise_tensor));
  (*out)->refs = 1;
  vise_storage_retain(t->storage);
  return VISE_OK;
}

static vise_status check_dim(const vise_tensor *t, int dim, vise_err *err) {
  if (dim < 0 || dim >= t->rank) {
    return vise_fail(err, VISE_ESHAPE, "tensor: no dimension %d, it has %d", dim, t->rank);
  }
  return VISE_OK;
}

vise_status vise_tensor_narrow(
    vise_tensor **out, vise_tensor *t, int dim, int64_t start, int64_t n, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_dim(t, dim, err));
  if (start < 0 || n < 0 || start > t->shape[dim] || n > t->shape[dim] - start) {
    return vise_fail(err, VISE_ESHAPE,
                     "tensor: range of %lld from %lld does not fit dimension %d, "
                     "which has %lld",
                     (long long)n, (long long)start, dim, (long long)t->shape[dim]);
  }
  VISE_TRY(view_of(out, t, err));
  (*out)->shape[dim] = n;
  (*out)->offset += (size_t)(start * t->strides[dim]) * vise_dtype_bytes(t->dtype);
  return VISE_OK;
}

vise_status vise_tensor_reshape(
    vise_tensor **out, vise_tensor *t, int rank, const int64_t *shape, vise_err *err) {
  *out = NULL;
  int64_t count;
  VISE_TRY(check_shape(&count, rank, shape, err));
  char text[160];
  if (count != vise_tensor_count(t)) {
    return vise_fail(err, VISE_ESHAPE, "tensor: cannot reshape %s to %lld elements",
                     vise_tensor_shape_text(text, sizeof text, t), (long long)count);
  }
  if (!vise_tensor_is_contiguous(t)) {
    return vise_fail(err, VISE_ESHAPE, "tensor: cannot reshape a view of %s that is not contiguous",
                     vise_tensor_shape_text(text, sizeof text, t));
  }
  return wrap(out, t->storage, t->offset, t->dtype, rank, shape, err);
}

vise_status
vise_tensor_transpose(vise_tensor **out, vise_tensor *t, int dim_a, int dim_b, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_dim(t, dim_a, err));
  VISE_TRY(check_dim(t, dim_b, err));
  VISE_TRY(view_of(out, t, err));
  (*out)->shape[dim_a] = t->shape[dim_b];
  (*out)->shape[dim_b] = t->shape[dim_a];
  (*out)->strides[dim_a] = t->strides[dim_b];
  (*out)->strides[dim_b] = t->strides[dim_a];
  return VISE_OK;
}

vise_dtype vise_tensor_dtype(const vise_tensor *t) {
  return t->dtype;
}

int vise_tensor_rank(const vise_tensor *t) {
  return t->rank;
}

const int64_t *vise_tensor_shape(const vise_tensor *t) {
  return t->shape;
}

int64_t vise_tensor_dim(const vise_tensor *t, int dim) {
  return t->shape[dim];
}

int64_t vise_tensor_stride(const vise_tensor *t, int dim) {
  return t->strides[dim];
}

int64_t vise_tensor_count(const vise_tensor *t) {
  int64_t count = 1;
  for (int i = 0; i < t->rank; i++) {
    count *= t->shape[i];
  }
  return count;
}

size_t vise_tensor_bytes(const vise_tensor *t) {
  return (size_t)vise_tensor_count(t) * vise_dtype_bytes(t->dtype);
}

bool vise_tensor_is_contiguous(const vise_tensor *t) {
  int64_t stride = 1;
  for (int i = t->rank - 1; i >= 0; i--) {
    if (t->shape[i] != 1 && t->strides[i] != stride) {
      return vise_tensor_count(t) == 0;
    }
    stride *= t->shape[i];
  }
  return true;
}

bool vise_tensor_is_mapped(const vise_tensor *t) {
  return vise_storage_is_mapped(t->storage);
}

void *vise_tensor_data(const vise_tensor *t) {
  return (char *)vise_storage_data(t->storage) + t->offset;
}

vise_status
vise_tensor_write(const vise_tensor *t, vise_file_writer *w, uint64_t at, vise_err *err) {
  if (vise_tensor_is_contiguous(t)) {
    return vise_file_writer_write_at(w, at, vise_tensor_data(t), vise_tensor_bytes(t), err);
  }
  vise_tensor *packed;
  VISE_TRY(vise_tensor_convert(&packed, t, t->dtype, err));
  const vise_status st =
      vise_file_writer_write_at(w, at, vise_tensor_data(packed), vise_tensor_bytes(packed), err);
  vise_tensor_release(packed);
  return st;
}

const char *vise_tensor_shape_text(char *out, size_t out_bytes, const vise_tensor *t) {
  size_t at = (size_t)snprintf(out, out_bytes, "[");
  for (int i = 0; i < t->rank && at < out_bytes; i++) {
    at += (size_t)snprintf(out + at, out_bytes - at, i == 0 ? "%lld" : ", %lld",
                           (long long)t->shape[i]);
  }
  if (at < out_bytes) {
    snprintf(out + at, out_bytes - at, "]");
  }
  return out;
}

const void *vise_tensor_element(const vise_tensor *t, int64_t index) {
  int64_t at = 0;
  for (int i = t->rank - 1; i >= 0; i--) {
    at += index % t->shape[i] * t->strides[i];
    index /= t->shape[i];
  }
  return (const char *)vise_tensor_data(t) + (size_t)at * vise_dtype_bytes(t->dtype);
}

static double value_at(const void *p, vise_dtype dtype) {
  switch (dtype) {
  case VISE_DTYPE_F64: return *(const double *)p;
  case VISE_DTYPE_F32: return (double)*(const float *)p;
  case VISE_DTYPE_F16: return (double)vise_f16_to_f32(*(const uint16_t *)p);
  case VISE_DTYPE_BF16: return (double)vise_bf16_to_f32(*(const uint16_t *)p);
  case VISE_DTYPE_F8_E4M3: return (double)vise_e4m3_to_f32(*(const uint8_t *)p);
  case VISE_DTYPE_F8_E5M2: return (double)vise_e5m2_to_f32(*(const uint8_t *)p);
  case VISE_DTYPE_I64: return (double)*(const int64_t *)p;
  case VISE_DTYPE_I32: return (double)*(const int32_t *)p;
  case VISE_DTYPE_I16: return (double)*(const int16_t *)p;
  case VISE_DTYPE_I8: return (double)*(const int8_t *)p;
  case VISE_DTYPE_U64: return (double)*(const uint64_t *)p;
  case VISE_DTYPE_U32: return (double)*(const uint32_t *)p;
  case VISE_DTYPE_U16: return (double)*(const uint16_t *)p;
  case VISE_DTYPE_U8: return (double)*(const uint8_t *)p;
  case VISE_DTYPE_BOOL: return *(const uint8_t *)p != 0 ? 1.0 : 0.0;
  case VISE_DTYPES: break;
  }
  return 0.0;
}

double vise_tensor_get(const vise_tensor *t, int64_t index) {
  return value_at(vise_tensor_element(t, index), t->dtype);
}

int64_t vise_tensor_get_i64(const vise_tensor *t, int64_t index) {
  const void *p = vise_tensor_element(t, index);
  switch (t->dtype) {
  case VISE_DTYPE_I64: return *(const int64_t *)p;
  case VISE_DTYPE_U64: return (int64_t) * (const uint64_t *)p;
  default: return (int64_t)value_at(p, t->dtype);
  }
}

void vise_tensor_to_f32(const vise_tensor *t, int64_t begin, int64_t end, float *out) {
  const int64_t n = end - begin;
  if (n <= 0) {
    return;
  }
  if (!vise_tensor_is_contiguous(t)) {
    for (int64_t i = 0; i < n; i++) {
      out[i] = (float)vise_tensor_get(t, begin + i);
    }
    return;
  }
  const char *p = vise_tensor_element(t, begin);
  if (vise_dtype_is_float(t->dtype)) {
    vise_cast_to_f32(out, p, t->dtype, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)value_at(p + (size_t)i * vise_dtype_bytes(t->dtype), t->dtype);
  }
}

bool vise_tensor_read(const vise_tensor *t, size_t at, void *out, size_t bytes) {
  return vise_storage_read(t->storage, t->offset + at, out, bytes);
}
