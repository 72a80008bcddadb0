/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/loss.h -- what a model lost, token by token, from rows of logits.
 *
 *   p = softmax(x)              nll = -log p[target]              kl = sum p log(p / q)
 *
 * Natural logarithms: nats. Softmaxes in f32 from f32 logits, sums in f64. Parallel over tokens; a
 * token's numbers depend on its rows alone and are the same bits for any threads and CPU level.
 * Cost: nll two passes over a row, divergence three over two rows, at about the speed of memory.
 */
#ifndef VISE_NN_LOSS_H
#define VISE_NN_LOSS_H

#include "core/status.h"

#include <stdint.h>

/*
 * out[i] = -log softmax(logits[i])[targets[i]], for n tokens.
 *
 * logits   [n, v] f32, row-major, v >= 1
 * targets  [n], each in [0, v)
 * Error of a value: about 1e-7 nats. -infinity is a fine logit of probability 0, but for a target.
 * Errors: VISE_EARG a target out of range; VISE_ENUMERIC a row with NaN or +infinity, or whose
 *         target has probability 0 (the first such row is named, from 1); VISE_ECANCELLED.
 */
vise_status vise_nll_run(double *out,
                         const float *logits,
                         int64_t n,
                         int64_t v,
                         const int32_t *targets,
                         vise_err *err) VISE_MUST_USE;

/* *out: the mean of those over the n tokens, n > 0; NaN, and no error, where logits are not finite.
   Errors: VISE_EARG a target out of range; VISE_ENOMEM; VISE_ECANCELLED. */
vise_status vise_nll_mean(double *out,
                          const float *logits,
                          int64_t n,
                          int64_t v,
                          const int32_t *targets,
                          vise_err *err) VISE_MUST_USE;

/*
 * The derivative of scale * sum of nll by the logits: d_logits[i] = scale (p - [target]). Targets
 * and logits as vise_nll_run accepted them. d_logits may be the logits. Errors: VISE_ECANCELLED.
 */
vise_status vise_nll_backward(float *d_logits,
                              const float *logits,
                              int64_t n,
                              int64_t v,
                              const int32_t *targets,
                              double scale,
                              vise_err *err) VISE_MUST_USE;

/*
 * kl_out[i] = KL(softmax(p[i]) || softmax(q[i])), agree_out[i] = 1 if both rows have their greatest
 * logit at the same id, the lowest where several are greatest, else 0.
 *
 * p, q     [n, v] f32, row-major, v >= 1; p is the reference
 * Never negative, and exactly 0 where the rows are equal (loss.c says how). Error: about 1e-6 of
 * the value.
 * Errors: VISE_ENUMERIC a row with NaN or infinity (the first is named, from 1); VISE_ECANCELLED.
 */
vise_status vise_divergence_run(double *kl_out,
                                uint8_t *agree_out,
                                const float *p,
                                const float *q,
                                int64_t n,
                                int64_t v,
                                vise_err *err) VISE_MUST_USE;

/* log x for a finite x >= 1, within 1e-15: libm's may differ in the last bit from one processor to
   another. */
double vise_loss_log(double x);

#endif
