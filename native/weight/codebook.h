/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/codebook.h -- the kind `codebook`: indices into tables of vectors.
 *
 *   W[i, s d + c] = table[T][code[i, s]][c]       0 <= c < d, columns beyond k left out
 *
 *   codes   u8 [m, ceil(S bits / 8)]              S = ceil(k / d); rows of bits as in format/int_affine.h
 *   table   f32, f16 or bf16 [tables, 2^bits, d]  d = 1: a scalar codebook
 *
 * T, which table, by `per`: tensor 0; row i; group i ceil(k / group) + s d div group; column s (product
 * quantization: one table for each place in a row).
 */
#ifndef VISE_WEIGHT_CODEBOOK_H
#define VISE_WEIGHT_CODEBOOK_H

#include "weight/weight.h"

typedef enum vise_codebook_per {
  VISE_CODEBOOK_TENSOR,
  VISE_CODEBOOK_ROW,
  VISE_CODEBOOK_GROUP,
  VISE_CODEBOOK_COLUMN,
  VISE_CODEBOOK_PERS
} vise_codebook_per;

extern const char vise_codebook_pers[]; /* their names, as choices of a parameter row */

enum { VISE_CODEBOOK_BITS_MAX = 16, VISE_CODEBOOK_LENGTH_MAX = 256 };

/*
 * indices  [m, S] of integers in [0, 2^bits). Borrowed.
 * table    as above, contiguous, finite; retained. Its shape says bits (1 to 16) and d (1 to 256).
 * k        columns of W, in (S - 1) d + 1 .. S d, or 0 if S is 0
 * group    columns that share a table, a multiple of d; 0 unless per is group
 * Errors: EARG (per, group); ESHAPE; EDTYPE; ENUMERIC (table); ENOMEM.
 */
vise_status vise_weight_codebook(vise_weight **out,
                                 const vise_tensor *indices,
                                 vise_tensor *table,
                                 int64_t k,
                                 vise_codebook_per per,
                                 int64_t group,
                                 vise_err *err) VISE_MUST_USE;

/* codes_out[j] = the entry nearest to x[j], the lower one halfway, of values [c]: ascending, c a power
   of two from 2 to 256. */
void vise_codebook_nearest(
    uint8_t *codes_out, const float *x, int64_t n, const float *values, int64_t c);

/*
 * W by the nearest numbers of one table [1, 2^bits, 1], bits from 1 to 8, ascending; retained.
 * Errors: ESHAPE, EARG (not ascending), EDTYPE, ENUMERIC (table; NaN or infinity in w, its place
 * named), ENOMEM, ECANCELLED.
 */
vise_status vise_weight_codebook_of(vise_weight **out,
                                    const vise_weight *w,
                                    vise_tensor *table,
                                    vise_err *err) VISE_MUST_USE;

#endif
