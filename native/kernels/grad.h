/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/grad.h -- the loops of gradients and of optimizers.
 *
 * All exact: the one body (grad_body.h) is compiled for every level without contraction, so every
 * level does the same IEEE operations on the same numbers and agrees bit for bit. Sums over a row
 * are f64 in 16 lanes, element i in lane i mod 16, added as a tree of halves; sums over rows are
 * chains in the order of the calls. Any alignment. `d_x` is the derivative of the loss by x; outputs
 * may be inputs of the same index where it says so, else nothing overlaps.
 */
#ifndef VISE_KERNELS_GRAD_H
#define VISE_KERNELS_GRAD_H

#include "core/cpu.h"
#include "kernels/nn.h"

#include <stdint.h>

/* One row of rmsnorm: d_x = inv d_y gain - x inv^3 mean(d_y gain x), inv = 1 / sqrt(mean of x^2 +
   eps); d_gain[i] += d_y[i] x[i] inv. */
typedef void vise_rmsnorm_back_fn(float *d_x,
                                  float *d_gain,
                                  const float *d_y,
                                  const float *x,
                                  const float *gain,
                                  int64_t n,
                                  double eps);

/* y = silu(gate) up: d_gate = d_y up s (1 + gate (1 - s)), d_up = d_y gate s, s = 1 / (1 +
   exp(-gate)). */
typedef void vise_swiglu_back_fn(
    float *d_gate, float *d_up, const float *d_y, const float *gate, const float *up, int64_t n);

/* One row of softmax: p[i] = e[i] / sum becomes the probabilities, d_s[i] = d_p[i] becomes
   scale p (d_p - sum of p d_p). */
typedef void vise_soften_back_fn(float *inout_p, float *inout_d, int64_t n, float sum, float scale);

/* out[i] = e^(x[i] - shift) * scale */
typedef void vise_soft_row_fn(float *out, const float *x, int64_t n, float shift, float scale);

/* sum[i] += x[i] */
typedef void vise_accumulate_fn(float *sum, const float *x, int64_t n);

/* out[i] = a x[i]; in place is fine. */
typedef void vise_scale_fn(float *out, const float *x, int64_t n, float a);

/* Sum of x[i]^2. */
typedef double vise_squares_fn(const float *x, int64_t n);

/*
 * One step of AdamW: g = clip d;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 * p -= rate (m / c1 / (sqrt(v / c2) + eps) + decay p)
 */
typedef struct vise_adamw_step {
  float rate, beta1, beta2, epsilon, decay;
  float correct1, correct2; /* 1 / (1 - beta^step) */
  float clip;               /* multiplies every derivative */
} vise_adamw_step;
typedef void
vise_adamw_fn(float *p, float *m, float *v, const float *d, int64_t n, const vise_adamw_step *step);

/* m = momentum m + clip d + decay p;  p -= rate m */
typedef void vise_sgd_fn(float *p,
                         float *m,
                         const float *d,
                         int64_t n,
                         float rate,
                         float momentum,
                         float decay,
                         float clip);

/* p -= rate (sign(d) + decay p), sign(0) = 0 */
typedef void vise_sign_fn(float *p, const float *d, int64_t n, float rate, float decay);

typedef struct vise_grad_kernels {
  vise_rmsnorm_back_fn *rmsnorm_back;
  vise_swiglu_back_fn *swiglu_back;
  vise_rotate_fn *rotate_back; /* by the angles the other way */
  vise_soften_back_fn *soften_back;
  vise_soft_row_fn *soft_row;
  vise_accumulate_fn *accumulate;
  vise_scale_fn *scale;
  vise_squares_fn *squares;
  vise_adamw_fn *adamw;
  vise_sgd_fn *sgd;
  vise_sign_fn *sign;
} vise_grad_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_grad_init(vise_grad_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_grad_kernels *vise_grad(void);

#endif
