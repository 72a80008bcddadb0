/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round to nearest: every weight becomes the nearest value of its group's grid, and the grid is the
 * best one that the format's search finds for the group by itself. Needs no data; with importance
 * the error of a column counts by the power of its input while searching. Where the format would
 * not look at it, it is refused.
 */
#include "method/method.h"
#include "weight/quant.h"

static vise_status rtn_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  const vise_format *format = in->format->format;
  if (in->importance != NULL &&
      (format->uses_importance == NULL || !format->uses_importance(in->format))) {
    return vise_fail(
        err, VISE_EARG,
        "rtn: importance is given, expected none: '%s' would not look at it with these "
        "options (does it have a search?)",
        format->name);
  }
  return vise_weight_quantize(out, in->w, in->format, in->importance, err);
}

static const vise_param no_params[] = {{0}};

const vise_method vise_method_rtn = {
    .name = "rtn",
    .family = "quant",
    .summary = "round to nearest, in any number format",
    .source = "Nagel et al. 2021, arXiv:2106.08295, section 2",
    .version = 2,
    .needs = VISE_NEEDS_NOTHING,
    .is_exact = true,
    .takes_format = true,
    .takes_importance = true,
    .params = no_params,
    .run = rtn_run,
};
