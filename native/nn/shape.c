/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/shape.h"

#include "core/parallel.h"

#include <string.h>

enum { ROWS_PER_CHUNK = 64 };

typedef struct job {
  float *out;
  const float *x;
  const int32_t *ids;
  const vise_pasting *part;
  int64_t v, n;
} job;

static void paste_outer(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_pasting *p = j->part;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    memcpy(j->out + (i * p->n_out + p->start) * p->inner, j->x + i * p->n * p->inner,
           (size_t)(p->n * p->inner) * sizeof *j->out);
  }
}

static void take_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin * j->n; i < end * j->n; i++) {
    j->out[i] = j->x[i / j->n * j->v + j->ids[i]];
  }
}

static void take_back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  memset(j->out + begin * j->v, 0, (size_t)((end - begin) * j->v) * sizeof *j->out);
  for (int64_t i = begin * j->n; i < end * j->n; i++) {
    j->out[i / j->n * j->v + j->ids[i]] += j->x[i];
  }
}

vise_status vise_paste_run(float *inout, const float *part, const vise_pasting *p, vise_err *err) {
  job j = {.out = inout, .x = part, .part = p};
  return vise_parallel_for(p->outer, ROWS_PER_CHUNK, paste_outer, &j, err);
}

vise_status vise_take_run(float *out,
                          const float *x,
                          const int32_t *ids,
                          int64_t t,
                          int64_t v,
                          int64_t n,
                          vise_err *err) {
  job j = {.out = out, .x = x, .ids = ids, .v = v, .n = n};
  return vise_parallel_for(t, ROWS_PER_CHUNK, take_rows, &j, err);
}

vise_status vise_take_backward(float *d_x,
                               const float *d_out,
                               const int32_t *ids,
                               int64_t t,
                               int64_t v,
                               int64_t n,
                               vise_err *err) {
  job j = {.out = d_x, .x = d_out, .ids = ids, .v = v, .n = n};
  return vise_parallel_for(t, ROWS_PER_CHUNK, take_back_rows, &j, err);
}
