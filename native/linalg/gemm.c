/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens are taken in slabs, one after the other. The X of a slab is packed in pieces of 256
 * columns of `nr` tokens, [column block][panel][256][nr], padded with zero tokens, so that a pass
 * over the tokens reads it from end to end. The slab's product is cut into blocks of rows of W
 * times blocks of tokens, by size only; each is one chunk of work:
 *
 *   for each 256 columns:  decode the rows of W, [rows][LDW]     stays in the second cache
 *     for each panel:      256 columns of it                     stay in the first cache
 *       for each mr rows:  load the tile's sums, 256 steps, store them
 *   write the sums to Y, transposed
 *
 * Storing and loading a sum does not change it, so every output is one chain over ascending k.
 * The sums are kept as [panel][rows][nr], the tiles' own layout. Rows beyond m in the last tile are
 * zeros; what they and the padded tokens give is not copied to Y.
 *
 * While the tiles of a panel are computed, the next panel's piece is prefetched: it would otherwise
 * be waited for at the start of every page.
 */
#include "linalg/gemm.h"

#include "core/arena.h"
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"

#include <stdbool.h>
#include <string.h>

enum {
  MAX_ROWS = 192,        /* of a block, rounded up to tiles; ever fewer towards the last row, ... */
  MIN_ROWS = 48,         /* ... down to this, so that threads end at about the same time */
  BLOCK_SHARE = 4,       /* a block is this part of the rows left, within these limits */
  SLAB_TOKENS = 1024,    /* at most; a multiple of every nr */
  SLAB_BYTES = 24 << 20, /* of packed X, unless MIN_TOKENS take more */
  MIN_TOKENS = 128,      /* blocks of tokens are not cut smaller than this ... */
  ENOUGH_CHUNKS = 4,     /* ... to get this many chunks a thread */
  PACK_GRAIN = 32        /* a chunk of packing, in pieces */
};

/* Matrices are byte pointers with strides in elements of tile->size bytes. */
typedef struct product {
  const vise_gemm_tile *tile;
  const vise_rows *rows;         /* W, or NULL: */
  const vise_rows_f64 *rows_f64; /* W, or NULL: plain in `w` */
  const char *w, *x;
  char *y;
  int64_t ldw, ldx, ldy, t, m, k;
  bool is_plain;                      /* X lies as [k, t] and Y as [m, t] */
  int64_t slab, n_slab, block_tokens; /* the slab's first token and how many it has */
  int64_t n_panels, n_pieces, n_row_blocks, max_rows;
  char *packed;  /* X of the slab */
  char *scratch; /* of each worker: decoded rows of W, then the sums */
  size_t w_bytes, scratch_bytes;
} product;

typedef struct row_block {
  int64_t row, n_rows;
} row_block;

static int64_t min_i64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static size_t offset(const product *p, int64_t index) {
  return (size_t)index * p->tile->size;
}

/* Of the piece that begins at column `col` of panel `panel` and has `n_cols` columns. */
static size_t packed_offset(const product *p, int64_t panel, int64_t col, int64_t n_cols) {
  return offset(p, (col * p->n_panels + panel * n_cols) * p->tile->nr);
}

/* The block after `b`; blocks are whole tiles, but for the last. */
static row_block next_block(const product *p, row_block b) {
  const int64_t mr = p->tile->mr, row = b.row + b.n_rows;
  const int64_t share = vise_ceil_div(p->m - row, BLOCK_SHARE);
  const int64_t n_rows = min_i64(max_i64(share, MIN_ROWS), MAX_ROWS);
  return (row_block){row, min_i64(vise_ceil_div(n_rows, mr) * mr, p->m - row)};
}

/* Chunks of pieces: piece i is of panel i / n_pieces. */
static void pack_pieces(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const product *p = arg;
  const int64_t nr = p->tile->nr;
  for (int64_t i = begin; i < end; i++) {
    const int64_t panel = i / p->n_pieces, col = i % p->n_pieces * VISE_GEMM_TILE_K;
    const int64_t n_cols = min_i64(VISE_GEMM_TILE_K, p->k - col);
    const int64_t n_tokens = min_i64(nr, p->n_slab - panel * nr);
    char *out = p->packed + packed_offset(p, panel, col, n_cols);
    if (n_tokens < nr) {
      memset(out, 0, offset(p, n_cols * nr));
    }
    if (p->is_plain) {
      const char *x = p->x + offset(p, col * p->ldx + p->slab + panel * nr);
      for (int64_t l = 0; l < n_cols; l++) {
        memcpy(out + offset(p, l * nr), x + offset(p, l * p->ldx), offset(p, n_tokens));
      }
      continue;
    }
    p->tile->transpose(out, nr, p->x + offset(p, (p->slab + panel * nr) * p->ldx + col), p->ldx,
                       n_tokens, n_cols);
  }
}

static void decode_rows(const product *p, char *out, row_block b, int64_t col, int64_t n_cols) {
  if (p->rows != NULL) {
    p->rows->decode(p->rows->source, b.row, b.n_rows, col, n_cols, (float *)(void *)out,
                    VISE_GEMM_LDW);
    return;
  }
  if (p->rows_f64 != NULL) {
    p->rows_f64->decode(p->rows_f64->source, b.row, b.n_rows, col, n_cols, (double *)(void *)out,
                        VISE_GEMM_LDW);
    return;
  }
  for (int64_t i = 0; i < b.n_rows; i++) {
    memcpy(out + offset(p, i * VISE_GEMM_LDW), p->w + offset(p, (b.row + i) * p->ldw + col),
           offset(p, n_cols));
  }
}

/* All tiles of `n_panels` panels from `panel` on times the decoded rows, over 256 columns. */
static void multiply_columns(const product *p,
                             char *sums,
                             const char *w,
                             row_block b,
                             int64_t panel,
                             int64_t n_panels,
                             int64_t col) {
  const int64_t mr = p->tile->mr, nr = p->tile->nr, n_tiles = vise_ceil_div(b.n_rows, mr);
  const int64_t n_cols = min_i64(VISE_GEMM_TILE_K, p->k - col);
  const size_t piece = offset(p, n_cols * nr);
  for (int64_t q = 0; q < n_panels; q++) {
    const char *x = p->packed + packed_offset(p, panel + q, col, n_cols);
    for (int64_t i = 0; i < n_tiles; i++) {
      const char *next = i < 16 ? x + piece + piece / 16 * (size_t)i : x;
      p->tile->multiply(sums + offset(p, (q * n_tiles + i) * mr * nr),
                        w + offset(p, i * mr * VISE_GEMM_LDW), x, n_cols, next);
    }
  }
}

/* The sums of a panel, [rows][nr], into rows of Y. */
static void
copy_rows(const product *p, const char *sums, row_block b, int64_t token, int64_t n_tokens) {
  char *y = p->y + offset(p, b.row * p->ldy + p->slab + token);
  for (int64_t i = 0; i < b.n_rows; i++) {
    memcpy(y + offset(p, i * p->ldy), sums + offset(p, i * p->tile->nr), offset(p, n_tokens));
  }
}

static void multiply_block(const product *p, row_block b, int64_t token, int worker) {
  const int64_t mr = p->tile->mr, nr = p->tile->nr;
  const int64_t n_tokens = min_i64(p->block_tokens, p->n_slab - token);
  const int64_t n_panels = vise_ceil_div(n_tokens, nr);
  const int64_t n_padded = vise_ceil_div(b.n_rows, mr) * mr;
  char *w = p->scratch + (size_t)worker * p->scratch_bytes;
  char *sums = w + p->w_bytes;
  memset(w + offset(p, b.n_rows * VISE_GEMM_LDW), 0,
         offset(p, (n_padded - b.n_rows) * VISE_GEMM_LDW));
  memset(sums, 0, offset(p, n_panels * n_padded * nr));
  for (int64_t col = 0; col < p->k && !vise_cancelled(); col += VISE_GEMM_TILE_K) {
    decode_rows(p, w, b, col, min_i64(VISE_GEMM_TILE_K, p->k - col));
    multiply_columns(p, sums, w, b, token / nr, n_panels, col);
  }
  for (int64_t q = 0; q < n_panels; q++) {
    if (p->is_plain) {
      copy_rows(p, sums + offset(p, q * n_padded * nr), b, token + q * nr,
                min_i64(nr, n_tokens - q * nr));
      continue;
    }
    p->tile->transpose(p->y + offset(p, (p->slab + token + q * nr) * p->ldy + b.row), p->ldy,
                       sums + offset(p, q * n_padded * nr), nr, b.n_rows,
                       min_i64(nr, n_tokens - q * nr));
  }
}

/* Chunk i: row block i % n_row_blocks of token block i / n_row_blocks. */
static void multiply_blocks(void *arg, int64_t begin, int64_t end, int worker) {
  const product *p = arg;
  for (int64_t i = begin; i < end; i++) {
    row_block b = next_block(p, (row_block){0, 0});
    for (int64_t j = i % p->n_row_blocks; j > 0; j--) {
      b = next_block(p, b);
    }
    multiply_block(p, b, i / p->n_row_blocks * p->block_tokens, worker);
  }
}

/* A tile whose vectors are not half empty: any gives the same bits. */
static const vise_gemm_tile *tile_for(int64_t t) {
  const vise_gemm_kernels *kernels = vise_gemm_kernels_used();
  return t <= kernels->few.nr ? &kernels->few : &kernels->f32;
}

static vise_status multiply_slab(product *p, vise_err *err) {
  p->n_panels = vise_ceil_div(p->n_slab, p->tile->nr);
  VISE_TRY(vise_parallel_for(p->n_panels * p->n_pieces, PACK_GRAIN, pack_pieces, p, err));
  const int64_t n_chunks = p->n_row_blocks * vise_ceil_div(p->n_slab, p->block_tokens);
  return vise_parallel_for(n_chunks, 1, multiply_blocks, p, err);
}

static vise_status multiply(product *p, vise_err *err) {
  if (p->t == 0 || p->m == 0) {
    return VISE_OK;
  }
  for (row_block b = {0, 0}; b.row + b.n_rows < p->m; p->n_row_blocks++) {
    b = next_block(p, b);
    p->max_rows = max_i64(p->max_rows, b.n_rows);
  }
  const int64_t mr = p->tile->mr, nr = p->tile->nr;
  p->n_pieces = vise_ceil_div(p->k, VISE_GEMM_TILE_K);
  int64_t slab = SLAB_TOKENS;
  while (slab > MIN_TOKENS && offset(p, slab * p->k) > SLAB_BYTES) {
    slab /= 2;
  }
  slab = min_i64(slab, vise_ceil_div(p->t, nr) * nr);
  p->block_tokens = slab;
  while (p->block_tokens >= 2 * MIN_TOKENS &&
         p->n_row_blocks * vise_ceil_div(slab, p->block_tokens) < ENOUGH_CHUNKS * vise_threads()) {
    p->block_tokens = vise_ceil_div(p->block_tokens / 2, nr) * nr;
  }
  const int64_t max_rows = vise_ceil_div(p->max_rows, mr) * mr;
  p->w_bytes = vise_arena_need(offset(p, max_rows * VISE_GEMM_LDW));
  p->scratch_bytes = p->w_bytes + vise_arena_need(offset(p, max_rows * p->block_tokens));

  void *packed, *scratch;
  VISE_TRY(vise_mem_alloc_array(&packed, slab * p->k, p->tile->size, err));
  vise_status st = vise_mem_alloc_array(&scratch, vise_threads(), p->scratch_bytes, err);
  vise_mem_want_large_pages(packed);
  p->packed = packed;
  p->scratch = scratch;
  for (; p->slab < p->t && st == VISE_OK; p->slab += slab) {
    p->n_slab = min_i64(slab, p->t - p->slab);
    st = multiply_slab(p, err);
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
  product p = {.tile = tile_for(t),
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

vise_status vise_gemm_plain_f32(float *y,
                                int64_t ldy,
                                const vise_rows *w,
                                const float *x,
                                int64_t ldx,
                                int64_t n,
                                vise_err *err) {
  product p = {.tile = tile_for(n),
               .rows = w,
               .x = (const char *)x,
               .y = (char *)y,
               .ldx = ldx,
               .ldy = ldy,
               .t = n,
               .m = w->m,
               .k = w->k,
               .is_plain = true};
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

vise_status vise_gemm_plain_f64(double *y,
                                int64_t ldy,
                                const double *w,
                                int64_t ldw,
                                int64_t m,
                                int64_t k,
                                const double *x,
                                int64_t ldx,
                                int64_t n,
                                vise_err *err) {
  product p = {.tile = &vise_gemm_kernels_used()->f64,
               .w = (const char *)w,
               .x = (const char *)x,
               .y = (char *)y,
               .ldw = ldw,
               .ldx = ldx,
               .ldy = ldy,
               .t = n,
               .m = m,
               .k = k,
               .is_plain = true};
  return multiply(&p, err);
}

vise_status vise_gemm_rows_f64(double *y,
                               int64_t ldy,
                               const double *x,
                               int64_t ldx,
                               int64_t t,
                               const vise_rows_f64 *w,
                               vise_err *err) {
  product p = {.tile = &vise_gemm_kernels_used()->f64,
               .rows_f64 = w,
               .x = (const char *)x,
               .y = (char *)y,
               .ldx = ldx,
               .ldy = ldy,
               .t = t,
               .m = w->m,
               .k = w->k};
  return multiply(&p, err);
}
