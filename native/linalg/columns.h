/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/columns.h -- which columns of W [m, k] its outputs need least, and the best W without them.
 *
 * Columns go by groups of neighbours: an inner neuron is one, a key-value head several. Inputs have
 * second moments H. Of the columns S that are left, removing the group P and setting the others to the
 * least squares of the outputs costs
 *
 *   tr(W_P ([H_SS^-1]_PP)^-1 W_P')       and then       W_S <- W H_:S H_SS^-1
 *
 * H is damped: d of its mean diagonal is added to its diagonal, ten times as much where it is not
 * positive definite then; a column that is never used costs nothing. f64, the bits do not depend on
 * threads or CPU level. Cost: k^3 operations a round of removals; scratch: 3 k^2 + 2 m k doubles.
 * Source: Hassibi and Stork 1992, NIPS 5, for groups; Kurtic et al. 2023, arXiv:2302.04852 (ZipLM).
 */
#ifndef VISE_LINALG_COLUMNS_H
#define VISE_LINALG_COLUMNS_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_columns {
  const float *w;  /* [m, k] contiguous, finite */
  const double *h; /* [k, k], symmetric */
  int64_t m, k;
  int64_t group;  /* divides k */
  double damping; /* > 0 */
} vise_columns;

/* losses_out [k / group]: of each group removed alone; *norm_out: tr(W H W'). Errors: VISE_EARG (group),
   VISE_ENUMERIC (H has NaN or an infinity), VISE_ENOMEM, VISE_ECANCELLED. */
vise_status vise_columns_losses(double *losses_out,
                                double *norm_out,
                                const vise_columns *c,
                                vise_err *err) VISE_MUST_USE;

/*
 * Remove `n_drop` groups, 0 to all but one; after every sixteenth of them the losses are found anew.
 *
 * kept_out    [k / group - n_drop], those that are left, ascending
 * v_out       [m, k], the new W, 0 in the columns that go; W itself if n_drop is 0
 * losses_out  [n_drop], what each of them cost when it went, or more: ascending; NULL if not wanted
 * Errors: those above; VISE_EARG (n_drop).
 */
vise_status vise_columns_drop(int32_t *kept_out,
                              float *v_out,
                              double *losses_out,
                              const vise_columns *c,
                              int64_t n_drop,
                              vise_err *err) VISE_MUST_USE;

#endif
