/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The greatest are found by insertion into a sorted list of k: a logit that is not among them costs
 * one comparison, and of a row in random order about k log(v / k) are moved in. The sum of the
 * others is taken for itself, since 1 less the known would cancel.
 */
#include "nn/top.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/exp_body.h"
#include "kernels/loss.h"
#include "nn/loss.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { GRAIN = 1 << 14 };

static int64_t rows_of_grain(int64_t v) {
  return v >= GRAIN ? 1 : GRAIN / v;
}

/* log s for s >= 0; vise_loss_log is for s >= 1. */
static double log_of(double s) {
  return s == 0.0 ? -(double)INFINITY : s < 1.0 ? -vise_loss_log(1.0 / s) : vise_loss_log(s);
}

/* The sums of exp(x - greatest), of all and, *others_out, of all but the ids. rest [v]: x - greatest,
   -infinity at the ids. */
static double split_row(float *rest,
                        double *others_out,
                        const float *x,
                        float greatest,
                        int64_t v,
                        const int32_t *ids,
                        int64_t k) {
  for (int64_t c = 0; c < v; c++) {
    rest[c] = x[c] - greatest;
  }
  double known = 0.0;
  for (int64_t i = 0; i < k; i++) {
    known += (double)exp_body(rest[ids[i]]);
    rest[ids[i]] = -INFINITY;
  }
  *others_out = vise_loss()->row_sum_exp(rest, v, 0.0f);
  return known + *others_out;
}

/* ---- what a reference predicts ---- */

typedef struct find_job {
  int32_t *ids;
  float *log_p, *log_tail;
  const float *logits;
  float *scratch; /* [threads, v] */
  int64_t k, v;
} find_job;

/* The columns of the k greatest of x [v], falling; of equals the first ones. */
static void find_greatest(int32_t *ids, const float *x, int64_t v, int64_t k) {
  int64_t n = 0;
  for (int64_t c = 0; c < v; c++) {
    if (n == k && !(x[c] > x[ids[k - 1]])) {
      continue;
    }
    int64_t at = n < k ? n++ : k - 1;
    for (; at > 0 && x[c] > x[ids[at - 1]]; at--) {
      ids[at] = ids[at - 1];
    }
    ids[at] = (int32_t)c;
  }
}

static void find_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const find_job *j = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = j->logits + row * j->v;
    int32_t *ids = j->ids + row * j->k;
    float *log_p = j->log_p + row * j->k;
    find_greatest(ids, x, j->v, j->k);
    const float greatest = vise_loss()->row_max(x, j->v);
    double others;
    const double total =
        split_row(j->scratch + worker * j->v, &others, x, greatest, j->v, ids, j->k);
    const double log_total = isfinite(total) ? log_of(total) : (double)NAN;
    for (int64_t i = 0; i < j->k; i++) {
      log_p[i] = (float)((double)(x[ids[i]] - greatest) - log_total);
    }
    j->log_tail[row] = (float)(log_of(others) - log_total);
  }
}

vise_status vise_top_find(int32_t *ids_out,
                          float *log_p_out,
                          float *log_tail_out,
                          const float *logits,
                          int64_t n,
                          int64_t k,
                          int64_t v,
                          vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads() * v, sizeof(float), err));
  find_job j = {.ids = ids_out,
                .log_p = log_p_out,
                .log_tail = log_tail_out,
                .logits = logits,
                .scratch = memory,
                .k = k,
                .v = v};
  const vise_status st = vise_parallel_for(n, rows_of_grain(v), find_rows, &j, err);
  vise_mem_free(memory);
  return st;
}

/* ---- divergence from it ---- */

typedef struct top_job {
  const vise_top *top;
  const float *logits;
  float *out;     /* the derivative, or NULL */
  double *sums;   /* of rows, or NULL */
  float *scratch; /* [threads, v] */
  double scale;
} top_job;

/* One row: its divergence; its derivative into `out` unless that is NULL. rest [v]: scratch. */
static double top_row(const top_job *j, int64_t row, float *rest) {
  const vise_top *top = j->top;
  const int64_t k = top->k, v = top->v;
  const float *x = j->logits + row * v, *log_p = top->log_p + row * k;
  const int32_t *ids = top->ids + row * k;
  const float greatest = vise_loss()->row_max(x, v);
  double others;
  const double total = split_row(rest, &others, x, greatest, v, ids, k);
  if (!isfinite(total)) {
    return (double)NAN;
  }
  const double log_total = vise_loss_log(total < 1.0 ? 1.0 : total), log_others = log_of(others);
  const double tail = (double)exp_body(top->log_tail[row]);
  double kl = tail == 0.0 ? 0.0 : tail * ((double)top->log_tail[row] - (log_others - log_total));
  for (int64_t i = 0; i < k; i++) {
    const double p = (double)exp_body(log_p[i]), log_q = (double)(x[ids[i]] - greatest) - log_total;
    kl += p == 0.0 ? 0.0 : p * ((double)log_p[i] - log_q);
  }
  if (j->out != NULL) {
    float *out = j->out + row * v;
    const double share = tail == 0.0 ? 0.0 : tail / (others / total);
    const float factor = (float)(j->scale / total * (1.0 - share));
    for (int64_t c = 0; c < v; c++) {
      out[c] = exp_body(rest[c]) * factor;
    }
    for (int64_t i = 0; i < k; i++) {
      const double q = (double)exp_body(x[ids[i]] - greatest) / total;
      out[ids[i]] = (float)(j->scale * (q - (double)exp_body(log_p[i])));
    }
  }
  return kl;
}

static void top_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const top_job *j = arg;
  for (int64_t i = begin; i < end; i++) {
    const double kl = top_row(j, i, j->scratch + worker * j->top->v);
    if (j->sums != NULL) {
      j->sums[i] = kl;
    }
  }
}

/* Over all rows, with scratch for each thread. */
static vise_status run_top(top_job *j, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads() * j->top->v, sizeof(float), err));
  j->scratch = memory;
  const vise_status st = vise_parallel_for(j->top->n, rows_of_grain(j->top->v), top_rows, j, err);
  vise_mem_free(memory);
  return st;
}

vise_status vise_kl_top_mean(double *out, const float *logits, const vise_top *top, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, top->n, sizeof(double), err));
  top_job j = {.top = top, .logits = logits, .sums = memory};
  const vise_status st = run_top(&j, err);
  double sum = 0.0;
  for (int64_t i = 0; i < top->n && st == VISE_OK; i++) {
    sum += j.sums[i];
  }
  *out = sum / (double)top->n;
  vise_mem_free(memory);
  return st;
}

vise_status vise_kl_top_backward(
    float *d_logits, const float *logits, const vise_top *top, double scale, vise_err *err) {
  top_job j = {.top = top, .logits = logits, .out = d_logits, .scale = scale};
  return run_top(&j, err);
}
