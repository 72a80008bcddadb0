/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of places, the last first. What the blocks before contribute to the targets of a block is
 * one product,
 *
 *   known [nb, m] = ratios [nb, later places] (w - q)[m, later places]'          linalg/gemm
 *
 * whose rows are columns of W, which is how a tile of rows wants them. Then each tile works through
 * the block by itself (kernels/feedback.h).
 *
 * A span is what has to be chosen together when the work gets to it: the columns of a unit with
 * dynamic scales, of a group of an N:M mask. Blocks are cut between spans.
 *
 * Differs from the papers: they update all weights with rows of U, H^-1 = U' U. With R the inverse
 * of U the same targets come from the errors and R alone: no inverse is computed, and targets are
 * sums of what was rounded, not of earlier sums.
 */
#include "method/feedback.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "method/feedback_mask.h"

#include <math.h>
#include <string.h>

enum {
  ROWS = VISE_FEEDBACK_ROWS,
  BLOCK = 128,
  BLOCK_MAX = 256, /* a span may be as long */
  MASK_BLOCK = 32, /* of a mask by share: it is chosen by what the weights of a block are by then */
  GRAIN = 16
};

typedef struct work {
  const vise_feedback *f;
  int64_t begin, nb;   /* places of the block */
  int64_t span;        /* columns of a whole span; 0: no spans */
  int64_t n_rows;      /* m made up to tiles */
  float *known;        /* [BLOCK_MAX][n_rows] */
  float *scores;       /* [BLOCK_MAX][n_rows], or NULL */
  uint8_t *pruned;     /* the same, 1 or 0; or NULL */
  double *loss;        /* [n_rows] */
  char *scratch;       /* of each worker */
  size_t worker_bytes; /* of it */
} work;

/* Scratch of a worker: columns of a tile, and rows of a span. */
typedef struct tile {
  int64_t row, n_rows;
  float w[BLOCK_MAX * ROWS], delta[BLOCK_MAX * ROWS]; /* by place of the block */
  float now[BLOCK_MAX * ROWS]; /* of a span: targets if all of it were left as it is */
  float turned[ROWS * BLOCK_MAX];
  float x[ROWS], value[ROWS], cells[4 * ROWS];
  uint8_t is_zero[ROWS];
  uint8_t codes[BLOCK_MAX * ROWS];
} tile;

/* ---- one column ---- */

static void find_target(const work *a, tile *t, float *x, int64_t j) {
  const vise_feedback_factor *factor = a->f->factor;
  const float *ratios = factor->ratios + (a->begin + j) * factor->n + a->begin;
  vise_feedback_kernels_used()->target(x, t->w + j * ROWS, a->known + j * a->n_rows + t->row,
                                       t->delta + (j + 1) * ROWS, ratios + j + 1, a->nb - j - 1);
}

static void finish_column(const work *a, tile *t, int64_t j) {
  const double pivot = a->f->factor->pivots[a->begin + j];
  double *loss = a->loss + t->row;
  for (int i = 0; i < ROWS; i++) {
    const double error = ((double)t->x[i] - (double)t->value[i]) * pivot;
    loss[i] += error * error;
    t->delta[j * ROWS + i] = t->w[j * ROWS + i] - t->value[i];
  }
}

/* The cells of the entries at a place, those of zeros being any. */
static vise_feedback_cells gather_cells(const work *a, tile *t, int64_t j) {
  const vise_feedback_grid *grid = a->f->grid;
  const uint32_t *entries = a->f->entries + t->row * a->f->factor->n + a->begin + j;
  float *scale = t->cells, *inverse = scale + ROWS, *zero = inverse + ROWS, *offset = zero + ROWS;
  for (int64_t i = 0; i < ROWS; i++) {
    const uint32_t e = i < t->n_rows ? entries[i * a->f->factor->n] : VISE_FEEDBACK_ZERO;
    const uint32_t safe = e == VISE_FEEDBACK_ZERO ? 0 : e;
    const vise_feedback_cells c =
        vise_feedback_grid_cells(grid, safe / VISE_SPARSE_ROW, safe % VISE_SPARSE_ROW);
    scale[i] = *c.scale;
    inverse[i] = *c.inverse;
    zero[i] = *c.zero;
    offset[i] = *c.offset;
    t->is_zero[i] = e == VISE_FEEDBACK_ZERO;
  }
  return (vise_feedback_cells){scale, inverse, zero, offset};
}

static void set_zeros(float *value, const uint8_t *is_zero) {
  for (int i = 0; is_zero != NULL && i < ROWS; i++) {
    value[i] = is_zero[i] != 0 ? 0.0f : value[i];
  }
}

static void round_column(const work *a, tile *t, int64_t j) {
  const vise_feedback *f = a->f;
  find_target(a, t, t->x, j);
  if (f->grid != NULL) {
    const int64_t column = f->factor->columns[a->begin + j];
    const vise_feedback_cells cells = f->entries != NULL
                                          ? gather_cells(a, t, j)
                                          : vise_feedback_grid_cells(f->grid, t->row, column);
    vise_feedback_grid_nearest(f->grid, &cells, t->value, t->codes + j * ROWS, t->x);
  } else {
    memcpy(t->value, t->x, sizeof t->value);
  }
  set_zeros(t->value, a->pruned == NULL ? NULL : a->pruned + j * a->n_rows + t->row);
  set_zeros(t->value, f->entries == NULL ? NULL : t->is_zero);
  finish_column(a, t, j);
  for (int64_t i = 0; f->values != NULL && i < t->n_rows; i++) {
    f->values[(t->row + i) * f->factor->n + a->begin + j] = t->value[i];
  }
}

/* ---- spans ---- */

/* The first place of the span that ends before `end`. */
static int64_t span_begin(const work *a, int64_t end) {
  const int64_t *columns = a->f->factor->columns;
  int64_t begin = end - 1;
  while (begin > 0 && columns[begin - 1] / a->span == columns[begin] / a->span) {
    begin--;
  }
  return begin;
}

/* now[j] for places [begin, end) of the block, all that come before being done. */
static void look_ahead(const work *a, tile *t, int64_t begin, int64_t end) {
  for (int64_t j = end - 1; j >= begin; j--) {
    float *now = t->now + j * ROWS;
    find_target(a, t, now, j);
    for (int i = 0; i < ROWS; i++) {
      t->delta[j * ROWS + i] = t->w[j * ROWS + i] - now[i];
    }
  }
}

/* Scales of the unit at places [begin, end) of the block, from rows in the order of columns. */
static void choose_scales(const work *a, tile *t, int64_t begin, int64_t end) {
  const int64_t *columns = a->f->factor->columns + a->begin;
  const int64_t first = columns[begin] / a->span * a->span;
  for (int64_t j = begin; j < end; j++) {
    for (int i = 0; i < ROWS; i++) {
      t->turned[i * BLOCK_MAX + columns[j] - first] = t->now[j * ROWS + i];
    }
  }
  vise_feedback_grid_choose(a->f->grid, t->row, t->n_rows, first, end - begin, t->turned, BLOCK_MAX,
                            t + 1);
}

/* The least of every group of columns, row by row. */
static void choose_zeros(const work *a, tile *t, int64_t begin, int64_t end) {
  const double *pivots = a->f->factor->pivots + a->begin;
  for (int64_t j = begin; j < end; j++) {
    for (int i = 0; i < ROWS; i++) {
      t->now[j * ROWS + i] = (float)(fabs((double)t->now[j * ROWS + i]) * pivots[j]);
    }
  }
  vise_feedback_mask_least(a->pruned + begin * a->n_rows + t->row, a->n_rows, t->now + begin * ROWS,
                           ROWS, end - begin, a->f->mask->kept);
}

static void work_on_spans(const work *a, tile *t) {
  for (int64_t end = a->nb; end > 0;) {
    const int64_t begin = a->span == 0 ? 0 : span_begin(a, a->begin + end) - a->begin;
    if (a->span > 0) {
      look_ahead(a, t, begin, end);
      if (a->f->mask != NULL && a->f->mask->of > 0) {
        choose_zeros(a, t, begin, end);
      } else {
        choose_scales(a, t, begin, end);
      }
    }
    for (int64_t j = end - 1; j >= begin; j--) {
      round_column(a, t, j);
    }
    end = begin;
  }
}

/* ---- tiles ---- */

static tile *open_tile(const work *a, int64_t index, int worker) {
  const vise_feedback *f = a->f;
  tile *t = (tile *)(void *)(a->scratch + (size_t)worker * a->worker_bytes);
  t->row = index * ROWS;
  t->n_rows = f->m - t->row < ROWS ? f->m - t->row : ROWS;
  for (int64_t i = 0; i < ROWS; i++) {
    const float *row = f->w + (t->row + i) * f->factor->n + a->begin;
    for (int64_t j = 0; j < a->nb; j++) {
      t->w[j * ROWS + i] = i < t->n_rows ? row[j] : 0.0f;
    }
  }
  return t;
}

static void close_tile(const work *a, const tile *t) {
  const vise_feedback *f = a->f;
  for (int64_t i = 0; i < t->n_rows; i++) {
    const int64_t at = (t->row + i) * f->factor->n + a->begin;
    for (int64_t j = 0; j < a->nb; j++) {
      f->w[at + j] = t->delta[j * ROWS + i];
    }
    for (int64_t j = 0; f->codes != NULL && j < a->nb; j++) {
      f->codes[at + j] = t->codes[j * ROWS + i];
    }
  }
}

static void work_on_tiles(void *arg, int64_t begin, int64_t end, int worker) {
  const work *a = arg;
  for (int64_t i = begin; i < end; i++) {
    tile *t = open_tile(a, i, worker);
    work_on_spans(a, t);
    close_tile(a, t);
  }
}

/* What pruning each weight of the block would cost, were the others left as they are. */
static void score_tiles(void *arg, int64_t begin, int64_t end, int worker) {
  const work *a = arg;
  const double *pivots = a->f->factor->pivots + a->begin;
  for (int64_t index = begin; index < end; index++) {
    tile *t = open_tile(a, index, worker);
    look_ahead(a, t, 0, a->nb);
    for (int64_t j = 0; j < a->nb; j++) {
      for (int64_t i = 0; i < t->n_rows; i++) {
        const double size = fabs((double)t->now[j * ROWS + i]);
        a->scores[j * a->f->m + t->row + i] = (float)(size * pivots[j]);
      }
    }
  }
}

/* ---- blocks ---- */

static vise_status choose_mask(work *a, vise_err *err) {
  const vise_feedback *f = a->f;
  const int64_t n = f->factor->n, done = n - a->begin - a->nb;
  const double share = f->mask->sparsity * (double)f->m;
  const int64_t before = (int64_t)(share * (double)done);
  const int64_t count = (int64_t)(share * (double)(done + a->nb)) - before;
  VISE_TRY(vise_parallel_for(a->n_rows / ROWS, 1, score_tiles, a, err));
  memset(a->pruned, 0, (size_t)(a->nb * a->n_rows));
  vise_feedback_mask_share(a->pruned, a->n_rows, a->scores, f->m, a->nb, count);
  return VISE_OK;
}

static vise_status work_on_block(work *a, vise_err *err) {
  const vise_feedback *f = a->f;
  const int64_t n = f->factor->n, end = a->begin + a->nb;
  vise_rows_dense dense;
  const vise_rows rows = vise_rows_f32(&dense, f->w + end, f->m, n - end, n);
  VISE_TRY(vise_gemm_f32(a->known, a->n_rows, f->factor->ratios + a->begin * n + end, n, a->nb,
                         &rows, err));
  if (f->mask != NULL && f->mask->sparsity > 0.0) {
    VISE_TRY(choose_mask(a, err));
  }
  return vise_parallel_for(a->n_rows / ROWS, 1, work_on_tiles, a, err);
}

/* The first place of the block that ends before `end`: whole spans, of BLOCK places if they fit. */
static int64_t block_begin(const work *a, int64_t end) {
  if (a->span == 0) {
    const int64_t size = a->scores != NULL ? MASK_BLOCK : BLOCK;
    return end < size ? 0 : end - size;
  }
  int64_t begin = span_begin(a, end);
  while (begin > 0 && end - span_begin(a, begin) <= BLOCK) {
    begin = span_begin(a, begin);
  }
  return begin;
}

static vise_status allocate(work *a, vise_err *err) {
  const vise_feedback *f = a->f;
  void *known = NULL, *scores = NULL, *pruned = NULL, *loss = NULL, *scratch = NULL;
  const size_t extra = f->grid == NULL ? 0 : f->grid->unit_bytes;
  a->worker_bytes = vise_arena_need(sizeof(tile)) + vise_arena_need(extra);
  VISE_TRY(vise_mem_zalloc(&known, (size_t)(BLOCK_MAX * a->n_rows) * sizeof(float), err));
  a->known = known;
  VISE_TRY(vise_mem_zalloc(&loss, (size_t)a->n_rows * sizeof(double), err));
  a->loss = loss;
  VISE_TRY(vise_mem_alloc_array(&scratch, vise_threads(), a->worker_bytes, err));
  a->scratch = scratch;
  if (f->mask != NULL) {
    VISE_TRY(vise_mem_zalloc(&pruned, (size_t)(BLOCK_MAX * a->n_rows), err));
    a->pruned = pruned;
  }
  if (f->mask != NULL && f->mask->sparsity > 0.0) {
    VISE_TRY(vise_mem_alloc_array(&scores, MASK_BLOCK * f->m, sizeof(float), err));
    a->scores = scores;
  }
  return VISE_OK;
}

vise_status vise_feedback_run(double *loss_out, const vise_feedback *f, vise_err *err) {
  work a = {.f = f, .n_rows = vise_ceil_div(f->m, ROWS) * ROWS};
  a.span = f->mask != NULL && f->mask->of > 0 ? f->mask->of : f->grid != NULL ? f->grid->unit : 0;
  vise_status st = allocate(&a, err);
  for (int64_t end = f->factor->n; end > 0 && f->m > 0 && st == VISE_OK; end = a.begin) {
    a.begin = block_begin(&a, end);
    a.nb = end - a.begin;
    st = work_on_block(&a, err);
  }
  double loss = 0.0;
  for (int64_t i = 0; i < f->m && st == VISE_OK; i++) {
    loss += a.loss[i];
  }
  if (loss_out != NULL) {
    *loss_out = loss;
  }
  vise_mem_free(a.scratch);
  vise_mem_free(a.scores);
  vise_mem_free(a.pruned);
  vise_mem_free(a.loss);
  vise_mem_free(a.known);
  return st;
}

/* ---- places and columns ---- */

typedef struct turning {
  float *x;
  const uint8_t *codes;
  const vise_feedback_grid *grid;
  const vise_feedback_factor *f;
  bool is_to_places;
  char *scratch; /* a row of each worker, of floats or codes */
} turning;

static void turn_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const turning *a = arg;
  const int64_t n = a->f->n, *columns = a->f->columns;
  float *row = (float *)(void *)a->scratch + worker * n;
  for (int64_t i = begin; i < end; i++) {
    float *x = a->x + i * n;
    memcpy(row, x, (size_t)n * sizeof *x);
    for (int64_t p = 0; p < n; p++) {
      if (a->is_to_places) {
        x[p] = row[columns[p]];
      } else {
        x[columns[p]] = row[p];
      }
    }
  }
}

static void put_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const turning *a = arg;
  const vise_format_spec *spec = a->grid->spec;
  const int64_t n = spec->k;
  uint8_t *row = (uint8_t *)a->scratch + worker * n;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t p = 0; p < n; p++) {
      row[a->f == NULL ? p : a->f->columns[p]] = a->codes[i * n + p];
    }
    spec->format->grid->put(spec, (void *const *)a->grid->parts, i, row);
  }
}

static vise_status
turn(turning *a, int64_t m, int64_t n, size_t element_bytes, vise_chunk_fn *fn, vise_err *err) {
  void *scratch;
  VISE_TRY(vise_mem_alloc_array(&scratch, vise_threads() * n, element_bytes, err));
  a->scratch = scratch;
  const vise_status st = vise_parallel_for(m, GRAIN, fn, a, err);
  vise_mem_free(scratch);
  return st;
}

vise_status
vise_feedback_to_places(float *x, int64_t m, const vise_feedback_factor *f, vise_err *err) {
  turning a = {.x = x, .f = f, .is_to_places = true};
  return turn(&a, m, f->n, sizeof *x, turn_rows, err);
}

vise_status
vise_feedback_to_columns(float *x, int64_t m, const vise_feedback_factor *f, vise_err *err) {
  turning a = {.x = x, .f = f};
  return turn(&a, m, f->n, sizeof *x, turn_rows, err);
}

vise_status vise_feedback_put_codes(const vise_feedback_grid *grid,
                                    const uint8_t *codes,
                                    const vise_feedback_factor *f,
                                    vise_err *err) {
  turning a = {.codes = codes, .grid = grid, .f = f};
  return turn(&a, grid->spec->m, grid->spec->k, sizeof *codes, put_rows, err);
}
