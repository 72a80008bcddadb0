/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/feedback_grid.h -- the values that feedback may choose from, of each row and column.
 *
 * A grid is of a weight whose scales are chosen: by the format's own search before the work begins
 * (static), or in units of columns when the work gets to them (dynamic), from what the weights have
 * become by then.
 */
#ifndef VISE_METHOD_FEEDBACK_GRID_H
#define VISE_METHOD_FEEDBACK_GRID_H

#include "core/arena.h"
#include "format/format.h"
#include "kernels/feedback.h"

#include <stdbool.h>

typedef struct vise_feedback_grid vise_feedback_grid;
struct vise_feedback_grid {
  const vise_format_spec *spec;
  void *parts[VISE_FORMAT_PARTS]; /* borrowed: whose scales there are, and where codes go */
  int n_parts;
  vise_grid grid;
  vise_feedback_table *table; /* owned; NULL: codes are steps */

  /* [cells of a row][rows, made up to tiles], by cell and row; owned. */
  int64_t n_cells, n_rows;
  float *scale, *inverse, *zero, *offset;

  /* Dynamic: */
  int64_t unit;            /* columns; 0: static */
  const float *importance; /* [k] or NULL; borrowed */
  size_t unit_bytes;       /* of scratch that a worker needs to choose the scales of a unit */
};

/*
 * Fill `out` from a weight's parts, as `spec` has them; the last two outlive it. Cleared by
 * vise_feedback_grid_clear, which may be called for {0}.
 * Errors: VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_feedback_grid_init(vise_feedback_grid *out,
                                    const vise_format_spec *spec,
                                    void *const *parts,
                                    vise_err *err) VISE_MUST_USE;
void vise_feedback_grid_clear(vise_feedback_grid *g);

/* Columns whose scales can be chosen by themselves: a whole number of cells, of one row. 0: none of
   at most VISE_FEEDBACK_UNIT. */
enum { VISE_FEEDBACK_UNIT = 256 };
int64_t vise_feedback_grid_unit(const vise_format_spec *spec);

/* Make it dynamic, which it can be. importance: [k] or NULL, for the format's search. */
void vise_feedback_grid_make_dynamic(vise_feedback_grid *g, int64_t unit, const float *importance);

/* Choose the scales of columns [column, column + n) of some rows, at most a tile, from x, row
   stride ld; n is a unit, or what is left of the row. scratch: unit_bytes. */
void vise_feedback_grid_choose(const vise_feedback_grid *g,
                               int64_t row,
                               int64_t n_rows,
                               int64_t column,
                               int64_t n,
                               const float *x,
                               int64_t ld,
                               void *scratch);

/* The cells of a column in the tile that begins at `row`. */
vise_feedback_cells
vise_feedback_grid_cells(const vise_feedback_grid *g, int64_t row, int64_t column);

/* value_out, code_out: of the targets x of a column of a tile. */
void vise_feedback_grid_nearest(const vise_feedback_grid *g,
                                const vise_feedback_cells *cells,
                                float *value_out,
                                uint8_t *code_out,
                                const float *x);

#endif
