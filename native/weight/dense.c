/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `dense`: one tensor of a float dtype. The tree has one part, `values` [m, k]; its dtype
 * is whatever the tensor has, so it is not repeated as an attribute.
 */
#include "core/mem.h"
#include "kernels/dot.h"
#include "tensor/cast.h"
#include "weight/kind.h"

#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_dense;

typedef struct dense {
  vise_weight base;
  vise_tensor *tensor; /* retained, contiguous */
} dense;

static const dense *as_dense(const vise_weight *w) {
  return (const dense *)(const void *)w;
}

static void dense_decode(const vise_weight *w,
                         int64_t row,
                         int64_t n_rows,
                         int64_t col,
                         int64_t n_cols,
                         float *out,
                         int64_t ld) {
  const vise_tensor *t = as_dense(w)->tensor;
  const vise_dtype dtype = vise_tensor_dtype(t);
  const char *data = vise_tensor_data(t);
  for (int64_t i = row; i < row + n_rows; i++, out += ld) {
    vise_cast_to_f32(out, data + (size_t)(i * w->k + col) * vise_dtype_bytes(dtype), dtype, n_cols);
  }
}

/* x as it is, where rows can be read as they are. */
static int64_t dense_prepared(const vise_weight *w) {
  const vise_dtype dtype = vise_tensor_dtype(as_dense(w)->tensor);
  return dtype == VISE_DTYPE_F32 || dtype == VISE_DTYPE_BF16 ? w->k : 0;
}

static void dense_prepare(const vise_weight *w, float *out, const float *x) {
  memcpy(out, x, (size_t)w->k * sizeof *x);
}

static void
dense_dot_rows(const vise_weight *w, int64_t row, int64_t n_rows, const float *prepared, float *y) {
  const vise_tensor *t = as_dense(w)->tensor;
  const bool is_f32 = vise_tensor_dtype(t) == VISE_DTYPE_F32;
  const void *data = vise_tensor_data(t);
  for (int64_t i = 0; i < n_rows; i++) {
    const int64_t at = (row + i) * w->k;
    y[i] = is_f32 ? vise_dot()->one_f32((const float *)data + at, prepared, w->k)
                  : vise_dot()->one_bf16((const uint16_t *)data + at, prepared, w->k);
  }
}

static const vise_weight_dot dense_dot = {dense_prepared, dense_prepare, dense_dot_rows};

static vise_status dense_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "dense", w->m, w->k, err));
  const vise_status st = vise_tree_add_part(*out, "values", as_dense(w)->tensor, err);
  if (st != VISE_OK) {
    vise_tree_free(*out);
    *out = NULL;
  }
  return st;
}

static vise_status check_parts(const vise_tree *t, vise_err *err) {
  const bool is_one = t->n_parts == 1 && t->n_children == 0;
  if (!is_one || strcmp(t->parts[0].name, "values") != 0 ||
      !vise_dtype_is_float(vise_tensor_dtype(t->parts[0].tensor))) {
    return vise_fail(err, VISE_EFORMAT, "dense: expected one part 'values' of a float type");
  }
  return VISE_OK;
}

static vise_status dense_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_parts(t, err));
  vise_tensor *values;
  VISE_TRY(vise_tree_get_part(&values, t, "values", vise_tensor_dtype(t->parts[0].tensor), 2,
                              (const int64_t[]){t->m, t->k}, err));
  return vise_weight_dense(out, values, err);
}

static vise_status dense_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  VISE_TRY(check_parts(t, err));
  snprintf(out, out_bytes, "%s", vise_dtype_name(vise_tensor_dtype(t->parts[0].tensor)));
  return VISE_OK;
}

static void dense_free(vise_weight *w) {
  vise_tensor_release(as_dense(w)->tensor);
}

vise_status vise_weight_dense(vise_weight **out, vise_tensor *t, vise_err *err) {
  *out = NULL;
  char shape[160];
  if (vise_tensor_rank(t) != 2 || !vise_tensor_is_contiguous(t)) {
    return vise_fail(err, VISE_ESHAPE, "weight: tensor is %s%s, expected a contiguous matrix",
                     vise_tensor_shape_text(shape, sizeof shape, t),
                     vise_tensor_is_contiguous(t) ? "" : " (not contiguous)");
  }
  if (!vise_dtype_is_float(vise_tensor_dtype(t))) {
    return vise_fail(err, VISE_EDTYPE, "weight: tensor is %s, expected a float type",
                     vise_dtype_name(vise_tensor_dtype(t)));
  }
  void *memory;
  VISE_TRY(vise_mem_alloc(&memory, sizeof(dense), err));
  dense *d = memory;
  vise_weight_init(&d->base, &vise_weight_kind_dense, vise_tensor_dim(t, 0), vise_tensor_dim(t, 1));
  d->tensor = vise_tensor_retain(t);
  *out = &d->base;
  return VISE_OK;
}

vise_tensor *vise_weight_dense_tensor(const vise_weight *w) {
  return w->kind == &vise_weight_kind_dense ? as_dense(w)->tensor : NULL;
}

const vise_weight_kind vise_weight_kind_dense = {
    .name = "dense",
    .summary = "a tensor of floats: f64, f32, f16, bf16 or an 8-bit float",
    .decode = dense_decode,
    .dot = &dense_dot,
    .save = dense_save,
    .load = dense_load,
    .describe = dense_describe,
    .free = dense_free,
};
