/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/sparse.h -- the kind `sparse`: where the numbers of W [m, k] are that are not zero, and
 * what they are.
 *
 *   csr      offsets u32 [m + 1], columns u16 or u32 [n]       any pattern, sparse
 *   bitmask  mask u8 [m, ceil(k / 8)]                          any pattern, half or so
 *   nm       codes u8 [m, ceil(groups width / 8)]              N of every M columns, M <= 16
 *   block    offsets u32 [ceil(m / r) + 1], columns [blocks]   blocks of r x c
 *
 * The values are a child, [ceil(n / 256), 256], in the order of the positions and made up with
 * zeros, so that any number format can hold them. share/doc/weights.md has the layouts to the bit.
 */
#ifndef VISE_WEIGHT_SPARSE_H
#define VISE_WEIGHT_SPARSE_H

#include "weight/weight.h"

typedef enum vise_sparse_layout {
  VISE_SPARSE_CSR,
  VISE_SPARSE_BITMASK,
  VISE_SPARSE_NM,
  VISE_SPARSE_BLOCK,
  VISE_SPARSE_LAYOUTS
} vise_sparse_layout;

extern const char vise_sparse_layouts[]; /* their names, as choices of a parameter row */

enum { VISE_SPARSE_M_MAX = 16, VISE_SPARSE_BLOCK_MAX = 256, VISE_SPARSE_ROW = 256 };

typedef struct vise_sparse_options {
  vise_sparse_layout layout;
  int n, m;          /* nm: 1 <= n <= m <= 16 */
  int rows, columns; /* block: 1 to 256 each */
  vise_dtype values; /* a type of floats */
} vise_sparse_options;

/*
 * The numbers of `w` that are not zero. A zero of either sign is left out, unless its group or block
 * has to be filled up.
 * Errors: EARG (options); ESHAPE (a group has more than n numbers: row and columns are named; more
 * than 2^32 - 1 entries); EDTYPE; ENOMEM; ECANCELLED.
 */
vise_status vise_weight_sparse(vise_weight **out,
                               const vise_weight *w,
                               const vise_sparse_options *options,
                               vise_err *err) VISE_MUST_USE;

/* The same in the layout that takes the fewest bytes among `n`, 1 to 4: the first of equals. */
vise_status vise_weight_sparse_smallest(vise_weight **out,
                                        const vise_weight *w,
                                        const vise_sparse_options *layouts,
                                        int n,
                                        vise_err *err) VISE_MUST_USE;

/* The values of a sparse weight, [ceil(n / 256), 256]; NULL if `w` is of another kind; borrowed. */
vise_weight *vise_weight_sparse_values(const vise_weight *w);

/* *out: what `from` [m, k] is at the positions of `w`, which is sparse, as its values are laid out,
   f32; what fills up a group or block beyond k is 0. Errors: ENOMEM, ECANCELLED. */
vise_status vise_weight_sparse_gather(vise_tensor **out,
                                      const vise_weight *w,
                                      const vise_weight *from,
                                      vise_err *err) VISE_MUST_USE;

/* The positions of `w`, which is sparse, with other values in the same order, perhaps quantized.
   Errors: ESHAPE (as many as before, of a kind that decodes); ENOMEM. */
vise_status vise_weight_sparse_with(vise_weight **out,
                                    const vise_weight *w,
                                    vise_weight *values,
                                    vise_err *err) VISE_MUST_USE;

#endif
