/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KL of a row as nn/loss.c derives it, by the kernels of kernels/loss.h. Sums over all numbers are
 * taken in runs of GRAIN, each in order, and added in order.
 */
#include "nn/distance.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/exp_body.h"
#include "kernels/grad.h"
#include "kernels/loss.h"
#include "nn/loss.h"

#include <math.h>

enum { GRAIN = 1 << 14 };

typedef struct job {
  float *out;
  double *sums; /* one a row or a run */
  const float *x, *y;
  int64_t d;
  double scale;
} job;

static int64_t rows_of_grain(int64_t d) {
  return d >= GRAIN ? 1 : GRAIN / (d < 1 ? 1 : d);
}

/* *out = the sum of the n_sums that `fill` leaves in job->sums, work over `n` in chunks of grain. */
static vise_status sum_chunks(double *out,
                              job *j,
                              int64_t n_sums,
                              int64_t n,
                              int64_t grain,
                              vise_chunk_fn *fill,
                              vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n_sums, sizeof(double), err));
  j->sums = memory;
  const vise_status st = vise_parallel_for(n, grain, fill, j, err);
  double sum = 0.0;
  for (int64_t i = 0; i < n_sums && st == VISE_OK; i++) {
    sum += j->sums[i];
  }
  *out = sum;
  vise_mem_free(memory);
  return st;
}

/* ---- divergence ---- */

/* The softmax of a row, and the logarithm of its sum. */
static vise_softmax_row row_of(const float *x, int64_t v, double *log_sum_out) {
  vise_softmax_row row = {.x = x, .shift = vise_loss()->row_max(x, v)};
  const double sum = vise_loss()->row_sum_exp(x, v, row.shift);
  row.scale = (float)(1.0 / sum);
  *log_sum_out = isfinite(sum) ? vise_loss_log(sum) : (double)NAN;
  return row;
}

static double kl_of(const float *p, const float *q, int64_t v) {
  double log_p, log_q;
  const vise_softmax_row row_p = row_of(p, v, &log_p), row_q = row_of(q, v, &log_q);
  return isfinite(log_p) && isfinite(log_q)
             ? vise_loss()->row_kl(&row_p, &row_q, v, (float)(log_p - log_q))
             : (double)NAN;
}

static void kl_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->sums[i] = kl_of(j->x + i * j->d, j->y + i * j->d, j->d);
  }
}

vise_status
vise_kl_mean(double *out, const float *p, const float *q, int64_t n, int64_t v, vise_err *err) {
  job j = {.x = p, .y = q, .d = v};
  VISE_TRY(sum_chunks(out, &j, n, n, rows_of_grain(v), kl_rows, err));
  *out /= (double)n;
  return VISE_OK;
}

static void kl_back_q_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const float scale = (float)j->scale;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    double log_p, log_q;
    const vise_softmax_row p = row_of(j->x + i * j->d, j->d, &log_p);
    const vise_softmax_row q = row_of(j->y + i * j->d, j->d, &log_q);
    float *out = j->out + i * j->d;
    for (int64_t c = 0; c < j->d; c++) {
      const float is_q = exp_body(q.x[c] - q.shift) * q.scale;
      const float is_p = exp_body(p.x[c] - p.shift) * p.scale;
      out[c] = scale * (is_q - is_p);
    }
  }
}

vise_status vise_kl_backward_q(
    float *d_q, const float *p, const float *q, int64_t n, int64_t v, double scale, vise_err *err) {
  job j = {.out = d_q, .x = p, .y = q, .d = v, .scale = scale};
  return vise_parallel_for(n, rows_of_grain(v), kl_back_q_rows, &j, err);
}

static void kl_back_p_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const float scale = (float)j->scale;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    double log_p, log_q;
    const vise_softmax_row p = row_of(j->x + i * j->d, j->d, &log_p);
    const vise_softmax_row q = row_of(j->y + i * j->d, j->d, &log_q);
    const float kl = (float)vise_loss()->row_kl(&p, &q, j->d, (float)(log_p - log_q));
    const float constant = (float)(log_q - log_p) - kl;
    float *out = j->out + i * j->d;
    vise_grad()->soft_row(out, p.x, j->d, p.shift, p.scale);
    for (int64_t c = 0; c < j->d; c++) {
      const float ratio = ((p.x[c] - p.shift) - (q.x[c] - q.shift)) + constant;
      out[c] = out[c] == 0.0f ? 0.0f : scale * out[c] * ratio; /* -infinity has probability 0 */
    }
  }
}

vise_status vise_kl_backward_p(
    float *d_p, const float *p, const float *q, int64_t n, int64_t v, double scale, vise_err *err) {
  job j = {.out = d_p, .x = p, .y = q, .d = v, .scale = scale};
  return vise_parallel_for(n, rows_of_grain(v), kl_back_p_rows, &j, err);
}

/* ---- distance and angle ---- */

static void squares_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double sum = 0.0;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const double d = (double)j->x[i] - (double)j->y[i];
    sum += d * d;
  }
  j->sums[begin / GRAIN] = sum;
}

vise_status vise_mse_mean(double *out, const float *x, const float *y, int64_t n, vise_err *err) {
  job j = {.x = x, .y = y};
  VISE_TRY(sum_chunks(out, &j, vise_ceil_div(n, GRAIN), n, GRAIN, squares_range, err));
  *out /= (double)n;
  return VISE_OK;
}

static void difference_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const float scale = (float)j->scale;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = scale * (j->x[i] - j->y[i]);
  }
}

vise_status vise_mse_backward(
    float *d_x, const float *x, const float *y, int64_t n, double scale, vise_err *err) {
  job j = {.out = d_x, .x = x, .y = y, .scale = scale};
  return vise_parallel_for(n, GRAIN, difference_range, &j, err);
}

/* x . y, x . x and y . y of a row. */
typedef struct products {
  double xy, xx, yy;
} products;

static products products_of(const float *x, const float *y, int64_t d) {
  products p = {0};
  for (int64_t c = 0; c < d; c++) {
    p.xy += (double)x[c] * (double)y[c];
    p.xx += (double)x[c] * (double)x[c];
    p.yy += (double)y[c] * (double)y[c];
  }
  return p;
}

static void cosine_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const products p = products_of(j->x + i * j->d, j->y + i * j->d, j->d);
    const double norm = sqrt(p.xx * p.yy);
    j->sums[i] = norm == 0.0 ? 0.0 : p.xy / norm;
  }
}

vise_status
vise_cosine_mean(double *out, const float *x, const float *y, int64_t t, int64_t d, vise_err *err) {
  job j = {.x = x, .y = y, .d = d};
  VISE_TRY(sum_chunks(out, &j, t, t, rows_of_grain(d), cosine_rows, err));
  *out /= (double)t;
  return VISE_OK;
}

/* d cos / d x = y / (|x| |y|) - cos x / |x|^2 */
static void cosine_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = j->x + i * j->d, *y = j->y + i * j->d;
    const products p = products_of(x, y, j->d);
    const double norm = sqrt(p.xx * p.yy);
    const double by_y = norm == 0.0 ? 0.0 : j->scale / norm;
    const double by_x = norm == 0.0 ? 0.0 : j->scale * p.xy / norm / p.xx;
    for (int64_t c = 0; c < j->d; c++) {
      j->out[i * j->d + c] = (float)(by_y * (double)y[c] - by_x * (double)x[c]);
    }
  }
}

vise_status vise_cosine_backward(
    float *d_x, const float *x, const float *y, int64_t t, int64_t d, double scale, vise_err *err) {
  job j = {.out = d_x, .x = x, .y = y, .d = d, .scale = scale};
  return vise_parallel_for(t, rows_of_grain(d), cosine_back_rows, &j, err);
}

/* ---- softmax, sums ---- */

static void softmax_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    double log_sum;
    const vise_softmax_row row = row_of(j->x + i * j->d, j->d, &log_sum);
    vise_grad()->soft_row(j->out + i * j->d, row.x, j->d, row.shift, row.scale);
  }
}

vise_status vise_softmax_run(float *out, const float *x, int64_t n, int64_t v, vise_err *err) {
  job j = {.out = out, .x = x, .d = v};
  return vise_parallel_for(n, rows_of_grain(v), softmax_rows, &j, err);
}

static void softmax_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg; /* x: d_y, y: y */
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *d_y = j->x + i * j->d, *y = j->y + i * j->d;
    const float mean = (float)products_of(d_y, y, j->d).xy;
    for (int64_t c = 0; c < j->d; c++) {
      j->out[i * j->d + c] = y[c] * (d_y[c] - mean);
    }
  }
}

vise_status vise_softmax_backward(
    float *d_x, const float *d_y, const float *y, int64_t n, int64_t v, vise_err *err) {
  job j = {.out = d_x, .x = d_y, .y = y, .d = v};
  return vise_parallel_for(n, rows_of_grain(v), softmax_back_rows, &j, err);
}

static void sum_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double sum = 0.0;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    sum += (double)j->x[i];
  }
  j->sums[begin / GRAIN] = sum;
}

vise_status vise_sum_run(double *out, const float *x, int64_t n, vise_err *err) {
  job j = {.x = x};
  return sum_chunks(out, &j, vise_ceil_div(n, GRAIN), n, GRAIN, sum_range, err);
}
