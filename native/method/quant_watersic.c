/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WaterSIC: integers without limits, chosen by successive cancellation with a step for each column
 * that makes all columns lose the same, and left to the entropy coder of the file.
 *
 *   step_j = c / L_jj      H = L L'      loss = c^2 / 12 for every weight, whatever H is
 *
 * c is searched on a sample of the rows until the bits per weight, counted class by class of spread
 * as they lie in the file (weight/integers.h), are the ones asked for. Then the factors of columns are
 * those of least loss for the integers found.
 *
 * Rows of a head do not count the same: with p_i the mean probability of output i, an error of its
 * logit of variance s^2 costs p_i (e^(s^2 / 2) - 1) nats. The slopes of all rows are the same where
 *
 *   p_i s_i^2 e^(s_i^2 / 2) = t      s_i^2 = 2 W(t / (2 p_i)), W Lambert's function
 *
 * so that rare outputs are coarse, and t is searched instead of c (rows = "softmax").
 *
 * Differs from the paper: rows have powers of sqrt(2) chosen before instead of factors fitted after;
 * dead inputs are rounded by themselves; gains are estimated on the sample and fixed.
 */
#include "core/mem.h"
#include "linalg/matrix.h"
#include "method/chances.h"
#include "method/feedback_quantize.h"
#include "method/successive.h"
#include "weight/integers.h"

#include <math.h>
#include <string.h>

enum { RATE, ROWS, DAMPING, SAMPLE = 1024, TRIALS = 12, VALUES = 256 };
/* The greatest number that a weight may be without what others add to it. */
enum { MOST = 96 };
enum { CLASSES = 2 * VISE_INTEGERS_CLASSES };

static const vise_param watersic_params[] = {
    {"rate", VISE_PARAM_REAL, 3.0, 0.1, 7.0, NULL,
     "bits per weight of its codes and factors in a file, nearly, by entropy coding; some 400 bytes more "
     "for index and tables"},
    {"rows", VISE_PARAM_CHOICE, 0, 0, 0, "equal softmax",
     "what rows count. softmax: outputs are logits, and a row counts by how likely it is"},
    VISE_FEEDBACK_DAMPING,
    {0},
};

typedef struct watersic {
  int64_t m, n;
  double rate;
  vise_feedback_factor *factor;
  float *w, *sample;                      /* [m, n], [n_sample, n] */
  float *rows, *some;                     /* [m], [n_sample] the steps of rows */
  double *chances;                        /* [m], or NULL: rows are equal */
  double *reach;                          /* [m] the greatest |w| L_jj of each row */
  uint8_t *codes, *row_steps;             /* [m, n], [m] */
  double *steps, *gains, *best, *columns; /* [n] */
  int64_t n_sample;
} watersic;

/* w e^w = x, x >= 0. */
static double lambert(double x) {
  double w = log1p(x);
  for (int i = 0; i < 8; i++) {
    const double e = exp(w), f = w * e - x;
    w -= f / (e * (w + 1.0) - (w + 2.0) * f / (2.0 * w + 2.0));
  }
  return w;
}

/* The half octaves of each row's step; coarser where its numbers would go beyond what there is. */
static void choose_rows(watersic *a, double log2_step, double c) {
  for (int64_t i = 0; i < a->m; i++) {
    double half_octaves = 0.0;
    if (a->chances != NULL) {
      const double s2 = 2.0 * lambert(exp2(2.0 * log2_step) / (2.0 * a->chances[i]));
      half_octaves = rint(log2(s2));
    }
    if (a->reach[i] > 0.0) {
      half_octaves = fmax(half_octaves, ceil(2.0 * log2(a->reach[i] / (MOST * c))));
    }
    half_octaves = fmax(-100.0, fmin(100.0, half_octaves));
    a->row_steps[i] = (uint8_t)(VISE_INTEGERS_ZERO + (int)half_octaves);
    a->rows[i] = (float)exp2(0.5 * half_octaves);
  }
  for (int64_t i = 0; i < a->n_sample; i++) {
    a->some[i] = a->rows[i * a->m / a->n_sample];
  }
}

/* Steps for a c, or for a t where rows differ: then c is the one that makes s_i the error of a
   logit. */
static void choose_steps(watersic *a, double log2_step) {
  const double c = a->chances != NULL ? sqrt(12.0 / (double)a->n) : exp2(log2_step);
  choose_rows(a, log2_step, c);
  for (int64_t p = 0; p < a->n; p++) {
    a->steps[p] = c / a->factor->pivots[p];
  }
}

/* Bits of n_rows of codes by class, and of the parts beside them, for a weight in all. */
static vise_status count_bits(double *out, const watersic *a, int64_t n_rows, vise_err *err) {
  void *memory;
  VISE_TRY(
      vise_mem_zalloc(&memory, CLASSES * VALUES * sizeof(int64_t) + (size_t)(n_rows + a->n), err));
  int64_t *counts = memory;
  uint8_t *rows = (uint8_t *)(counts + CLASSES * VALUES), *columns = rows + n_rows;
  const vise_status st = vise_integers_classes(rows, columns, a->codes, n_rows, a->n, err);
  for (int64_t i = 0; i < n_rows && st == VISE_OK; i++) {
    for (int64_t j = 0; j < a->n; j++) {
      counts[(rows[i] + columns[j]) * VALUES + a->codes[i * a->n + j]]++;
    }
  }
  double bits = 0.0;
  for (int c = 0; c < CLASSES; c++) {
    double sum = 0.0;
    for (int v = 0; v < VALUES; v++) {
      sum += (double)counts[c * VALUES + v];
    }
    for (int v = 0; v < VALUES; v++) {
      const double count = (double)counts[c * VALUES + v];
      bits += count > 0.0 ? count * log2(sum / count) : 0.0;
    }
  }
  vise_mem_free(memory);
  const double of_row = a->chances != NULL ? 5.0 : 2.0; /* with a step and without; half guesses */
  const double beside = 18.0 * (double)a->n + of_row * (double)a->m;
  *out = bits / (double)(n_rows * a->n) + beside / ((double)a->m * (double)a->n);
  return st;
}

/* Bits per weight of the sample at a step, with the gains of the trial before. */
static vise_status try_step(double *bits_out, watersic *a, double log2_step, vise_err *err) {
  choose_steps(a, log2_step);
  for (int64_t p = 0; p < a->n; p++) {
    a->gains[p] = fmax(0.25, fmin(1.25, a->best[p]));
  }
  const vise_successive s = {a->factor, a->n_sample, a->sample, a->some, a->steps, a->gains};
  VISE_TRY(vise_successive_run(a->codes, a->best, &s, err));
  return count_bits(bits_out, a, a->n_sample, err);
}

/* The step at which weights of that variance, at a high rate, would have the bits asked for. */
static double first_step(const watersic *a) {
  double sum = 0.0, power = 0.0;
  for (int64_t p = 0; p < a->n; p++) {
    sum += log2(a->factor->pivots[p]);
  }
  for (int64_t i = 0; i < a->n_sample * a->n; i++) {
    power += (double)a->sample[i] * (double)a->sample[i];
  }
  power /= (double)(a->n_sample * a->n);
  double step = 0.5 * log2(17.08 * (power > 0.0 ? power : 1.0)) + sum / (double)a->n - a->rate;
  if (a->chances != NULL) { /* s_i = sqrt(t / p_i) / sqrt(12 / n) of it in the middle */
    double chances = 0.0;
    for (int64_t i = 0; i < a->m; i++) {
      chances += log2(a->chances[i]);
    }
    step += 0.5 * chances / (double)a->m - 0.5 * log2(12.0 / (double)a->n);
  }
  return step;
}

/* Secants. Bits fall by about one for each octave, faster where gains become smaller with it, slower at
   low rates. */
static vise_status search(watersic *a, vise_err *err) {
  double at = first_step(a), before = at, bits, bits_before = 0.0, slope = -1.0;
  for (int64_t p = 0; p < a->n; p++) {
    a->best[p] = 1.0;
  }
  for (int i = 0; i < TRIALS; i++) {
    VISE_TRY(try_step(&bits, a, at, err));
    if (i > 0 && fabs(bits - a->rate) < 0.004 * a->rate) {
      break;
    }
    if (i > 0 && fabs(at - before) > 1e-3) {
      slope = fmax(-2.5, fmin(-0.4, (bits - bits_before) / (at - before)));
    }
    before = at;
    bits_before = bits;
    at += i == TRIALS - 1 ? 0.0 : (a->rate - bits) / slope;
  }
  return VISE_OK;
}

static vise_status
quantize(vise_weight **out, watersic *a, const vise_moments *moments, vise_err *err) {
  VISE_TRY(search(a, err));
  const vise_successive s = {a->factor, a->m, a->w, a->rows, a->steps, a->gains};
  VISE_TRY(vise_successive_run(a->codes, NULL, &s, err));
  VISE_TRY(vise_successive_rescale(a->columns, a->codes, &s, moments, err));
  return vise_weight_integers(out, a->m, a->n, a->codes, a->columns, a->row_steps, err);
}

static vise_status allocate(watersic *a, vise_err *err) {
  struct {
    void **to;
    int64_t n;
    size_t size;
  } wanted[] = {
      {(void **)&a->w, a->m * a->n, sizeof(float)},
      {(void **)&a->sample, a->n_sample * a->n, sizeof(float)},
      {(void **)&a->rows, a->m, sizeof(float)},
      {(void **)&a->some, a->n_sample, sizeof(float)},
      {(void **)&a->codes, a->m * a->n, 1},
      {(void **)&a->row_steps, a->m, 1},
      {(void **)&a->reach, a->m, sizeof(double)},
      {(void **)&a->steps, 4 * a->n, sizeof(double)},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    void *memory;
    VISE_TRY(vise_mem_alloc_array(&memory, wanted[i].n, wanted[i].size, err));
    *wanted[i].to = memory;
  }
  a->gains = a->steps + a->n;
  a->best = a->gains + a->n;
  a->columns = a->best + a->n;
  return VISE_OK;
}

static vise_status prepare(watersic *a, const vise_method_input *in, vise_err *err) {
  VISE_TRY(allocate(a, err));
  VISE_TRY(vise_weight_dense_rows(in->w, 0, a->m, a->w, a->n, err));
  for (int64_t i = 0; i < a->n_sample; i++) {
    memcpy(a->sample + i * a->n, a->w + i * a->m / a->n_sample * a->n, (size_t)a->n * sizeof *a->w);
  }
  VISE_TRY(vise_feedback_factor_create(&a->factor, in->moments, VISE_ORDER_ACT, a->n,
                                       in->values[DAMPING], false, err));
  vise_feedback_factor_note(in->note, a->factor, in->values[DAMPING]);
  for (int64_t i = 0; i < a->m; i++) {
    a->reach[i] = 0.0;
    for (int64_t p = 0; p < a->n; p++) {
      const double w = (double)a->w[i * a->n + a->factor->columns[p]];
      a->reach[i] = fmax(a->reach[i], fabs(w) * a->factor->pivots[p]);
    }
  }
  if (in->values[ROWS] != 0.0) {
    VISE_TRY(vise_matrix_alloc(&a->chances, a->m, 1, err));
    VISE_TRY(vise_chances(a->chances, in->w, in->moments, in->seed, in->name, err));
  }
  return VISE_OK;
}

/* A weight without numbers. */
static vise_status nothing(vise_weight **out, int64_t m, int64_t n, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, (size_t)n * sizeof(double) + (size_t)m, err));
  const double *columns = memory;
  const vise_status st =
      vise_weight_integers(out, m, n, memory, columns, (const uint8_t *)(columns + n), err);
  vise_mem_free(memory);
  return st;
}

static vise_status watersic_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  if (in->importance != NULL) {
    return vise_fail(err, VISE_EARG,
                     "watersic: importance is given, expected only statistics of the inputs, which "
                     "say more");
  }
  watersic a = {.m = in->w->m, .n = in->w->k, .rate = in->values[RATE]};
  VISE_TRY(vise_weight_check_finite(in->w, err));
  if (a.m == 0 || a.n == 0) {
    return nothing(out, a.m, a.n, err);
  }
  a.n_sample = a.m < SAMPLE ? a.m : SAMPLE;
  vise_status st = prepare(&a, in, err);
  st = st == VISE_OK ? quantize(out, &a, in->moments, err) : st;
  void *const owned[] = {a.w,         a.sample, a.rows,    a.some, a.codes,
                         a.row_steps, a.steps,  a.chances, a.reach};
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
    vise_mem_free(owned[i]);
  }
  vise_feedback_factor_free(a.factor);
  return st;
}

const vise_method vise_method_watersic = {
    .name = "watersic",
    .family = "quant",
    .summary = "integers with feedback and a step for each column, left to the entropy coder",
    .source = "WaterSIC, arXiv:2603.04956; rows of a softmax are ours",
    .version = 1,
    .needs = VISE_NEEDS_MOMENTS,
    .is_exact = true,
    .max_rel_error = 0.005,
    .params = watersic_params,
    .run = watersic_run,
};
