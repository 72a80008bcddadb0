/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens are taken in slabs. Those of a slab are rounded once, each group of columns padded with
 * zeros to whole steps of the kernel. Then 16 rows of W are one chunk of work: their codes are
 * unpacked and laid out, and meet all tokens, about BLOCK columns at a time, so that these codes and
 * the activations of a tile stay in the first cache. Chains of sums go on from block to block.
 */
#include "core/arena.h"
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/qgemm.h"
#include "weight/input.h"
#include "weight/quant.h"

#include <string.h>

enum {
  ROWS = VISE_QGEMM_ROWS,
  STEP = VISE_QGEMM_STEP,
  BLOCK = 1024,
  SLAB_TOKENS = 1024,
  LINE =
      64 /* between rows of activations: else those of a tile want the same places in the cache */
};

typedef struct product {
  const vise_format_spec *spec;
  const void *const *parts;
  const vise_rounding *rounding;
  vise_format_groups groups;
  float *y;
  const float *x; /* of the slab, as y */
  int64_t ldy, ldx, t;
  int64_t n_groups, group, padded; /* columns of a group and of a row, with zeros */
  int64_t block;                   /* groups */
  bool is_wide;
  int64_t lda, lds;
  char *a; /* [t, lda], int8_t or int16_t */
  int16_t *sums;
  float *token_scales;
  char *scratch; /* of each worker */
  size_t scratch_bytes;
} product;

/* What a worker works with; row_*: of a row, before they are laid out. */
typedef struct work {
  uint8_t *codes, *row_codes;
  void *packed;
  float *scales, *lows, *row_scales, *row_lows, *out;
  int32_t *zeros, *row_zeros;
  int8_t *q;
} work;

static void *take(char *base, size_t *at, int64_t bytes) {
  char *p = base == NULL ? NULL : base + *at;
  *at += vise_arena_need((size_t)bytes);
  return p;
}

/* The pieces of a worker's scratch, which begins at `base`, or NULL; returns their bytes. */
static size_t carve(work *out, const product *p, char *base) {
  size_t at = 0;
  out->codes = take(base, &at, ROWS * p->padded);
  out->row_codes = take(base, &at, p->spec->k);
  out->packed = take(base, &at, 2 * ROWS * p->block * p->group);
  out->scales = take(base, &at, p->n_groups * ROWS * 4);
  out->lows = take(base, &at, p->n_groups * ROWS * 4);
  out->zeros = take(base, &at, p->n_groups * ROWS * 4);
  out->row_scales = take(base, &at, p->n_groups * 4);
  out->row_lows = take(base, &at, p->n_groups * 4);
  out->row_zeros = take(base, &at, p->n_groups * 4);
  out->out = take(base, &at, p->t * ROWS * 4);
  out->q = take(base, &at, p->padded);
  return at;
}

/* Columns of group g. */
static int64_t columns_of(const product *p, int64_t g) {
  const int64_t left = p->spec->k - g * p->groups.columns;
  return left < p->groups.columns ? left : p->groups.columns;
}

/* ---- activations ---- */

static void round_token(const product *p, const work *w, int64_t s) {
  const float *x = p->x + s * p->ldx;
  float r;
  p->token_scales[s] = vise_rounding_scale(&r, p->rounding, x, p->spec->k);
  memset(w->q, 0, (size_t)p->padded);
  for (int64_t g = 0; g < p->n_groups && r > 0.0f; g++) {
    vise_qgemm()->round(w->q + g * p->group, x + g * p->groups.columns, columns_of(p, g), r);
  }
  vise_qgemm()->sums(p->sums + s * p->lds, w->q, p->padded);
  if (!p->is_wide) {
    memcpy(p->a + s * p->lda, w->q, (size_t)p->padded);
    return;
  }
  int16_t *a = (int16_t *)(void *)p->a + s * p->lda;
  for (int64_t j = 0; j < p->padded; j++) {
    a[j] = w->q[j];
  }
}

static void round_tokens(void *arg, int64_t begin, int64_t end, int worker) {
  const product *p = arg;
  work w;
  carve(&w, p, p->scratch + (size_t)worker * p->scratch_bytes);
  for (int64_t s = begin; s < end; s++) {
    round_token(p, &w, s);
  }
}

/* ---- rows of W ---- */

/* Row i of the panel: row `row` of W. */
static void lay_out_row(const product *p, const work *w, int64_t i, int64_t row) {
  uint8_t *codes = w->codes + i * p->padded;
  const bool is_whole = p->group == p->groups.columns;
  memset(codes, 0, (size_t)p->padded);
  p->spec->format->codes->row(p->spec, p->parts, row, is_whole ? codes : w->row_codes,
                              w->row_scales, w->row_zeros, w->row_lows);
  for (int64_t g = 0; g < p->n_groups; g++) {
    if (!is_whole) {
      memcpy(codes + g * p->group, w->row_codes + g * p->groups.columns, (size_t)columns_of(p, g));
    }
    w->scales[g * ROWS + i] = w->row_scales[g];
    w->zeros[g * ROWS + i] = w->row_zeros[g];
    w->lows[g * ROWS + i] = p->groups.has_lows ? w->row_lows[g] : 0.0f;
  }
}

/* All tokens times groups [g, g + n) of the panel. */
static void multiply_groups(const product *p, const work *w, int64_t g, int64_t n) {
  const int64_t column = g * p->group, size = p->is_wide ? 2 : 1, tile = vise_qgemm()->tokens;
  const vise_qgemm_panel panel = {
      .codes = w->packed,
      .zeros = w->zeros + g * ROWS,
      .scales = w->scales + g * ROWS,
      .lows = p->groups.has_lows ? w->lows + g * ROWS : NULL,
      .n_groups = n,
      .group = p->group,
      .reach = p->groups.reach,
  };
  vise_qgemm()->pack(w->packed, w->codes + column, p->padded, &panel);
  for (int64_t s = 0; s < p->t; s += tile) {
    const vise_qgemm_tokens tokens = {.a = p->a + (s * p->lda + column) * size,
                                      .sums = p->sums + s * p->lds + column / STEP * 2,
                                      .lda = p->lda,
                                      .lds = p->lds,
                                      .n = (int)(p->t - s < tile ? p->t - s : tile)};
    vise_qgemm()->multiply(w->out + s * ROWS, &panel, &tokens);
  }
}

static void multiply_panel(const product *p, const work *w, int64_t row) {
  const int64_t n_rows = p->spec->m - row < ROWS ? p->spec->m - row : ROWS;
  if (n_rows < ROWS) { /* what the missing ones give is not copied to Y */
    memset(w->codes, 0, (size_t)(ROWS * p->padded));
    memset(w->scales, 0, (size_t)(p->n_groups * ROWS) * sizeof(float));
    memset(w->lows, 0, (size_t)(p->n_groups * ROWS) * sizeof(float));
    memset(w->zeros, 0, (size_t)(p->n_groups * ROWS) * sizeof(int32_t));
  }
  for (int64_t i = 0; i < n_rows; i++) {
    lay_out_row(p, w, i, row + i);
  }
  memset(w->out, 0, (size_t)(p->t * ROWS) * sizeof(float));
  for (int64_t g = 0; g < p->n_groups && !vise_cancelled(); g += p->block) {
    multiply_groups(p, w, g, p->n_groups - g < p->block ? p->n_groups - g : p->block);
  }
  for (int64_t s = 0; s < p->t; s++) {
    for (int64_t i = 0; i < n_rows; i++) {
      p->y[s * p->ldy + row + i] = w->out[s * ROWS + i] * p->token_scales[s];
    }
  }
}

static void multiply_panels(void *arg, int64_t begin, int64_t end, int worker) {
  const product *p = arg;
  work w;
  carve(&w, p, p->scratch + (size_t)worker * p->scratch_bytes);
  for (int64_t i = begin; i < end; i++) {
    multiply_panel(p, &w, i * ROWS);
  }
}

/* ---- all ---- */

/* What is known of the shapes; false where the child has no such codes or groups. */
static bool plan(product *p, const vise_weight *w, int64_t t) {
  p->spec = vise_weight_quant_spec(w, &p->parts);
  const vise_format_codes *codes = p->spec == NULL ? NULL : p->spec->format->codes;
  if (codes == NULL || !codes->groups(p->spec, &p->groups) || p->groups.columns < STEP / 2 ||
      p->groups.columns > VISE_QGEMM_GROUP) {
    return false;
  }
  p->n_groups = vise_ceil_div(p->spec->k, p->groups.columns);
  p->group = vise_ceil_div(p->groups.columns, STEP) * STEP;
  p->padded = p->n_groups * p->group;
  p->block = p->group > BLOCK ? 1 : BLOCK / p->group;
  p->is_wide = p->groups.reach > vise_qgemm()->narrow_reach;
  p->lda = p->padded + LINE;
  p->lds = p->padded / STEP * 2 + 2;
  p->t = t < SLAB_TOKENS ? t : SLAB_TOKENS;
  work none;
  p->scratch_bytes = carve(&none, p, NULL);
  return true;
}

static vise_status multiply_slab(product *p, vise_err *err) {
  VISE_TRY(vise_parallel_for(p->t, 8, round_tokens, p, err));
  VISE_TRY(vise_parallel_for(vise_ceil_div(p->spec->m, ROWS), 1, multiply_panels, p, err));
  return vise_cancel_check(err); /* raised in the last chunk, which then stopped early */
}

vise_status vise_weight_matmul_integer(bool *is_done_out,
                                       const vise_weight *w,
                                       const vise_rounding *rounding,
                                       float *y,
                                       int64_t ldy,
                                       const float *x,
                                       int64_t ldx,
                                       int64_t t,
                                       vise_err *err) {
  product p = {.rounding = rounding, .ldy = ldy, .ldx = ldx};
  *is_done_out = plan(&p, w, t);
  if (!*is_done_out || t == 0 || w->m == 0) {
    return VISE_OK;
  }
  const size_t a_bytes = vise_arena_need((size_t)(p.t * p.lda) * (p.is_wide ? 2 : 1));
  const size_t sums_bytes = vise_arena_need((size_t)(p.t * p.lds) * sizeof *p.sums);
  const size_t scale_bytes = vise_arena_need((size_t)p.t * sizeof *p.token_scales);
  vise_arena arena;
  VISE_TRY(vise_arena_create(
      &arena, a_bytes + sums_bytes + scale_bytes + (size_t)vise_threads() * p.scratch_bytes, err));
  p.a = vise_arena_take(&arena, a_bytes);
  p.sums = vise_arena_take(&arena, sums_bytes);
  p.token_scales = vise_arena_take(&arena, scale_bytes);
  p.scratch = vise_arena_take(&arena, (size_t)vise_threads() * p.scratch_bytes);
  vise_status st = VISE_OK;
  for (int64_t s = 0; s < t && st == VISE_OK; s += SLAB_TOKENS) {
    p.t = t - s < SLAB_TOKENS ? t - s : SLAB_TOKENS;
    p.x = x + s * ldx;
    p.y = y + s * ldy;
    st = multiply_slab(&p, err);
  }
  vise_arena_free(&arena);
  return st;
}
