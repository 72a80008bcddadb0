/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/shape.h -- moving numbers between arrays: parts of a dimension, and columns by index.
 *
 * Contiguous f32. No result depends on threads. Errors: VISE_ECANCELLED.
 */
#ifndef VISE_NN_SHAPE_H
#define VISE_NN_SHAPE_H

#include "core/status.h"

#include <stdint.h>

/* out [outer, n_out, inner], its indices start .. start + n - 1 of the middle dimension become part
   [outer, n, inner]. */
typedef struct vise_pasting {
  int64_t outer, n_out, inner, start, n;
} vise_pasting;
vise_status
vise_paste_run(float *inout, const float *part, const vise_pasting *p, vise_err *err) VISE_MUST_USE;

/* out [t, n] = x [t, v] at the columns ids [t, n], each in [0, v). */
vise_status vise_take_run(float *out,
                          const float *x,
                          const int32_t *ids,
                          int64_t t,
                          int64_t v,
                          int64_t n,
                          vise_err *err) VISE_MUST_USE;

/* Its derivative: d_x [t, v], zero but where columns were taken. */
vise_status vise_take_backward(float *d_x,
                               const float *d_out,
                               const int32_t *ids,
                               int64_t t,
                               int64_t v,
                               int64_t n,
                               vise_err *err) VISE_MUST_USE;

#endif
