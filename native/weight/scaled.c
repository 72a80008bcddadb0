/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `scaled`: W[i, j] = (C[i, j] right[j]) (left[i] scale), one child C. Each factor is a
 * part that may be missing. X W' = (X diag(right)) C' diag(left scale), and the other way round for
 * X W; left x scale is rounded once.
 */
#include "core/mem.h"
#include "weight/compose.h"
#include "weight/kind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_scaled;

enum { LEFT, RIGHT, SCALE, N_PARTS };

static const char *const names[N_PARTS] = {"left", "right", "scale"};

typedef struct scaled {
  vise_weight base;
  vise_tensor *parts[N_PARTS]; /* retained; NULL if missing */
  float *left, *right;         /* [m] with scale, [k]; owned; NULL where all are one */
} scaled;

static scaled *as_scaled(const vise_weight *w) {
  return (scaled *)(uintptr_t)w;
}

static void scaled_free(vise_weight *w) {
  scaled *s = as_scaled(w);
  for (int i = 0; i < N_PARTS; i++) {
    vise_tensor_release(s->parts[i]);
  }
  vise_mem_free(s->left);
  vise_mem_free(s->right);
}

static vise_status
scaled_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  const scaled *s = as_scaled(w);
  VISE_TRY(vise_weight_rows(w->children[0], rows, out, ld, err));
  if (s->right != NULL) {
    VISE_TRY(vise_weight_scale_columns(out, ld, out, ld, rows.n, w->k, s->right, err));
  }
  for (int64_t i = 0; i < rows.n && s->left != NULL; i++) {
    const float factor = s->left[rows.ids != NULL ? rows.ids[i] : rows.first + i];
    for (int64_t j = 0; j < w->k; j++) {
      out[i * ld + j] *= factor;
    }
  }
  return VISE_OK;
}

static vise_status apply(const void *side,
                         bool is_transposed,
                         float *out,
                         int64_t ldo,
                         const float *x,
                         int64_t ldx,
                         int64_t n_rows,
                         int64_t n_cols,
                         vise_err *err) {
  (void)is_transposed; /* a diagonal is its own transpose */
  return vise_weight_scale_columns(out, ldo, x, ldx, n_rows, n_cols, side, err);
}

static vise_sides sides_of(const vise_weight *w) {
  return (vise_sides){as_scaled(w)->left, as_scaled(w)->right, apply};
}

static vise_status scaled_matmul(const vise_weight *w,
                                 float *y,
                                 int64_t ldy,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t t,
                                 vise_err *err) {
  const vise_sides s = sides_of(w);
  return vise_weight_sides_matmul(w, &s, y, ldy, x, ldx, t, err);
}

static vise_status scaled_matmul_t(const vise_weight *w,
                                   float *y,
                                   int64_t ldy,
                                   const float *x,
                                   int64_t ldx,
                                   int64_t t,
                                   vise_err *err) {
  const vise_sides s = sides_of(w);
  return vise_weight_sides_matmul_t(w, &s, y, ldy, x, ldx, t, err);
}

static vise_status scaled_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "scaled", w->m, w->k, err));
  vise_status st = VISE_OK;
  for (int i = 0; i < N_PARTS && st == VISE_OK; i++) {
    vise_tensor *part = as_scaled(w)->parts[i];
    st = part != NULL ? vise_tree_add_part(*out, names[i], part, err) : VISE_OK;
  }
  return vise_weight_saved(out, st);
}

static vise_status scaled_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  vise_tensor *parts[N_PARTS] = {NULL};
  for (int i = 0; i < t->n_parts; i++) {
    int which = 0;
    while (which < N_PARTS && strcmp(names[which], t->parts[i].name) != 0) {
      which++;
    }
    if (which == N_PARTS) {
      return vise_fail(err, VISE_EFORMAT, "scaled: has a part '%s', expected left, right or scale",
                       t->parts[i].name);
    }
    parts[which] = t->parts[i].tensor;
  }
  vise_weight *child;
  VISE_TRY(vise_weight_load_children(&child, t, 1, err));
  vise_status st = VISE_OK;
  if (child->m != t->m || child->k != t->k || t->n_parts == 0) {
    st = vise_fail(err, VISE_EFORMAT,
                   "scaled: [%lld, %lld] with %d parts, expected [%lld, %lld] with 1 to %d",
                   (long long)t->m, (long long)t->k, t->n_parts, (long long)child->m,
                   (long long)child->k, N_PARTS);
  }
  if (st == VISE_OK) {
    st = vise_weight_scaled(out, child, parts[LEFT], parts[RIGHT], parts[SCALE], err);
    st = vise_weight_load_status(st, err);
  }
  vise_weight_release(child);
  return st;
}

/* "scaled(int4/g64)" */
static vise_status scaled_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  char child[VISE_WEIGHT_DESCRIPTION];
  VISE_TRY(vise_weight_check_children(t, 1, err));
  VISE_TRY(vise_weight_describe_tree(t->children[0], child, sizeof child, err));
  snprintf(out, out_bytes, "scaled(%s)", child);
  return VISE_OK;
}

/* The factors of a part, `n` of them, as f32; *out stays NULL if it is missing. */
static vise_status read_part(float **out, const scaled *s, int which, int64_t n, vise_err *err) {
  const vise_tensor *t = s->parts[which];
  if (t == NULL) {
    return VISE_OK;
  }
  char shape[160];
  const vise_dtype dtype = vise_tensor_dtype(t);
  if (dtype != VISE_DTYPE_F32 && dtype != VISE_DTYPE_F16 && dtype != VISE_DTYPE_BF16) {
    return vise_fail(err, VISE_EDTYPE, "scaled: %s is %s, expected f32, f16 or bf16", names[which],
                     vise_dtype_name(dtype));
  }
  if (vise_tensor_rank(t) != 1 || vise_tensor_dim(t, 0) != n || !vise_tensor_is_contiguous(t)) {
    return vise_fail(err, VISE_ESHAPE, "scaled: %s is %s, expected [%lld], contiguous",
                     names[which], vise_tensor_shape_text(shape, sizeof shape, t), (long long)n);
  }
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(float), err));
  *out = memory;
  vise_tensor_to_f32(t, 0, n, *out);
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite((*out)[i])) {
      return vise_fail(err, VISE_ENUMERIC,
                       "scaled: %s: factor %lld is %g, expected a finite number", names[which],
                       (long long)i, (double)(*out)[i]);
    }
  }
  return VISE_OK;
}

/* left [m] times scale [1]. */
static vise_status join_scale(scaled *s, float *scale, vise_err *err) {
  const int64_t m = s->base.m;
  if (s->left == NULL) {
    void *memory;
    VISE_TRY(vise_mem_alloc_array(&memory, m, sizeof(float), err));
    s->left = memory;
    for (int64_t i = 0; i < m; i++) {
      s->left[i] = 1.0f;
    }
  }
  for (int64_t i = 0; i < m; i++) {
    s->left[i] *= *scale;
  }
  return VISE_OK;
}

static vise_status read_parts(scaled *s, vise_err *err) {
  float *scale = NULL;
  VISE_TRY(read_part(&s->left, s, LEFT, s->base.m, err));
  VISE_TRY(read_part(&s->right, s, RIGHT, s->base.k, err));
  vise_status st = read_part(&scale, s, SCALE, 1, err);
  if (st == VISE_OK && scale != NULL) {
    st = join_scale(s, scale, err);
  }
  vise_mem_free(scale);
  return st;
}

vise_status vise_weight_scaled(vise_weight **out,
                               vise_weight *c,
                               vise_tensor *left,
                               vise_tensor *right,
                               vise_tensor *scale,
                               vise_err *err) {
  vise_tensor *const parts[N_PARTS] = {left, right, scale};
  vise_weight *w;
  *out = NULL;
  VISE_TRY(
      vise_weight_create(&w, sizeof(scaled), &vise_weight_kind_scaled, c->m, c->k, &c, 1, err));
  for (int i = 0; i < N_PARTS; i++) {
    as_scaled(w)->parts[i] = parts[i] != NULL ? vise_tensor_retain(parts[i]) : NULL;
  }
  const vise_status st = read_parts(as_scaled(w), err);
  if (st != VISE_OK) {
    vise_weight_release(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}

vise_status vise_weight_times(vise_weight **out, vise_weight *c, float factor, vise_err *err) {
  vise_tensor *scale;
  *out = NULL;
  VISE_TRY(vise_tensor_create(&scale, VISE_DTYPE_F32, 1, (const int64_t[]){1}, err));
  *(float *)vise_tensor_data(scale) = factor;
  const vise_status st = vise_weight_scaled(out, c, NULL, NULL, scale, err);
  vise_tensor_release(scale);
  return st;
}

const vise_weight_kind vise_weight_kind_scaled = {
    .name = "scaled",
    .summary = "factors for the rows and columns of a weight",
    .rows = scaled_rows,
    .matmul = scaled_matmul,
    .matmul_t = scaled_matmul_t,
    .save = scaled_save,
    .load = scaled_load,
    .describe = scaled_describe,
    .free = scaled_free,
};
