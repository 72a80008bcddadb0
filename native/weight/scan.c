/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about all elements: how far two weights are apart, and whether all are finite. Bands of
 * rows are expanded side by side, and what is kept of each row is added in the order of rows.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "weight/kind.h"

#include <math.h>
#include <string.h>

enum { BAND_WEIGHTS = 1 << 20, CHUNK_WEIGHTS = 1 << 16 };

/* A band of up to two weights, and what is kept of each row. */
typedef struct scan {
  const vise_weight *a, *b; /* b may be NULL */
  const float *importance;  /* may be NULL */
  float *x, *y;             /* the band */
  int64_t first, n_rows;
  double *squared, *norm; /* [m], difference only */
  bool *is_bad;           /* [m], check only */
} scan;

static void scan_row(const scan *s, int64_t i) {
  const int64_t k = s->a->k;
  const float *x = s->x + (i - s->first) * k, *y = s->y + (i - s->first) * k;
  double squared = 0.0, norm = 0.0;
  for (int64_t j = 0; j < k; j++) {
    const double d = (double)x[j] - (double)y[j];
    const double h = s->importance == NULL ? 1.0 : (double)s->importance[j];
    squared += h * (d * d);
    norm += h * ((double)x[j] * (double)x[j]);
  }
  s->squared[i] = squared;
  s->norm[i] = norm;
}

static void scan_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const scan *s = arg;
  for (int64_t i = s->first + begin; i < s->first + end; i++) {
    if (s->b == NULL) {
      s->is_bad[i] = vise_convert()->has_nonfinite(s->x + (i - s->first) * s->a->k, s->a->k) != 0;
    } else {
      scan_row(s, i);
    }
  }
}

static vise_status scan_bands(scan *s, vise_err *err) {
  const int64_t m = s->a->m, k = s->a->k, fit = BAND_WEIGHTS / (k + 1);
  const int64_t band = fit < 1 ? 1 : fit < m ? fit : m;
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, 2 * band * k, sizeof(float), err));
  s->x = memory;
  s->y = s->x + band * k;
  vise_status st = VISE_OK;
  for (s->first = 0; s->first < m && st == VISE_OK; s->first += band) {
    s->n_rows = m - s->first < band ? m - s->first : band;
    const vise_row_set rows = {NULL, s->first, s->n_rows};
    st = vise_weight_rows(s->a, rows, s->x, k, err);
    if (st == VISE_OK && s->b != NULL) {
      st = vise_weight_rows(s->b, rows, s->y, k, err);
    }
    if (st == VISE_OK) {
      st = vise_parallel_for(s->n_rows, 1 + CHUNK_WEIGHTS / (k + 1), scan_rows, s, err);
    }
  }
  vise_mem_free(memory);
  return st;
}

vise_status vise_weight_check_importance(const float *importance, int64_t k, vise_err *err) {
  for (int64_t j = 0; importance != NULL && j < k; j++) {
    if (!(importance[j] >= 0.0f) || isinf(importance[j])) {
      return vise_fail(err, VISE_ENUMERIC, "importance: of column %lld is %g, expected 0 or more",
                       (long long)j, (double)importance[j]);
    }
  }
  return VISE_OK;
}

vise_status vise_weight_difference(double *squared_out,
                                   double *norm_out,
                                   const vise_weight *a,
                                   const vise_weight *b,
                                   const float *importance,
                                   vise_err *err) {
  *squared_out = *norm_out = 0.0;
  if (a->m != b->m || a->k != b->k) {
    return vise_fail(err, VISE_ESHAPE,
                     "weight: is [%lld, %lld], expected [%lld, %lld] as the other", (long long)b->m,
                     (long long)b->k, (long long)a->m, (long long)a->k);
  }
  VISE_TRY(vise_weight_check_importance(importance, a->k, err));
  void *sums;
  VISE_TRY(vise_mem_alloc_array(&sums, 2 * a->m, sizeof(double), err));
  scan s = {
      .a = a, .b = b, .importance = importance, .squared = sums, .norm = (double *)sums + a->m};
  const vise_status st = scan_bands(&s, err);
  for (int64_t i = 0; st == VISE_OK && i < a->m; i++) {
    *squared_out += s.squared[i];
    *norm_out += s.norm[i];
  }
  vise_mem_free(sums);
  return st;
}

static vise_status name_first(const vise_weight *w, int64_t row, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, w->k, sizeof(float), err));
  float *x = memory;
  vise_status st = vise_weight_rows(w, (vise_row_set){NULL, row, 1}, x, w->k, err);
  for (int64_t j = 0; j < w->k && st == VISE_OK; j++) {
    if (!isfinite(x[j])) {
      st = vise_fail(err, VISE_ENUMERIC,
                     "w: row %lld, column %lld (from 0) is %g, expected a finite number",
                     (long long)row, (long long)j, (double)x[j]);
    }
  }
  vise_mem_free(memory);
  return st;
}

vise_status vise_weight_check_finite(const vise_weight *w, vise_err *err) {
  void *is_bad;
  VISE_TRY(vise_mem_alloc(&is_bad, (size_t)w->m, err));
  scan s = {.a = w, .is_bad = is_bad};
  vise_status st = scan_bands(&s, err);
  for (int64_t i = 0; st == VISE_OK && i < w->m; i++) {
    if (s.is_bad[i]) {
      st = name_first(w, i, err);
    }
  }
  vise_mem_free(is_bad);
  return st;
}

vise_status vise_weight_column_max(float *out, const vise_weight *w, vise_err *err) {
  const int64_t k = w->k, fit = BAND_WEIGHTS / (k + 1), band = fit < 1 ? 1 : fit;
  void *memory;
  VISE_TRY(
      vise_mem_alloc_array(&memory, band < w->m ? band : w->m, (size_t)k * sizeof(float), err));
  const float *x = memory;
  memset(out, 0, (size_t)k * sizeof *out);
  vise_status st = VISE_OK;
  for (int64_t row = 0; row < w->m && st == VISE_OK; row += band) {
    const int64_t n = w->m - row < band ? w->m - row : band;
    st = vise_weight_dense_rows(w, row, n, memory, k, err);
    for (int64_t i = 0; i < n && st == VISE_OK; i++) {
      for (int64_t j = 0; j < k; j++) {
        out[j] = fmaxf(out[j], fabsf(x[i * k + j]));
      }
    }
  }
  vise_mem_free(memory);
  return st;
}
