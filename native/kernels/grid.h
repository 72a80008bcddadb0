/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/grid.h -- the values that a number format's codes stand for, once its scales are chosen.
 *
 *   value = scale element(code) + offset       element(code) = table[code], or code - zero
 *
 * Every operation is rounded to f32: that is to the bit what decoding gives. Columns of a row that
 * follow each other share a cell; the element set is the same for a whole weight.
 */
#ifndef VISE_KERNELS_GRID_H
#define VISE_KERNELS_GRID_H

#include <stdint.h>

typedef struct vise_grid_cell {
  float scale, zero,
      offset; /* offset is -0 where there is none, so that adding it changes nothing */
} vise_grid_cell;

enum { VISE_GRID_CODES = 256 };

typedef struct vise_grid {
  int64_t group;      /* columns that share a cell; the last one of a row may have fewer */
  int n_codes;        /* 2 to VISE_GRID_CODES */
  const float *table; /* [n_codes] elements, some of which may be no finite numbers; or NULL */
} vise_grid;

#endif
