/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/fakequant.h"

#include "core/checked.h"
#include "core/parallel.h"

#include <math.h>

enum { NUMBERS_PER_CHUNK = 1 << 14 };

typedef struct job {
  const vise_fakequant *q;
  const float *d_out;
  float *out, *d_s, *d_z, *other;
} job;

static int64_t rows_per_chunk(int64_t k) {
  return k >= NUMBERS_PER_CHUNK ? 1 : NUMBERS_PER_CHUNK / (k < 1 ? 1 : k);
}

/* Where w comes to lie: its code, before and after clipping. */
typedef struct place {
  float ratio, rounded, code;
} place;

static place place_of(float w, float s, float z, float low, float high) {
  place p = {.ratio = w / s};
  p.rounded = rintf(p.ratio);
  const float code = p.rounded + z;
  p.code = code < low ? low : code > high ? high : code;
  return p;
}

static void run_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_fakequant *q = j->q;
  const int64_t n_groups = vise_ceil_div(q->k, q->g);
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t c = 0; c < q->k; c++) {
      const int64_t group = i * n_groups + c / q->g;
      const float s = q->s[group], z = q->z == NULL ? 0.0f : q->z[group];
      const place p = place_of(q->w[i * q->k + c], s, z, q->low, q->high);
      j->out[i * q->k + c] = s == 0.0f ? 0.0f : s * (p.code - z);
    }
  }
}

static void back_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_fakequant *q = j->q;
  const int64_t n_groups = vise_ceil_div(q->k, q->g);
  (void)worker;
  for (int64_t group = begin * n_groups; group < end * n_groups; group++) {
    const int64_t row = group / n_groups, first = group % n_groups * q->g;
    const int64_t last = first + q->g < q->k ? first + q->g : q->k;
    const float s = q->s[group], z = q->z == NULL ? 0.0f : q->z[group];
    double by_s = 0.0, by_z = 0.0;
    for (int64_t c = first; c < last; c++) {
      const int64_t at = row * q->k + c;
      const place p = place_of(q->w[at], s, z, q->low, q->high);
      const float d = s == 0.0f ? 0.0f : j->d_out[at];
      const int is_clipped = p.code != p.rounded + z;
      j->out[at] = is_clipped ? 0.0f : d;
      by_s += s == 0.0f ? 0.0 : (double)d * (double)(is_clipped ? p.code - z : p.rounded - p.ratio);
      by_z -= is_clipped ? (double)d * (double)s : 0.0;
    }
    j->d_s[group] = (float)by_s;
    if (j->d_z != NULL) {
      j->d_z[group] = (float)by_z;
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
    j->d_s[group] = (float)(sum / (double)n);
  }
}

vise_status vise_fakequant_run(float *out, const vise_fakequant *q, vise_err *err) {
  job j = {.q = q, .out = out};
  return vise_parallel_for(q->m, rows_per_chunk(q->k), run_rows, &j, err);
}

vise_status vise_fakequant_backward(float *d_w,
                                    float *d_s,
                                    float *d_z,
                                    const float *d_out,
                                    const vise_fakequant *q,
                                    vise_err *err) {
  job j = {.q = q, .d_out = d_out, .out = d_w, .d_s = d_s, .d_z = d_z};
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
  job j = {.q = &q, .out = least_out, .other = greatest_out, .d_s = magnitude_out};
  return vise_parallel_for(m, rows_per_chunk(k), range_rows, &j, err);
}
