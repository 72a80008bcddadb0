/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/elementwise.h"

#include "core/parallel.h"
#include "kernels/nn.h"

/* Numbers a chunk: enough to be worth a thread's while, few enough to share out. */
enum { GRAIN = 1 << 15 };

typedef struct job {
  float *out;
  const float *x, *y;
  int64_t d;
  double eps;
} job;

static int64_t rows_of_grain(int64_t d) {
  return d < GRAIN ? GRAIN / (d < 1 ? 1 : d) : 1;
}

static void rmsnorm_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    vise_nn()->rmsnorm(j->out + i * j->d, j->x + i * j->d, j->y, j->d, j->eps);
  }
}

static void bias_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    vise_nn()->add(j->out + i * j->d, j->x + i * j->d, j->y, j->d);
  }
}

static void add_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_nn()->add(j->out + begin, j->x + begin, j->y + begin, end - begin);
}

static void swiglu_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_nn()->swiglu(j->out + begin, j->x + begin, j->y + begin, end - begin);
}

vise_status vise_rmsnorm_run(float *out,
                             const float *x,
                             const float *gain,
                             int64_t t,
                             int64_t d,
                             double eps,
                             vise_err *err) {
  job j = {.out = out, .x = x, .y = gain, .d = d, .eps = eps};
  return vise_parallel_for(t, rows_of_grain(d), rmsnorm_rows, &j, err);
}

vise_status vise_add_run(float *out, const float *x, const float *y, int64_t n, vise_err *err) {
  job j = {.out = out, .x = x, .y = y};
  return vise_parallel_for(n, GRAIN, add_range, &j, err);
}

vise_status
vise_bias_run(float *out, const float *x, const float *b, int64_t t, int64_t m, vise_err *err) {
  job j = {.out = out, .x = x, .y = b, .d = m};
  return vise_parallel_for(t, rows_of_grain(m), bias_rows, &j, err);
}

vise_status
vise_swiglu_run(float *out, const float *gate, const float *up, int64_t n, vise_err *err) {
  job j = {.out = out, .x = gate, .y = up};
  return vise_parallel_for(n, GRAIN, swiglu_range, &j, err);
}
