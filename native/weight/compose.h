/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/compose.h -- weights made of weights.
 *
 * All of them: children are retained; VISE_ESHAPE when shapes do not fit; VISE_EARG when the whole
 * is nested deeper or has more nodes than a tree may (weight/tree.h); VISE_ENOMEM.
 */
#ifndef VISE_WEIGHT_COMPOSE_H
#define VISE_WEIGHT_COMPOSE_H

#include "weight/weight.h"

/* W [m, k] = B [m, r] A [r, k]. */
vise_status
vise_weight_lowrank(vise_weight **out, vise_weight *b, vise_weight *a, vise_err *err) VISE_MUST_USE;

/* W = terms[0] + ... + terms[n - 1], added in this order; 1 <= n <= VISE_TREE_CHILDREN. */
vise_status
vise_weight_sum(vise_weight **out, vise_weight *const *terms, int n, vise_err *err) VISE_MUST_USE;

/*
 * W[i, j] = (C[i, j] right[j]) (left[i] scale).
 *
 * left   [m], right [k], scale [1]: f32, f16 or bf16, contiguous, finite, retained. NULL: all ones.
 * Errors: also VISE_EDTYPE; VISE_ENUMERIC naming the first factor that is not finite.
 */
vise_status vise_weight_scaled(vise_weight **out,
                               vise_weight *c,
                               vise_tensor *left,
                               vise_tensor *right,
                               vise_tensor *scale,
                               vise_err *err) VISE_MUST_USE;

/* The same with nothing but a number, kept as f32. */
vise_status
vise_weight_times(vise_weight **out, vise_weight *c, float factor, vise_err *err) VISE_MUST_USE;

/*
 * W = L C R': L and R are block-diagonal, of the orthonormal Hadamard matrices (linalg/hadamard.h) of
 * order `left`, which divides m, and `right`, which divides k; 0: no rotation on that side.
 * Errors: also VISE_ESHAPE when no matrix of that order is known.
 */
vise_status vise_weight_rotated(
    vise_weight **out, vise_weight *c, int64_t left, int64_t right, vise_err *err) VISE_MUST_USE;

/* What X is rounded to before a product Y = X W' (weight/activation.h). */
typedef enum vise_input_format { VISE_INPUT_INT8, VISE_INPUT_FP8 } vise_input_format;

/*
 * W = C, whose products Y = X W' are those of rounded X; X W takes X as it is.
 *
 * scale  0: each token has one of its own, its greatest magnitude over the greatest of the format.
 *        Else the scale of every token, positive and normal; what is beyond the format's range is cut
 * Errors: also VISE_EARG for another scale.
 */
vise_status vise_weight_input(vise_weight **out,
                              vise_weight *c,
                              vise_input_format format,
                              float scale,
                              vise_err *err) VISE_MUST_USE;

#endif
