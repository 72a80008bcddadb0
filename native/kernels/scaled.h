/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/scaled.h -- values that are a group's scale times an element of a small fixed set.
 *
 *   value = element(code) scale        element: a small float, an entry of a table of 16, or a trit
 *
 * A row is cut into groups of `group` values, the last of which may be short; one scale each. Codes
 * of the small floats come from kernels/convert.h, applied to what divide() gives.
 *
 * All exact: every level agrees with ref bit for bit, and nothing is contracted to FMA. Any
 * alignment, n may be 0, no overlap.
 */
#ifndef VISE_KERNELS_SCALED_H
#define VISE_KERNELS_SCALED_H

#include "core/cpu.h"

#include <stdbool.h>
#include <stdint.h>

enum { VISE_SCALED_LANES = 16, VISE_SCALED_TABLE = 16 };

/* Sets of elements. */
typedef enum vise_element {
  VISE_E4M3,
  VISE_E5M2,
  VISE_E2M3,
  VISE_E3M2,
  VISE_E2M1,
  VISE_NF4, /* quantiles of the normal distribution, -1 to 1 */
} vise_element;

/* out[i]: greatest |x| of group i. x: finite. */
typedef void vise_scaled_extremes_fn(float *out, const float *x, int64_t n, int64_t group);

/* out[j] = x[j] / scale, and +0 where the scale is 0. */
typedef void
vise_scaled_divide_fn(float *out, const float *x, int64_t n, int64_t group, const float *scales);

/* inout[j] *= scale; value 0 is number `phase` of the first group. */
typedef void
vise_scaled_multiply_fn(float *inout, int64_t n, int64_t phase, int64_t group, const float *scales);

/* One code a byte: how many of the 15 thresholds, the middles of neighbours in the table, are below
   x[j] (1 / scale), both operations rounded; where the scale is 0, the code of 0. */
typedef void
vise_scaled_nf4_fn(uint8_t *out, const float *x, int64_t n, int64_t group, const float *scales);

/*
 * out[j] = table[code j] scale, codes being four bits: code j in the low half of byte j / 2 for even
 * j, in the high half for odd j, or with `is_high_first` the other way round. Value 0 is number
 * `phase` of the first group; codes begin at a byte.
 */
typedef void vise_scaled_table_fn(float *out,
                                  const uint8_t *packed,
                                  int64_t n,
                                  bool is_high_first,
                                  const float *table,
                                  int64_t phase,
                                  int64_t group,
                                  const float *scales);

/* Two codes a byte, the first in the high half; an odd n leaves the last low half 0. */
typedef void vise_scaled_pack_high_fn(uint8_t *out, const uint8_t *codes, int64_t n);

/* A little-endian stream of 6-bit codes, from the beginning of a byte, to one code a byte. */
typedef void vise_scaled_unpack6_fn(uint8_t *out, const uint8_t *packed, int64_t n);

/* One trit a byte: 2 where x[j] > limit, 0 where x[j] < -limit, else 1. limits: one per group. */
typedef void
vise_scaled_trits_fn(uint8_t *out, const float *x, int64_t n, int64_t group, const float *limits);

/* Five trits a byte, the first the most significant: byte i holds trits i, i + n, ... i + 4 n as
   ceil(v 256 / 243). */
typedef void vise_scaled_pack_trits_fn(uint8_t *out, const uint8_t *trits, int64_t n);

/* out[i] = trit `place` (0 to 4, from the most significant) of byte i, less 1. */
typedef void vise_scaled_unpack_trits_fn(float *out, const uint8_t *packed, int64_t n, int place);

/*
 * What a group of n values loses with `scale` (not 0), in units of the scale:
 *
 *   t = x / scale (NF4: x (1 / scale))    l = the element nearest to t    e = t - l
 *   error = sum v e e    slope = sum v e l    mass = sum v l l            v: importance
 *
 * In f32 by VISE_SCALED_LANES lanes (value j goes to lane j % 16), added by halves (l and l + 8,
 * then + 4, + 2, + 1), once for every 256 values, in order in f64.
 */
typedef struct vise_scaled_trial {
  float scale;
  double error, slope, mass; /* added to, so that a group may be many rows */
} vise_scaled_trial;

/* v: [n] >= 0, or NULL: all ones. `errors` is `trials` without slope and mass. */
typedef void vise_scaled_trials_fn(vise_scaled_trial *inout,
                                   int n_trials,
                                   const float *x,
                                   const float *v,
                                   int64_t n,
                                   vise_element element);

typedef struct vise_scaled_kernels {
  vise_scaled_extremes_fn *extremes;
  vise_scaled_divide_fn *divide;
  vise_scaled_multiply_fn *multiply;
  vise_scaled_nf4_fn *nf4;
  vise_scaled_table_fn *table;
  vise_scaled_pack_high_fn *pack_high;
  vise_scaled_unpack6_fn *unpack6;
  vise_scaled_trits_fn *trits;
  vise_scaled_pack_trits_fn *pack_trits;
  vise_scaled_unpack_trits_fn *unpack_trits;
  vise_scaled_trials_fn *trials, *errors;
} vise_scaled_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_scaled_init(vise_scaled_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_scaled_kernels *vise_scaled(void);

extern const float vise_nf4_table[VISE_SCALED_TABLE];

#endif
