/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With n = (x - mean) / sqrt(variance + eps), the derivatives by the mean and the variance give
 *
 *   d_x = inv (g - mean(g) - n mean(g n)),  g = d_y gain,  means over what was normalised
 *   d_gain = sum over t of d_y n            d_bias = sum over t of d_y
 *
 * Sums over rows are taken in runs of ROWS_PER_RUN rows, two sums a column, added in order.
 */
#include "nn/norm.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_RUN = 256 };

typedef struct job {
  float *out;
  double *sums; /* [runs, 2 d] */
  const float *d_y, *x, *gain, *bias, *mean, *variance;
  double *column; /* [2 d] what a pass over rows needs of each column */
  int64_t t, d;
  double eps;
} job;

/* total [2 d] = the sums that `fill` leaves for each run, added in order. */
static vise_status sum_runs(double *total, job *j, vise_chunk_fn *fill, vise_err *err) {
  const int64_t n_runs = vise_ceil_div(j->t, ROWS_PER_RUN), width = 2 * j->d;
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n_runs * width, sizeof(double), err));
  memset(memory, 0, (size_t)(n_runs * width) * sizeof(double));
  j->sums = memory;
  const vise_status st = vise_parallel_for(j->t, ROWS_PER_RUN, fill, j, err);
  memset(total, 0, (size_t)width * sizeof(double));
  for (int64_t run = 0; run < n_runs && st == VISE_OK; run++) {
    for (int64_t c = 0; c < width; c++) {
      total[c] += j->sums[run * width + c];
    }
  }
  vise_mem_free(memory);
  return st;
}

/* ---- layer norm ---- */

typedef struct moments {
  double mean, inverse;
} moments;

static moments row_moments(const float *x, int64_t d, double eps) {
  double sum = 0.0, squares = 0.0;
  for (int64_t c = 0; c < d; c++) {
    sum += (double)x[c];
  }
  const double mean = sum / (double)d;
  for (int64_t c = 0; c < d; c++) {
    squares += ((double)x[c] - mean) * ((double)x[c] - mean);
  }
  return (moments){mean, 1.0 / sqrt(squares / (double)d + eps)};
}

static void layernorm_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = j->x + i * j->d;
    const moments m = row_moments(x, j->d, j->eps);
    for (int64_t c = 0; c < j->d; c++) {
      const float n = (float)(((double)x[c] - m.mean) * m.inverse);
      j->out[i * j->d + c] = n * j->gain[c] + j->bias[c];
    }
  }
}

vise_status vise_layernorm_run(float *out,
                               const float *x,
                               const float *gain,
                               const float *bias,
                               int64_t t,
                               int64_t d,
                               double eps,
                               vise_err *err) {
  job j = {.out = out, .x = x, .gain = gain, .bias = bias, .t = t, .d = d, .eps = eps};
  return vise_parallel_for(t, ROWS_PER_RUN, layernorm_rows, &j, err);
}

static void layernorm_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double *sums = j->sums + begin / ROWS_PER_RUN * 2 * j->d;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = j->x + i * j->d, *d_y = j->d_y + i * j->d;
    const moments m = row_moments(x, j->d, j->eps);
    double sum = 0.0, along = 0.0;
    for (int64_t c = 0; c < j->d; c++) {
      const double n = ((double)x[c] - m.mean) * m.inverse, g = (double)d_y[c] * (double)j->gain[c];
      sum += g;
      along += g * n;
      sums[c] += (double)d_y[c] * n;
      sums[j->d + c] += (double)d_y[c];
    }
    sum /= (double)j->d;
    along /= (double)j->d;
    for (int64_t c = 0; c < j->d; c++) {
      const double n = ((double)x[c] - m.mean) * m.inverse, g = (double)d_y[c] * (double)j->gain[c];
      j->out[i * j->d + c] = (float)(m.inverse * (g - sum - n * along));
    }
  }
}

static void narrow(float *out, const double *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)x[i];
  }
}

vise_status vise_layernorm_backward(float *d_x,
                                    float *d_gain,
                                    float *d_bias,
                                    const float *d_y,
                                    const float *x,
                                    const float *gain,
                                    int64_t t,
                                    int64_t d,
                                    double eps,
                                    vise_err *err) {
  void *total;
  VISE_TRY(vise_mem_alloc_array(&total, 2 * d, sizeof(double), err));
  job j = {.out = d_x, .d_y = d_y, .x = x, .gain = gain, .t = t, .d = d, .eps = eps};
  const vise_status st = sum_runs(total, &j, layernorm_back_rows, err);
  if (st == VISE_OK) {
    narrow(d_gain, total, d);
    narrow(d_bias, (const double *)total + d, d);
  }
  vise_mem_free(total);
  return st;
}

/* ---- batch norm ---- */

static void sum_columns(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double *sums = j->sums + begin / ROWS_PER_RUN * 2 * j->d;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < j->d; c++) {
      sums[c] += (double)j->x[i * j->d + c];
    }
  }
}

/* column [d]: the means. */
static void square_columns(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double *sums = j->sums + begin / ROWS_PER_RUN * 2 * j->d;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < j->d; c++) {
      const double from_mean = (double)j->x[i * j->d + c] - j->column[c];
      sums[c] += from_mean * from_mean;
    }
  }
}

vise_status vise_column_moments_run(
    float *mean_out, float *variance_out, const float *x, int64_t t, int64_t d, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, 4 * d, sizeof(double), err));
  double *total = memory, *mean = total + 2 * d;
  job j = {.x = x, .column = mean, .t = t, .d = d};
  vise_status st = sum_runs(total, &j, sum_columns, err);
  for (int64_t c = 0; c < d && st == VISE_OK; c++) {
    mean[c] = total[c] / (double)t;
  }
  if (st == VISE_OK) {
    st = sum_runs(total, &j, square_columns, err);
  }
  for (int64_t c = 0; c < d && st == VISE_OK; c++) {
    mean_out[c] = (float)mean[c];
    variance_out[c] = (float)(total[c] / (double)t);
  }
  vise_mem_free(memory);
  return st;
}

static float inverse_of(const job *j, int64_t c) {
  return (float)(1.0 / sqrt((double)j->variance[c] + j->eps));
}

static void batchnorm_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < j->d; c++) {
      const float n = (j->x[i * j->d + c] - j->mean[c]) * (float)j->column[c];
      j->out[i * j->d + c] = n * j->gain[c] + j->bias[c];
    }
  }
}

vise_status vise_batchnorm_run(float *out,
                               const float *x,
                               const float *gain,
                               const float *bias,
                               const float *mean,
                               const float *variance,
                               int64_t t,
                               int64_t d,
                               double eps,
                               vise_err *err) {
  void *inverse;
  VISE_TRY(vise_mem_alloc_array(&inverse, d, sizeof(double), err));
  job j = {.out = out,
           .x = x,
           .gain = gain,
           .bias = bias,
           .mean = mean,
           .variance = variance,
           .column = inverse,
           .t = t,
           .d = d,
           .eps = eps};
  for (int64_t c = 0; c < d; c++) {
    j.column[c] = (double)inverse_of(&j, c);
  }
  const vise_status st = vise_parallel_for(t, ROWS_PER_RUN, batchnorm_rows, &j, err);
  vise_mem_free(inverse);
  return st;
}

/* Sums of d_y n, then of d_y. */
static void sum_derivatives(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  double *sums = j->sums + begin / ROWS_PER_RUN * 2 * j->d;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < j->d; c++) {
      const double d = (double)j->d_y[i * j->d + c];
      sums[c] += d * (double)(j->x[i * j->d + c] - j->mean[c]);
      sums[j->d + c] += d;
    }
  }
}

/* column [2 d]: the means over rows of d_y n and d_y, or zeros. */
static void batchnorm_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < j->d; c++) {
      const float inverse = (float)j->sums[c], n = (j->x[i * j->d + c] - j->mean[c]) * inverse;
      const float centred = j->d_y[i * j->d + c] - (float)j->column[j->d + c];
      j->out[i * j->d + c] = j->gain[c] * inverse * (centred - n * (float)j->column[c]);
    }
  }
}

vise_status vise_batchnorm_backward(float *d_x,
                                    float *d_gain,
                                    float *d_bias,
                                    const float *d_y,
                                    const float *x,
                                    const float *gain,
                                    const float *mean,
                                    const float *variance,
                                    int64_t t,
                                    int64_t d,
                                    double eps,
                                    bool is_constant,
                                    vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, 3 * d, sizeof(double), err));
  double *total = memory, *inverse = total + 2 * d;
  job j = {.out = d_x,
           .d_y = d_y,
           .x = x,
           .gain = gain,
           .mean = mean,
           .variance = variance,
           .column = total,
           .t = t,
           .d = d,
           .eps = eps};
  vise_status st = sum_runs(total, &j, sum_derivatives, err);
  if (st != VISE_OK) {
    goto done;
  }
  for (int64_t c = 0; c < d; c++) {
    inverse[c] = (double)inverse_of(&j, c);
    total[c] *= inverse[c];
    d_gain[c] = (float)total[c];
    d_bias[c] = (float)total[d + c];
    total[c] = is_constant ? 0.0 : total[c] / (double)t;
    total[d + c] = is_constant ? 0.0 : total[d + c] / (double)t;
  }
  j.sums = inverse;
  st = vise_parallel_for(t, ROWS_PER_RUN, batchnorm_back_rows, &j, err);
done:
  vise_mem_free(memory);
  return st;
}
