/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/rope.h -- rotary position embedding, in the half-split order of Hugging Face.
 *
 *   (x[i], x[i + n])  ->  (x[i] c - x[i + n] s, x[i + n] c + x[i] s),  i < n = head_dim / 2
 *   c = scale cos(p f_i), s = scale sin(p f_i) at position p
 *
 * Frequencies f_i, by kind (b = theta, L = original context, F = factor):
 *   none, dynamic  b^(-i / n). Dynamic changes b only beyond the original window; here sequences end
 *                  with the window (the model refuses longer ones), so it is the same.
 *   linear         b^(-i / n) / F
 *   llama3         by wavelength w = 2 pi / f:  f if w < L / high;  f / F if w > L / low;
 *                  between, with s = (L / w - low) / (high - low):  (1 - s) f / F + s f
 *   yarn           (1 - e_i) f / F + e_i f,  e_i = 1 - clamp((i - first) / (last - first), 0, 1),
 *                  first = floor(d(beta_fast)), last = ceil(d(beta_slow)) (as they are if not
 *                  truncated), kept within 0 .. 2 n - 1,  d(r) = n ln(L / (2 pi r)) / ln b;
 *                  scale = 0.1 ln F + 1 unless given
 *
 * Sources: Su et al. 2021, arXiv:2104.09864; Peng et al. 2023, arXiv:2309.00071 (yarn); the functions
 * of transformers' modeling_rope_utils that published configs are written for.
 *
 * All of it in f64 by our own ln, exp, sin and cos, rounded once: no C library decides a bit.
 */
#ifndef VISE_NN_ROPE_H
#define VISE_NN_ROPE_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum vise_rope_kind {
  VISE_ROPE_NONE,
  VISE_ROPE_LINEAR,
  VISE_ROPE_DYNAMIC,
  VISE_ROPE_LLAMA3,
  VISE_ROPE_YARN
} vise_rope_kind;

typedef struct vise_rope_spec {
  vise_rope_kind kind;
  int64_t head_dim;  /* even, > 0 */
  double theta;      /* > 1 */
  double factor;     /* >= 1: linear, llama3, yarn */
  double context;    /* > 0, tokens the unscaled model was trained for: llama3, yarn */
  double low, high;  /* llama3, low < high; yarn: beta_slow, beta_fast, > 0 */
  double scale;      /* yarn: multiplies cos and sin; 0: from the factor */
  bool is_truncated; /* yarn: first and last are whole numbers */
} vise_rope_spec;

/* frequencies_out [head_dim / 2], radians a token; *scale_out: what multiplies cos and sin.
   Errors: VISE_EARG naming the field out of range. */
vise_status vise_rope_frequencies(double *frequencies_out,
                                  double *scale_out,
                                  const vise_rope_spec *spec,
                                  vise_err *err) VISE_MUST_USE;

/* table_out [n_positions, 2 n]: scale * cos(p f_i) in the first n columns, scale * sin in the
   others. Right to 1e-15 + p * 1e-16 before it is rounded to f32; n_positions below 2^31. */
vise_status vise_rope_table(float *table_out,
                            int64_t n_positions,
                            const double *frequencies,
                            int64_t n,
                            double scale,
                            vise_err *err) VISE_MUST_USE;

/* out [t, n_heads * 2 n] = x, token i turned by row positions[i] of the table, all heads alike, or
   turned back, which is the derivative. `out` is not x. Errors: VISE_ESHAPE for a position outside [0, n_positions); VISE_ECANCELLED. */
vise_status vise_rope_run(float *out,
                          const float *x,
                          int64_t t,
                          int64_t n_heads,
                          int64_t n,
                          const float *table,
                          int64_t n_positions,
                          const int32_t *positions,
                          bool is_back,
                          vise_err *err) VISE_MUST_USE;

#endif
