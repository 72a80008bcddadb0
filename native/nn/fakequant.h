/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/fakequant.h -- rounding to a grid of numbers, with derivatives to train through it.
 *
 *   out = s (clip(RNE(w / s + v) + z, low, high) - z)
 *
 * with a scale s and a zero z for each group of g columns of a row (the last may be short), and for
 * each weight an offset v in steps. The derivatives are those of the surrogate in which rounding
 * adds a constant (algorithms.md, A19):
 *
 *              by w   by v   by s                  by z
 *   inside     1      s      RNE(w / s + v) - w/s  0
 *   clipped    0      0      low - z, high - z     -s
 *
 * That is the straight-through estimator for w, learned rounding (SignRound) for v, LSQ for s, and
 * with s and z made of two clipping strengths, learned clipping (LWC). A scale of 0 gives 0 and no
 * derivative.
 *
 * Sources: Esser et al. 2020, arXiv:1902.08153 (LSQ); Shao et al. 2024, arXiv:2308.13137 (LWC); Cheng
 * et al. 2024, arXiv:2309.05516 (SignRound).
 *
 * Matrices are contiguous f32; parallel over rows, no result depends on threads or the CPU level.
 */
#ifndef VISE_NN_FAKEQUANT_H
#define VISE_NN_FAKEQUANT_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_fakequant {
  int64_t m, k, g; /* of w; 1 <= g */
  float low, high; /* whole numbers, low < high */
  const float *w;  /* [m, k] */
  const float *s;  /* [m, ceil(k / g)] */
  const float *z;  /* of the same shape, whole numbers; NULL: all zero */
  const float *v;  /* [m, k]; NULL: all zero */
} vise_fakequant;

/* out [m, k]. Errors: VISE_ECANCELLED. */
vise_status vise_fakequant_run(float *out, const vise_fakequant *q, vise_err *err) VISE_MUST_USE;

typedef struct vise_fakequant_grads {
  float *w, *v; /* [m, k]; v may be NULL */
  float *s, *z; /* shaped as s; z may be NULL */
} vise_fakequant_grads;

/* Sums of a group in f64, in order. Errors: VISE_ECANCELLED. */
vise_status vise_fakequant_backward(const vise_fakequant_grads *out,
                                    const float *d_out,
                                    const vise_fakequant *q,
                                    vise_err *err) VISE_MUST_USE;

/* Least, greatest and mean magnitude of each group, [m, ceil(k / g)] each. Errors: VISE_ECANCELLED. */
vise_status vise_group_range_run(float *least_out,
                                 float *greatest_out,
                                 float *magnitude_out,
                                 const float *w,
                                 int64_t m,
                                 int64_t k,
                                 int64_t g,
                                 vise_err *err) VISE_MUST_USE;

#endif
