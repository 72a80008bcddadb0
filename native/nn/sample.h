/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/sample.h -- choose the next token from logits.
 *
 * temperature 0: the greatest logit, the lowest id of equals. Otherwise p = softmax(logits /
 * temperature); tokens in order of p, equal ones by id; of them the first top_k (0: all) and, of
 * these, the fewest that together have top_p of their sum or more; one of those with its share, by
 * one uniform number of the stream ("sample", seed) at `position`, which walks them in that order,
 * or by id where all are kept. So the choice depends on the logits, the options, the seed and the
 * position, and on nothing that was drawn before.
 */
#ifndef VISE_NN_SAMPLE_H
#define VISE_NN_SAMPLE_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_sample_options {
  double temperature; /* >= 0 */
  int64_t top_k;      /* >= 0 */
  double top_p;       /* in (0, 1] */
  uint64_t seed, position;
} vise_sample_options;

/* *id_out: in [0, n), n > 0. logits [n].
   Errors: VISE_EARG (options, n), VISE_ENUMERIC (a NaN, or no finite logit), VISE_ENOMEM. */
vise_status vise_sample_run(int64_t *id_out,
                            const float *logits,
                            int64_t n,
                            const vise_sample_options *options,
                            vise_err *err) VISE_MUST_USE;

#endif
