/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPTQ: round column after column, each time moving the columns to come so that the outputs of the
 * calibration inputs change least (method/feedback.h). Any number format: the scales are those of
 * the format's own search, the codes are chosen by feedback.
 *
 * Differs from the paper: scales are searched by importance and static by default, so that the
 * strongest inputs can be first in any format; dead columns are rounded, not set to 0.
 */
#include "method/feedback_quantize.h"

enum { DAMPING, ORDER, GROUPS };

static const vise_param gptq_params[] = {
    VISE_FEEDBACK_DAMPING, VISE_FEEDBACK_ORDER, VISE_FEEDBACK_GROUPS, {0}};

static vise_feedback_options options_of(const double *values) {
  return (vise_feedback_options){.order = (vise_feedback_order)values[ORDER],
                                 .is_dynamic = values[GROUPS] != 0.0,
                                 .damping = values[DAMPING]};
}

static vise_status gptq_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err) {
  (void)m;
  (void)k;
  const vise_feedback_options o = options_of(values);
  return vise_feedback_options_check(&o, format, "gptq", err);
}

static vise_status gptq_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  const vise_feedback_options o = options_of(in->values);
  return vise_feedback_quantize(out, in, &o, "gptq", err);
}

const vise_method vise_method_gptq = {
    .name = "gptq",
    .family = "quant",
    .summary = "rounding in which each column makes up for the errors of those before it",
    .source = "Frantar et al. 2023, arXiv:2210.17323; Chen et al. 2025, arXiv:2507.18553",
    .version = 1,
    .needs = VISE_NEEDS_MOMENTS,
    .is_exact = true,
    .takes_format = true,
    .max_rel_error = 0.125,
    .params = gptq_params,
    .check = gptq_check,
    .run = gptq_run,
};
