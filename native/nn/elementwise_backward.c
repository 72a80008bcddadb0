/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derivatives of nn/elementwise.h. What is summed over tokens is summed in runs of ROWS_PER_SUM
 * tokens, whose sums are added in order: threads share the runs and cannot change a bit.
 */
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/grad.h"
#include "nn/elementwise.h"

#include <string.h>

enum { GRAIN = 1 << 15, ROWS_PER_SUM = 64, VOCABULARY_ROWS = 256 };

typedef struct job {
  float *out, *other; /* other: a second output, or the sums of runs */
  const float *d_y, *x, *y;
  const int32_t *ids;
  int64_t n, d;
  double eps;
} job;

/* out [d] = the sum of the sums of all runs, which has_sums fills: [runs, d], zero before. */
static vise_status sum_runs(float *out, job *j, int64_t t, vise_chunk_fn *fill, vise_err *err) {
  const int64_t n_runs = vise_ceil_div(t, ROWS_PER_SUM);
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n_runs * j->d, sizeof(float), err));
  j->other = memory;
  memset(memory, 0, (size_t)(n_runs * j->d) * sizeof(float));
  const vise_status st = vise_parallel_for(t, ROWS_PER_SUM, fill, j, err);
  memset(out, 0, (size_t)j->d * sizeof *out);
  for (int64_t i = 0; i < n_runs && st == VISE_OK; i++) {
    vise_grad()->accumulate(out, j->other + i * j->d, j->d);
  }
  vise_mem_free(memory);
  return st;
}

static void rmsnorm_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    vise_grad()->rmsnorm_back(j->out + i * j->d, j->other + i / ROWS_PER_SUM * j->d,
                              j->d_y + i * j->d, j->x + i * j->d, j->y, j->d, j->eps);
  }
}

vise_status vise_rmsnorm_backward(float *d_x,
                                  float *d_gain,
                                  const float *d_y,
                                  const float *x,
                                  const float *gain,
                                  int64_t t,
                                  int64_t d,
                                  double eps,
                                  vise_err *err) {
  job j = {.out = d_x, .d_y = d_y, .x = x, .y = gain, .d = d, .eps = eps};
  return sum_runs(d_gain, &j, t, rmsnorm_back_rows, err);
}

static void sum_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    vise_grad()->accumulate(j->other + i / ROWS_PER_SUM * j->d, j->x + i * j->d, j->d);
  }
}

vise_status vise_bias_backward(float *out, const float *x, int64_t t, int64_t m, vise_err *err) {
  job j = {.x = x, .d = m};
  return sum_runs(out, &j, t, sum_rows, err);
}

static void swiglu_back_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_grad()->swiglu_back(j->out + begin, j->other + begin, j->d_y + begin, j->x + begin,
                           j->y + begin, end - begin);
}

vise_status vise_swiglu_backward(float *d_gate,
                                 float *d_up,
                                 const float *d_y,
                                 const float *gate,
                                 const float *up,
                                 int64_t n,
                                 vise_err *err) {
  job j = {.out = d_gate, .other = d_up, .d_y = d_y, .x = gate, .y = up};
  return vise_parallel_for(n, GRAIN, swiglu_back_range, &j, err);
}

static void scale_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_grad()->scale(j->out + begin, j->x + begin, end - begin, (float)j->eps);
}

vise_status vise_scale_run(float *out, const float *x, double a, int64_t n, vise_err *err) {
  job j = {.out = out, .x = x, .eps = a};
  return vise_parallel_for(n, GRAIN, scale_range, &j, err);
}

/* Rows [begin, end) of the matrix: each thread looks through all ids for its own. */
static void gather_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  memset(j->out + begin * j->d, 0, (size_t)((end - begin) * j->d) * sizeof *j->out);
  for (int64_t i = 0; i < j->n; i++) {
    if (j->ids[i] >= begin && j->ids[i] < end) {
      vise_grad()->accumulate(j->out + j->ids[i] * j->d, j->d_y + i * j->d, j->d);
    }
  }
}

vise_status vise_gather_backward(float *out,
                                 const float *d_y,
                                 const int32_t *ids,
                                 int64_t n,
                                 int64_t m,
                                 int64_t k,
                                 vise_err *err) {
  job j = {.out = out, .d_y = d_y, .ids = ids, .n = n, .d = k};
  return vise_parallel_for(m, VOCABULARY_ROWS, gather_back_rows, &j, err);
}
