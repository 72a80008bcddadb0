/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `sparse`: see sparse.h; what its layouts differ in is in sparse_layout.c. */
#include "weight/sparse.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "weight/sparse_layout.h"

#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_sparse;

/* Shares of values that are not zero. */
static const double DENSE = 0.35, DENSE_BLOCKS = 0.6;
enum { FEW_TOKENS = 16 };

static void sparse_decode(const vise_weight *w,
                          int64_t row,
                          int64_t n_rows,
                          int64_t col,
                          int64_t n_cols,
                          float *out,
                          int64_t ld) {
  enum { TILE = 256 };
  uint32_t columns[TILE];
  float buffer[TILE];
  const sparse *s = as_sparse(w);
  for (int64_t i = 0; i < n_rows; i++) {
    if (vise_sparse_has_masks(s)) {
      vise_sparse_decode_masked(s, row + i, col, n_cols, out + i * ld);
      continue;
    }
    memset(out + i * ld, 0, (size_t)n_cols * sizeof(float));
    for (int64_t j = col; j < col + n_cols; j += TILE) {
      const int64_t width = col + n_cols - j < TILE ? col + n_cols - j : TILE;
      int64_t first;
      const int64_t n = vise_sparse_columns(s, row + i, j, width, col, columns, &first);
      const float *values = vise_sparse_values(s, first, n, buffer);
      for (int64_t l = 0; l < n; l++) {
        out[i * ld + columns[l]] = values[l];
      }
    }
  }
}

/* Few tokens read W once either way. From about DENSE on, the GEMM is faster; it gives the same
   bits, its zeros changing no sum. */
static vise_status sparse_matmul(const vise_weight *w,
                                 float *y,
                                 int64_t ldy,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t t,
                                 vise_err *err) {
  const sparse *s = as_sparse(w);
  const double dense = s->layout == VISE_SPARSE_BLOCK ? DENSE_BLOCKS : DENSE;
  if (t <= FEW_TOKENS || (double)s->n_values > dense * (double)w->m * (double)w->k) {
    return vise_weight_matmul_tiles(w, y, ldy, x, ldx, t, err);
  }
  return vise_sparse_multiply(s, y, ldy, x, ldx, t, err);
}

static void sparse_free(vise_weight *w) {
  vise_sparse_clear(as_sparse(w));
}

vise_status
vise_sparse_finish(vise_weight **out, sparse *draft, vise_weight *values, vise_err *err) {
  *out = NULL;
  const int64_t rows = vise_ceil_div(draft->n_values, VISE_SPARSE_ROW);
  if (values->m != rows || values->k != VISE_SPARSE_ROW || values->kind->decode == NULL) {
    return vise_fail(err, VISE_ESHAPE,
                     "sparse: values are %s [%lld, %lld], expected [%lld, %d] of a kind that holds "
                     "its own",
                     values->kind->name, (long long)values->m, (long long)values->k,
                     (long long)rows, VISE_SPARSE_ROW);
  }
  vise_weight *w;
  VISE_TRY(vise_weight_create(&w, sizeof(sparse), &vise_weight_kind_sparse, draft->base.m,
                              draft->base.k, &values, 1, err));
  const vise_weight head = *w;
  sparse *s = as_sparse(w);
  *s = *draft;
  s->base = head;
  *draft = (sparse){0};
  vise_tensor *t = vise_weight_dense_tensor(values);
  s->values = t != NULL && vise_tensor_dtype(t) == VISE_DTYPE_F32 ? vise_tensor_data(t) : NULL;
  *out = w;
  return VISE_OK;
}

vise_weight *vise_weight_sparse_values(const vise_weight *w) {
  return w->kind == &vise_weight_kind_sparse ? w->children[0] : NULL;
}

vise_status vise_weight_sparse_with(vise_weight **out,
                                    const vise_weight *w,
                                    vise_weight *values,
                                    vise_err *err) {
  *out = NULL;
  const sparse *from = as_sparse(w);
  const vise_sparse_options options = {.layout = from->layout,
                                       .n = from->n,
                                       .m = from->m,
                                       .rows = from->rows,
                                       .columns = from->columns};
  sparse s;
  VISE_TRY(vise_sparse_init(&s, w->m, w->k, &options, err));
  s.n_parts = from->n_parts;
  for (int i = 0; i < s.n_parts; i++) {
    s.parts[i] = vise_tensor_retain(from->parts[i]);
  }
  vise_status st = vise_sparse_index(&s, err);
  st = st == VISE_OK ? vise_sparse_finish(out, &s, values, err) : st;
  vise_sparse_clear(&s);
  return st;
}

typedef struct gathering {
  const sparse *s;
  const float *from; /* [m, k] */
  float *values;
  uint32_t *columns; /* of each worker: those of a row */
} gathering;

static void gather_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const gathering *a = arg;
  const int64_t k = a->s->base.k;
  uint32_t *columns = a->columns + worker * k;
  for (int64_t row = begin; row < end; row++) {
    int64_t first;
    const int64_t n = vise_sparse_columns(a->s, row, 0, k, 0, columns, &first);
    for (int64_t i = 0; i < n; i++) {
      a->values[first + i] = a->from[row * k + columns[i]];
    }
  }
}

vise_status vise_weight_sparse_gather(vise_tensor **out,
                                      const vise_weight *w,
                                      const vise_weight *from,
                                      vise_err *err) {
  vise_weight *dense;
  void *columns = NULL;
  const int64_t shape[] = {vise_ceil_div(as_sparse(w)->n_values, VISE_SPARSE_ROW), VISE_SPARSE_ROW};
  VISE_TRY(vise_tensor_create(out, VISE_DTYPE_F32, 2, shape, err));
  memset(vise_tensor_data(*out), 0, vise_tensor_bytes(*out));
  vise_status st = vise_weight_expand(&dense, from, err);
  st = st == VISE_OK ? vise_mem_alloc_array(&columns, vise_threads() * w->k, sizeof(uint32_t), err)
                     : st;
  if (st == VISE_OK) {
    const float *x = vise_tensor_data(vise_weight_dense_tensor(dense));
    gathering a = {as_sparse(w), x, vise_tensor_data(*out), columns};
    st = vise_parallel_for(w->m, 64, gather_rows, &a, err);
  }
  vise_mem_free(columns);
  vise_weight_release(dense);
  if (st != VISE_OK) {
    vise_tensor_release(*out);
    *out = NULL;
  }
  return st;
}

/* ---- trees ---- */

static vise_status save_into(const sparse *s, vise_tree *t, vise_err *err) {
  char layout[VISE_TREE_NAME];
  vise_part_shape shapes[SPARSE_PARTS];
  vise_param_choice(layout, sizeof layout, vise_sparse_layouts, (int)s->layout);
  VISE_TRY(vise_tree_add_text(t, "layout", layout, err));
  if (s->layout == VISE_SPARSE_NM) {
    VISE_TRY(vise_tree_add_int(t, "n", s->n, err));
    VISE_TRY(vise_tree_add_int(t, "m", s->m, err));
  }
  if (s->layout == VISE_SPARSE_BLOCK) {
    VISE_TRY(vise_tree_add_int(t, "rows", s->rows, err));
    VISE_TRY(vise_tree_add_int(t, "columns", s->columns, err));
  }
  const int n = vise_sparse_shapes(s, 0, shapes);
  for (int i = 0; i < n; i++) {
    VISE_TRY(vise_tree_add_part(t, shapes[i].name, s->parts[i], err));
  }
  return VISE_OK;
}

static vise_status sparse_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "sparse", w->m, w->k, err));
  return vise_weight_saved(out, save_into(as_sparse(w), *out, err));
}

/* An attribute that is to be an int of C; what does not fit becomes -1, which no option is. */
static vise_status get_small(int *out, const vise_tree *t, const char *name, vise_err *err) {
  int64_t i;
  VISE_TRY(vise_tree_get_int(&i, t, name, err));
  *out = i >= 0 && i <= 1 << 16 ? (int)i : -1;
  return VISE_OK;
}

static vise_status load_options(vise_sparse_options *out, const vise_tree *t, vise_err *err) {
  const char *text;
  VISE_TRY(vise_tree_get_text(&text, t, "layout", err));
  const int layout = vise_param_find(vise_sparse_layouts, text);
  if (layout < 0) {
    return vise_fail(err, VISE_EFORMAT, "sparse: layout is '%s', expected one of: %s", text,
                     vise_sparse_layouts);
  }
  *out = (vise_sparse_options){.layout = (vise_sparse_layout)layout};
  if (out->layout == VISE_SPARSE_NM) {
    VISE_TRY(get_small(&out->n, t, "n", err));
    VISE_TRY(get_small(&out->m, t, "m", err));
  }
  if (out->layout == VISE_SPARSE_BLOCK) {
    VISE_TRY(get_small(&out->rows, t, "rows", err));
    VISE_TRY(get_small(&out->columns, t, "columns", err));
  }
  return VISE_OK;
}

static vise_status load_parts(sparse *s, const vise_tree *t, vise_err *err) {
  vise_part_shape shapes[SPARSE_PARTS];
  int64_t n = 0;
  for (int i = 0; i < t->n_parts; i++) {
    n = strcmp(t->parts[i].name, "columns") == 0 ? vise_tensor_count(t->parts[i].tensor) : n;
  }
  s->n_parts = vise_sparse_shapes(s, n, shapes);
  for (int i = 0; i < s->n_parts; i++) {
    const vise_part_shape *p = &shapes[i];
    vise_tensor *part;
    VISE_TRY(vise_tree_get_part(&part, t, p->name, p->dtype, p->rank, p->shape, err));
    s->parts[i] = vise_tensor_retain(part);
  }
  return vise_sparse_index(s, err);
}

static vise_status sparse_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  sparse s;
  vise_sparse_options options;
  vise_weight *values = NULL;
  VISE_TRY(load_options(&options, t, err));
  VISE_TRY(vise_weight_load_status(vise_sparse_init(&s, t->m, t->k, &options, err), err));
  vise_status st = load_parts(&s, t, err);
  if (st == VISE_OK && (st = vise_weight_load_children(&values, t, 1, err)) == VISE_OK) {
    st = vise_weight_load_status(vise_sparse_finish(out, &s, values, err), err);
    vise_weight_release(values);
  }
  vise_sparse_clear(&s);
  return st;
}

/* "csr f32", "bitmask int4/g64", "2:4 f16", "block16x4 f32" */
static vise_status sparse_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  char values[VISE_WEIGHT_DESCRIPTION], layout[VISE_TREE_NAME];
  vise_sparse_options o;
  VISE_TRY(load_options(&o, t, err));
  VISE_TRY(vise_weight_check_children(t, 1, err));
  VISE_TRY(vise_weight_describe_tree(t->children[0], values, sizeof values, err));
  if (o.layout == VISE_SPARSE_NM) {
    snprintf(layout, sizeof layout, "%d:%d", o.n, o.m);
  } else {
    vise_param_choice(layout, sizeof layout, vise_sparse_layouts, (int)o.layout);
  }
  if (o.layout == VISE_SPARSE_BLOCK) {
    snprintf(out, out_bytes, "block%dx%d %s", o.rows, o.columns, values);
  } else {
    snprintf(out, out_bytes, "%s %s", layout, values);
  }
  return VISE_OK;
}

const vise_weight_kind vise_weight_kind_sparse = {
    .name = "sparse",
    .summary = "the numbers that are not zero, and where they are",
    .decode = sparse_decode,
    .dot = &vise_sparse_dot,
    .matmul = sparse_matmul,
    .save = sparse_save,
    .load = sparse_load,
    .describe = sparse_describe,
    .free = sparse_free,
};
