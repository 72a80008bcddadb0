/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding a group x with importance v.
 *
 * Plain, symmetric: with M the value of greatest magnitude, scale = -M / 2^(bits - 1), so that M
 * gets the code 0 at the far end and all 2^bits codes are used. Plain, asymmetric: scale = (high -
 * low) / (2^bits - 1), zero = RNE(-low / scale), low <= 0 <= high: zero is exact.
 *
 * The scale is rounded to its stored type before any code is computed. Too small to be stored, or
 * with a reciprocal that is not finite: 0, and all codes are `zero`. Too large: cut to the largest,
 * so that every value decodes to a finite number.
 *
 * Searched: minimise sum v (x - scale (code - zero))^2 over scale (and zero). For fixed codes the
 * best scale is closed form: with t = x / s, l = code - zero, e = t - l,
 *
 *   sum v (x - s (1 + d) l)^2 = s^2 (sum v e^2 - 2 d sum v e l + d^2 sum v l^2)
 *   least at d = (sum v e l) / (sum v l^2):   s^2 (sum v e^2 - (sum v e l)^2 / sum v l^2)
 *
 * so each trial of a grid of scales (both signs when symmetric: the grid has one code more on one
 * side) is judged by what it would reach after that fit. When the last step is the best, steps go
 * on beyond it while they improve. The best is refitted while it improves.
 * The stored form of the winner must then beat the plain one, measured with the stored scales.
 */
#include "format/int_affine.h"

#include "core/bytes.h"
#include "core/checked.h"
#include "core/parallel.h"
#include "format/scale.h"
#include "kernels/intq.h"
#include "kernels/qdot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char WIDTHS[] = "2 3 4 5 6 8"; /* one digit each: choice i is WIDTHS[2 * i] */

static const vise_param params[] = {
    {"bits", VISE_PARAM_CHOICE, 2, 0, 0, WIDTHS, "bits per code"},
    {"per", VISE_PARAM_CHOICE, VISE_PER_GROUP, 0, 0, "group row tensor", "what shares one scale"},
    {"group", VISE_PARAM_INT, 64, 1, 1 << 20, NULL,
     "columns that share one scale, per group; the last group of a row may be short"},
    {"symmetric", VISE_PARAM_BOOL, 1, 0, 1, NULL, "no stored zero; the scale may be negative"},
    {"scale", VISE_PARAM_CHOICE, VISE_INTQ_F16, 0, 0, "f16 bf16 f32", "type of the stored scales"},
    {"search", VISE_PARAM_CHOICE, 1, 0, 0, "none mse",
     "none: scale from the extremes; mse: the scale of least (weighted) squared error"},
    {0},
};

typedef struct layout {
  int bits;
  vise_int_per per;
  bool is_symmetric, is_searched;
  vise_intq_scale type;
  int64_t m, k;
  int64_t group;    /* columns of a group; k when per row or tensor */
  int64_t n_groups; /* in a row */
  int64_t row_bytes;
} layout;

static layout layout_of(const vise_format_spec *s) {
  layout a = {.bits = WIDTHS[2 * (int)s->values[VISE_INT_BITS]] - '0',
              .per = (vise_int_per)s->values[VISE_INT_PER],
              .is_symmetric = s->values[VISE_INT_SYMMETRIC] != 0.0,
              .is_searched = s->values[VISE_INT_SEARCH] != 0.0,
              .type = (vise_intq_scale)s->values[VISE_INT_SCALE],
              .m = s->m,
              .k = s->k};
  const int64_t wanted = (int64_t)s->values[VISE_INT_GROUP];
  a.group = a.per != VISE_PER_GROUP || wanted > a.k ? a.k : wanted;
  a.n_groups = a.k == 0 ? 0 : vise_ceil_div(a.k, a.group);
  a.row_bytes = vise_ceil_div(a.k * a.bits, 8);
  return a;
}

static vise_status int_check(const vise_format_spec *s, vise_err *err) {
  if (s->k > INT64_MAX / 8) {
    return vise_fail(err, VISE_ESHAPE, "int: w is [%lld, %lld], expected fewer columns",
                     (long long)s->m, (long long)s->k);
  }
  return VISE_OK;
}

static bool int_uses_importance(const vise_format_spec *s) {
  return layout_of(s).is_searched;
}

static int int_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  const layout a = layout_of(s);
  const int64_t rows = a.per == VISE_PER_TENSOR && a.m > 0 ? 1 : a.m;
  out[0] = (vise_part_shape){"codes", VISE_DTYPE_U8, 2, {a.m, a.row_bytes}};
  out[1] = (vise_part_shape){"scales", vise_scale_dtype(a.type), 2, {rows, a.n_groups}};
  out[2] = (vise_part_shape){"zeros", VISE_DTYPE_U8, 2, {rows, a.n_groups}};
  return a.is_symmetric ? 2 : 3;
}

static int64_t int_rows_together(const vise_format_spec *s) {
  return layout_of(s).per == VISE_PER_TENSOR ? s->m : 1;
}

/* ---- scales ---- */

typedef struct choice {
  float scale; /* as stored */
  int zero;
} choice;

static float reciprocal(float scale) {
  const float r = 1.0f / (scale == 0.0f ? 1.0f : scale); /* no branch: a loop of it is vectors */
  return scale == 0.0f ? 0.0f : r;
}

/* The plain scale of each group, not yet rounded. */
static void
plain_scales(float *out, const float *low, const float *high, int64_t n, const layout *a) {
  const float half = (float)-(1 << (a->bits - 1)), top = (float)((1 << a->bits) - 1);
  if (a->is_symmetric) {
    for (int64_t i = 0; i < n; i++) {
      out[i] = (-low[i] >= high[i] ? low[i] : high[i]) / half;
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      out[i] = high[i] / top - low[i] / top;
    }
  }
}

static int plain_zero(float low, float r, int top) {
  const float z = rintf(-low * r);
  return z < (float)top ? (int)z : top;
}

/* ---- search ---- */

/* A rectangle of values with one scale: part of a row, or all rows. */
typedef struct patch {
  const float *x;
  int64_t ld, n_rows, n;
  const float *v; /* [n] or NULL */
  int top;        /* 2^bits - 1 */
  vise_intq_scale type;
} patch;

static void run_trials(const patch *p, vise_intq_trial *trials, int n_trials) {
  const vise_intq_kernels *kernels = vise_intq();
  for (int64_t i = 0; i < p->n_rows && !(p->n_rows > 1 && vise_cancelled()); i++) {
    kernels->trials(trials, n_trials, p->x + i * p->ld, p->v, p->n);
  }
}

static void set_trial(vise_intq_trial *out, const patch *p, float r, int zero) {
  out->r = r;
  out->low = (float)-zero;
  out->high = (float)(p->top - zero);
  out->error = out->slope = out->mass = 0.0;
}

/* Squared error after the scale is refitted to the trial's codes. */
static double fitted(const vise_intq_trial *t) {
  const double r = (double)t->r;
  if (t->mass == 0.0) {
    return t->error / (r * r);
  }
  return (t->error * t->mass - t->slope * t->slope) / (t->mass * (r * r));
}

static float fitted_reciprocal(const vise_intq_trial *t) {
  return t->mass > 0.0 ? (float)((double)t->r / (1.0 + t->slope / t->mass)) : t->r;
}

static double measured(const patch *p, choice c) {
  vise_intq_trial t;
  set_trial(&t, p, reciprocal(c.scale), c.zero);
  run_trials(p, &t, 1);
  return (double)c.scale * (double)c.scale * t.error;
}

/* Whether one of the trials is better than *best, which it then replaces. */
static bool take_better(vise_intq_trial *best, const vise_intq_trial *trials, int n) {
  bool is_better = false;
  for (int i = 0; i < n; i++) {
    if (fitted(&trials[i]) < fitted(best)) {
      *best = trials[i];
      is_better = true;
    }
  }
  return is_better;
}

enum { REFITS = 3 };

/* Refit the best trial while that helps; keep it if its stored form beats *inout. */
static void improve(const patch *p, vise_intq_trial best, choice *inout) {
  for (int i = 0; i < REFITS; i++) {
    vise_intq_trial next;
    set_trial(&next, p, fitted_reciprocal(&best), (int)-best.low);
    run_trials(p, &next, 1);
    if (!take_better(&best, &next, 1)) {
      break;
    }
  }
  choice found = {1.0f / fitted_reciprocal(&best), (int)-best.low};
  float stored;
  vise_scale_round(&stored, &found.scale, 1, p->type);
  if (found.scale != 0.0f && measured(p, found) < measured(p, *inout)) {
    *inout = found;
  }
}

/* The trials at a multiple of the plain reciprocal scale; returns how many, 2 or 3. */
static int
set_step(vise_intq_trial *out, const patch *p, const layout *a, choice plain, float multiple) {
  const float r = reciprocal(plain.scale) * multiple;
  if (a->is_symmetric) {
    const float half = (float)(1 << (a->bits - 1));
    set_trial(&out[0], p, r, plain.zero);
    set_trial(&out[1], p, -r * ((half - 1.0f) / half), plain.zero); /* the end with a code less */
    return 2;
  }
  for (int d = -1; d <= 1; d++) {
    const float z = rintf((float)plain.zero * multiple) + (float)d;
    set_trial(&out[d + 1], p, r, z < 0.0f ? 0 : z < (float)p->top ? (int)z : p->top);
  }
  return 3;
}

enum { N_STEPS = 10, N_TRIALS = 3 * N_STEPS };

/*
 * Reciprocal scales tried, as multiples of the plain one. To 4 bits clipping pays, so they reach
 * far. From 5 bits the error hardly changes with the scale, but by chance with where the codes
 * fall: steps of .3 of a code at the extreme, far enough apart to be new chances, from 1.9 codes
 * before the end of the grid to .8 beyond it.
 */
static float step(const layout *a, int i) {
  static const float wide[N_STEPS] = {0.85f, 0.95f, 1.05f, 1.15f, 1.27f,
                                      1.42f, 1.65f, 2.0f,  2.5f,  3.2f};
  const float end = (float)(1 << (a->bits - (a->is_symmetric ? 1 : 0)));
  return a->bits <= 4 ? wide[i] : 1.0f + (0.3f * (float)i - 1.9f) / end;
}

static void search(const patch *p, const layout *a, choice *inout) {
  const float r = reciprocal(inout->scale);
  if (!isfinite(4.0f * r) || r == 0.0f) {
    return;
  }
  vise_intq_trial trials[N_TRIALS];
  int n = 0, n_last = 0;
  for (int i = 0; i < N_STEPS; i++) {
    n_last = set_step(trials + n, p, a, *inout, step(a, i));
    n += n_last;
  }
  run_trials(p, trials, n);
  vise_intq_trial best = trials[0];
  take_better(&best, trials, n - n_last);
  bool goes_on = take_better(&best, trials + n - n_last, n_last);
  /* Outliers: the best may lie far beyond the last step. */
  for (float multiple = step(a, N_STEPS - 1); goes_on;) {
    multiple *= 1.125f;
    n = set_step(trials, p, a, *inout, multiple);
    run_trials(p, trials, n);
    goes_on = take_better(&best, trials, n);
  }
  improve(p, best, inout);
}

/* ---- encode ---- */

typedef struct work { /* scratch of one call: one entry per group, codes one per column */
  float *low, *high, *scale, *r;
  uint8_t *zeros, *codes;
} work;

static work carve(const layout *a, void *scratch) {
  float *f = scratch;
  const int64_t n = a->n_groups;
  uint8_t *bytes = (uint8_t *)(f + 4 * n);
  return (work){f, f + n, f + 2 * n, f + 3 * n, bytes, bytes + n};
}

static size_t int_scratch_bytes(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return (size_t)a.n_groups * (4 * sizeof(float) + 1) + (size_t)a.k;
}

/* Scales, reciprocals and zeros of n groups from their extremes. */
static void choose_plain(const layout *a, const work *b, void *scales_out, int64_t n) {
  plain_scales(b->scale, b->low, b->high, n, a);
  vise_scale_round(scales_out, b->scale, n, a->type);
  for (int64_t i = 0; i < n; i++) {
    b->r[i] = reciprocal(b->scale[i]);
  }
  if (a->is_symmetric) {
    memset(b->zeros, 1 << (a->bits - 1), (size_t)n);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    b->zeros[i] = (uint8_t)plain_zero(b->low[i], b->r[i], (1 << a->bits) - 1);
  }
}

/* A better scale and zero for group i, if there is one. */
static void
choose_searched(const layout *a, const work *b, void *scales_out, int64_t i, const patch *p) {
  choice c = {b->scale[i], b->zeros[i]};
  search(p, a, &c);
  b->scale[i] = c.scale;
  b->r[i] = reciprocal(c.scale);
  b->zeros[i] = (uint8_t)c.zero;
  vise_scale_round((char *)scales_out + i * vise_scale_bytes(a->type), &c.scale, 1, a->type);
}

/* The row's place among the stored scales. */
static void *scales_of(const layout *a, void *const *parts, int64_t row) {
  return (char *)parts[1] + row * a->n_groups * vise_scale_bytes(a->type);
}

static void write_zeros(const layout *a, const work *b, void *const *parts, int64_t row) {
  if (!a->is_symmetric) {
    memcpy((uint8_t *)parts[2] + row * a->n_groups, b->zeros, (size_t)a->n_groups);
  }
}

static void
write_codes(const layout *a, const work *b, uint8_t *codes_out, const float *x, int64_t row) {
  const vise_intq_kernels *kernels = vise_intq();
  kernels->codes(b->codes, x, a->k, a->group, a->bits, b->r, a->is_symmetric ? NULL : b->zeros);
  kernels->pack(codes_out + row * a->row_bytes, b->codes, a->k, a->bits);
}

static void encode_row(const layout *a,
                       const work *b,
                       void *const *parts,
                       const float *x,
                       int64_t row,
                       const float *importance) {
  vise_intq()->ranges(b->low, b->high, x, a->k, a->group);
  void *scales = scales_of(a, parts, row);
  choose_plain(a, b, scales, a->n_groups);
  for (int64_t i = 0; a->is_searched && i < a->n_groups; i++) {
    const int64_t at = i * a->group;
    const patch p = {.x = x + at,
                     .n_rows = 1,
                     .n = a->k - at < a->group ? a->k - at : a->group,
                     .v = importance == NULL ? NULL : importance + at,
                     .top = (1 << a->bits) - 1,
                     .type = a->type};
    choose_searched(a, b, scales, i, &p);
  }
  write_zeros(a, b, parts, row);
  write_codes(a, b, parts[0], x, row);
}

static void encode_tensor(const layout *a,
                          const work *b,
                          void *const *parts,
                          const float *w,
                          int64_t ld,
                          const float *importance) {
  float low = 0.0f, high = 0.0f;
  for (int64_t i = 0; i < a->m && !vise_cancelled(); i++) {
    vise_intq()->ranges(b->low, b->high, w + i * ld, a->k, a->group);
    low = b->low[0] < low ? b->low[0] : low;
    high = b->high[0] > high ? b->high[0] : high;
  }
  b->low[0] = low;
  b->high[0] = high;
  choose_plain(a, b, parts[1], 1);
  if (a->is_searched) {
    const patch p = {.x = w,
                     .ld = ld,
                     .n_rows = a->m,
                     .n = a->k,
                     .v = importance,
                     .top = (1 << a->bits) - 1,
                     .type = a->type};
    choose_searched(a, b, parts[1], 0, &p);
  }
  if (!a->is_symmetric) {
    *(uint8_t *)parts[2] = b->zeros[0];
  }
  for (int64_t i = 0; i < a->m && !vise_cancelled(); i++) {
    write_codes(a, b, parts[0], w + i * ld, i);
  }
}

static void int_encode(const vise_format_spec *s,
                       void *const *parts,
                       const float *w,
                       int64_t ld,
                       int64_t row,
                       int64_t n_rows,
                       const float *importance,
                       void *scratch) {
  const layout a = layout_of(s);
  const work b = carve(&a, scratch);
  if (a.k == 0 || n_rows == 0) {
    return;
  }
  if (a.per == VISE_PER_TENSOR) {
    encode_tensor(&a, &b, parts, w, ld, importance);
    return;
  }
  for (int64_t i = 0; i < n_rows; i++) {
    encode_row(&a, &b, parts, w + i * ld, row + i, importance);
  }
}

static bool int_takes_bf16(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return a.per != VISE_PER_TENSOR && !a.is_searched;
}

static bool int_encode_bf16(
    const vise_format_spec *s, void *const *parts, const uint16_t *w, int64_t row, void *scratch) {
  const layout a = layout_of(s);
  const work b = carve(&a, scratch);
  const vise_intq_kernels *kernels = vise_intq();
  if (kernels->ranges_bf16(b.low, b.high, w, a.k, a.group)) {
    return false;
  }
  choose_plain(&a, &b, scales_of(&a, parts, row), a.n_groups);
  write_zeros(&a, &b, parts, row);
  kernels->codes_bf16(b.codes, w, a.k, a.group, a.bits, b.r, a.is_symmetric ? NULL : b.zeros);
  kernels->pack((uint8_t *)parts[0] + row * a.row_bytes, b.codes, a.k, a.bits);
  return true;
}

static const vise_format_bf16 int_bf16 = {int_takes_bf16, int_encode_bf16};

/* ---- decode ---- */

static void int_decode(const vise_format_spec *s,
                       const void *const *parts,
                       int64_t row,
                       int64_t n_rows,
                       int64_t col,
                       int64_t n_cols,
                       float *out,
                       int64_t ld) {
  const layout a = layout_of(s);
  if (n_cols == 0) {
    return;
  }
  const int64_t first = col / a.group, phase = col % a.group;
  const uint8_t *codes = (const uint8_t *)parts[0] + col * a.bits / 8;
  for (int64_t i = row; i < row + n_rows; i++, out += ld) {
    const int64_t at = (a.per == VISE_PER_TENSOR ? 0 : i * a.n_groups) + first;
    vise_intq()->decode(out, codes + i * a.row_bytes, n_cols, a.bits, phase, a.group,
                        (const char *)parts[1] + at * vise_scale_bytes(a.type), a.type,
                        a.is_symmetric ? NULL : (const uint8_t *)parts[2] + at);
  }
}

/* ---- the grid ---- */

static vise_grid int_grid_of(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return (vise_grid){.group = a.group, .n_codes = 1 << a.bits};
}

static void int_cells(const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      vise_grid_cell *cells_out) {
  const layout a = layout_of(s);
  const int64_t at = a.per == VISE_PER_TENSOR ? 0 : row * a.n_groups,
                bytes = vise_scale_bytes(a.type);
  for (int64_t i = 0; i < a.n_groups; i++) {
    const int zero = a.is_symmetric ? 1 << (a.bits - 1) : ((const uint8_t *)parts[2])[at + i];
    cells_out[i] = (vise_grid_cell){.zero = (float)zero, .offset = -0.0f};
    vise_scale_read(&cells_out[i].scale, (const char *)parts[1] + (at + i) * bytes, 1, a.type);
  }
}

static void
int_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  const layout a = layout_of(s);
  vise_intq()->pack((uint8_t *)parts[0] + row * a.row_bytes, codes, a.k, a.bits);
}

static const vise_format_grid int_grid = {int_grid_of, int_cells, int_put};

/* ---- one token ---- */

static int64_t int_prepared(const vise_format_spec *s) {
  const layout a = layout_of(s);
  vise_qdot_layout columns;
  if (!vise_qdot_takes(a.bits, a.group, a.k)) {
    return 0;
  }
  vise_qdot_stream(&columns, a.bits, a.is_symmetric);
  return vise_qdot_prepared(&columns, a.k);
}

static void int_prepare(const vise_format_spec *s, float *out, const float *x) {
  const layout a = layout_of(s);
  vise_qdot_layout columns;
  vise_qdot_stream(&columns, a.bits, a.is_symmetric);
  vise_qdot_prepare(out, &columns, x, a.k);
}

static void int_dot_rows(const vise_format_spec *s,
                         const void *const *parts,
                         int64_t row,
                         int64_t n_rows,
                         const float *prepared,
                         float *y) {
  const layout a = layout_of(s);
  const int64_t row_groups = a.per == VISE_PER_TENSOR ? 0 : a.n_groups, first = row * row_groups;
  const vise_qdot_ints w = {
      .codes = (const uint8_t *)parts[0] + row * a.row_bytes,
      .scales = (const char *)parts[1] + first * vise_scale_bytes(a.type),
      .zeros = a.is_symmetric ? NULL : (const uint8_t *)parts[2] + first,
      .row_bytes = a.row_bytes,
      .row_groups = row_groups,
      .k = a.k,
      .group = a.group,
      .bits = a.bits,
      .type = a.type,
  };
  vise_qdot()->ints(y, &w, n_rows, prepared);
}

static const vise_format_dot int_dot = {int_prepared, int_prepare, int_dot_rows};

/* ---- codes ---- */

static bool int_groups(const vise_format_spec *s, vise_format_groups *out) {
  const layout a = layout_of(s);
  const int reach = a.is_symmetric ? 1 << (a.bits - 1) : (1 << a.bits) - 1;
  *out = (vise_format_groups){.columns = a.group, .reach = reach};
  return a.k > 0;
}

/* One code a byte of n that are packed. */
static void unpack(uint8_t *out, const uint8_t *packed, int64_t n, int bits) {
  if (bits == 8) {
    memcpy(out, packed, (size_t)n);
    return;
  }
  if (bits == 4) {
    for (int64_t j = 0; j < n / 2; j++) {
      out[2 * j] = packed[j] & 15;
      out[2 * j + 1] = packed[j] >> 4;
    }
    if (n % 2 != 0) {
      out[n - 1] = packed[n / 2] & 15;
    }
    return;
  }
  for (int64_t j = 0; j < n; j++) {
    out[j] = (uint8_t)vise_bits_at(packed, j * bits, bits);
  }
}

static void int_row(const vise_format_spec *s,
                    const void *const *parts,
                    int64_t row,
                    uint8_t *codes,
                    float *scales,
                    int32_t *zeros,
                    float *lows) {
  (void)lows;
  const layout a = layout_of(s);
  const int64_t at = a.per == VISE_PER_TENSOR ? 0 : row * a.n_groups;
  unpack(codes, (const uint8_t *)parts[0] + row * a.row_bytes, a.k, a.bits);
  vise_scale_read(scales, (const char *)parts[1] + at * vise_scale_bytes(a.type), a.n_groups,
                  a.type);
  for (int64_t i = 0; i < a.n_groups; i++) {
    zeros[i] = a.is_symmetric ? 1 << (a.bits - 1) : ((const uint8_t *)parts[2])[at + i];
  }
}

static const vise_format_codes int_codes = {int_groups, int_row};

static vise_status
int_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const layout a = layout_of(s);
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  int_parts(s, shapes);
  const int64_t n = shapes[1].shape[0] * shapes[1].shape[1];
  VISE_TRY(vise_scale_check(parts[1], n, a.type, "int", err));
  for (int64_t i = 0; !a.is_symmetric && i < n; i++) {
    if (((const uint8_t *)parts[2])[i] >= 1 << a.bits) {
      return vise_fail(err, VISE_EFORMAT, "int: zero %lld is %d, expected at most %d", (long long)i,
                       ((const uint8_t *)parts[2])[i], (1 << a.bits) - 1);
    }
  }
  return VISE_OK;
}

static void int_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  static const char *const types[] = {"", "/bf16", "/f32"};
  const layout a = layout_of(s);
  char sharing[24];
  snprintf(sharing, sizeof sharing, "g%lld", (long long)s->values[VISE_INT_GROUP]);
  snprintf(out, out_bytes, "int%d/%s%s%s", a.bits,
           a.per == VISE_PER_ROW      ? "row"
           : a.per == VISE_PER_TENSOR ? "tensor"
                                      : sharing,
           a.is_symmetric ? "" : "/asym", types[a.type]);
}

const vise_format vise_format_int = {
    .name = "int",
    .summary = "affine integers of 2 to 8 bits, one scale per group, row or tensor",
    .source = "Nagel et al. 2021, arXiv:2106.08295, section 2",
    .version = 1,
    .params = params,
    .max_rel_error = 0.091, /* int4 g64 searched */
    .n_layout = VISE_INT_SEARCH,
    .check = int_check,
    .uses_importance = int_uses_importance,
    .parts = int_parts,
    .rows_together = int_rows_together,
    .encode = int_encode,
    .scratch_bytes = int_scratch_bytes,
    .bf16 = &int_bf16,
    .decode = int_decode,
    .dot = &int_dot,
    .grid = &int_grid,
    .codes = &int_codes,
    .check_parts = int_check_parts,
    .describe = int_describe,
};
