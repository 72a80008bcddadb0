/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says how the types differ; kernels/ggml.h does the work. max_rel_error is measured on
 * Gaussian weights with the default search.
 */
#include "format/ggml.h"

#include "kernels/convert.h"
#include "kernels/ggml.h"
#include "kernels/qdot_ggml.h"

#include <math.h>
#include <stdio.h>

static const vise_param ggml_params[] = {
    {"search", VISE_PARAM_CHOICE, VISE_GGML_MSE, 0, 0, "mse ggml none",
     "mse: least (weighted) squared error; ggml: as ggml encodes, to the bit; none: scales from the "
     "extremes"},
    {0},
};

typedef struct ggml_type {
  const vise_format *format;
  vise_ggml_type type;
  int block, bytes;
  int n_scales, scale_at; /* f16 numbers of a block and the byte where the first begins */
  int cell, n_codes; /* values that share a cell; codes of ours, where a pattern may have more */
} ggml_type;

extern const vise_format vise_format_q4_0, vise_format_q4_1, vise_format_q5_0, vise_format_q5_1,
    vise_format_q8_0, vise_format_tq2_0, vise_format_q2_k, vise_format_q3_k, vise_format_q4_k,
    vise_format_q5_k, vise_format_q6_k, vise_format_iq4_nl, vise_format_iq4_xs;

static const ggml_type types[] = {
    {&vise_format_q4_0, VISE_GGML_Q4_0, 32, 18, 1, 0, 32, 16},
    {&vise_format_q4_1, VISE_GGML_Q4_1, 32, 20, 2, 0, 32, 16},
    {&vise_format_q5_0, VISE_GGML_Q5_0, 32, 22, 1, 0, 32, 32},
    {&vise_format_q5_1, VISE_GGML_Q5_1, 32, 24, 2, 0, 32, 32},
    {&vise_format_q8_0, VISE_GGML_Q8_0, 32, 34, 1, 0, 32, 255},
    {&vise_format_tq2_0, VISE_GGML_TQ2_0, 256, 66, 1, 64, 256, 3},
    {&vise_format_q2_k, VISE_GGML_Q2_K, 256, 84, 2, 80, 16, 4},
    {&vise_format_q3_k, VISE_GGML_Q3_K, 256, 110, 1, 108, 16, 8},
    {&vise_format_q4_k, VISE_GGML_Q4_K, 256, 144, 2, 0, 32, 16},
    {&vise_format_q5_k, VISE_GGML_Q5_K, 256, 176, 2, 0, 32, 32},
    {&vise_format_q6_k, VISE_GGML_Q6_K, 256, 210, 1, 208, 16, 64},
    {&vise_format_iq4_nl, VISE_GGML_IQ4_NL, 32, 18, 1, 0, 32, 16},
    {&vise_format_iq4_xs, VISE_GGML_IQ4_XS, 256, 136, 1, 0, 32, 16},
};

static const ggml_type *type_of(const vise_format_spec *s) {
  const ggml_type *t = types;
  while (t->format != s->format) {
    t++;
  }
  return t;
}

static int64_t row_bytes(const ggml_type *t, int64_t k) {
  return k / t->block * t->bytes;
}

static vise_status ggml_check(const vise_format_spec *s, vise_err *err) {
  const ggml_type *t = type_of(s);
  if (s->k % t->block != 0) {
    return vise_fail(err, VISE_ESHAPE, "%s: blocks of %d do not divide the %lld columns of w",
                     s->format->name, t->block, (long long)s->k);
  }
  if (s->k > INT64_MAX / t->bytes) {
    return vise_fail(err, VISE_ESHAPE, "%s: w is [%lld, %lld], expected fewer columns",
                     s->format->name, (long long)s->m, (long long)s->k);
  }
  return VISE_OK;
}

/* Types whose encoder in ggml takes no importance have a search only with `mse`. */
static bool ggml_uses_importance(const vise_format_spec *s) {
  const ggml_type *t = type_of(s);
  const vise_ggml_search search = (vise_ggml_search)s->values[VISE_GGML_SEARCH];
  const bool has_theirs = t->type != VISE_GGML_Q8_0 && t->type != VISE_GGML_TQ2_0;
  return search == VISE_GGML_MSE || (search == VISE_GGML_THEIRS && has_theirs);
}

static int ggml_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  out[0] = (vise_part_shape){"blocks", VISE_DTYPE_U8, 2, {s->m, row_bytes(type_of(s), s->k)}};
  return 1;
}

static int64_t ggml_rows_together(const vise_format_spec *s) {
  (void)s;
  return 1;
}

static size_t ggml_scratch_bytes(const vise_format_spec *s) {
  (void)s;
  return 0;
}

static void ggml_encode(const vise_format_spec *s,
                        void *const *parts,
                        const float *w,
                        int64_t ld,
                        int64_t row,
                        int64_t n_rows,
                        const float *importance,
                        void *scratch) {
  (void)scratch;
  const ggml_type *t = type_of(s);
  const vise_ggml_search search = (vise_ggml_search)s->values[VISE_GGML_SEARCH];
  const float *v = ggml_uses_importance(s) ? importance : NULL;
  vise_ggml_encode_fn *encode = vise_ggml()->encode[t->type];
  uint8_t *out = (uint8_t *)parts[0] + row * row_bytes(t, s->k);
  for (int64_t i = 0; i < n_rows; i++) {
    encode(out + i * row_bytes(t, s->k), w + i * ld, v, s->k / t->block, search);
  }
}

static void ggml_decode(const vise_format_spec *s,
                        const void *const *parts,
                        int64_t row,
                        int64_t n_rows,
                        int64_t col,
                        int64_t n_cols,
                        float *out,
                        int64_t ld) {
  const ggml_type *t = type_of(s);
  vise_ggml_decode_fn *decode = vise_ggml()->decode[t->type];
  const uint8_t *blocks = (const uint8_t *)parts[0] + row * row_bytes(t, s->k) + row_bytes(t, col);
  for (int64_t i = 0; i < n_rows; i++, blocks += row_bytes(t, s->k)) {
    const int64_t bytes = row_bytes(t, n_cols);
    for (int64_t ahead = 0; ahead < bytes; ahead += 64) {
      __builtin_prefetch(blocks + bytes +
                         ahead); /* the next tile of this row: rows are far apart */
    }
    decode(out + i * ld, blocks, n_cols / t->block);
  }
}

static vise_grid ggml_grid_of(const vise_format_spec *s) {
  const ggml_type *t = type_of(s);
  const bool has_table = t->type == VISE_GGML_IQ4_NL || t->type == VISE_GGML_IQ4_XS;
  return (vise_grid){
      .group = t->cell, .n_codes = t->n_codes, .table = has_table ? vise_ggml()->iq4_values : NULL};
}

static void ggml_cells(const vise_format_spec *s,
                       const void *const *parts,
                       int64_t row,
                       vise_grid_cell *cells_out) {
  const ggml_type *t = type_of(s);
  const uint8_t *block = (const uint8_t *)parts[0] + row * row_bytes(t, s->k);
  for (int64_t i = 0; i < s->k; i += t->block, block += t->bytes) {
    vise_ggml()->cells[t->type](cells_out + i / t->cell, block);
  }
}

static void
ggml_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  const ggml_type *t = type_of(s);
  uint8_t *block = (uint8_t *)parts[0] + row * row_bytes(t, s->k);
  for (int64_t i = 0; i < s->k; i += t->block, block += t->bytes) {
    vise_ggml()->put[t->type](block, codes + i);
  }
}

static const vise_format_grid ggml_grid = {ggml_grid_of, ggml_cells, ggml_put};

static int64_t ggml_prepared(const vise_format_spec *s) {
  return vise_qdot_ggml_prepared(type_of(s)->type, s->k);
}

static void ggml_prepare(const vise_format_spec *s, float *out, const float *x) {
  vise_qdot_ggml_prepare(out, type_of(s)->type, x, s->k);
}

static void ggml_dot_rows(const vise_format_spec *s,
                          const void *const *parts,
                          int64_t row,
                          int64_t n_rows,
                          const float *prepared,
                          float *y) {
  const ggml_type *t = type_of(s);
  vise_qdot_ggml_fn *dot = vise_qdot_ggml()->row[t->type];
  const int64_t bytes = row_bytes(t, s->k);
  const uint8_t *blocks = (const uint8_t *)parts[0] + row * bytes;
  for (int64_t i = 0; i < n_rows; i++) {
    y[i] = dot(blocks + i * bytes, s->k, prepared);
  }
}

static const vise_format_dot ggml_dot = {ggml_prepared, ggml_prepare, ggml_dot_rows};

/* Types whose codes are integers of up to 8 bits. */
static bool ggml_groups(const vise_format_spec *s, vise_format_groups *out) {
  static const vise_format_groups groups[VISE_GGML_TYPES] = {
      [VISE_GGML_Q4_0] = {.columns = 32, .reach = 8},
      [VISE_GGML_Q8_0] = {.columns = 32, .reach = 128},
      [VISE_GGML_Q4_K] = {.columns = 32, .reach = 15, .has_lows = true},
  };
  *out = groups[type_of(s)->type];
  return out->columns > 0;
}

/* 2 n nibbles: the low ones of n bytes, then the high ones. */
static void split_nibbles(uint8_t *out, const uint8_t *p, int n) {
  for (int j = 0; j < n; j++) {
    out[j] = p[j] & 15;
    out[j + n] = p[j] >> 4;
  }
}

/* The codes of a block, whose zeros are those of its cells; but of Q8_0, where a file may have -128. */
static void split_block(uint8_t *out, int32_t *zeros, const uint8_t *p, vise_ggml_type type) {
  if (type == VISE_GGML_Q4_0) {
    split_nibbles(out, p + 2, 16);
  } else if (type == VISE_GGML_Q8_0) {
    zeros[0] = 128;
    for (int j = 0; j < 32; j++) {
      out[j] = p[2 + j] ^ 0x80;
    }
  } else {
    for (int b = 0; b < 4; b++) { /* Q4_K */
      split_nibbles(out + 64 * b, p + 16 + 32 * b, 32);
    }
  }
}

static void ggml_row(const vise_format_spec *s,
                     const void *const *parts,
                     int64_t row,
                     uint8_t *codes,
                     float *scales,
                     int32_t *zeros,
                     float *lows) {
  enum { CELLS = 8 }; /* of a block, at most */
  const ggml_type *t = type_of(s);
  const uint8_t *blocks = (const uint8_t *)parts[0] + row * row_bytes(t, s->k);
  const int n = t->block / 32;
  for (int64_t i = 0; i < s->k / t->block; i++, blocks += t->bytes, codes += t->block) {
    vise_grid_cell cells[CELLS];
    vise_ggml()->cells[t->type](cells, blocks);
    for (int b = 0; b < n; b++) {
      scales[i * n + b] = cells[b].scale;
      zeros[i * n + b] = (int32_t)cells[b].zero;
      lows[i * n + b] = cells[b].offset;
    }
    split_block(codes, zeros + i * n, blocks, t->type);
  }
}

static const vise_format_codes ggml_codes = {ggml_groups, ggml_row};

static vise_status
ggml_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  const ggml_type *t = type_of(s);
  const uint8_t *blocks = parts[0];
  const int64_t n = s->k / t->block;
  for (int64_t i = 0; i < s->m * n; i++) {
    for (int j = 0; j < t->n_scales; j++) {
      const uint8_t *at = blocks + i * t->bytes + t->scale_at + 2 * j;
      if ((at[1] & 0x7c) == 0x7c) { /* NaN or infinite */
        const float scale = vise_f16_to_f32((uint16_t)(at[0] | at[1] << 8));
        return vise_fail(err, VISE_EFORMAT,
                         "%s: scale %d of block %lld of row %lld is %g, expected a finite number",
                         s->format->name, j, (long long)(i % n), (long long)(i / n), (double)scale);
      }
    }
  }
  return VISE_OK;
}

static void ggml_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  snprintf(out, out_bytes, "%s", s->format->name);
}

#define FORMAT(id, error, text)                                                                    \
  const vise_format vise_format_##id = {                                                           \
      .name = #id,                                                                                 \
      .summary = text,                                                                             \
      .source = "ggml (August 2026), block formats",                                               \
      .version = 1,                                                                                \
      .params = ggml_params,                                                                       \
      .n_layout = VISE_GGML_SEARCH,                                                                \
      .max_rel_error = error,                                                                      \
      .check = ggml_check,                                                                         \
      .uses_importance = ggml_uses_importance,                                                     \
      .parts = ggml_parts,                                                                         \
      .rows_together = ggml_rows_together,                                                         \
      .encode = ggml_encode,                                                                       \
      .scratch_bytes = ggml_scratch_bytes,                                                         \
      .decode = ggml_decode,                                                                       \
      .dot = &ggml_dot,                                                                            \
      .grid = &ggml_grid,                                                                          \
      .codes = &ggml_codes,                                                                        \
      .check_parts = ggml_check_parts,                                                             \
      .describe = ggml_describe,                                                                   \
  }

FORMAT(q4_0, 0.083, "ggml: 4 bits in blocks of 32, one scale; 4.5 bits per weight");
FORMAT(q4_1, 0.071, "ggml: 4 bits in blocks of 32, scale and low end; 5 bits per weight");
FORMAT(q5_0, 0.041, "ggml: 5 bits in blocks of 32, one scale; 5.5 bits per weight");
FORMAT(q5_1, 0.035, "ggml: 5 bits in blocks of 32, scale and low end; 6 bits per weight");
FORMAT(q8_0, 0.0054, "ggml: 8 bits in blocks of 32, one scale; 8.5 bits per weight");
FORMAT(tq2_0, 0.44, "ggml: ternary in blocks of 256, one scale; 2.0625 bits per weight");
FORMAT(q2_k, 0.27, "ggml: 2 bits in blocks of 16, scaled by super-blocks; 2.625 bits per weight");
FORMAT(q3_k, 0.147, "ggml: 3 bits in blocks of 16, scaled by super-blocks; 3.4375 bits per weight");
FORMAT(q4_k, 0.072, "ggml: 4 bits in blocks of 32, scaled by super-blocks; 4.5 bits per weight");
FORMAT(q5_k, 0.036, "ggml: 5 bits in blocks of 32, scaled by super-blocks; 5.5 bits per weight");
FORMAT(q6_k,
       0.0175,
       "ggml: 6 bits in blocks of 16, scaled by super-blocks; 6.5625 bits per weight");
FORMAT(iq4_nl, 0.075, "ggml: table of 16 values, blocks of 32, one scale; 4.5 bits per weight");
FORMAT(iq4_xs, 0.0755, "ggml: table of 16 values, scaled by super-blocks; 4.25 bits per weight");
