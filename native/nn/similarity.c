/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/similarity.h"

#include "core/parallel.h"

#include <math.h>

typedef struct job {
  double *out;
  const float *x, *y;
  int64_t d;
} job;

static void cosines(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const job *s = arg;
  for (int64_t i = begin; i < end; i++) {
    double xy = 0.0, xx = 0.0, yy = 0.0;
    for (int64_t j = i * s->d; j < (i + 1) * s->d; j++) {
      xy += (double)s->x[j] * (double)s->y[j];
      xx += (double)s->x[j] * (double)s->x[j];
      yy += (double)s->y[j] * (double)s->y[j];
    }
    s->out[i] = xx > 0.0 && yy > 0.0 ? xy / (sqrt(xx) * sqrt(yy)) : 0.0;
  }
}

vise_status
vise_cosines_run(double *out, const float *x, const float *y, int64_t n, int64_t d, vise_err *err) {
  job s = {out, x, y, d};
  return vise_parallel_for(n, 1 + (1 << 16) / (d + 1), cosines, &s, err);
}
