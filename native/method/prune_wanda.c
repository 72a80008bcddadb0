/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The score is |w_ij| |X_j|, the weight times the norm of its input over the tokens: what the output
 * would change by if inputs were independent. Rows are compared each by itself. For H = I this is the
 * magnitude per row.
 */
#include "method/prune.h"

#include <math.h>

static vise_status
wanda_factors(vise_prune_factors *f, const vise_method_input *in, const float *x, vise_err *err) {
  (void)x;
  (void)err;
  vise_prune_powers(f->b, in);
  for (int64_t j = 0; j < in->w->k; j++) {
    f->b[j] = sqrt(f->b[j]);
  }
  return VISE_OK;
}

static vise_status wanda_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  return vise_prune_run(out, in, wanda_factors, err);
}

const vise_method vise_method_wanda = {
    .name = "wanda",
    .family = "prune",
    .summary = "the weights of the least magnitude times input become 0, row by row",
    .source = "Sun et al. 2023, arXiv:2306.11695, section 3",
    .version = 1,
    .needs = VISE_NEEDS_MOMENTS,
    .is_exact = true,
    .takes_importance = true,
    .max_rel_error = 0.26,
    .params = vise_prune_params,
    .check = vise_prune_check,
    .run = wanda_run,
};
