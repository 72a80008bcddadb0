/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/nn.h -- the loops of a transformer that are not products with a weight.
 *
 * All exact: the one body (nn_body.h) is compiled for every level without contraction, so every
 * level does the same IEEE operations on the same numbers and agrees bit for bit. Sums are chains
 * in the order stated, or 16 lane partials (element i goes to lane i mod 16) added as a tree. Any
 * alignment.
 *
 * Keys of attention lie in panels of 16: key j, dimension d is panels[(j / 16) * dim * 16 + d * 16
 * + j % 16], so that 16 scores are computed side by side without a sum across lanes.
 */
#ifndef VISE_KERNELS_NN_H
#define VISE_KERNELS_NN_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_NN_LANES = 16 }; /* lane partials of a sum, keys of a panel, padding of values */

/* out[i] = exp(x[i]), within 2 ulp; 0 below -104, infinity above 88.73, NaN for NaN. May be in
 * place. */
typedef void vise_exp_fn(float *out, const float *x, int64_t n);

/* out[i] = x[i] * inv * gain[i], inv = 1 / sqrt(mean of x^2 + eps); the mean in f64, lane partials.
 */
typedef void vise_rmsnorm_fn(float *out, const float *x, const float *gain, int64_t n, double eps);

/* out[i] = x[i] + y[i] */
typedef void vise_add_fn(float *out, const float *x, const float *y, int64_t n);

/* out[i] = gate[i] / (1 + exp(-gate[i])) * up[i] */
typedef void vise_swiglu_fn(float *out, const float *gate, const float *up, int64_t n);

/* Turn the pairs (x[i], x[i + n]) of `n_heads` heads of 2 n numbers by the angles of cos, sin [n].
 */
typedef void vise_rotate_fn(
    float *out, const float *x, const float *cosine, const float *sine, int64_t n_heads, int64_t n);

/* s[i * lds + j] = sum over ascending d of q[i * ldq + d] * key j: rows 0 <= i < n_rows, all keys
   of `n_panels` panels. */
typedef void vise_scores_fn(float *s,
                            int64_t lds,
                            const float *q,
                            int64_t ldq,
                            const float *panels,
                            int64_t n_rows,
                            int64_t dim,
                            int64_t n_panels);

/* The running softmax of one query: the greatest score so far, the sum of exp(score - greatest),
   and by what earlier sums must be multiplied. Begins as {-INFINITY, 0, 0}. */
typedef struct vise_softmax_state {
  float greatest, sum, rescale;
} vise_softmax_state;

/* One more block of n scores (n a multiple of 16), of which [lo, hi), not empty, are seen: s[j]
   becomes exp(scale * s[j] - greatest), 0 where not seen. */
typedef void
vise_soften_fn(vise_softmax_state *inout, float *s, int64_t n, int64_t lo, int64_t hi, float scale);

/* o[i * ldo + c] = o * rescale[i], then + p[i * ldp + j] * v[j * ldv + c] over ascending j <
   n_keys; 0 <= c < dim, a multiple of 16. */
typedef void vise_mix_fn(float *o,
                         int64_t ldo,
                         const float *rescale,
                         const float *p,
                         int64_t ldp,
                         const float *v,
                         int64_t ldv,
                         int64_t n_rows,
                         int64_t n_keys,
                         int64_t dim);

typedef struct vise_nn_kernels {
  vise_exp_fn *exp;
  vise_rmsnorm_fn *rmsnorm;
  vise_add_fn *add;
  vise_swiglu_fn *swiglu;
  vise_rotate_fn *rotate;
  vise_scores_fn *scores;
  vise_soften_fn *soften;
  vise_mix_fn *mix;
} vise_nn_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_nn_init(vise_nn_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_nn_kernels *vise_nn(void);

#endif
