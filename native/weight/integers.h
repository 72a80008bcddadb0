/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/integers.h -- the kind `integers`: small integers with a factor for each column and a power
 * of two for each row, made to be entropy coded.
 *
 *   W[i, j] = 2^((row_steps[i] - 128) / 2) columns[j] z[i, j]        |z| <= 127
 *
 * Attribute `row_step`: that of all rows, or -1. Parts of W [m, k]:
 *
 *   codes      u8 [m k]    z + 128, in an order in which neighbours are spread alike: by class of the
 *                          row + class of the column, ascending, then row, then column
 *   columns    f16 [k]     finite
 *   classes    u8 [m + k]  below 64, of rows, then of columns: how large their numbers are
 *   row_steps  u8 [m]      where the attribute is -1
 *
 * A coder with frequencies of its own for each stretch of bytes (artifact/rans.h) then needs few more
 * bits than one that knows how wide the numbers of every row and column are spread.
 * In memory the numbers lie in rows, a byte each.
 */
#ifndef VISE_WEIGHT_INTEGERS_H
#define VISE_WEIGHT_INTEGERS_H

#include "weight/weight.h"

enum {
  VISE_INTEGERS_MOST = 127,   /* the greatest |z| */
  VISE_INTEGERS_ZERO = 128,   /* the code of 0, and the row step of 1 */
  VISE_INTEGERS_CLASSES = 64, /* of rows, and of columns */
};

/*
 * codes [m, k] by rows, z + 128, none of them 0; columns [k], row_steps [m]. Classes are found here.
 * The factors are rounded to f16 after row steps have taken a power of two off all of them.
 * Errors: VISE_ENUMERIC (a factor that is not finite), VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_weight_integers(vise_weight **out,
                                 int64_t m,
                                 int64_t k,
                                 const uint8_t *codes,
                                 const double *columns,
                                 const uint8_t *row_steps,
                                 vise_err *err) VISE_MUST_USE;

/* Classes of rows and columns of codes [m, k]: sums of magnitudes in steps of half an octave. */
vise_status vise_integers_classes(uint8_t *rows_out,
                                  uint8_t *columns_out,
                                  const uint8_t *codes,
                                  int64_t m,
                                  int64_t k,
                                  vise_err *err) VISE_MUST_USE;

#endif
