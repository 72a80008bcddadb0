/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCP microscaling formats MXFP4, MXFP6 and MXFP8: blocks of 32 columns of a row share a power
 * of two.
 *
 *   value = 2^(scale - 127) element(code)
 *
 * Parts of W [m, k]:
 *   codes   u8 [m, k / 2], [m, 6 k / 8] or [m, k]   packed as format/element.h says
 *   scales  u8 [m, k / 32]                        E8M0
 *
 * Rules for the exponent of a block of greatest magnitude a, emax being the exponent of the
 * greatest element: floor, of the standard: floor(log2 a) - emax; the values above the greatest
 * element are cut. rceil: ceil(log2(a / greatest)); nothing is cut. mse: the one of floor - 1, floor
 * and floor + 1 of the least (weighted) squared error, floor on a tie. rceil is floor or floor + 1,
 * because the greatest element lies above 2^emax and below twice that: mse is never worse than
 * either.
 *
 * Exponents are cut to -127 .. 127 - emax, so that every value is finite in f32; blocks of zeros
 * have the least.
 *
 * Source: OCP Microscaling Formats (MX) Specification 1.0, sections 5 and 6.3. Differs: the cut
 * above; mse and rceil.
 */
#include "format/element.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 32 };

typedef enum rule { FLOOR, RCEIL, MSE } rule;

#define RULE                                                                                           \
  {                                                                                                    \
    "rule", VISE_PARAM_CHOICE, MSE, 0, 0, "floor rceil mse",                                           \
        "a block's exponent. floor: of the OCP standard; rceil: the least that cuts nothing; mse: of " \
        "these and their neighbours the one of least (weighted) squared error"                         \
  }

static const vise_param mxfp4_params[] = {RULE, {0}};
static const vise_param mxfp6_params[] = {
    {"element", VISE_PARAM_CHOICE, 0, 0, 0, "e2m3 e3m2", "type of the codes"}, RULE, {0}};
static const vise_param mxfp8_params[] = {
    {"element", VISE_PARAM_CHOICE, 0, 0, 0, "e4m3 e5m2", "type of the codes"}, RULE, {0}};

typedef struct layout {
  vise_element element;
  rule rule;
  int emax;
  int64_t n_blocks, row_bytes;
} layout;

static layout layout_of(const vise_format_spec *s) {
  static const int emax[] = {
      [VISE_E4M3] = 8, [VISE_E5M2] = 15, [VISE_E2M3] = 2, [VISE_E3M2] = 4, [VISE_E2M1] = 2};
  static const vise_element sixes[] = {VISE_E2M3, VISE_E3M2}, eights[] = {VISE_E4M3, VISE_E5M2};
  const vise_param *params = s->format->params;
  const int choice = (int)s->values[0];
  const vise_element e = params == mxfp4_params   ? VISE_E2M1
                         : params == mxfp6_params ? sixes[choice]
                                                  : eights[choice];
  return (layout){.element = e,
                  .rule = (rule)s->values[params == mxfp4_params ? 0 : 1],
                  .emax = emax[e],
                  .n_blocks = s->k / BLOCK,
                  .row_bytes = vise_element_row_bytes(e, s->k)};
}

static vise_status mx_check(const vise_format_spec *s, vise_err *err) {
  if (s->k % BLOCK != 0) {
    return vise_fail(err, VISE_ESHAPE, "%s: blocks of %d do not divide the %lld columns of w",
                     s->format->name, BLOCK, (long long)s->k);
  }
  return VISE_OK;
}

static bool mx_uses_importance(const vise_format_spec *s) {
  return layout_of(s).rule == MSE;
}

static int mx_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  const layout a = layout_of(s);
  out[0] = (vise_part_shape){"codes", VISE_DTYPE_U8, 2, {s->m, a.row_bytes}};
  out[1] = (vise_part_shape){"scales", VISE_DTYPE_U8, 2, {s->m, a.n_blocks}};
  return 2;
}

static int64_t mx_rows_together(const vise_format_spec *s) {
  (void)s;
  return 1;
}

static size_t mx_scratch_bytes(const vise_format_spec *s) {
  return (size_t)layout_of(s).n_blocks * sizeof(float) + vise_element_scratch_bytes(s->k);
}

static float power_of(uint8_t scale) {
  const uint32_t u = scale == 0 ? 0x00400000u : (uint32_t)scale << 23; /* 2^-127 is subnormal */
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static uint8_t cut(int exponent, const layout *a) {
  const int top = 254 - a->emax;
  return (uint8_t)(exponent < 0 ? 0 : exponent > top ? top : exponent);
}

/* The exponents here have 127 added, as an f32 has them. */
static uint8_t floor_scale(float greatest, const layout *a) {
  return cut((int)(bits_of(greatest) >> 23) - a->emax, a);
}

static uint8_t rceil_scale(float greatest, const layout *a) {
  const uint32_t u = bits_of(greatest / vise_element_largest(a->element));
  return u <= 0x00400000u ? 0 : cut((int)((u + 0x7fffffu) >> 23), a);
}

static uint8_t mse_scale(const layout *a, uint8_t plain, const float *x, const float *v) {
  const int low = plain > 0 ? plain - 1 : 0, high = cut(plain + 1, a);
  const float scales[] = {power_of(plain), power_of((uint8_t)low), power_of((uint8_t)high)};
  const uint8_t codes[] = {plain, (uint8_t)low, (uint8_t)high};
  const vise_element_patch p = {.x = x, .n_rows = 1, .n = BLOCK, .v = v};
  double errors[3];
  vise_element_errors(errors, &p, scales, 3, a->element);
  int best = 0;
  for (int i = 1; i < 3; i++) {
    best = errors[i] < errors[best] ? i : best;
  }
  return codes[best];
}

static void mx_encode(const vise_format_spec *s,
                      void *const *parts,
                      const float *w,
                      int64_t ld,
                      int64_t row,
                      int64_t n_rows,
                      const float *importance,
                      void *scratch) {
  const layout a = layout_of(s);
  float *by = scratch; /* greatest magnitudes, then scales */
  for (int64_t i = row; i < row + n_rows; i++, w += ld) {
    uint8_t *scales = (uint8_t *)parts[1] + i * a.n_blocks;
    vise_scaled()->extremes(by, w, s->k, BLOCK);
    for (int64_t b = 0; b < a.n_blocks; b++) {
      scales[b] = a.rule == RCEIL ? rceil_scale(by[b], &a) : floor_scale(by[b], &a);
      if (a.rule == MSE && by[b] > 0.0f) {
        const float *v = importance == NULL ? NULL : importance + b * BLOCK;
        scales[b] = mse_scale(&a, scales[b], w + b * BLOCK, v);
      }
      by[b] = power_of(scales[b]);
    }
    vise_element_encode((uint8_t *)parts[0] + i * a.row_bytes, w, s->k, BLOCK, by, a.element,
                        by + a.n_blocks);
  }
}

static void powers_of(float *out,
                      const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      int64_t first,
                      int64_t n) {
  const uint8_t *scales = (const uint8_t *)parts[1] + row * (s->k / BLOCK) + first;
  for (int64_t i = 0; i < n; i++) {
    out[i] = power_of(scales[i]);
  }
}

static void mx_decode(const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      int64_t n_rows,
                      int64_t col,
                      int64_t n_cols,
                      float *out,
                      int64_t ld) {
  vise_element_decode(s, parts, row, n_rows, col, n_cols, out, ld, BLOCK, layout_of(s).element,
                      powers_of);
}

static vise_grid mx_grid_of(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return vise_element_grid(BLOCK, a.element);
}

static void mx_cells(const vise_format_spec *s,
                     const void *const *parts,
                     int64_t row,
                     vise_grid_cell *cells_out) {
  vise_element_cells(s, parts, row, s->k / BLOCK, powers_of, cells_out);
}

static void
mx_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  const layout a = layout_of(s);
  vise_element_pack((uint8_t *)parts[0] + row * a.row_bytes, codes, s->k, a.element);
}

static const vise_format_grid mx_grid = {mx_grid_of, mx_cells, mx_put};

/* ---- one token, MXFP4 ---- */

static int64_t mxfp4_prepared(const vise_format_spec *s) {
  return vise_element_prepared(s->k, BLOCK);
}

static void mxfp4_prepare(const vise_format_spec *s, float *out, const float *x) {
  vise_element_prepare(out, x, s->k, VISE_E2M1);
}

static void mxfp4_dot_rows(const vise_format_spec *s,
                           const void *const *parts,
                           int64_t row,
                           int64_t n_rows,
                           const float *prepared,
                           float *y) {
  vise_qdot_ints w = vise_element_qdot(parts[0], row, s->k, BLOCK, VISE_E2M1);
  w.row_groups = s->k / BLOCK;
  w.scales = (const uint8_t *)parts[1] + row * w.row_groups;
  w.has_powers = true;
  vise_qdot()->ints(y, &w, n_rows, prepared);
}

static const vise_format_dot mxfp4_dot = {mxfp4_prepared, mxfp4_prepare, mxfp4_dot_rows};

static vise_status
mx_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const layout a = layout_of(s);
  const uint8_t *scales = parts[1];
  const int64_t n = s->m * a.n_blocks;
  for (int64_t i = 0; i < n; i++) {
    if (scales[i] > 254 - a.emax) {
      return vise_fail(err, VISE_EFORMAT, "%s: scale %lld is %d, expected at most %d",
                       s->format->name, (long long)i, scales[i], 254 - a.emax);
    }
  }
  return vise_element_check(parts[0], s->m, s->k, a.element, s->format->name, err);
}

static void mx_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  const bool has_choice = s->format->params != mxfp4_params;
  snprintf(out, out_bytes, "%s%s%s", s->format->name, has_choice ? "/" : "",
           has_choice ? vise_element_name(layout_of(s).element) : "");
}

#define SOURCE "OCP Microscaling Formats (MX) Specification 1.0 (2023)"

#define FUNCTIONS                                                                                  \
  .source = SOURCE, .version = 1, .check = mx_check, .uses_importance = mx_uses_importance,        \
  .parts = mx_parts, .rows_together = mx_rows_together, .encode = mx_encode,                       \
  .scratch_bytes = mx_scratch_bytes, .decode = mx_decode, .grid = &mx_grid,                        \
  .check_parts = mx_check_parts, .describe = mx_describe

const vise_format vise_format_mxfp4 = {
    .name = "mxfp4",
    .summary = "4-bit floats (E2M1), a power of two per block of 32",
    .params = mxfp4_params,
    .n_layout = 0,
    .max_rel_error = 0.113,
    .dot = &mxfp4_dot,
    FUNCTIONS,
};

const vise_format vise_format_mxfp6 = {
    .name = "mxfp6",
    .summary = "6-bit floats (E2M3 or E3M2), a power of two per block of 32",
    .params = mxfp6_params,
    .n_layout = 1,
    .max_rel_error = 0.0285,
    FUNCTIONS,
};

const vise_format vise_format_mxfp8 = {
    .name = "mxfp8",
    .summary = "8-bit floats (E4M3 or E5M2), a power of two per block of 32",
    .params = mxfp8_params,
    .n_layout = 1,
    .max_rel_error = 0.027,
    FUNCTIONS,
};
