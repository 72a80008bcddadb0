/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot.h -- one token times rows of packed codes, straight from the codes.
 *
 * Columns go in blocks of 16 lanes times F fields: a lane is a 32-bit word that holds F codes of
 * `bits` each, field f from bit f bits on. A field is taken where it lies, of the word (f < F / 2) or
 * of the word shifted down by half its fields, so as code times a power of two, and meets x divided
 * by it, prepared once for all rows. Lane l of a row:
 *
 *   p     = fma chain over ascending f of code times x, begun at -zero times the sum of the x
 *   total = fma(scale, p, total), blocks in order, begun at +0
 *
 * so that rounding errors are of the size of the grid's range, whatever the values; lanes are added by
 * halves: l and l + 8, then + 4, + 2, + 1. A lane's codes share one scale. Codes of four bits may be
 * looked up in a table: its entry takes the place of the code, and p is begun at +0.
 *
 * Exact: every level agrees with ref bit for bit. Any alignment.
 */
#ifndef VISE_KERNELS_QDOT_H
#define VISE_KERNELS_QDOT_H

#include "core/cpu.h"
#include "kernels/intq.h"

#include <stdbool.h>
#include <stdint.h>

enum {
  VISE_QDOT_LANES = 16,
  VISE_QDOT_FIELDS = 16,      /* at most */
  VISE_QDOT_SEGMENT = 1 << 12 /* columns whose scales are converted at a time */
};

/* Which column of a block a field of a lane is, and the power of two that x is multiplied by. */
typedef struct vise_qdot_layout {
  int fields;
  int16_t column[VISE_QDOT_FIELDS * VISE_QDOT_LANES]; /* of field f, lane l: [f * 16 + l] */
  float unit[VISE_QDOT_FIELDS];
  float bias; /* what sums are multiplied by: -zero where it is the same for all */
} vise_qdot_layout;

/* Floats that prepared x [k] takes: per block, F times 16 for the fields, 16 for their sums. */
int64_t vise_qdot_prepared(const vise_qdot_layout *layout, int64_t k);

/* x [k]; columns beyond k count as 0. Sums over ascending f, before the units. */
void vise_qdot_prepare(float *out, const vise_qdot_layout *layout, const float *x, int64_t k);

/* The stream of codes of kernels/intq.h, of `bits` 2, 3, 4, 6 or 8. */
void vise_qdot_stream(vise_qdot_layout *out, int bits, bool is_symmetric);

/* Codes of four bits that are looked up, the first of a byte in its low or its high half. */
void vise_qdot_pairs(vise_qdot_layout *out, bool is_high_first);

typedef struct vise_qdot_ints {
  const uint8_t *codes; /* of the first row; rows are `row_bytes` apart */
  const void *scales;   /* of the first row; rows are `row_groups` apart, 0: one for all */
  const uint8_t *zeros; /* as scales; NULL: 2^(bits - 1) */
  int64_t row_bytes, row_groups;
  int64_t k, group; /* `group`: F 1, F 2, F 4, F 8, a multiple of F 16, or at least k */
  int bits;
  vise_intq_scale type;
  const float *table; /* [16]: what codes of 4 bits, without zeros, stand for; NULL: themselves */
  bool has_powers;    /* scales are u8, 2^(scale - 127), whatever `type` is */
} vise_qdot_ints;

/* y[i] = sum over j of W[i, j] x[j], 0 <= i < n_rows. */
typedef void
vise_qdot_ints_fn(float *y, const vise_qdot_ints *w, int64_t n_rows, const float *prepared);

/* Whether `ints` can take codes of these bits in such groups. */
bool vise_qdot_takes(int bits, int64_t group, int64_t k);

typedef struct vise_qdot_kernels {
  vise_qdot_ints_fn *ints;
} vise_qdot_kernels;

void vise_qdot_init(vise_qdot_kernels *table, vise_cpu_level level);
const vise_qdot_kernels *vise_qdot(void); /* the table of vise_cpu_used(), filled once */

#endif
