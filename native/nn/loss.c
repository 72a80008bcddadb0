/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With s the greatest logit of a row x and S = sum e^(x[i] - s),
 *
 *   log p[i] = (x[i] - s) - log S          nll = log S - (x[target] - s)
 *
 * The divergence is summed as
 *
 *   KL(p || q) = sum p (e^d - 1 - d),      d = log q - log p
 *
 * which is sum p log(p / q) with sum (q - p) = 0 added. Summed as it is defined, terms of both
 * signs of the size of p d cancel down to about p d^2 / 2, and a small divergence drowns in the
 * rounding of the two logarithms. Here no term is negative, so none cancels: the sum keeps the
 * relative precision of its terms, is never negative, and is 0 where the rows are equal (each d is
 * 0).
 */
#include "nn/loss.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/grad.h"
#include "kernels/loss.h"

#include <math.h>

enum { LOGITS_PER_CHUNK = 1 << 16 };

typedef struct loss_job {
  double *out;
  float *d_out;
  double scale;
  uint8_t *agree;
  const float *p, *q;
  const int32_t *targets;
  int64_t v;
} loss_job;

static int64_t tokens_per_chunk(int64_t v) {
  return v >= LOGITS_PER_CHUNK ? 1 : LOGITS_PER_CHUNK / v;
}

/*
 * x = 2^e m with m in [sqrt 1/2, sqrt 2); log m = 2 atanh(u), u = (m - 1) / (m + 1), by the series of
 * atanh, whose first term left out is below 1e-17 as |u| < 0.172.
 */
double vise_loss_log(double x) {
  int e;
  double m = frexp(x, &e);
  if (m < 0.70710678118654752) {
    m *= 2.0;
    e--;
  }
  const double u = (m - 1.0) / (m + 1.0), z = u * u;
  double series = 0.0;
  for (int k = 10; k >= 1; k--) {
    series = (series + 1.0 / (2 * k + 1)) * z;
  }
  /* ln 2 in two parts, the products of the first with e exact. */
  const double high = 0x1.62e42feep-1, low = 0x1.a39ef35793c76p-33;
  return (double)e * high + (2.0 * (u + u * series) + (double)e * low);
}

static void nll_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const loss_job *job = arg;
  const vise_loss_kernels *kernels = vise_loss();
  for (int64_t i = begin; i < end; i++) {
    const float *row = job->p + i * job->v;
    const float greatest = kernels->row_max(row, job->v);
    const double sum = kernels->row_sum_exp(row, job->v, greatest);
    job->out[i] = isfinite(sum) ? vise_loss_log(sum) - (double)(row[job->targets[i]] - greatest)
                                : (double)NAN;
  }
}

static int64_t first_greatest(const float *row, float greatest) {
  int64_t i = 0;
  while (row[i] != greatest) {
    i++;
  }
  return i;
}

static void divergence_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const loss_job *job = arg;
  const vise_loss_kernels *kernels = vise_loss();
  for (int64_t i = begin; i < end; i++) {
    vise_softmax_row p = {.x = job->p + i * job->v}, q = {.x = job->q + i * job->v};
    p.shift = kernels->row_max(p.x, job->v);
    q.shift = kernels->row_max(q.x, job->v);
    const double sum_p = kernels->row_sum_exp(p.x, job->v, p.shift);
    const double sum_q = kernels->row_sum_exp(q.x, job->v, q.shift);
    if (!isfinite(sum_p) || !isfinite(sum_q)) {
      job->out[i] = (double)NAN;
      continue;
    }
    p.scale = (float)(1.0 / sum_p);
    q.scale = (float)(1.0 / sum_q);
    const float log_ratio = (float)(vise_loss_log(sum_p) - vise_loss_log(sum_q));
    job->out[i] = kernels->row_kl(&p, &q, job->v, log_ratio);
    job->agree[i] = first_greatest(p.x, p.shift) == first_greatest(q.x, q.shift);
  }
}

static vise_status check_finite(const double *out, int64_t n, const char *what, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(out[i])) {
      return vise_fail(err, VISE_ENUMERIC,
                       "%s: row %lld of the logits gives %s, expected finite logits", what,
                       (long long)i + 1, isnan(out[i]) ? "NaN" : "infinity");
    }
  }
  return VISE_OK;
}

/* NaN where a row is not finite. */
static vise_status nll_rows(
    double *out, const float *logits, int64_t n, int64_t v, const int32_t *targets, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    if (targets[i] < 0 || targets[i] >= v) {
      return vise_fail(err, VISE_EARG, "nll: target %lld is %d, expected 0 to %lld",
                       (long long)i + 1, (int)targets[i], (long long)v - 1);
    }
  }
  loss_job job = {.out = out, .p = logits, .targets = targets, .v = v};
  return vise_parallel_for(n, tokens_per_chunk(v), nll_chunk, &job, err);
}

vise_status vise_nll_run(
    double *out, const float *logits, int64_t n, int64_t v, const int32_t *targets, vise_err *err) {
  VISE_TRY(nll_rows(out, logits, n, v, targets, err));
  return check_finite(out, n, "nll", err);
}

vise_status vise_nll_mean(
    double *out, const float *logits, int64_t n, int64_t v, const int32_t *targets, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(double), err));
  const double *rows = memory;
  const vise_status st = nll_rows(memory, logits, n, v, targets, err);
  double sum = 0.0;
  for (int64_t i = 0; i < n && st == VISE_OK; i++) {
    sum += rows[i];
  }
  *out = sum / (double)n;
  vise_mem_free(memory);
  return st;
}

static void nll_back_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const loss_job *job = arg;
  const vise_loss_kernels *kernels = vise_loss();
  for (int64_t i = begin; i < end; i++) {
    const float *row = job->p + i * job->v;
    float *out = job->d_out + i * job->v;
    const float greatest = kernels->row_max(row, job->v);
    const double sum = kernels->row_sum_exp(row, job->v, greatest);
    vise_grad()->soft_row(out, row, job->v, greatest, (float)(job->scale / sum));
    out[job->targets[i]] -= (float)job->scale;
  }
}

vise_status vise_nll_backward(float *d_logits,
                              const float *logits,
                              int64_t n,
                              int64_t v,
                              const int32_t *targets,
                              double scale,
                              vise_err *err) {
  loss_job job = {.d_out = d_logits, .scale = scale, .p = logits, .targets = targets, .v = v};
  return vise_parallel_for(n, tokens_per_chunk(v), nll_back_chunk, &job, err);
}

vise_status vise_divergence_run(double *kl_out,
                                uint8_t *agree_out,
                                const float *p,
                                const float *q,
                                int64_t n,
                                int64_t v,
                                vise_err *err) {
  loss_job job = {.out = kl_out, .agree = agree_out, .p = p, .q = q, .v = v};
  VISE_TRY(vise_parallel_for(n, tokens_per_chunk(v), divergence_chunk, &job, err));
  return check_finite(kl_out, n, "divergence", err);
}
