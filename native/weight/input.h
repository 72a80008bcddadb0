/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/input.h -- activations of 8 bits: what the files of the kind `input` share.
 *
 *   X[s, j] ~= scale[s] q[s, j]      q = round(f32(X[s, j] r[s])),  r = f32(1 / scale)
 *
 * q: int8, -127 .. 127, or fp8 E4M3 up to 448, to nearest even and cut. A scale of the token's own
 * is f32(greatest |X[s, j]| / 127 or 448); one that is not a normal number is 0, and so are its q.
 * The products of a token with a NaN or an infinity are NaN.
 */
#ifndef VISE_WEIGHT_INPUT_H
#define VISE_WEIGHT_INPUT_H

#include "weight/compose.h"

#include <stdbool.h>

typedef struct vise_rounding {
  vise_input_format format;
  float scale; /* of every token; 0: each has its own */
} vise_rounding;

/* The scale of a token x [n], and *r_out. NaN and 0 where x has a NaN or an infinity. */
float vise_rounding_scale(float *r_out, const vise_rounding *rounding, const float *x, int64_t n);

/* out [t, k] = scale q, contiguous; in parallel. Errors: VISE_ECANCELLED. */
vise_status vise_rounding_run(float *out,
                              const vise_rounding *rounding,
                              const float *x,
                              int64_t ldx,
                              int64_t t,
                              int64_t k,
                              vise_err *err) VISE_MUST_USE;

/*
 * Y = X W' of X in int8 by integers (kernels/qgemm.h), for a child `w` of the kind quant whose codes
 * are integers. *is_done_out: whether w is one; if not, nothing is computed.
 */
vise_status vise_weight_matmul_integer(bool *is_done_out,
                                       const vise_weight *w,
                                       const vise_rounding *rounding,
                                       float *y,
                                       int64_t ldy,
                                       const float *x,
                                       int64_t ldx,
                                       int64_t t,
                                       vise_err *err) VISE_MUST_USE;

#endif
