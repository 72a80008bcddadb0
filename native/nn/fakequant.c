/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/fakequant.h"

#include "core/checked.h"
#include "core/parallel.h"

#include <math.h>

enum { NUMBERS_PER_CHUNK = 1 << 14 };

typedef struct job {
  const vise_fakequant *q;
  const vise_fakequant_grads *grads;
  const float *d_out;
  float *out, *magnitude, *other;
} job;

static int64_t rows_per_chunk(int64_t k) {
  return k >= NUMBERS_PER_CHUNK ? 1 : NUMBERS_PER_CHUNK / (k < 1 ? 1 : k);
}

/* A group of columns of a row: where it begins, and its numbers. */
typedef struct patch {
  int64_t at, n;
  float s, z;
} patch;

static patch patch_of(const vise_fakequant *q, int64_t group) {
  const int64_t n_groups = vise_ceil_div(q->k, q->g), first = group % n_groups * q->g;
  return (patch){.at = group / n_groups * q->k + first,
                 .n = first + q->g < q->k ? q->g : q->k - first,
                 .s = q->s[group],
                 .z = q->z == NULL ? 0.0f : q->z[group]};
}

/* Where w comes to lie: its code, before and after clipping. */
typedef struct place {
  float ratio, rounded, code;
} place;

static place place_of(const vise_fakequant *q, const patch *g, int64_t at) {
  place p = {.ratio = q->w[at] / g->s};
  p.rounded = rintf(q->v == NULL ? p.ratio : p.ratio + q->v[at]);
  const float code = p.rounded + g->z;
  p.code = code < q->low ? q->low : code > q->high ? q->high : code;
  return p;
}

static void run_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const int64_t n_groups = vise_ceil_div(j->q->k, j->q->g);
  (void)worker;
  for (int64_t group = begin * n_groups; group < end * n_groups; group++) {
    const patch g = patch_of(j->q, group);
    for (int64_t at = g.at; at < g.at + g.n; at++) {
      const place p = place_of(j->q, &g, at);
      j->out[at] = g.s == 0.0f ? 0.0f : g.s * (p.code - g.z);
    }
  }
}

static void back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_fakequant_grads *out = j->grads;
  const int64_t n_groups = vise_ceil_div(j->q->k, j->q->g);
  (void)worker;
  for (int64_t group = begin * n_groups; group < end * n_groups; group++) {
    const patch g = patch_of(j->q, group);
    double by_s = 0.0, by_z = 0.0;
    for (int64_t at = g.at; at < g.at + g.n; at++) {
      const place p = place_of(j->q, &g, at);
      const float d = g.s == 0.0f ? 0.0f : j->d_out[at];
      const int is_clipped = p.code != p.rounded + g.z;
      out->w[at] = is_clipped ? 0.0f : d;
      if (out->v != NULL) {
        out->v[at] = is_clipped ? 0.0f : d * g.s;
      }
      by_s +=
          g.s == 0.0f ? 0.0 : (double)d * (double)(is_clipped ? p.code - g.z : p.rounded - p.ratio);
      by_z -= is_clipped ? (double)d * (double)g.s : 0.0;
    }
    out->s[group] = (float)by_s;
    if (out->z != NULL) {
      out->z[group] = (float)by_z;
    }
  }
}

static void range_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_fakequant *q = j->q;
  const int64_t n_groups = vise_ceil_div(q->k, q->g);
  (void)worker;
  for (int64_t group = begin * n_groups; group < end * n_groups; group++) {
    const int64_t first = group % n_groups * q->g;
    const int64_t n = first + q->g < q->k ? q->g : q->k - first;
    const float *w = q->w + group / n_groups * q->k + first;
    float least = w[0], greatest = w[0];
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++) {
      least = w[c] < least ? w[c] : least;
      greatest = w[c] > greatest ? w[c] : greatest;
      sum += (double)fabsf(w[c]);
    }
    j->out[group] = least;
    j->other[group] = greatest;
    j->magnitude[group] = (float)(sum / (double)n);
  }
}

vise_status vise_fakequant_run(float *out, const vise_fakequant *q, vise_err *err) {
  job j = {.q = q, .out = out};
  return vise_parallel_for(q->m, rows_per_chunk(q->k), run_rows, &j, err);
}

vise_status vise_fakequant_backward(const vise_fakequant_grads *out,
                                    const float *d_out,
                                    const vise_fakequant *q,
                                    vise_err *err) {
  job j = {.q = q, .d_out = d_out, .grads = out};
  return vise_parallel_for(q->m, rows_per_chunk(q->k), back_rows, &j, err);
}

vise_status vise_group_range_run(float *least_out,
                                 float *greatest_out,
                                 float *magnitude_out,
                                 const float *w,
                                 int64_t m,
                                 int64_t k,
                                 int64_t g,
                                 vise_err *err) {
  const vise_fakequant q = {.m = m, .k = k, .g = g, .w = w};
  job j = {.q = &q, .out = least_out, .other = greatest_out, .magnitude = magnitude_out};
  return vise_parallel_for(m, rows_per_chunk(k), range_rows, &j, err);
}
