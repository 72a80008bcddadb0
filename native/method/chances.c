/* SPDX-License-Identifier: Apache-2.0 */
#include "method/chances.h"

#include "core/mem.h"
#include "core/rng.h"
#include "kernels/loss.h"
#include "linalg/cholesky.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

#include <math.h>

enum { TOKENS = 256, SLAB = 16 };
static const double DAMPING = 1e-4, LEAST = 1e-12;

/* l_out [k, k]: the factor of the covariance. */
static vise_status factor(double *l_out, const vise_moments *s, vise_err *err) {
  const int64_t k = s->n;
  const double per_token = 1.0 / (double)s->count;
  double *c;
  VISE_TRY(vise_matrix_alloc(&c, k, k, err));
  for (int64_t i = 0; i < k; i++) {
    for (int64_t j = 0; j <= i; j++) {
      c[i * k + j] =
          s->second[i * k + j] * per_token - s->sum[i] * per_token * (s->sum[j] * per_token);
    }
    c[i * k + i] += 1e-30; /* inputs that never vary */
  }
  const vise_status st = vise_cholesky_damped(l_out, NULL, c, k, k, DAMPING, err);
  vise_mem_free(c);
  return st;
}

/* x_out [TOKENS, k] = mean + L g */
static vise_status draw(float *x_out, const vise_moments *s, const vise_rng *rng, vise_err *err) {
  const int64_t k = s->n;
  double *l, *g = NULL, *x = NULL;
  VISE_TRY(vise_matrix_alloc(&l, k, k, err));
  vise_status st = vise_matrix_alloc(&g, TOKENS, k, err);
  st = st == VISE_OK ? vise_matrix_alloc(&x, TOKENS, k, err) : st;
  st = st == VISE_OK ? factor(l, s, err) : st;
  for (int64_t i = 0; i < TOKENS * k && st == VISE_OK; i++) {
    g[i] = vise_rng_normal(rng, (uint64_t)i);
  }
  st = st == VISE_OK ? vise_gemm_f64(x, k, g, k, TOKENS, l, k, k, k, err) : st;
  for (int64_t i = 0; i < TOKENS * k && st == VISE_OK; i++) {
    x_out[i] = (float)(x[i] + s->sum[i % k] / (double)s->count);
  }
  vise_mem_free(x);
  vise_mem_free(g);
  vise_mem_free(l);
  return st;
}

static vise_status
add(double *p, const vise_weight *w, const float *x, float *logits, vise_err *err) {
  VISE_TRY(vise_weight_matmul(w, logits, w->m, x, w->k, SLAB, err));
  for (int64_t t = 0; t < SLAB; t++) {
    const float *row = logits + t * w->m;
    const float shift = vise_loss()->row_max(row, w->m);
    const double scale = 1.0 / (TOKENS * vise_loss()->row_sum_exp(row, w->m, shift));
    for (int64_t i = 0; i < w->m; i++) {
      p[i] += scale * exp((double)row[i] - (double)shift);
    }
  }
  return VISE_OK;
}

vise_status vise_chances(double *p_out,
                         const vise_weight *w,
                         const vise_moments *moments,
                         uint64_t seed,
                         const char *name,
                         vise_err *err) {
  const vise_rng rng = vise_rng_named(seed, name);
  void *x = NULL, *logits = NULL;
  VISE_TRY(vise_mem_alloc_array(&x, TOKENS * w->k, sizeof(float), err));
  vise_status st = vise_mem_alloc_array(&logits, SLAB * w->m, sizeof(float), err);
  for (int64_t i = 0; i < w->m; i++) {
    p_out[i] = LEAST;
  }
  st = st == VISE_OK ? draw(x, moments, &rng, err) : st;
  for (int64_t t = 0; t < TOKENS && st == VISE_OK; t += SLAB) {
    st = add(p_out, w, (const float *)x + t * w->k, logits, err);
  }
  vise_mem_free(logits);
  vise_mem_free(x);
  return st;
}
