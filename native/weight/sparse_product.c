/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse weights times many tokens. X is packed as [tile of 64 tokens][column][64]. A chunk of work
 * is a few units of rows: for each BLOCK columns their values and columns are listed once, then
 * every tile meets every row with the list (kernels/spmm.h), some columns after the other. These
 * are few enough that their piece of X stays in the first or second cache, and as many as give a row
 * enough values between loading its sums and storing them: fewer where W is denser. Rows of a row of
 * blocks share one list, and go by four.
 */
#include "core/arena.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"
#include "kernels/spmm.h"
#include "weight/sparse_layout.h"

#include <string.h>

enum {
  TILE = VISE_SPMM_TOKENS,
  BLOCK = 512,       /* columns listed at once */
  PARTS = 4,         /* at most; of a block */
  CHUNK_ROWS = 512,  /* of W, at most and if W has eight times as many; at least one unit */
  SLAB_TOKENS = 512, /* packed at once */
  PIECE = 256        /* columns packed by one chunk */
};

typedef struct product {
  const sparse *s;
  const float *x;
  float *y;
  int64_t ldx, ldy, token, n_tokens, n_tiles, n_pieces; /* of the slab */
  int64_t chunk_rows, part; /* columns multiplied at once: BLOCK / PARTS or more */
  float *packed;
  char *scratch; /* of each worker */
  size_t sums_bytes, lists_bytes, scratch_bytes;
} product;

/* What the rows of a chunk have in BLOCK columns: row i's values and columns, of which those before
   ends[i * PARTS + j] are in the first j + 1 parts. */
typedef struct lists {
  const float **values;
  const uint32_t **columns;
  uint16_t *ends;
  float *value_store;
  uint32_t *column_store;
} lists;

static void pack_pieces(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const product *p = arg;
  const int64_t k = p->s->base.k;
  for (int64_t i = begin; i < end; i++) {
    const int64_t tile = i / p->n_pieces, col = i % p->n_pieces * PIECE;
    const int64_t n_cols = k - col < PIECE ? k - col : PIECE;
    const int64_t left = p->n_tokens - tile * TILE, n_tokens = left < TILE ? left : TILE;
    float *out = p->packed + (tile * k + col) * TILE;
    if (n_tokens < TILE) {
      memset(out, 0, (size_t)(n_cols * TILE) * sizeof(float));
    }
    vise_gemm_kernels_used()->f32.transpose(
        out, TILE, p->x + (p->token + tile * TILE) * p->ldx + col, p->ldx, n_tokens, n_cols);
  }
}

static void end_parts(uint16_t ends[PARTS], int64_t width, const uint32_t *columns, int64_t n) {
  int64_t i = 0;
  for (int part = 0; part < PARTS; part++) {
    while (i < n && columns[i] < (uint32_t)((part + 1) * width)) {
      i++;
    }
    ends[part] = (uint16_t)i;
  }
}

/* List columns [col, col + n_cols) of rows row .. row + n_rows - 1, which begin a unit. Values that
   lie in W as they are are copied too: every tile reads them, row after row. */
static void
list_rows(const product *p, lists *l, int64_t row, int64_t n_rows, int64_t col, int64_t n_cols) {
  uint32_t *columns = l->column_store;
  float *values = l->value_store;
  for (int64_t i = 0; i < n_rows; i++) {
    int64_t first;
    uint32_t *own = columns;
    const int64_t n = vise_sparse_columns(p->s, row + i, col, n_cols, col, own, &first);
    const bool is_shared = i % p->s->rows != 0;
    end_parts(l->ends + i * PARTS, p->part, own, n);
    l->columns[i] = is_shared ? l->columns[i - 1] : own;
    const float *stored = vise_sparse_values(p->s, first, n, values);
    if (stored != values) {
      memcpy(values, stored, (size_t)n * sizeof(float));
    }
    l->values[i] = values;
    columns += is_shared ? 0 : n;
    values += n;
  }
}

/* Whether rows i .. i + 3 of the list are four rows of one unit, and so share their columns. */
static bool are_alike(const product *p, int64_t i, int64_t n_rows) {
  const int64_t r = p->s->rows;
  return i + VISE_SPMM_ROWS <= n_rows && i / r == (i + VISE_SPMM_ROWS - 1) / r;
}

/* One part of the lists times a tile. */
static void
add_part(const product *p, float *sums, const lists *l, int64_t n_rows, int part, const float *x) {
  const vise_spmm_kernels *kernels = vise_spmm();
  for (int64_t i = 0; i < n_rows;) {
    const uint16_t *ends = l->ends + i * PARTS + part;
    const int64_t begin = part == 0 ? 0 : ends[-1], n = ends[0] - begin;
    const float *values = l->values[i] + begin;
    const uint32_t *columns = l->columns[i] + begin;
    if (are_alike(p, i, n_rows)) {
      kernels->rows(sums + i * TILE, values, l->ends[i * PARTS + PARTS - 1], columns, n, x);
      i += VISE_SPMM_ROWS;
    } else {
      kernels->row(sums + i * TILE, values, columns, n, x);
      i++;
    }
  }
}

static void add_lists(const product *p, float *sums, const lists *l, int64_t n_rows, int64_t col) {
  for (int64_t q = 0; q < p->n_tiles; q++) {
    for (int part = 0; part < BLOCK / p->part; part++) {
      add_part(p, sums + q * n_rows * TILE, l, n_rows, part,
               p->packed + (q * p->s->base.k + col) * TILE);
    }
  }
}

/* Scratch of a worker: sums, then the lists. */
static lists carve(const product *p, int worker, float **sums_out) {
  char *at = p->scratch + (size_t)worker * p->scratch_bytes;
  const size_t rows = (size_t)p->chunk_rows;
  *sums_out = (float *)(void *)at;
  at += p->sums_bytes;
  lists l;
  l.value_store = (float *)(void *)at;
  at += p->lists_bytes;
  l.column_store = (uint32_t *)(void *)at;
  at += p->lists_bytes;
  l.values = (const float **)(void *)at;
  at += rows * sizeof(void *);
  l.columns = (const uint32_t **)(void *)at;
  at += rows * sizeof(void *);
  l.ends = (uint16_t *)(void *)at;
  return l;
}

static void multiply_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const product *p = arg;
  const int64_t k = p->s->base.k, n_rows = end - begin;
  float *sums;
  lists l = carve(p, worker, &sums);
  memset(sums, 0, (size_t)(p->n_tiles * n_rows * TILE) * sizeof(float));
  for (int64_t col = 0; col < k && !vise_cancelled(); col += BLOCK) {
    list_rows(p, &l, begin, n_rows, col, k - col < BLOCK ? k - col : BLOCK);
    add_lists(p, sums, &l, n_rows, col);
  }
  for (int64_t q = 0; q < p->n_tiles; q++) {
    const int64_t left = p->n_tokens - q * TILE;
    vise_gemm_kernels_used()->f32.transpose(p->y + (p->token + q * TILE) * p->ldy + begin, p->ldy,
                                            sums + q * n_rows * TILE, TILE, n_rows,
                                            left < TILE ? left : TILE);
  }
}

static vise_status multiply_slab(product *p, vise_err *err) {
  p->n_tiles = vise_ceil_div(p->n_tokens, TILE);
  VISE_TRY(vise_parallel_for(p->n_tiles * p->n_pieces, 8, pack_pieces, p, err));
  VISE_TRY(vise_parallel_for(p->s->base.m, p->chunk_rows, multiply_rows, p, err));
  return vise_cancel_check(err); /* raised in the last chunk, which then stopped early */
}

vise_status vise_sparse_multiply(
    const sparse *s, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t t, vise_err *err) {
  if (t == 0 || s->base.m == 0) {
    return VISE_OK;
  }
  const int64_t share = vise_ceil_div(s->base.m, 8);
  const int64_t units = (share < CHUNK_ROWS ? share : CHUNK_ROWS) / s->rows;
  const int64_t block = s->base.k < BLOCK ? s->base.k : BLOCK;
  product p = {.s = s, .x = x, .y = y, .ldx = ldx, .ldy = ldy};
  p.chunk_rows = (units < 1 ? 1 : units) * s->rows;
  const bool is_dense = s->n_values > s->base.m * s->base.k / 7 && s->rows < VISE_SPMM_ROWS;
  p.part = is_dense ? BLOCK / PARTS : BLOCK / 2;
  p.n_pieces = vise_ceil_div(s->base.k, PIECE);
  const int64_t slab = t < SLAB_TOKENS ? vise_ceil_div(t, TILE) * TILE : SLAB_TOKENS;
  p.sums_bytes = vise_arena_need((size_t)(slab * p.chunk_rows) * sizeof(float));
  p.lists_bytes = vise_arena_need((size_t)(block * p.chunk_rows) * sizeof(float));
  p.scratch_bytes =
      vise_arena_need(p.sums_bytes + 2 * p.lists_bytes +
                      (size_t)p.chunk_rows * (2 * sizeof(void *) + PARTS * sizeof(uint16_t)));
  void *packed, *scratch;
  VISE_TRY(vise_mem_alloc_array(&packed, slab * s->base.k, sizeof(float), err));
  vise_status st = vise_mem_alloc_array(&scratch, vise_threads(), p.scratch_bytes, err);
  vise_mem_want_large_pages(packed);
  p.packed = packed;
  p.scratch = scratch;
  for (; p.token < t && st == VISE_OK; p.token += slab) {
    p.n_tokens = t - p.token < slab ? t - p.token : slab;
    st = multiply_slab(&p, err);
  }
  vise_mem_free(scratch);
  vise_mem_free(packed);
  return st;
}
