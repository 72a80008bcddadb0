/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relative importance and activations:
 *
 *   score = (|w_ij| / sum_j |w_ij| + |w_ij| / sum_i |w_ij|) |X_j|^a,   a = 1/2
 *
 * a weight counts by its share of its row and of its column, so that no input or output loses all of
 * its weights, as happens with wanda's score at high sparsity. Rows are compared each by itself.
 *
 * Differs from the paper: no permutation of columns before an N:M pattern.
 */
#include "method/prune.h"

#include <math.h>

static double inverse(double sum) {
  return sum > 0.0 ? 1.0 / sum : 0.0;
}

static vise_status
ria_factors(vise_prune_factors *f, const vise_method_input *in, const float *x, vise_err *err) {
  (void)err;
  const int64_t m = in->w->m, k = in->w->k;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < k; j++) {
      const double size = fabs((double)x[i * k + j]);
      f->row[i] += size;
      f->b[j] += size;
    }
    f->row[i] = inverse(f->row[i]);
  }
  vise_prune_powers(f->a, in);
  for (int64_t j = 0; j < k; j++) {
    f->a[j] = sqrt(sqrt(f->a[j]));
    f->b[j] = inverse(f->b[j]) * f->a[j];
  }
  return VISE_OK;
}

static vise_status ria_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  return vise_prune_run(out, in, ria_factors, err);
}

const vise_method vise_method_ria = {
    .name = "ria",
    .family = "prune",
    .summary = "the weights of the least share of their row and column, times input, become 0",
    .source = "Zhang et al. 2024, Plug-and-Play, ICLR 2024, section 3",
    .version = 1,
    .needs = VISE_NEEDS_MOMENTS,
    .is_exact = true,
    .takes_importance = true,
    .max_rel_error = 0.26,
    .params = vise_prune_params,
    .check = vise_prune_check,
    .run = ria_run,
};
