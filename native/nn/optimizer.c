/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/optimizer.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/grad.h"

#include <math.h>

enum { GRAIN = 1 << 15 };

typedef struct job {
  float *p, *m, *v;
  const float *d;
  double *sums;
  vise_adamw_step step;
  float momentum;
} job;

static void adamw_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_grad()->adamw(j->p + begin, j->m + begin, j->v + begin, j->d + begin, end - begin, &j->step);
}

/* b^n by repeated squaring: no C library decides a bit. */
static double power(double b, int64_t n) {
  double result = 1.0;
  for (; n > 0; n /= 2) {
    result *= n % 2 != 0 ? b : 1.0;
    b *= b;
  }
  return result;
}

vise_status vise_adamw_run(float *inout_p,
                           float *inout_m,
                           float *inout_v,
                           const float *d,
                           int64_t n,
                           const vise_adamw *options,
                           vise_err *err) {
  const vise_adamw *o = options;
  job j = {
      .p = inout_p,
      .m = inout_m,
      .v = inout_v,
      .d = d,
      .step = {.rate = (float)o->rate,
               .beta1 = (float)o->beta1,
               .beta2 = (float)o->beta2,
               .epsilon = (float)o->epsilon,
               .decay = (float)o->decay,
               .correct1 = (float)(1.0 / (1.0 - power(o->beta1, o->step))),
               .correct2 = (float)(1.0 / (1.0 - power(o->beta2, o->step))),
               .clip = (float)o->clip},
  };
  return vise_parallel_for(n, GRAIN, adamw_range, &j, err);
}

static void sgd_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_grad()->sgd(j->p + begin, j->m + begin, j->d + begin, end - begin, j->step.rate, j->momentum,
                   j->step.decay, j->step.clip);
}

vise_status vise_sgd_run(float *inout_p,
                         float *inout_m,
                         const float *d,
                         int64_t n,
                         double rate,
                         double momentum,
                         double decay,
                         double clip,
                         vise_err *err) {
  job j = {.p = inout_p,
           .m = inout_m,
           .d = d,
           .step = {.rate = (float)rate, .decay = (float)decay, .clip = (float)clip},
           .momentum = (float)momentum};
  return vise_parallel_for(n, GRAIN, sgd_range, &j, err);
}

static void sign_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  vise_grad()->sign(j->p + begin, j->d + begin, end - begin, j->step.rate, j->step.decay);
}

vise_status
vise_sign_run(float *inout_p, const float *d, int64_t n, double rate, double decay, vise_err *err) {
  job j = {.p = inout_p, .d = d, .step = {.rate = (float)rate, .decay = (float)decay}};
  return vise_parallel_for(n, GRAIN, sign_range, &j, err);
}

static void squares_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  j->sums[begin / GRAIN] = vise_grad()->squares(j->d + begin, end - begin);
}

vise_status vise_squares_run(double *out, const float *x, int64_t n, vise_err *err) {
  const int64_t n_runs = vise_ceil_div(n, GRAIN);
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n_runs, sizeof(double), err));
  job j = {.d = x, .sums = memory};
  const vise_status st = vise_parallel_for(n, GRAIN, squares_range, &j, err);
  double sum = 0.0;
  for (int64_t i = 0; i < n_runs && st == VISE_OK; i++) {
    sum += j.sums[i];
  }
  *out = sum;
  vise_mem_free(memory);
  return st;
}
