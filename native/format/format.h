/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/format.h -- number formats: how a matrix of the kind 'quant' is coded into parts.
 *
 * A format is one descriptor in one file and one row in formats.def. `values` are its parameters,
 * one double per row of `params`, checked by vise_format_check before anything else is called.
 */
#ifndef VISE_FORMAT_FORMAT_H
#define VISE_FORMAT_FORMAT_H

#include "core/param.h"
#include "core/status.h"
#include "kernels/grid.h"
#include "tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VISE_FORMAT_PARTS = 6 };

typedef struct vise_part_shape {
  const char *name; /* static */
  vise_dtype dtype;
  int rank;
  int64_t shape[2];
} vise_part_shape;

typedef struct vise_format vise_format;
typedef struct vise_format_spec vise_format_spec;

/* The product with one token straight from the codes (kernels/qdot.h); weight/weight.h has the
   contract. `prepared` is 0 where these values have none. */
typedef struct vise_format_dot {
  int64_t (*prepared)(const vise_format_spec *s);
  void (*prepare)(const vise_format_spec *s, float *out, const float *x);
  void (*rows)(const vise_format_spec *s,
               const void *const *parts,
               int64_t row,
               int64_t n_rows,
               const float *prepared,
               float *y);
} vise_format_dot;

/* encode of rows of bf16 as they are stored, in one pass that also looks for NaN and infinity. */
typedef struct vise_format_bf16 {
  bool (*takes)(const vise_format_spec *s); /* these values; rows_together is then 1 */
  /* As encode, of one row w [k]. False: some value is not finite, the parts are not to be used. */
  bool (*encode)(
      const vise_format_spec *s, void *const *parts, const uint16_t *w, int64_t row, void *scratch);
} vise_format_bf16;

/*
 * What codes stand for once the scales are chosen, for methods that choose the codes themselves.
 * Called from several threads for different rows; cannot fail.
 */
typedef struct vise_format_grid {
  vise_grid (*of)(const vise_format_spec *s);
  /* cells_out [ceil(k / group)]: those of row `row`, by what decode reads. */
  void (*cells)(const vise_format_spec *s,
                const void *const *parts,
                int64_t row,
                vise_grid_cell *cells_out);
  /* codes [k], one a byte, become those of row `row`; the scales stay as they are. */
  void (*put)(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes);
} vise_format_grid;

typedef struct vise_format_groups {
  int64_t columns; /* of a group; the last of a row may be short */
  int reach;       /* the greatest |code - zero| there may be */
  bool has_lows;
} vise_format_groups;

/* Rows as integer codes: W[i, j] = scale (code - zero) + low of the group of column j. */
typedef struct vise_format_codes {
  bool (*groups)(const vise_format_spec *s, vise_format_groups *out); /* false: not these values */
  /* codes [k], 0 to 255; the others one a group; lows may be anything without has_lows. */
  void (*row)(const vise_format_spec *s,
              const void *const *parts,
              int64_t row,
              uint8_t *codes,
              float *scales,
              int32_t *zeros,
              float *lows);
} vise_format_codes;

struct vise_format_spec {
  const vise_format *format;
  int64_t m, k;
  double values[VISE_PARAM_MAX];
};

struct vise_format {
  const char *name;    /* "int" */
  const char *summary; /* one line */
  const char *source;  /* paper or document */
  int version;         /* raised when encode's result changes */
  const vise_param *params;
  int n_layout; /* the first so many say what is stored, the others how to encode */
  double
      max_rel_error; /* |W - Q|_F / |W|_F at the defaults, Gaussian weights, measured: the contract
                           test wants 0.9 to 1 times it */

  /* What `vise_param_check` cannot know: 7 bits, a block that does not divide k. */
  vise_status (*check)(const vise_format_spec *s, vise_err *err);

  /* Whether encode looks at importance with these values; NULL: never. */
  bool (*uses_importance)(const vise_format_spec *s);

  /* The parts of W [m, k], in order; returns how many. The sum of their bytes is what is stored. */
  int (*parts)(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]);

  /* Rows encoded by one call, because they share something: 1 to m, m when per tensor. Calls begin
     at multiples of it; the last may have fewer. */
  int64_t (*rows_together)(const vise_format_spec *s);

  /*
   * Encode rows row .. row + n_rows - 1 from w (stride ld, finite), into the parts' data (of the
   * whole weight). importance: [k] >= 0 or NULL for equal. scratch: vise_format.scratch_bytes(s).
   * Exact: the same codes at every CPU level. Cannot fail; called from several threads. Polls the
   * cancel flag when rows are together; the parts are then not to be used.
   */
  void (*encode)(const vise_format_spec *s,
                 void *const *parts,
                 const float *w,
                 int64_t ld,
                 int64_t row,
                 int64_t n_rows,
                 const float *importance,
                 void *scratch);
  size_t (*scratch_bytes)(const vise_format_spec *s);
  const vise_format_bf16 *bf16; /* NULL: rows become f32 first */

  /* out[i * ld + j] = value at [row + i, col + j]; col is a multiple of 256, as in linalg/gemm.h.
   */
  void (*decode)(const vise_format_spec *s,
                 const void *const *parts,
                 int64_t row,
                 int64_t n_rows,
                 int64_t col,
                 int64_t n_cols,
                 float *out,
                 int64_t ld);

  const vise_format_dot *dot; /* NULL: decoded tiles are multiplied */
  const vise_format_grid *grid;
  const vise_format_codes *codes; /* NULL: values are not on a grid */

  /* A code pattern that no encoder writes and decode must not see: scales NaN or infinite, ... */
  vise_status (*check_parts)(const vise_format_spec *s, const void *const *parts, vise_err *err);

  void (*describe)(const vise_format_spec *s, char *out, size_t out_bytes); /* "int4/g64" */
};

/* Parameters in range, then the format's own check; messages begin with its name. */
vise_status vise_format_check(const vise_format_spec *s, vise_err *err) VISE_MUST_USE;

extern const vise_format *const vise_formats[]; /* ends with NULL */
const vise_format *vise_format_find(const char *name);

#endif
