/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fp8: 8-bit floats with an f32 scale per block, row or tensor.
 *
 *   value = element(code) scale
 *
 * Parts of W [m, k], blocks of R rows and C columns (per row: 1 and k; per tensor: m and k), of
 * which the last ones may be short:
 *   codes   E4M3 or E5M2 [m, k]
 *   scales  f32 [ceil(m / R), ceil(k / C)]
 *
 * Plain: scale = greatest magnitude / greatest element. Searched: the scale of least (weighted)
 * squared error of those tried, refitted. A float has the same relative steps in every octave, so
 * the scales tried cover one octave: what differs is where between two powers of two the values
 * fall, and how many of the small ones become subnormal.
 *
 * Source: Micikevicius et al. 2022, arXiv:2209.05433; blocks of 128 x 128 as in DeepSeek-V3,
 * arXiv:2412.19437, section 3.3.
 */
#include "core/checked.h"
#include "core/parallel.h"
#include "format/element.h"
#include "format/scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ELEMENT, PER, ROWS, COLUMNS, SEARCH };
enum { PER_BLOCK, PER_ROW, PER_TENSOR };

static const vise_param params[] = {
    {"element", VISE_PARAM_CHOICE, 0, 0, 0, "e4m3 e5m2", "type of the codes"},
    {"per", VISE_PARAM_CHOICE, PER_BLOCK, 0, 0, "block row tensor", "what shares one scale"},
    {"rows", VISE_PARAM_INT, 128, 1, 1 << 20, NULL, "of a block; the last block may have fewer"},
    {"columns", VISE_PARAM_INT, 128, 1, 1 << 20, NULL,
     "of a block; the last block of a row may have fewer"},
    {"search", VISE_PARAM_CHOICE, 1, 0, 0, "none mse",
     "none: scale from the greatest magnitude; mse: the scale of least (weighted) squared error"},
    {0},
};

typedef struct layout {
  vise_element element;
  int64_t rows, columns, n_columns; /* of a block; blocks side by side */
  float largest;                    /* scale: its products with elements are finite */
  bool is_searched;
} layout;

static int64_t at_most(double wanted, int64_t n) {
  return wanted < (double)n ? (int64_t)wanted : n;
}

static layout layout_of(const vise_format_spec *s) {
  const int per = (int)s->values[PER];
  layout a = {.element = s->values[ELEMENT] == 0.0 ? VISE_E4M3 : VISE_E5M2,
              .rows = per == PER_ROW      ? at_most(1, s->m)
                      : per == PER_TENSOR ? s->m
                                          : at_most(s->values[ROWS], s->m),
              .columns = per == PER_BLOCK ? at_most(s->values[COLUMNS], s->k) : s->k,
              .is_searched = s->values[SEARCH] != 0.0};
  a.n_columns = s->k == 0 ? 0 : vise_ceil_div(s->k, a.columns);
  a.largest = a.element == VISE_E4M3 ? 0x1p119f : 0x1p112f;
  return a;
}

static vise_status fp8_check(const vise_format_spec *s, vise_err *err) {
  (void)s;
  (void)err;
  return VISE_OK;
}

static bool fp8_uses_importance(const vise_format_spec *s) {
  return layout_of(s).is_searched;
}

static int fp8_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  const layout a = layout_of(s);
  const vise_dtype codes = a.element == VISE_E4M3 ? VISE_DTYPE_F8_E4M3 : VISE_DTYPE_F8_E5M2;
  const int64_t n_rows = s->m == 0 ? 0 : vise_ceil_div(s->m, a.rows);
  out[0] = (vise_part_shape){"codes", codes, 2, {s->m, s->k}};
  out[1] = (vise_part_shape){"scales", VISE_DTYPE_F32, 2, {n_rows, a.n_columns}};
  return 2;
}

static int64_t fp8_rows_together(const vise_format_spec *s) {
  return layout_of(s).rows;
}

static size_t fp8_scratch_bytes(const vise_format_spec *s) {
  return 2 * (size_t)layout_of(s).n_columns * sizeof(float) + vise_element_scratch_bytes(s->k);
}

static const float MULTIPLES[] = {0.97f, 1.0f, 1.12f, 1.26f, 1.41f, 1.59f, 1.78f};
enum { N_MULTIPLES = sizeof MULTIPLES / sizeof MULTIPLES[0] };

static float as_stored(float scale, const layout *a) {
  float stored;
  vise_scale_round(&stored, &scale, 1, VISE_INTQ_F32);
  return scale < a->largest ? scale : a->largest;
}

static float searched(const layout *a, const vise_element_patch *p, float plain) {
  const float found = vise_element_search(p, plain, MULTIPLES, N_MULTIPLES, a->element);
  const float scales[] = {as_stored(plain, a), as_stored(found, a)};
  if (scales[0] == 0.0f || scales[1] == 0.0f) {
    return plain;
  }
  double errors[2];
  vise_element_errors(errors, p, scales, 2, a->element);
  return errors[1] < errors[0] ? found : plain;
}

/* The scales of the blocks that begin in the first of n_rows rows. */
static void choose_scales(float *out,
                          float *extremes,
                          const vise_format_spec *s,
                          const layout *a,
                          const float *w,
                          int64_t ld,
                          int64_t n_rows,
                          const float *importance) {
  for (int64_t b = 0; b < a->n_columns; b++) {
    out[b] = 0.0f;
  }
  for (int64_t i = 0; i < n_rows && !(n_rows > 1 && vise_cancelled()); i++) {
    vise_scaled()->extremes(extremes, w + i * ld, s->k, a->columns);
    for (int64_t b = 0; b < a->n_columns; b++) {
      out[b] = extremes[b] > out[b] ? extremes[b] : out[b];
    }
  }
  for (int64_t b = 0; b < a->n_columns; b++) {
    const int64_t at = b * a->columns;
    const vise_element_patch p = {.x = w + at,
                                  .ld = ld,
                                  .n_rows = n_rows,
                                  .n = s->k - at < a->columns ? s->k - at : a->columns,
                                  .v = importance == NULL ? NULL : importance + at};
    const float plain = out[b] / vise_element_largest(a->element);
    out[b] = as_stored(a->is_searched ? searched(a, &p, plain) : plain, a);
  }
}

static void fp8_encode(const vise_format_spec *s,
                       void *const *parts,
                       const float *w,
                       int64_t ld,
                       int64_t row,
                       int64_t n_rows,
                       const float *importance,
                       void *scratch) {
  const layout a = layout_of(s);
  float *extremes = scratch, *by = extremes + a.n_columns;
  choose_scales(by, extremes, s, &a, w, ld, n_rows, importance);
  memcpy((float *)parts[1] + row / a.rows * a.n_columns, by, (size_t)a.n_columns * sizeof *by);
  for (int64_t i = 0; i < n_rows && !(n_rows > 1 && vise_cancelled()); i++) {
    vise_element_encode((uint8_t *)parts[0] + (row + i) * s->k, w + i * ld, s->k, a.columns, by,
                        a.element, by + a.n_columns);
  }
}

static void scales_of(float *out,
                      const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      int64_t first,
                      int64_t n) {
  const layout a = layout_of(s);
  memcpy(out, (const float *)parts[1] + row / a.rows * a.n_columns + first,
         (size_t)n * sizeof *out);
}

static void fp8_decode(const vise_format_spec *s,
                       const void *const *parts,
                       int64_t row,
                       int64_t n_rows,
                       int64_t col,
                       int64_t n_cols,
                       float *out,
                       int64_t ld) {
  const layout a = layout_of(s);
  vise_element_decode(s, parts, row, n_rows, col, n_cols, out, ld, a.columns, a.element, scales_of);
}

static vise_grid fp8_grid_of(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return vise_element_grid(a.columns, a.element);
}

static void fp8_cells(const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      vise_grid_cell *cells_out) {
  vise_element_cells(s, parts, row, layout_of(s).n_columns, scales_of, cells_out);
}

static void
fp8_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  const layout a = layout_of(s);
  vise_element_pack((uint8_t *)parts[0] + row * s->k, codes, s->k, a.element);
}

static const vise_format_grid fp8_grid = {fp8_grid_of, fp8_cells, fp8_put};

static vise_status
fp8_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const layout a = layout_of(s);
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  fp8_parts(s, shapes);
  const float *scales = parts[1];
  for (int64_t i = 0; i < shapes[1].shape[0] * shapes[1].shape[1]; i++) {
    if (!(fabsf(scales[i]) <= a.largest)) {
      return vise_fail(err, VISE_EFORMAT, "fp8: scale %lld is %g, expected at most %g in magnitude",
                       (long long)i, (double)scales[i], (double)a.largest);
    }
  }
  return vise_element_check(parts[0], s->m, s->k, a.element, "fp8", err);
}

static void fp8_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  char block[48];
  snprintf(block, sizeof block, "%.0fx%.0f", s->values[ROWS], s->values[COLUMNS]);
  snprintf(out, out_bytes, "fp8/%s/%s", vise_element_name(layout_of(s).element),
           s->values[PER] == PER_BLOCK ? block
           : s->values[PER] == PER_ROW ? "row"
                                       : "tensor");
}

const vise_format vise_format_fp8 = {
    .name = "fp8",
    .summary = "8-bit floats (E4M3 or E5M2), one f32 scale per block, row or tensor",
    .source = "Micikevicius et al. 2022, arXiv:2209.05433",
    .version = 1,
    .params = params,
    .n_layout = SEARCH,
    .max_rel_error = 0.027,
    .check = fp8_check,
    .uses_importance = fp8_uses_importance,
    .parts = fp8_parts,
    .rows_together = fp8_rows_together,
    .encode = fp8_encode,
    .scratch_bytes = fp8_scratch_bytes,
    .decode = fp8_decode,
    .grid = &fp8_grid,
    .check_parts = fp8_check_parts,
    .describe = fp8_describe,
};
