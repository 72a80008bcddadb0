/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NF4: the 16 quantiles of the normal distribution that QLoRA chose, times a scale per group.
 *
 *   value = table[code] scale
 *
 * Parts of W [m, k], n = ceil(k / group) groups a row:
 *   codes     u8 [m, ceil(k / 2)]      code j in the HIGH half of byte j / 2 for even j
 *   scales    f16 or f32 [m, n]; double: u8 [m, n], with
 *   absmax    f32 [ceil(m n / 256)]    of blocks of 256 scales, counted along the rows
 *   mean      f32 [1]                  of all scales
 *
 * A double scale is map[code] absmax + mean, both rounded, where map holds 0, 1 and, for i = 0 .. 6,
 * +-10^(i - 6) times the middles of 2^i equal parts of [.1, 1], computed as bitsandbytes does.
 *
 * Plain: the scale is the greatest magnitude; searched: the one of least (weighted) squared error of
 * those tried, of either sign, refitted. It is rounded to what is stored before codes are computed,
 * of x (1 / scale): how many middles of neighbours in the table are below.
 *
 * Source: Dettmers et al. 2023, arXiv:2305.14314, sections 3 and 3.1; layout and arithmetic of
 * bitsandbytes 0.50.2. Differs: groups do not run over the end of a row; codes of double scales are
 * computed with the scale that is read back; the search.
 */
#include "core/checked.h"
#include "core/parallel.h"
#include "format/element.h"
#include "format/scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

enum { GROUP, SCALE, SEARCH };
enum { DOUBLE = 2, NEST = 256, MAP = 256 };

static const vise_param params[] = {
    {"group", VISE_PARAM_INT, 64, 1, 1 << 20, NULL,
     "columns that share one scale; the last group of a row may be short"},
    {"scale", VISE_PARAM_CHOICE, 0, 0, 0, "f16 f32 double",
     "type of the stored scales; double: 8-bit codes in blocks of 256 scales"},
    {"search", VISE_PARAM_CHOICE, 1, 0, 0, "none mse",
     "none: scale from the greatest magnitude; mse: the scale of least (weighted) squared error"},
    {0},
};

typedef struct layout {
  int64_t group, n_groups, row_bytes;
  bool is_double, is_searched;
  vise_intq_scale type; /* not double */
} layout;

static layout layout_of(const vise_format_spec *s) {
  const int64_t wanted = (int64_t)s->values[GROUP];
  const int64_t group = wanted < s->k ? wanted : s->k;
  return (layout){.group = group,
                  .n_groups = s->k == 0 ? 0 : vise_ceil_div(s->k, group),
                  .row_bytes = vise_element_row_bytes(VISE_NF4, s->k),
                  .is_double = s->values[SCALE] == DOUBLE,
                  .is_searched = s->values[SEARCH] != 0.0,
                  .type = s->values[SCALE] == 0.0 ? VISE_INTQ_F16 : VISE_INTQ_F32};
}

static vise_status nf4_check(const vise_format_spec *s, vise_err *err) {
  int64_t weights;
  if (!vise_mul_i64(&weights, s->m, s->k) || weights > INT64_MAX / 8) {
    return vise_fail(err, VISE_ESHAPE, "nf4: w is [%lld, %lld], expected fewer weights",
                     (long long)s->m, (long long)s->k);
  }
  return VISE_OK;
}

static bool nf4_uses_importance(const vise_format_spec *s) {
  return layout_of(s).is_searched;
}

static int nf4_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  const layout a = layout_of(s);
  const int64_t n = s->m * a.n_groups;
  out[0] = (vise_part_shape){"codes", VISE_DTYPE_U8, 2, {s->m, a.row_bytes}};
  out[1] = (vise_part_shape){
      "scales", a.is_double ? VISE_DTYPE_U8 : vise_scale_dtype(a.type), 2, {s->m, a.n_groups}};
  out[2] = (vise_part_shape){"absmax", VISE_DTYPE_F32, 1, {vise_ceil_div(n, NEST)}};
  out[3] = (vise_part_shape){"mean", VISE_DTYPE_F32, 1, {n > 0}};
  return a.is_double ? 4 : 2;
}

static int64_t nf4_rows_together(const vise_format_spec *s) {
  return layout_of(s).is_double ? s->m : 1;
}

static size_t nf4_scratch_bytes(const vise_format_spec *s) {
  const layout a = layout_of(s);
  const int64_t rows = a.is_double ? s->m : 1;
  return (size_t)(rows * a.n_groups) * sizeof(float) + vise_element_scratch_bytes(s->k);
}

/* ---- double scales ---- */

static float map[MAP];
static once_flag map_once = ONCE_FLAG_INIT;

static int ascending(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Point i of n equal steps from .1 to 1, each half counted from its end, rounded once. */
static float boundary(int i, int n) {
  const float step = (1.0f - 0.1f) / (float)n;
  return i < (n + 1) / 2 ? (float)((double)0.1f + (double)step * i)
                         : (float)(1.0 - (double)step * (n - i));
}

static void fill_map(void) {
  int n = 0;
  map[n++] = 0.0f;
  map[n++] = 1.0f;
  for (int i = 0; i < 7; i++) {
    const float power = (float)pow(10.0, i - 6);
    for (int j = 0; j < 1 << i; j++) {
      const float middle = (boundary(j, 1 << i) + boundary(j + 1, 1 << i)) / 2.0f;
      map[n++] = power * middle;
      map[n++] = -(power * middle);
    }
  }
  qsort(map, MAP, sizeof map[0], ascending);
}

static const float *double_map(void) {
  call_once(&map_once, fill_map);
  return map;
}

/* The entry nearest to t, the lower one of two. */
static uint8_t nearest(float t) {
  const float *entries = double_map();
  int low = 0, high = MAP - 1; /* entries[low] <= t < entries[high], or at an end */
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (entries[middle] <= t) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const double below = (double)t - (double)entries[low];
  const double above = (double)entries[high] - (double)t;
  return (uint8_t)(above < below ? high : low);
}

static float double_scale(uint8_t code, float absmax, float mean) {
  return double_map()[code] * absmax + mean;
}

/* n scales into their parts and back. */
static void round_double(void *const *parts, float *inout, int64_t n) {
  uint8_t *codes = parts[1];
  float *absmax = parts[2];
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += (double)inout[i];
  }
  const float mean = (float)(sum / (double)n);
  memcpy(parts[3], &mean, sizeof mean);
  for (int64_t begin = 0; begin < n; begin += NEST, absmax++) {
    const int64_t end = n - begin < NEST ? n : begin + NEST;
    *absmax = 0.0f;
    for (int64_t i = begin; i < end; i++) {
      *absmax = fmaxf(*absmax, fabsf(inout[i] - mean));
    }
    const float r = *absmax >= 0x1p-126f ? 1.0f / *absmax : 0.0f;
    for (int64_t i = begin; i < end; i++) {
      codes[i] = nearest((inout[i] - mean) * r);
      inout[i] = double_scale(codes[i], *absmax, mean);
    }
  }
}

/* ---- encode ---- */

/* Negative ones turn the table round, whose halves differ: half of what the search gains. */
static const float MULTIPLES[] = {0.8f,   0.86f,  0.9f,   0.94f,  0.98f,  1.02f,
                                  -0.76f, -0.82f, -0.87f, -0.92f, -0.97f, -1.02f};
enum { N_MULTIPLES = sizeof MULTIPLES / sizeof MULTIPLES[0] };

static float searched(const layout *a, const vise_element_patch *p, float plain) {
  uint8_t stored[4];
  float scales[2] = {plain, vise_element_search(p, plain, MULTIPLES, N_MULTIPLES, VISE_NF4)};
  const float wanted = scales[1];
  double errors[2];
  vise_scale_round(stored, &scales[0], 1, a->type);
  vise_scale_round(stored, &scales[1], 1, a->type);
  if (scales[0] == 0.0f || scales[1] == 0.0f) {
    return plain;
  }
  vise_element_errors(errors, p, scales, 2, VISE_NF4);
  return errors[1] < errors[0] ? wanted : plain;
}

/* The scales of one row, not yet rounded. */
static void
choose_scales(float *out, const layout *a, int64_t k, const float *x, const float *importance) {
  vise_scaled()->extremes(out, x, k, a->group);
  for (int64_t i = 0; a->is_searched && i < a->n_groups; i++) {
    const int64_t at = i * a->group;
    const vise_element_patch p = {.x = x + at,
                                  .n_rows = 1,
                                  .n = k - at < a->group ? k - at : a->group,
                                  .v = importance == NULL ? NULL : importance + at};
    if (out[i] > 0.0f) {
      out[i] = searched(a, &p, out[i]);
    }
  }
}

static void nf4_encode(const vise_format_spec *s,
                       void *const *parts,
                       const float *w,
                       int64_t ld,
                       int64_t row,
                       int64_t n_rows,
                       const float *importance,
                       void *scratch) {
  const layout a = layout_of(s);
  const int64_t n = a.n_groups;
  float *scales = scratch; /* of one row; double: of all */
  void *room = scales + (a.is_double ? s->m : 1) * n;
  for (int64_t i = 0; a.is_double && i < n_rows && !vise_cancelled(); i++) {
    choose_scales(scales + i * n, &a, s->k, w + i * ld, importance);
  }
  if (a.is_double) {
    round_double(parts, scales, n_rows * n);
  }
  for (int64_t i = row; i < row + n_rows; i++, w += ld) {
    if (!a.is_double) {
      choose_scales(scales, &a, s->k, w, importance);
      vise_scale_round((char *)parts[1] + i * n * vise_scale_bytes(a.type), scales, n, a.type);
    }
    vise_element_encode((uint8_t *)parts[0] + i * a.row_bytes, w, s->k, a.group, scales, VISE_NF4,
                        room);
    scales += a.is_double ? n : 0;
  }
}

/* ---- decode ---- */

static void scales_of(float *out,
                      const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      int64_t first,
                      int64_t n) {
  const layout a = layout_of(s);
  const int64_t at = row * a.n_groups + first;
  if (!a.is_double) {
    vise_scale_read(out, (const char *)parts[1] + at * vise_scale_bytes(a.type), n, a.type);
    return;
  }
  const uint8_t *codes = parts[1];
  const float *absmax = parts[2], mean = *(const float *)parts[3];
  for (int64_t i = 0; i < n; i++) {
    out[i] = double_scale(codes[at + i], absmax[(at + i) / NEST], mean);
  }
}

static void nf4_decode(const vise_format_spec *s,
                       const void *const *parts,
                       int64_t row,
                       int64_t n_rows,
                       int64_t col,
                       int64_t n_cols,
                       float *out,
                       int64_t ld) {
  vise_element_decode(s, parts, row, n_rows, col, n_cols, out, ld, layout_of(s).group, VISE_NF4,
                      scales_of);
}

static vise_grid nf4_grid_of(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return vise_element_grid(a.group, VISE_NF4);
}

static void nf4_cells(const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      vise_grid_cell *cells_out) {
  vise_element_cells(s, parts, row, layout_of(s).n_groups, scales_of, cells_out);
}

static void
nf4_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  const layout a = layout_of(s);
  vise_element_pack((uint8_t *)parts[0] + row * a.row_bytes, codes, s->k, VISE_NF4);
}

static const vise_format_grid nf4_grid = {nf4_grid_of, nf4_cells, nf4_put};

/* ---- one token ---- */

static int64_t nf4_prepared(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return a.is_double ? 0 : vise_element_prepared(s->k, a.group);
}

static void nf4_prepare(const vise_format_spec *s, float *out, const float *x) {
  vise_element_prepare(out, x, s->k, VISE_NF4);
}

static void nf4_dot_rows(const vise_format_spec *s,
                         const void *const *parts,
                         int64_t row,
                         int64_t n_rows,
                         const float *prepared,
                         float *y) {
  const layout a = layout_of(s);
  vise_qdot_ints w = vise_element_qdot(parts[0], row, s->k, a.group, VISE_NF4);
  w.scales = (const char *)parts[1] + row * a.n_groups * vise_scale_bytes(a.type);
  w.row_groups = a.n_groups;
  w.type = a.type;
  vise_qdot()->ints(y, &w, n_rows, prepared);
}

static const vise_format_dot nf4_dot = {nf4_prepared, nf4_prepare, nf4_dot_rows};

static vise_status
nf4_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const layout a = layout_of(s);
  const int64_t n = s->m * a.n_groups;
  if (!a.is_double) {
    return vise_scale_check(parts[1], n, a.type, "nf4", err);
  }
  const float largest = 0x1p126f; /* so that map absmax + mean is finite */
  const float *absmax = parts[2], *mean = parts[3];
  for (int64_t i = 0; i < vise_ceil_div(n, NEST); i++) {
    if (!(absmax[i] >= 0.0f && absmax[i] <= largest)) {
      return vise_fail(err, VISE_EFORMAT, "nf4: absmax %lld is %g, expected 0 to %g", (long long)i,
                       (double)absmax[i], (double)largest);
    }
  }
  if (n > 0 && !(fabsf(*mean) <= largest)) {
    return vise_fail(err, VISE_EFORMAT, "nf4: mean is %g, expected at most %g in magnitude",
                     (double)*mean, (double)largest);
  }
  return VISE_OK;
}

static void nf4_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  static const char *const types[] = {"", "/f32", "/double"};
  snprintf(out, out_bytes, "nf4/g%lld%s", (long long)s->values[GROUP],
           types[(int)s->values[SCALE]]);
}

const vise_format vise_format_nf4 = {
    .name = "nf4",
    .summary = "quantiles of the normal distribution, one scale per group",
    .source = "Dettmers et al. 2023, arXiv:2305.14314",
    .version = 1,
    .params = params,
    .n_layout = SEARCH,
    .max_rel_error = 0.084,
    .check = nf4_check,
    .uses_importance = nf4_uses_importance,
    .parts = nf4_parts,
    .rows_together = nf4_rows_together,
    .encode = nf4_encode,
    .scratch_bytes = nf4_scratch_bytes,
    .decode = nf4_decode,
    .dot = &nf4_dot,
    .grid = &nf4_grid,
    .check_parts = nf4_check_parts,
    .describe = nf4_describe,
};
