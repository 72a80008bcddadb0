/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/top.h -- a reference's predictions by their greatest probabilities and the sum of the others,
 * as a cache of a teacher keeps them, and the divergence from these.
 *
 * Arrays are contiguous f32, sums f64 in a fixed order: no result depends on threads or the CPU
 * level. A result is NaN, without an error, where inputs are not finite.
 * Errors: VISE_ENOMEM; VISE_ECANCELLED.
 */
#ifndef VISE_NN_TOP_H
#define VISE_NN_TOP_H

#include "core/status.h"

#include <stdint.h>

/*
 * What is known of a reference's predictions: for each of n rows the logarithms of its k greatest
 * probabilities, whose columns `ids` says (all different, in [0, v)), and of the sum of all others;
 * k < v, -infinity for none.
 */
typedef struct vise_top {
  const int32_t *ids;    /* [n, k] */
  const float *log_p;    /* [n, k] */
  const float *log_tail; /* [n] */
  int64_t n, k, v;
} vise_top;

/*
 * *out: the mean over rows of the divergence of k + 1 outcomes, the last being all other columns:
 *
 *   KL_k = sum p_i (log p_i - log q_i) + t_p (log t_p - log t_q),   q = softmax(logits)
 *
 * never above that of all v outcomes. The derivative of scale times the sum of KL_k by the logits is
 * scale (q_i - p_i) at the ids, scale q_i (1 - t_p / t_q) elsewhere (algorithms.md, 10.1 and A14).
 * t_q is summed for itself, as 1 less the others would cancel. logits [n, v].
 */
vise_status vise_kl_top_mean(double *out, const float *logits, const vise_top *top, vise_err *err)
    VISE_MUST_USE;
vise_status vise_kl_top_backward(float *d_logits,
                                 const float *logits,
                                 const vise_top *top,
                                 double scale,
                                 vise_err *err) VISE_MUST_USE;

/* What is known of n rows of logits [n, v]: the columns of the k greatest, 0 < k < v, falling, of
   equals the first; the logarithms of their probabilities and of the sum of all others. */
vise_status vise_top_find(int32_t *ids_out,
                          float *log_p_out,
                          float *log_tail_out,
                          const float *logits,
                          int64_t n,
                          int64_t k,
                          int64_t v,
                          vise_err *err) VISE_MUST_USE;

#endif
