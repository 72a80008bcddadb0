/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/feedback.h -- the inner loops of method/feedback.h: one column of a tile of rows at a
 * time.
 *
 * A tile is VISE_FEEDBACK_ROWS rows, and a column of it lies in as many floats side by side.
 *
 * All exact: every level agrees with ref bit for bit, and nothing is contracted to FMA. Any
 * alignment, no overlap.
 */
#ifndef VISE_KERNELS_FEEDBACK_H
#define VISE_KERNELS_FEEDBACK_H

#include "core/cpu.h"
#include "kernels/grid.h"

#include <stdint.h>

enum { VISE_FEEDBACK_ROWS = 64 };

/* out = w + known + the sum over ascending i < n of delta[i] factors[i]: columns; delta is [n]
   columns, the first ones first. */
typedef void vise_feedback_target_fn(float *out,
                                     const float *w,
                                     const float *known,
                                     const float *delta,
                                     const float *factors,
                                     int64_t n);

/* The cells of a column, one a row. inverse: 1 / scale, 0 where that is not finite. */
typedef struct vise_feedback_cells {
  const float *scale, *inverse, *zero, *offset; /* [VISE_FEEDBACK_ROWS] each */
} vise_feedback_cells;

/*
 * Codes without a table: code = RNE(clamp((x - offset) inverse, -zero, top - zero)) + zero, and
 * value_out = scale (code - zero) + offset. A target that is NaN has the code 0.
 */
typedef void vise_feedback_round_fn(
    float *value_out, uint8_t *code_out, const float *x, const vise_feedback_cells *cells, int top);

/*
 * Codes with a table of `size` elements, a power of two up to 256, in ascending order: how many of
 * the size - 1 limits, ascending, are below (x - offset) inverse is the place of the element, and
 * codes[place] the code.
 */
typedef struct vise_feedback_table {
  int size;
  float elements[VISE_GRID_CODES], limits[VISE_GRID_CODES];
  uint8_t codes[VISE_GRID_CODES];
} vise_feedback_table;

typedef void vise_feedback_look_up_fn(float *value_out,
                                      uint8_t *code_out,
                                      const float *x,
                                      const vise_feedback_cells *cells,
                                      const vise_feedback_table *table);

typedef struct vise_feedback_kernels {
  vise_feedback_target_fn *target;
  vise_feedback_round_fn *round;
  vise_feedback_look_up_fn *look_up;
} vise_feedback_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_feedback_kernels_init(vise_feedback_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_feedback_kernels *vise_feedback_kernels_used(void);

#endif
