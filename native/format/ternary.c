/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ternary: values -scale, 0 and scale, five to a byte.
 *
 *   value = (trit - 1) scale
 *
 * Parts of W [m, k], n = ceil(k / group) groups a row (per row: 1):
 *   codes   u8 [m, ceil(k / 5)]    columns in pieces of 320, each of 64 bytes: with b the bytes of
 *                                  the piece (the last of a row: ceil(its columns / 5)), byte i holds
 *                                  its columns i, i + b, ... i + 4 b as v = their trits in base 3,
 *                                  the first the most significant, 0 for columns that there are
 *                                  not, stored as ceil(v 256 / 243)
 *   scales  f16, bf16 or f32 [m, n]
 *
 * Bits per weight: 1.6, and those of the scales.
 *
 * Plain: scale = mean |x| (f64 sum by 16 lanes), a value is kept if |x| > scale / 2. Searched: the
 * scale and set of kept values of least (weighted) squared error. If the set is S the best scale is
 * sum_S v |x| / sum_S v and what it gains is (sum_S v |x|)^2 / sum_S v; for a given scale the best S
 * is |x| > scale / 2, whatever v. So S is one of the first of the values in descending order, and
 * all of these are tried.
 *
 * Source: Li et al. 2016, arXiv:1605.04711 (the problem); Ma et al. 2024, arXiv:2402.17764 (plain).
 * The byte of five trits is that of ggml's TQ1_0. Differs: the order of columns, which lets runs of
 * 64 be decoded together, and the exact optimum.
 */
#include "core/checked.h"
#include "format/format.h"
#include "format/scale.h"
#include "kernels/qdot_trits.h"
#include "kernels/scaled.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PER, GROUP, SCALE, SEARCH };
enum { PER_ROW, PER_GROUP };
enum {
  TRITS = 5,
  PIECE_BYTES = VISE_TRITS_BYTES,
  PIECE = VISE_TRITS_PIECE,
  LANES = 16,
  STEP = 256
};

static const vise_param params[] = {
    {"per", VISE_PARAM_CHOICE, PER_ROW, 0, 0, "row group", "what shares one scale"},
    {"group", VISE_PARAM_INT, 128, 1, 1 << 20, NULL,
     "columns that share one scale, per group; the last group of a row may be short"},
    {"scale", VISE_PARAM_CHOICE, VISE_INTQ_F16, 0, 0, "f16 bf16 f32", "type of the stored scales"},
    {"search", VISE_PARAM_CHOICE, 1, 0, 0, "none mse",
     "none: scale is the mean magnitude; mse: the scale of least (weighted) squared error"},
    {0},
};

typedef struct layout {
  int64_t group, n_groups, row_bytes;
  bool is_searched;
  vise_intq_scale type;
} layout;

static layout layout_of(const vise_format_spec *s) {
  const int64_t wanted = (int64_t)s->values[GROUP];
  const int64_t group = s->values[PER] == PER_ROW || wanted > s->k ? s->k : wanted;
  return (layout){.group = group,
                  .n_groups = s->k == 0 ? 0 : vise_ceil_div(s->k, group),
                  .row_bytes = vise_ceil_div(s->k, TRITS),
                  .is_searched = s->values[SEARCH] != 0.0,
                  .type = (vise_intq_scale)s->values[SCALE]};
}

static vise_status ternary_check(const vise_format_spec *s, vise_err *err) {
  if (s->k > UINT32_MAX) {
    return vise_fail(err, VISE_ESHAPE, "ternary: w is [%lld, %lld], expected fewer columns",
                     (long long)s->m, (long long)s->k);
  }
  return VISE_OK;
}

static bool ternary_uses_importance(const vise_format_spec *s) {
  return layout_of(s).is_searched;
}

static int ternary_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  const layout a = layout_of(s);
  out[0] = (vise_part_shape){"codes", VISE_DTYPE_U8, 2, {s->m, a.row_bytes}};
  out[1] = (vise_part_shape){"scales", vise_scale_dtype(a.type), 2, {s->m, a.n_groups}};
  return 2;
}

static int64_t ternary_rows_together(const vise_format_spec *s) {
  (void)s;
  return 1;
}

/* ---- the best scale ---- */

/* Magnitude bits above the column, so that numbers are ordered by magnitude and no two are alike. */
typedef uint64_t entry;

static float magnitude(entry e) {
  const uint32_t u = (uint32_t)(e >> 32);
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* Ascending by magnitude, stable: a counting sort by each of its bytes. */
static void sort(entry *inout, entry *spare, int64_t n) {
  for (int shift = 32; shift < 64; shift += 8) {
    int64_t begin[257] = {0};
    for (int64_t i = 0; i < n; i++) {
      begin[(inout[i] >> shift & 255) + 1]++;
    }
    for (int b = 0; b < 256; b++) {
      begin[b + 1] += begin[b];
    }
    for (int64_t i = 0; i < n; i++) {
      spare[begin[inout[i] >> shift & 255]++] = inout[i];
    }
    memcpy(inout, spare, (size_t)n * sizeof *inout);
  }
}

static float best_scale(entry *entries, entry *spare, const float *x, const float *v, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    uint32_t u;
    memcpy(&u, &x[j], sizeof u);
    entries[j] = (entry)(u & 0x7fffffffu) << 32 | (entry)j;
  }
  sort(entries, spare, n);
  double sum = 0.0, mass = 0.0, gain = 0.0, scale = 0.0;
  for (int64_t i = n - 1; i >= 0; i--) {
    const double weight = v == NULL ? 1.0 : (double)v[entries[i] & UINT32_MAX];
    sum += weight * (double)magnitude(entries[i]);
    mass += weight;
    if (mass > 0.0 && sum * (sum / mass) > gain) {
      gain = sum * (sum / mass);
      scale = sum / mass;
    }
  }
  return (float)scale;
}

static float mean_magnitude(const float *x, int64_t n) {
  double lanes[LANES] = {0.0};
  for (int64_t j = 0; j < n; j++) {
    lanes[j % LANES] += fabs((double)x[j]);
  }
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      lanes[l] += lanes[l + width];
    }
  }
  return (float)(lanes[0] / (double)n);
}

/* ---- encode ---- */

static size_t ternary_scratch_bytes(const vise_format_spec *s) {
  const layout a = layout_of(s);
  return 2 * (size_t)a.group * sizeof(entry) + (size_t)a.n_groups * sizeof(float) + (size_t)s->k;
}

static void pack_row(uint8_t *out, const uint8_t *trits, int64_t k) {
  for (; k >= PIECE; k -= PIECE, trits += PIECE, out += PIECE_BYTES) {
    vise_scaled()->pack_trits(out, trits, PIECE_BYTES);
  }
  uint8_t last[PIECE] = {0};
  memcpy(last, trits, (size_t)k);
  vise_scaled()->pack_trits(out, last, vise_ceil_div(k, TRITS));
}

static void ternary_encode(const vise_format_spec *s,
                           void *const *parts,
                           const float *w,
                           int64_t ld,
                           int64_t row,
                           int64_t n_rows,
                           const float *importance,
                           void *scratch) {
  const layout a = layout_of(s);
  entry *entries = scratch;
  float *scales = (float *)(void *)(entries + 2 * a.group);
  uint8_t *trits = (uint8_t *)(scales + a.n_groups);
  for (int64_t i = row; i < row + n_rows; i++, w += ld) {
    for (int64_t g = 0; g < a.n_groups; g++) {
      const int64_t at = g * a.group, n = s->k - at < a.group ? s->k - at : a.group;
      scales[g] = a.is_searched ? best_scale(entries, entries + a.group, w + at,
                                             importance == NULL ? NULL : importance + at, n)
                                : mean_magnitude(w + at, n);
    }
    vise_scale_round((char *)parts[1] + i * a.n_groups * vise_scale_bytes(a.type), scales,
                     a.n_groups, a.type);
    for (int64_t g = 0; g < a.n_groups; g++) {
      scales[g] = scales[g] == 0.0f ? INFINITY : scales[g] * 0.5f;
    }
    vise_scaled()->trits(trits, w, s->k, a.group, scales);
    pack_row((uint8_t *)parts[0] + i * a.row_bytes, trits, s->k);
  }
}

/* ---- decode ---- */

/* Trits - 1 of columns col .. col + n - 1 of a row. */
static void
decode_columns(float *out, const uint8_t *codes, int64_t row_bytes, int64_t col, int64_t n) {
  while (n > 0) {
    const int64_t first = col / PIECE * PIECE_BYTES, at = col % PIECE;
    const int64_t bytes = row_bytes - first < PIECE_BYTES ? row_bytes - first : PIECE_BYTES;
    const int64_t i = at % bytes, run = bytes - i < n ? bytes - i : n;
    vise_scaled()->unpack_trits(out, codes + first + i, run, (int)(at / bytes));
    out += run;
    col += run;
    n -= run;
  }
}

static void ternary_decode(const vise_format_spec *s,
                           const void *const *parts,
                           int64_t row,
                           int64_t n_rows,
                           int64_t col,
                           int64_t n_cols,
                           float *out,
                           int64_t ld) {
  const layout a = layout_of(s);
  float scales[STEP + 1];
  for (int64_t i = row; i < row + n_rows; i++, out += ld) {
    const uint8_t *codes = (const uint8_t *)parts[0] + i * a.row_bytes;
    for (int64_t j = 0; j < n_cols; j += STEP) {
      const int64_t n = n_cols - j < STEP ? n_cols - j : STEP, at = col + j;
      const int64_t first = at / a.group, last = (at + n - 1) / a.group;
      const int64_t place = (i * a.n_groups + first) * vise_scale_bytes(a.type);
      vise_scale_read(scales, (const char *)parts[1] + place, last - first + 1, a.type);
      decode_columns(out + j, codes, a.row_bytes, at, n);
      vise_scaled()->multiply(out + j, n, at % a.group, a.group, scales);
    }
  }
}

/* ---- one token ---- */

static int64_t ternary_prepared(const vise_format_spec *s) {
  return layout_of(s).group >= s->k ? vise_qdot_trits_prepared(s->k) : 0;
}

static void ternary_prepare(const vise_format_spec *s, float *out, const float *x) {
  vise_qdot_trits_prepare(out, x, s->k);
}

static void ternary_dot_rows(const vise_format_spec *s,
                             const void *const *parts,
                             int64_t row,
                             int64_t n_rows,
                             const float *prepared,
                             float *y) {
  const layout a = layout_of(s);
  const int64_t bytes = vise_scale_bytes(a.type);
  for (int64_t i = row; i < row + n_rows; i++) {
    float scale;
    vise_scale_read(&scale, (const char *)parts[1] + i * bytes, 1, a.type);
    y[i - row] =
        scale * vise_qdot_trits()->row((const uint8_t *)parts[0] + i * a.row_bytes, s->k, prepared);
  }
}

static const vise_format_dot ternary_dot = {ternary_prepared, ternary_prepare, ternary_dot_rows};

/* ---- the grid ---- */

static vise_grid ternary_grid_of(const vise_format_spec *s) {
  return (vise_grid){.group = layout_of(s).group, .n_codes = 3};
}

static void ternary_cells(const vise_format_spec *s,
                          const void *const *parts,
                          int64_t row,
                          vise_grid_cell *cells_out) {
  const layout a = layout_of(s);
  const int64_t bytes = vise_scale_bytes(a.type);
  const char *scales = (const char *)parts[1] + row * a.n_groups * bytes;
  for (int64_t i = 0; i < a.n_groups; i++) {
    cells_out[i] = (vise_grid_cell){.zero = 1.0f, .offset = -0.0f};
    vise_scale_read(&cells_out[i].scale, scales + i * bytes, 1, a.type);
  }
}

static void
ternary_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  pack_row((uint8_t *)parts[0] + row * layout_of(s).row_bytes, codes, s->k);
}

static const vise_format_grid ternary_grid = {ternary_grid_of, ternary_cells, ternary_put};

static vise_status
ternary_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const layout a = layout_of(s);
  return vise_scale_check(parts[1], s->m * a.n_groups, a.type, "ternary", err);
}

static void ternary_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  static const char *const types[] = {"", "/bf16", "/f32"};
  char sharing[24] = "row";
  if (s->values[PER] == PER_GROUP) {
    snprintf(sharing, sizeof sharing, "g%lld", (long long)s->values[GROUP]);
  }
  snprintf(out, out_bytes, "ternary/%s%s", sharing, types[(int)s->values[SCALE]]);
}

const vise_format vise_format_ternary = {
    .name = "ternary",
    .summary = "-1, 0 and 1 in 1.6 bits, one scale per row or group",
    .source = "Li et al. 2016, arXiv:1605.04711; Ma et al. 2024, arXiv:2402.17764",
    .version = 1,
    .params = params,
    .n_layout = SEARCH,
    .max_rel_error = 0.437,
    .check = ternary_check,
    .uses_importance = ternary_uses_importance,
    .parts = ternary_parts,
    .rows_together = ternary_rows_together,
    .encode = ternary_encode,
    .scratch_bytes = ternary_scratch_bytes,
    .decode = ternary_decode,
    .dot = &ternary_dot,
    .grid = &ternary_grid,
    .check_parts = ternary_check_parts,
    .describe = ternary_describe,
};
