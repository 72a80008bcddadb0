/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round to nearest: every weight becomes the nearest value of its group's grid, and the grid is the
 * best one for the group by itself (format/int_affine.c has the derivation). Needs no data; with
 * importance the error of a column counts by the power of its input while searching. Without a
 * search it would count for nothing, so it is refused.
 *
 * max_rel_error: sqrt(D) for D / sigma^2 of Gaussian weights at the defaults, int4 g64 searched.
 */
#include "format/int_affine.h"
#include "method/method.h"
#include "weight/quant.h"

#include <string.h>

static vise_format_spec spec_of(int64_t m, int64_t k, const double *values) {
  vise_format_spec s = {.format = &vise_format_int, .m = m, .k = k};
  for (int i = 0; vise_int_params[i].name != NULL; i++) {
    s.values[i] = values[i];
  }
  return s;
}

static vise_status rtn_check(int64_t m, int64_t k, const double *values, vise_err *err) {
  const vise_format_spec s = spec_of(m, k, values);
  return vise_format_check(&s, err);
}

static vise_status rtn_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  if (in->importance != NULL && in->values[VISE_INT_SEARCH] == 0.0) {
    return vise_fail(err, VISE_EARG, "rtn: importance is given, expected none with search 'none'");
  }
  const vise_format_spec s = spec_of(in->w->m, in->w->k, in->values);
  return vise_weight_quantize(out, in->w, &s, in->importance, err);
}

const vise_method vise_method_rtn = {
    .name = "rtn",
    .family = "quant",
    .summary = "round to nearest, integers with one scale per group",
    .source = "Nagel et al. 2021, arXiv:2106.08295, section 2",
    .version = 1,
    .needs = VISE_NEEDS_NOTHING,
    .is_exact = true,
    .max_rel_error = 0.091,
    .params = vise_int_params,
    .check = rtn_check,
    .run = rtn_run,
};
