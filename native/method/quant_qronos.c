/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding with feedback against the outputs of the model before compression: where the inputs have
 * drifted because of what was compressed before them, the weights that fit best make up for it, and
 * those are rounded (method/feedback_quantize.h has the equations).
 *
 * Differs from Qronos, which rounds the first column before it fits the others, and from GPTAQ, which
 * corrects the drift column by column: here the fit is the best there is before anything is rounded,
 * and `drift` says how much of it is believed.
 */
#include "method/feedback_quantize.h"

enum { DRIFT, DAMPING, ORDER, GROUPS };

static const vise_param qronos_params[] = {
    {"drift", VISE_PARAM_REAL, 1.0, 0.0, 1.0, NULL,
     "how much of the drift of the inputs is made up for: 1 fits a short text too closely, 0 is gptq"},
    VISE_FEEDBACK_DAMPING,
    VISE_FEEDBACK_ORDER,
    VISE_FEEDBACK_GROUPS,
    {0}};

static vise_feedback_options options_of(const double *values) {
  return (vise_feedback_options){.order = (vise_feedback_order)values[ORDER],
                                 .is_dynamic = values[GROUPS] != 0.0,
                                 .damping = values[DAMPING],
                                 .drift = values[DRIFT]};
}

static vise_status qronos_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err) {
  (void)m;
  (void)k;
  const vise_feedback_options o = options_of(values);
  return vise_feedback_options_check(&o, format, "qronos", err);
}

static vise_status qronos_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  const vise_feedback_options o = options_of(in->values);
  return vise_feedback_quantize(out, in, &o, "qronos", err);
}

const vise_method vise_method_qronos = {
    .name = "qronos",
    .family = "quant",
    .summary = "gptq towards the outputs before compression, whatever became of the inputs",
    .source = "Zhang et al. 2025, arXiv:2505.11695; Li et al. 2025, arXiv:2504.02692 (GPTAQ)",
    .version = 1,
    .needs = VISE_NEEDS_CROSS,
    .is_exact = true,
    .takes_format = true,
    .params = qronos_params,
    .check = qronos_check,
    .run = qronos_run,
};
