/* SPDX-License-Identifier: Apache-2.0 */
/* method/feedback_quantize.h -- what the methods share that round a weight to a format with feedback.
 */
#ifndef VISE_METHOD_FEEDBACK_QUANTIZE_H
#define VISE_METHOD_FEEDBACK_QUANTIZE_H

#include "method/feedback_factor.h"
#include "method/method.h"

typedef struct vise_feedback_options {
  vise_feedback_order order;
  bool is_dynamic; /* scales */
  double damping;
  double drift; /* 0: the weight's own outputs are to be kept; 1: those it had of the inputs before
                   compression, which needs cross moments; between: between */
} vise_feedback_options;

/* Rows of parameters that they share. */
#define VISE_FEEDBACK_DAMPING                                                                      \
  {                                                                                                \
    "damping", VISE_PARAM_REAL, 0.01, 1e-6, 1.0, NULL,                                             \
        "added to the diagonal of the second moments, as a part of its mean: the more, the less "  \
        "is trusted that inputs go together as they did in the text"                               \
  }
#define VISE_FEEDBACK_ORDER                                                                        \
  {                                                                                                \
    "order", VISE_PARAM_CHOICE, VISE_ORDER_ACT, 0, 0, "act none gar",                              \
        "which columns are rounded first, while others can still make up for them. act: those of " \
        "the strongest inputs; none: the first ones; gar: the strongest group, within it the "     \
        "strongest inputs"                                                                         \
  }
#define VISE_FEEDBACK_GROUPS                                                                       \
  {                                                                                                \
    "groups", VISE_PARAM_CHOICE, 0, 0, 0, "static dynamic",                                        \
        "when scales are chosen. static: before the work, from the weights as they are; dynamic: " \
        "when the work gets to a group, from what its weights have become (order none or gar)"     \
  }

/* EARG for dynamic groups with an order that takes groups apart, or a format that has none. */
vise_status vise_feedback_options_check(const vise_feedback_options *o,
                                        const vise_format_spec *format,
                                        const char *who,
                                        vise_err *err) VISE_MUST_USE;

/* Errors: EARG (importance is given), ENUMERIC (NaN or infinity in w), ENOMEM, ECANCELLED. */
vise_status vise_feedback_quantize(vise_weight **out,
                                   const vise_method_input *in,
                                   const vise_feedback_options *o,
                                   const char *who,
                                   vise_err *err) VISE_MUST_USE;

#endif
