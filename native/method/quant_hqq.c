/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Half-quadratic quantization: scales and zeros for the least sum of |w - q|^p, p < 1, which forgives
 * outliers where least squares would bend the grid towards them. With E what is forgiven, turn by turn
 *
 *   E = shrink(W - Q)       shrink(x) = sign(x) max(|x| - |x|^(p-1) / beta, 0)
 *   Q = the grid that fits W - E best, by the search of the format `int`; codes: the nearest to W
 *
 * while beta grows. Every row keeps the turn of its least sum, the first of which is rounding itself.
 * Magnitudes are taken relative to the mean of the group.
 *
 * Differs from the paper: zeros are integers, as the format stores them, and the scale is refitted
 * too; p = 3/4 instead of 0.7, so that powers are square roots, the same on every machine.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "format/int_affine.h"
#include "method/method.h"
#include "tensor/tensor.h"
#include "weight/quant.h"

#include <math.h>
#include <string.h>

enum { BITS, GROUP, TURNS = 20, RUN = 128 };
static const float BETA = 10.0f, BETA_GROWTH = 1.01f;

static const vise_param hqq_params[] = {
    {"bits", VISE_PARAM_CHOICE, 2, 0, 0, "2 3 4 5 6 8", "bits per code"},
    {"group", VISE_PARAM_INT, 64, 1, 1 << 20, NULL,
     "columns that share a scale and a zero; the last group of a row may be short"},
    {0},
};

typedef struct hqq {
  int64_t m, k;
  vise_format_spec spec;
  float *w, *next;            /* [m, k]: the weights; the next targets */
  vise_tensor *target, *best; /* [m, k] f32: W - E, and that of each row's least sum */
  vise_weight *of_target, *of_best;
  double *least;         /* [m] */
  vise_grid_cell *cells; /* [m, n_cells] */
  uint8_t *codes;        /* [m, k] */
  int64_t n_cells;
  vise_grid grid;
  void *parts[VISE_FORMAT_PARTS]; /* of this turn's q */
  float beta;
} hqq;

/* The code nearest to x; `last` is the greatest. */
static inline float nearest(float x, const vise_grid_cell *cell, float last) {
  const float t = cell->scale == 0.0f ? cell->zero : x / cell->scale + cell->zero;
  const float most = t < last ? t : last, code = most > 0.0f ? most : 0.0f;
  return (code + 12582912.0f) - 12582912.0f; /* to nearest even, of 0 <= code < 2^22 */
}

/* The cells of row i. */
static vise_grid_cell *take_cells(const hqq *a, int64_t i) {
  vise_grid_cell *cells = a->cells + i * a->n_cells;
  vise_format_int.grid->cells(&a->spec, (const void *const *)a->parts, i, cells);
  return cells;
}

static int64_t end_of(const hqq *a, int64_t g) {
  return (g + 1) * a->grid.group < a->k ? (g + 1) * a->grid.group : a->k;
}

/*
 * Up to RUN weights of a group: their next targets, in units of the group. What is forgiven of x is 0
 * where |x| is small. power_out: |x|^p. One thing a loop, so that each runs along vectors.
 */
static void turn_run(float *next,
                     float *power_out,
                     const float *w,
                     int64_t n,
                     const vise_grid_cell *cell,
                     float last,
                     float unit,
                     float beta) {
  float lost[RUN], root[RUN];
  const float per_unit = unit > 0.0f ? 1.0f / unit : 0.0f;
  for (int64_t j = 0; j < n; j++) {
    const float value = cell->scale * (nearest(w[j], cell, last) - cell->zero);
    lost[j] = (w[j] - value) * per_unit;
  }
  for (int64_t j = 0; j < n; j++) {
    root[j] = sqrtf(sqrtf(fabsf(lost[j])));
  }
  for (int64_t j = 0; j < n; j++) {
    const float size = fabsf(lost[j]);
    power_out[j] = size == 0.0f ? 0.0f : size / root[j];
    const float rest = copysignf(size - 1.0f / (root[j] * beta), lost[j]);
    next[j] = w[j] - (size * root[j] * beta > 1.0f ? rest * unit : 0.0f);
  }
}

/* Row i: the sum of what this turn's grid loses, and the next target. */
static void turn_row(const hqq *a, int64_t i) {
  const float *w = a->w + i * a->k, last = (float)(a->grid.n_codes - 1);
  float *target = (float *)vise_tensor_data(a->target) + i * a->k;
  float *best = (float *)vise_tensor_data(a->best) + i * a->k;
  float *next = a->next + i * a->k, power[RUN];
  const vise_grid_cell *cells = take_cells(a, i);
  double sum = 0.0;
  for (int64_t g = 0; g < a->n_cells; g++) {
    const int64_t first = g * a->grid.group, end = end_of(a, g);
    const float share = 1.0f / (float)(end - first);
    float unit = 0.0f;
    for (int64_t j = first; j < end; j++) {
      unit += fabsf(w[j]) * share;
    }
    for (int64_t j = first; j < end; j += RUN) {
      const int64_t n = end - j < RUN ? end - j : RUN;
      turn_run(next + j, power, w + j, n, &cells[g], last, unit, a->beta);
      for (int64_t l = 0; l < n; l++) {
        sum += (double)power[l];
      }
    }
  }
  if (sum < a->least[i]) {
    a->least[i] = sum;
    memcpy(best, target, (size_t)a->k * sizeof *best);
  }
  memcpy(target, next, (size_t)a->k * sizeof *target);
}

static void turn_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    turn_row(arg, i);
  }
}

static void put_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const hqq *a = arg;
  for (int64_t i = begin; i < end; i++) {
    const vise_grid_cell *cells = take_cells(a, i);
    uint8_t *codes = a->codes + i * a->k;
    for (int64_t j = 0; j < a->k; j++) {
      codes[j] = (uint8_t)nearest(a->w[i * a->k + j], &cells[j / a->grid.group],
                                  (float)(a->grid.n_codes - 1));
    }
    vise_format_int.grid->put(&a->spec, a->parts, i, codes);
  }
}

/* *out: the grid that fits `w` best; then fn over all rows, with its parts. */
static vise_status
fit(vise_weight **out, hqq *a, const vise_weight *w, vise_chunk_fn *fn, vise_err *err) {
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  VISE_TRY(vise_weight_quantize(out, w, &a->spec, NULL, err));
  const int n = vise_format_int.parts(&a->spec, shapes);
  for (int i = 0; i < n; i++) { /* nobody else has seen it yet */
    a->parts[i] = vise_tensor_data(vise_weight_quant_part(*out, shapes[i].name));
  }
  return vise_parallel_for(a->m, 16, fn, a, err);
}

static vise_status alloc_all(hqq *a, vise_err *err) {
  const int64_t shape[] = {a->m, a->k};
  void *w, *next, *least, *cells, *codes;
  VISE_TRY(vise_mem_alloc_array(&w, a->m * a->k, sizeof *a->w, err));
  a->w = w;
  VISE_TRY(vise_mem_alloc_array(&next, a->m * a->k, sizeof *a->next, err));
  a->next = next;
  VISE_TRY(vise_mem_alloc_array(&least, a->m, sizeof *a->least, err));
  a->least = least;
  VISE_TRY(vise_mem_alloc_array(&cells, a->m * a->n_cells, sizeof *a->cells, err));
  a->cells = cells;
  VISE_TRY(vise_mem_alloc_array(&codes, a->m * a->k, 1, err));
  a->codes = codes;
  VISE_TRY(vise_tensor_create(&a->target, VISE_DTYPE_F32, 2, shape, err));
  VISE_TRY(vise_tensor_create(&a->best, VISE_DTYPE_F32, 2, shape, err));
  VISE_TRY(vise_weight_dense(&a->of_target, a->target, err));
  return vise_weight_dense(&a->of_best, a->best, err);
}

static vise_status solve(vise_weight **out, hqq *a, const vise_weight *w, vise_err *err) {
  VISE_TRY(alloc_all(a, err));
  VISE_TRY(vise_weight_dense_rows(w, 0, a->m, a->w, a->k, err));
  memcpy(vise_tensor_data(a->target), a->w, vise_tensor_bytes(a->target));
  memcpy(vise_tensor_data(a->best), a->w, vise_tensor_bytes(a->best));
  for (int64_t i = 0; i < a->m; i++) {
    a->least[i] = HUGE_VAL;
  }
  for (int turn = 0; turn < TURNS; turn++) {
    vise_weight *q = NULL;
    const vise_status st = fit(&q, a, a->of_target, turn_rows, err);
    vise_weight_release(q);
    VISE_TRY(st);
    a->beta *= BETA_GROWTH;
  }
  return fit(out, a, a->of_best, put_rows, err);
}

static vise_status hqq_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  if (in->importance != NULL) {
    return vise_fail(err, VISE_EARG, "hqq: importance is given, expected none: it is without data");
  }
  hqq a = {.m = in->w->m, .k = in->w->k, .spec = {.format = &vise_format_int}, .beta = BETA};
  vise_param_defaults(vise_format_int.params, a.spec.values);
  a.spec.values[VISE_INT_BITS] = in->values[BITS];
  a.spec.values[VISE_INT_GROUP] = in->values[GROUP];
  a.spec.values[VISE_INT_SYMMETRIC] = 0.0;
  a.spec.m = a.m;
  a.spec.k = a.k;
  VISE_TRY(vise_weight_check_finite(in->w, err));
  if (a.m == 0 || a.k == 0) {
    return vise_weight_quantize(out, in->w, &a.spec, NULL, err);
  }
  a.grid = vise_format_int.grid->of(&a.spec);
  a.n_cells = (a.k + a.grid.group - 1) / a.grid.group;
  const vise_status st = solve(out, &a, in->w, err);
  vise_mem_free(a.w);
  vise_mem_free(a.next);
  vise_mem_free(a.least);
  vise_mem_free(a.cells);
  vise_mem_free(a.codes);
  vise_tensor_release(a.target);
  vise_tensor_release(a.best);
  vise_weight_release(a.of_target);
  vise_weight_release(a.of_best);
  if (st != VISE_OK) {
    vise_weight_release(*out);
    *out = NULL;
  }
  return st;
}

const vise_method vise_method_hqq = {
    .name = "hqq",
    .family = "quant",
    .summary = "integers with zeros for the least sum of |error|^(3/4), without data",
    .source = "Badri and Shaji 2023, mobiusml.github.io/hqq_blog",
    .version = 2,
    .is_exact = true,
    .max_rel_error = 0.09,
    .params = hqq_params,
    .run = hqq_run,
};
