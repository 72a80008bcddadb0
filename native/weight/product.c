/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of kinds that decode tiles.
 *
 * Few tokens: where a kind knows how, rows are multiplied as they are stored, token by token. Or
 * each thread decodes 8 rows x 256 columns into its L1 cache and multiplies them with
 * all tokens (kernels/dot.h), so a row is decoded once and a token's result does not depend on the
 * others. Many tokens: the GEMM asks for tiles.
 *
 * X W: as many columns of W as fit into PANEL_BYTES are decoded and turned, so that each value is
 * decoded once, and then are the rows of an ordinary product.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/dot.h"
#include "kernels/gemm_tile.h"
#include "linalg/gemm.h"
#include "weight/kind.h"

#include <string.h>

enum { ROWS = 8, CHUNK_ROWS = 32, CHUNK_WEIGHTS = 1 << 16 };

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

/* ---- few tokens, rows as they are stored ---- */

typedef struct stored_product {
  const product *of;
  const float *prepared; /* n_prepared floats a token */
  int64_t n_prepared;
} stored_product;

static void multiply_stored_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const stored_product *a = arg;
  const product *p = a->of;
  for (int64_t s = 0; s < p->t; s++) {
    p->w->kind->dot->rows(p->w, begin, end - begin, a->prepared + s * a->n_prepared,
                          p->y + s * p->ldy + begin);
  }
}

static vise_status multiply_stored(const product *p, int64_t n_prepared, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, p->t * n_prepared, sizeof(float), err));
  float *prepared = memory;
  for (int64_t s = 0; s < p->t; s++) {
    p->w->kind->dot->prepare(p->w, prepared + s * n_prepared, p->x + s * p->ldx);
  }
  stored_product a = {p, prepared, n_prepared};
  const int64_t fit = CHUNK_WEIGHTS / (p->w->k + 1);
  const vise_status st =
      vise_parallel_for(p->w->m, fit < 1 ? 1 : fit, multiply_stored_rows, &a, err);
  vise_mem_free(memory);
  return st;
}

/* ---- any number ---- */

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
  return w->kind->matmul != NULL ? w->kind->matmul(w, y, ldy, x, ldx, t, err)
                                 : vise_weight_matmul_tiles(w, y, ldy, x, ldx, t, err);
}

vise_status vise_weight_matmul_tiles(const vise_weight *w,
                                     float *y,
                                     int64_t ldy,
                                     const float *x,
                                     int64_t ldx,
                                     int64_t t,
                                     vise_err *err) {
  const bool is_few = t <= VISE_WEIGHT_FEW_TOKENS;
  const int64_t n_prepared = is_few && w->kind->dot != NULL ? w->kind->dot->prepared(w) : 0;
  if (n_prepared > 0) {
    return multiply_stored(&(const product){w, y, x, ldy, ldx, t}, n_prepared, err);
  }
  if (is_few) {
    product p = {w, y, x, ldy, ldx, t};
    return vise_parallel_for(w->m, CHUNK_ROWS, multiply_chunk, &p, err);
  }
  const vise_rows rows = {w->m, w->k, decode_tile, w};
  return vise_gemm_f32(y, ldy, x, ldx, t, &rows, err);
}

/* ---- X W ---- */

enum { PANEL_BYTES = 16 << 20, TURN_ROWS = 64 };

/* Columns [col, col + n_cols) of w, turned: out[j * w->m + i] = W[i, col + j]. */
typedef struct panel {
  const vise_weight *w;
  float *out;
  int64_t col, n_cols;
} panel;

static void turn_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const panel *p = arg;
  float tile[ROWS * VISE_GEMM_TILE_K];
  const vise_gemm_tile *kernel = &vise_gemm_kernels_used()->f32;
  for (int64_t row = begin; row < end; row += ROWS) {
    const int64_t n_rows = end - row < ROWS ? end - row : ROWS;
    for (int64_t j = 0; j < p->n_cols; j += VISE_GEMM_TILE_K) {
      const int64_t n = p->n_cols - j < VISE_GEMM_TILE_K ? p->n_cols - j : VISE_GEMM_TILE_K;
      p->w->kind->decode(p->w, row, n_rows, p->col + j, n, tile, VISE_GEMM_TILE_K);
      kernel->transpose(p->out + j * p->w->m + row, p->w->m, tile, VISE_GEMM_TILE_K, n_rows, n);
    }
  }
}

vise_status vise_weight_matmul_t(const vise_weight *w,
                                 float *y,
                                 int64_t ldy,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t t,
                                 vise_err *err) {
  if (w->kind->matmul_t != NULL) {
    return w->kind->matmul_t(w, y, ldy, x, ldx, t, err);
  }
  const int64_t fit = PANEL_BYTES / (int64_t)sizeof(float) / (w->m + 1) / VISE_GEMM_TILE_K;
  const int64_t width = (fit < 1 ? 1 : fit) * VISE_GEMM_TILE_K;
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, (width < w->k ? width : w->k) * w->m, sizeof(float), err));
  vise_status st = VISE_OK;
  for (int64_t col = 0; col < w->k && st == VISE_OK; col += width) {
    panel p = {w, memory, col, w->k - col < width ? w->k - col : width};
    st = vise_parallel_for(w->m, TURN_ROWS, turn_rows, &p, err);
    if (st == VISE_OK) {
      vise_rows_dense dense;
      const vise_rows rows = vise_rows_f32(&dense, p.out, p.n_cols, w->m, w->m);
      st = vise_gemm_f32(y + col, ldy, x, ldx, t, &rows, err);
    }
  }
  vise_mem_free(memory);
  return st;
}

/* ---- what kinds made of others do to X and Y ---- */

typedef struct columns {
  float *out;
  const float *x, *factors;
  int64_t ldo, ldx, n;
} columns;

static void scale_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const columns *a = arg;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t j = 0; j < a->n; j++) {
      a->out[i * a->ldo + j] = a->x[i * a->ldx + j] * a->factors[j];
    }
  }
}

vise_status vise_weight_scale_columns(float *out,
                                      int64_t ldo,
                                      const float *x,
                                      int64_t ldx,
                                      int64_t n_rows,
                                      int64_t n_cols,
                                      const float *factors,
                                      vise_err *err) {
  columns a = {out, x, factors, ldo, ldx, n_cols};
  const int64_t grain = 1 + CHUNK_WEIGHTS / (n_cols + 1);
  return vise_parallel_for(n_rows, grain, scale_rows, &a, err);
}
