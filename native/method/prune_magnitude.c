/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest weights become 0: the score is |w|. Needs no data, and so takes columns that see large
 * inputs for the same as others: a baseline, and the right score where inputs are alike and
 * independent (H = I).
 */
#include "method/prune.h"

static vise_status magnitude_factors(vise_prune_factors *f,
                                     const vise_method_input *in,
                                     const float *x,
                                     vise_err *err) {
  (void)x;
  (void)err;
  for (int64_t j = 0; j < in->w->k; j++) {
    f->b[j] = 1.0;
  }
  return VISE_OK;
}

static vise_status magnitude_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  if (in->importance != NULL) {
    return vise_fail(err, VISE_EARG,
                     "magnitude: importance is given, expected none: it would not look at it");
  }
  return vise_prune_run(out, in, magnitude_factors, err);
}

const vise_method vise_method_magnitude = {
    .name = "magnitude",
    .family = "prune",
    .summary = "the weights of the least magnitude become 0",
    .source = "Han et al. 2015, arXiv:1506.02626, section 3",
    .version = 1,
    .needs = VISE_NEEDS_NOTHING,
    .uses = VISE_NEEDS_MOMENTS,
    .is_exact = true,
    .max_rel_error = 0.28,
    .params = vise_prune_params,
    .check = vise_prune_check,
    .run = magnitude_run,
};
