/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all kinds share: counting references, the two regimes of the product, whole rows, trees.
 *
 * Few tokens: each thread decodes 8 rows x 256 columns into its L1 cache and multiplies them with
 * all tokens (kernels/dot.h), so a row is decoded once and a token's result does not depend on the
 * others. Many tokens: the GEMM asks for tiles.
 */
#include "weight/weight.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "kernels/dot.h"
#include "linalg/gemm.h"

#include <math.h>
#include <string.h>

#define VISE_WEIGHT(name) extern const vise_weight_kind vise_weight_kind_##name;
#include "weight/weights.def"
#undef VISE_WEIGHT

const vise_weight_kind *const vise_weight_kinds[] = {
#define VISE_WEIGHT(name) &vise_weight_kind_##name,
#include "weight/weights.def"
#undef VISE_WEIGHT
    NULL,
};

const vise_weight_kind *vise_weight_kind_find(const char *name) {
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    if (strcmp(vise_weight_kinds[i]->name, name) == 0) {
      return vise_weight_kinds[i];
    }
  }
  return NULL;
}

void vise_weight_init(vise_weight *w, const vise_weight_kind *kind, int64_t m, int64_t k) {
  *w = (vise_weight){.kind = kind, .refs = 1, .m = m, .k = k};
}

vise_weight *vise_weight_retain(vise_weight *w) {
  __atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
  return w;
}

void vise_weight_release(vise_weight *w) {
  if (w != NULL && __atomic_fetch_sub(&w->refs, 1, __ATOMIC_ACQ_REL) == 1) {
    w->kind->free(w);
    vise_mem_free(w);
  }
}

/* ---- product ---- */

enum { ROWS = 8, CHUNK_ROWS = 32 };

typedef struct product {
  const vise_weight *w;
  float *y;
  const float *x;
  int64_t ldy, ldx, t;
} product;

static void multiply_rows(const product *p, int64_t row, int64_t n_rows) {
  float tile[ROWS * VISE_GEMM_TILE_K];
  float lanes[ROWS * VISE_WEIGHT_FEW_TOKENS * VISE_DOT_LANES];
  const vise_dot_kernels *dot = vise_dot();
  const int64_t k = p->w->k, row_lanes = p->t * VISE_DOT_LANES;
  memset(lanes, 0, (size_t)(n_rows * row_lanes) * sizeof(float));
  for (int64_t col = 0; col < k; col += VISE_GEMM_TILE_K) {
    const int64_t n = k - col < VISE_GEMM_TILE_K ? k - col : VISE_GEMM_TILE_K;
    p->w->kind->decode(p->w, row, n_rows, col, n, tile, VISE_GEMM_TILE_K);
    for (int64_t i = 0; i < n_rows; i++) {
      dot->add(lanes + i * row_lanes, tile + i * VISE_GEMM_TILE_K, p->x + col, p->ldx, p->t, n);
    }
  }
  for (int64_t i = 0; i < n_rows; i++) {
    for (int64_t s = 0; s < p->t; s++) {
      p->y[s * p->ldy + row + i] = dot->sum(lanes + i * row_lanes + s * VISE_DOT_LANES);
    }
  }
}

static void multiply_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t row = begin; row < end; row += ROWS) {
    multiply_rows(arg, row, end - row < ROWS ? end - row : ROWS);
  }
}

static void decode_tile(const void *source,
                        int64_t row,
                        int64_t n_rows,
                        int64_t col,
                        int64_t n_cols,
                        float *out,
                        int64_t ld) {
  const vise_weight *w = source;
  w->kind->decode(w, row, n_rows, col, n_cols, out, ld);
}

vise_status vise_weight_matmul(const vise_weight *w,
                               float *y,
                               int64_t ldy,
                               const float *x,
                               int64_t ldx,
                               int64_t t,
                               vise_err *err) {
  if (w->kind->matmul != NULL) {
    return w->kind->matmul(w, y, ldy, x, ldx, t, err);
  }
  if (t <= VISE_WEIGHT_FEW_TOKENS) {
    product p = {w, y, x, ldy, ldx, t};
    return vise_parallel_for(w->m, CHUNK_ROWS, multiply_chunk, &p, err);
  }
  const vise_rows rows = {w->m, w->k, decode_tile, w};
  return vise_gemm_f32(y, ldy, x, ldx, t, &rows, err);
}

/* ---- rows ---- */

typedef struct rows_out {
  const vise_weight *w;
  const int32_t *ids; /* NULL: first, first + 1, ... */
  int64_t first;
  float *out;
  int64_t ld;
} rows_out;

enum { ROWS_WEIGHTS = 1 << 16 };

static int64_t rows_grain(const vise_weight *w) {
  const int64_t n = ROWS_WEIGHTS / (w->k + 1);
  return n < 1 ? 1 : n;
}

static void decode_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const rows_out *a = arg;
  if (a->ids == NULL) {
    a->w->kind->decode(a->w, a->first + begin, end - begin, 0, a->w->k, a->out + begin * a->ld,
                       a->ld);
    return;
  }
  for (int64_t i = begin; i < end; i++) {
    a->w->kind->decode(a->w, a->ids[i], 1, 0, a->w->k, a->out + i * a->ld, a->ld);
  }
}

vise_status vise_weight_dense_rows(
    const vise_weight *w, int64_t row, int64_t n_rows, float *out, int64_t ld, vise_err *err) {
  if (row < 0 || n_rows < 0 || row > w->m || n_rows > w->m - row) {
    return vise_fail(err, VISE_ESHAPE,
                     "weight: has no %lld rows from row %lld, its shape is [%lld, %lld]",
                     (long long)n_rows, (long long)row, (long long)w->m, (long long)w->k);
  }
  rows_out a = {w, NULL, row, out, ld};
  return vise_parallel_for(n_rows, rows_grain(w), decode_rows, &a, err);
}

vise_status vise_weight_gather_rows(
    const vise_weight *w, const int32_t *ids, int64_t n, float *out, int64_t ld, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    if (ids[i] < 0 || ids[i] >= w->m) {
      return vise_fail(err, VISE_ESHAPE, "weight: id %lld is %d, expected 0 to %lld", (long long)i,
                       (int)ids[i], (long long)w->m - 1);
    }
  }
  rows_out a = {w, ids, 0, out, ld};
  return vise_parallel_for(n, rows_grain(w), decode_rows, &a, err);
}

/* ---- sums over all elements ---- */

/* Rows [begin, end) of up to two weights decoded side by side, and what is kept of each row. */
typedef struct scan {
  const vise_weight *a, *b; /* b may be NULL */
  float *buffers;           /* 2 k a worker */
  double *squared, *norm;   /* [m], difference only */
  bool *is_bad;             /* [m], check only */
} scan;

static void scan_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const scan *s = arg;
  const int64_t k = s->a->k;
  float *x = s->buffers + 2 * k * worker, *y = x + k;
  for (int64_t i = begin; i < end; i++) {
    s->a->kind->decode(s->a, i, 1, 0, k, x, k);
    if (s->b == NULL) {
      s->is_bad[i] = vise_convert()->has_nonfinite(x, k) != 0;
      continue;
    }
    s->b->kind->decode(s->b, i, 1, 0, k, y, k);
    double squared = 0.0, norm = 0.0;
    for (int64_t j = 0; j < k; j++) {
      const double d = (double)x[j] - (double)y[j];
      squared += d * d;
      norm += (double)x[j] * (double)x[j];
    }
    s->squared[i] = squared;
    s->norm[i] = norm;
  }
}

vise_status vise_weight_difference(double *squared_out,
                                   double *norm_out,
                                   const vise_weight *a,
                                   const vise_weight *b,
                                   vise_err *err) {
  *squared_out = *norm_out = 0.0;
  if (a->m != b->m || a->k != b->k) {
    return vise_fail(err, VISE_ESHAPE,
                     "weight: is [%lld, %lld], expected [%lld, %lld] as the other", (long long)b->m,
                     (long long)b->k, (long long)a->m, (long long)a->k);
  }
  void *buffers, *sums;
  VISE_TRY(vise_mem_alloc_array(&buffers, 2 * a->k, sizeof(float) * (size_t)vise_threads(), err));
  vise_status st = vise_mem_alloc_array(&sums, 2 * a->m, sizeof(double), err);
  if (st == VISE_OK) {
    scan s = {.a = a, .b = b, .buffers = buffers, .squared = sums, .norm = (double *)sums + a->m};
    st = vise_parallel_for(a->m, rows_grain(a), scan_rows, &s, err);
    for (int64_t i = 0; st == VISE_OK && i < a->m; i++) {
      *squared_out += s.squared[i];
      *norm_out += s.norm[i];
    }
    vise_mem_free(sums);
  }
  vise_mem_free(buffers);
  return st;
}

static vise_status name_first(const vise_weight *w, int64_t row, float *x, vise_err *err) {
  w->kind->decode(w, row, 1, 0, w->k, x, w->k);
  int64_t j = 0;
  while (isfinite(x[j])) {
    j++;
  }
  return vise_fail(err, VISE_ENUMERIC,
                   "w: row %lld, column %lld (from 0) is %g, expected a finite number",
                   (long long)row, (long long)j, (double)x[j]);
}

vise_status vise_weight_check_finite(const vise_weight *w, vise_err *err) {
  void *buffers, *is_bad;
  VISE_TRY(vise_mem_alloc_array(&buffers, 2 * w->k, sizeof(float) * (size_t)vise_threads(), err));
  vise_status st = vise_mem_alloc(&is_bad, (size_t)w->m, err);
  if (st == VISE_OK) {
    scan s = {.a = w, .buffers = buffers, .is_bad = is_bad};
    st = vise_parallel_for(w->m, rows_grain(w), scan_rows, &s, err);
    for (int64_t i = 0; st == VISE_OK && i < w->m; i++) {
      if (s.is_bad[i]) {
        st = name_first(w, i, buffers, err);
      }
    }
    vise_mem_free(is_bad);
  }
  vise_mem_free(buffers);
  return st;
}

/* ---- trees ---- */

vise_status vise_weight_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  *out = NULL;
  return w->kind->save(w, out, err);
}

vise_status vise_weight_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  const vise_weight_kind *kind = vise_weight_kind_find(t->kind);
  if (kind == NULL) {
    return vise_fail(err, VISE_EFORMAT, "unknown kind of weight '%s'", t->kind);
  }
  if (t->m < 0 || t->k < 0) {
    return vise_fail(err, VISE_EFORMAT, "%s: shape is [%lld, %lld], expected 0 or more", t->kind,
                     (long long)t->m, (long long)t->k);
  }
  return kind->load(out, t, err);
}

vise_status vise_weight_bytes(int64_t *out, const vise_weight *w, vise_err *err) {
  vise_tree *t;
  *out = 0;
  VISE_TRY(vise_weight_save(w, &t, err));
  *out = vise_tree_bytes(t);
  vise_tree_free(t);
  return VISE_OK;
}

vise_status
vise_weight_describe_tree(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  const vise_weight_kind *kind = vise_weight_kind_find(t->kind);
  if (kind == NULL) {
    return vise_fail(err, VISE_EFORMAT, "unknown kind of weight '%s'", t->kind);
  }
  return kind->describe(t, out, out_bytes, err);
}

vise_status vise_weight_describe(const vise_weight *w, char *out, size_t out_bytes, vise_err *err) {
  vise_tree *t;
  VISE_TRY(vise_weight_save(w, &t, err));
  const vise_status st = vise_weight_describe_tree(t, out, out_bytes, err);
  vise_tree_free(t);
  return st;
}
