/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/prune.h -- what the methods of the family prune share: their options, which weights go,
 * the refit of those that stay, and how these are stored.
 *
 * Of numbers of equal score those with the lower index go first, so that counts are exact: of n
 * numbers that are compared, floor(sparsity n) become 0.
 */
#ifndef VISE_METHOD_PRUNE_H
#define VISE_METHOD_PRUNE_H

#include "method/method.h"

extern const vise_param vise_prune_params[]; /* ends with a NULL name */

typedef struct vise_prune_options {
  double sparsity;
  int n, group;      /* N:M: n of every `group` columns stay; 0 and 0 of other patterns */
  int rows, columns; /* of a block; 1 and 1 of other patterns */
  bool is_per_row, is_refit;
  int values; /* index of the choice */
  double damping;
} vise_prune_options;

void vise_prune_options_of(vise_prune_options *out, const double *values);

/* As vise_method.check. Errors: ESHAPE (a pattern that does not divide), EARG (a sparsity that is not
   that of the pattern N:M; the default is taken for none). */
vise_status vise_prune_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err);

/* The part of it that is about N:M patterns. */
vise_status
vise_prune_check_groups(const vise_prune_options *options, int64_t k, vise_err *err) VISE_MUST_USE;

/* score of w_ij = |w_ij| (row_i a_j + b_j), all factors finite and 0 or more; that of a block is the
   root of the sum of squares. */
typedef struct vise_prune_factors {
  double *row;   /* [m] */
  double *a, *b; /* [k] */
} vise_prune_factors;

/* Set what goes to 0 in x [m, k], finite, contiguous. Errors: ENOMEM, ECANCELLED. */
vise_status vise_prune_mask(float *x,
                            int64_t m,
                            int64_t k,
                            const vise_prune_factors *factors,
                            const vise_prune_options *options,
                            vise_err *err) VISE_MUST_USE;

/*
 * The numbers of `w`, which is dense f32, that are not 0, in the smallest layout of the kind `sparse`
 * that has the pattern. Those beyond the range of f16 or bf16 are cut to it; `note` [VISE_NOTE_BYTES]
 * then says so. Errors: ENOMEM, ECANCELLED.
 */
vise_status vise_prune_pack(vise_weight **out,
                            vise_weight *w,
                            const vise_prune_options *options,
                            char *note,
                            vise_err *err) VISE_MUST_USE;

/* Set what is not 0 in x [m, k] to the least squares of the outputs of in->w; in->note says in how
   many rows that was not finished. Errors: ENUMERIC, ENOMEM, ECANCELLED. */
vise_status vise_prune_refit(float *x,
                             const vise_method_input *in,
                             const vise_prune_options *options,
                             vise_err *err) VISE_MUST_USE;

/* Fill `factors_out`, zeros before, from what a method is given; x [m, k]: the values of in->w. */
typedef vise_status vise_prune_factors_fn(vise_prune_factors *factors_out,
                                          const vise_method_input *in,
                                          const float *x,
                                          vise_err *err);

/* The run of a method whose values are as above. Errors: EARG (refit without moments), ENUMERIC,
   ENOMEM, ECANCELLED. */
vise_status vise_prune_run(vise_weight **out,
                           const vise_method_input *in,
                           vise_prune_factors_fn *factors,
                           vise_err *err) VISE_MUST_USE;

/* out [k]: the mean squares of the inputs, of in->importance or else the moments, over the greatest:
   1 everywhere where all are 0. */
void vise_prune_powers(double *out, const vise_method_input *in);

#endif
