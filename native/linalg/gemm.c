/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X is packed once into panels of `nr` tokens, [panel][k][nr], padded with zero tokens. The product
 * is cut into blocks of rows of W times blocks of tokens, by size only; each is one chunk of work:
 *
 *   for each 256 columns:  decode the rows of W, [block rows][LDW]         stays in the second
 * cache for each panel:      256 columns of it                               stay in the first
 * cache for each mr rows:  load the tile's sums, 256 steps, store them write the sums to Y,
 * transposed
 *
 * Storing and loading a sum does not change it, so every output is one chain over ascending k.
 * The sums are kept as [panel][block rows][nr], the tiles' own layout. Rows beyond m in the last
 * tile are zeros; what they and the padded tokens give is not copied to Y.
 */
#include "linalg/gemm.h"

#include "core/arena.h"
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"

#include <string.h>

enum {
  BLOCK_ROWS = 96,     /* at least; a multiple of mr */
  BLOCK_TOKENS = 1024, /* at most; a multiple of every nr */
  MIN_TOKENS = 128,    /* blocks of tokens are not cut smaller than this ... */
  ENOUGH_CHUNKS = 16,  /* ... to get this many chunks */
  PACK_GRAIN = 32      /* a chunk of packing, in pieces of 256 columns of a panel */
};

/* Matrices are byte pointers with strides in elements of tile->size bytes. */
typedef struct product {
  const vise_gemm_tile *tile;
  const vise_rows *rows; /* W, or NULL: plain in `w` */
  const char *w, *x;
  char *y;
  int64_t ldw, ldx, ldy, t, m, k;
  int64_t n_panels, n_pieces, block_rows, n_row_blocks, block_tokens;
  char *packed;  /* X, [column block][panel][256][nr] */
  char *scratch; /* of each worker: decoded rows of W, then the sums */
  size_t w_bytes, scratch_bytes;
} product;

static int64_t min_i64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static size_t offset(const product *p, int64_t index) {
  return (size_t)index * p->tile->size;
}

static size_t packed_offset(const product *p, int64_t panel, int64_t col, int64_t n_cols) {
  return offset(p, (col * p->n_panels + panel * n_cols) * p->tile->nr);
}

/* Chunks of pieces: piece i is 256 columns of panel i / n_pieces. */
static void pack_pieces(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const product *p = arg;
  const int64_t nr = p->tile->nr;
  for (int64_t i = begin; i < end; i++) {
    const int64_t panel = i / p->n_pieces, col = i % p->n_pieces * VISE_GEMM_TILE_K;
    const int64_t n_cols = min_i64(VISE_GEMM_TILE_K, p->k - col);
    const int64_t n_tokens = min_i64(nr, p->t - panel * nr);
    char *out = p->packed + packed_offset(p, panel, col, n_cols);
    if (n_tokens < nr) {
      memset(out, 0, offset(p, n_cols * nr));
    }
    p->tile->transpose(out, nr, p->x + offset(p, panel * nr * p->ldx + col), p->ldx, n_tokens,
                       n_cols);
  }
}

static void
decode_rows(const product *p, char *out, int64_t row, int64_t n_rows, int64_t col, int64_t n_cols) {
  if (p->rows != NULL) {
    p->rows->decode(p->rows->source, row, n_rows, col, n_cols, (float *)(void *)out, VISE_GEMM_LDW);
    return;
  }
  for (int64_t i = 0; i < n_rows; i++) {
    memcpy(out + offset(p, i * VISE_GEMM_LDW), p->w + offset(p, (row + i) * p->ldw + col),
           offset(p, n_cols));
  }
}

static void multiply_block(const product *p, int64_t row, int64_t token, int worker) {
  const int64_t mr = p->tile->mr, nr = p->tile->nr;
  const int64_t n_rows = min_i64(p->block_rows, p->m - row);
  const int64_t n_tokens = min_i64(p->block_tokens, p->t - token);
  const int64_t panel = token / nr, n_panels = vise_ceil_div(n_tokens, nr);
  const int64_t n_padded = vise_ceil_div(n_rows, mr) * mr;
  char *w = p->scratch + (size_t)worker * p->scratch_bytes;
  char *sums = w + p->w_bytes;
  memset(w + offset(p, n_rows * VISE_GEMM_LDW), 0, offset(p, (n_padded - n_rows) * VISE_GEMM_LDW));
  memset(sums, 0, offset(p, n_panels * p->block_rows * nr));

  for (int64_t col = 0; col < p->k && !vise_cancelled(); col += VISE_GEMM_TILE_K) {
    const int64_t n_cols = min_i64(VISE_GEMM_TILE_K, p->k - col);
    decode_rows(p, w, row, n_rows, col, n_cols);
    for (int64_t q = 0; q < n_panels; q++) {
      const char *x = p->packed + packed_offset(p, panel + q, col, n_cols);
      for (int64_t i = 0; i < n_padded; i += mr) {
        p->tile->multiply(sums + offset(p, (q * p->block_rows + i) * nr),
                          w + offset(p, i * VISE_GEMM_LDW), x, n_cols);
      }
    }
  }
  for (int64_t q = 0; q < n_panels; q++) {
    p->tile->transpose(p->y + offset(p, (token + q * nr) * p->ldy + row), p->ldy,
                       sums + offset(p, q * p->block_rows * nr), nr, n_rows,
                       min_i64(nr, n_tokens - q * nr));
  }
}

/* Chunk i: row block i % n_row_blocks of token block i / n_row_blocks. */
static void multiply_blocks(void *arg, int64_t begin, int64_t end, int worker) {
  const product *p = arg;
  for (int64_t i = begin; i < end; i++) {
    multiply_block(p, i % p->n_row_blocks * p->block_rows, i / p->n_row_blocks * p->block_tokens,
                   worker);
  }
}

static vise_status multiply(product *p, vise_err *err) {
  if (p->t == 0 || p->m == 0) {
    return VISE_OK;
  }
  const int64_t mr = p->tile->mr, nr = p->tile->nr;
  p->n_panels = vise_ceil_div(p->t, nr);
  p->block_rows = vise_ceil_div(BLOCK_ROWS, mr) * mr;
  p->n_row_blocks = vise_ceil_div(p->m, p->block_rows);
  p->n_pieces = vise_ceil_div(p->k, VISE_GEMM_TILE_K);
  p->block_tokens = BLOCK_TOKENS;
  while (p->block_tokens > MIN_TOKENS &&
         p->n_row_blocks * vise_ceil_div(p->t, p->block_tokens) < ENOUGH_CHUNKS) {
    p->block_tokens /= 2;
  }
  const int64_t sum_tokens = min_i64(p->block_tokens, p->n_panels * nr);
  p->w_bytes = vise_arena_need(offset(p, p->block_rows * VISE_GEMM_LDW));
  p->scratch_bytes = p->w_bytes + vise_arena_need(offset(p, p->block_rows * sum_tokens));

  void *packed, *scratch;
  VISE_TRY(vise_mem_alloc_array(&packed, p->n_panels * nr * p->k, p->tile->size, err));
  vise_status st = vise_mem_alloc_array(&scratch, vise_threads(), p->scratch_bytes, err);
  if (st == VISE_OK) {
    p->packed = packed;
    p->scratch = scratch;
    st = vise_parallel_for(p->n_panels * p->n_pieces, PACK_GRAIN, pack_pieces, p, err);
  }
  if (st == VISE_OK) {
    const int64_t n_token_blocks = vise_ceil_div(p->t, p->block_tokens);
    st = vise_parallel_for(p->n_row_blocks * n_token_blocks, 1, multiply_blocks, p, err);
  }
  if (st == VISE_OK) {
    st = vise_cancel_check(err); /* raised in the last chunk, which then stopped early */
  }
  vise_mem_free(scratch);
  vise_mem_free(packed);
  return st;
}

static void decode_f32(const void *source,
                       int64_t row,
                       int64_t n_rows,
                       int64_t col,
                       int64_t n_cols,
                       float *out,
                       int64_t ld) {
  const vise_rows_dense *d = source;
  for (int64_t i = 0; i < n_rows; i++) {
    memcpy(out + i * ld, d->w + (row + i) * d->ldw + col, (size_t)n_cols * sizeof(float));
  }
}

vise_rows
vise_rows_f32(vise_rows_dense *source_out, const float *w, int64_t m, int64_t k, int64_t ldw) {
  *source_out = (vise_rows_dense){w, ldw};
  return (vise_rows){m, k, decode_f32, source_out};
}

vise_status vise_gemm_f32(float *y,
                          int64_t ldy,
                          const float *x,
                          int64_t ldx,
                          int64_t t,
                          const vise_rows *w,
                          vise_err *err) {
  product p = {.tile = &vise_gemm_kernels_used()->f32,
               .rows = w,
               .x = (const char *)x,
               .y = (char *)y,
               .ldx = ldx,
               .ldy = ldy,
               .t = t,
               .m = w->m,
               .k = w->k};
  return multiply(&p, err);
}

vise_status vise_gemm_f64(double *y,
                          int64_t ldy,
                          const double *x,
                          int64_t ldx,
                          int64_t t,
                          const double *w,
                          int64_t ldw,
                          int64_t m,
                          int64_t k,
                          vise_err *err) {
  product p = {.tile = &vise_gemm_kernels_used()->f64,
               .w = (const char *)w,
               .x = (const char *)x,
               .y = (char *)y,
               .ldw = ldw,
               .ldx = ldx,
               .ldy = ldy,
               .t = t,
               .m = m,
               .k = k};
  return multiply(&p, err);
}
