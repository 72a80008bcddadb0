/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/int_affine.h -- the format `int`: affine integers of 2, 3, 4, 5, 6 or 8 bits.
 *
 *   value = scale (code - zero)        0 <= code < 2^bits
 *
 * Parts of W [m, k], groups = ceil(k / group) (per row and per tensor: 1):
 *
 *   codes   u8 [m, ceil(k bits / 8)]   a row is a little-endian stream of bits and starts on a byte:
 *                                      code j is bits [j bits, (j + 1) bits), bit i being bit i % 8
 *                                      of byte i / 8; what is left of the last byte is 0
 *   scales  f16, bf16 or f32           [m, groups], per tensor [1, 1]; may be negative
 *   zeros   u8                         shaped as the scales; only asymmetric.
 *                                      Symmetric: zero = 2^(bits - 1)
 *
 * Bits per weight: bits + (16 or 32, and 8 for a zero) / group.
 */
#ifndef VISE_FORMAT_INT_AFFINE_H
#define VISE_FORMAT_INT_AFFINE_H

#include "format/format.h"

/* The parameters, in the order of the rows in int_affine.c. */
enum {
  VISE_INT_BITS,      /* choice: 2 3 4 5 6 8 */
  VISE_INT_PER,       /* choice: vise_int_per */
  VISE_INT_GROUP,     /* columns that share a scale, per = group */
  VISE_INT_SYMMETRIC, /* bool */
  VISE_INT_SCALE,     /* choice: vise_intq_scale */
  VISE_INT_SEARCH     /* choice: none mse */
};

typedef enum vise_int_per { VISE_PER_GROUP, VISE_PER_ROW, VISE_PER_TENSOR } vise_int_per;

extern const vise_format vise_format_int;

#endif
