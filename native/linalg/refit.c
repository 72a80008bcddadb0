/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With d = v - v0 and r = (w - v) H where kept, 0 elsewhere, each row is the system
 *
 *   H_SS d_S = r_S   at the start,   S the columns that are kept
 *
 * solved by conjugate gradients with z = r / diag(H):
 *
 *   q = p H,  a = <r, z> / <p, q>,  d += a p,  r -= a q,  b = <r, z> new / old,  p = z + b p
 *
 * p is 0 outside S, so q needs no mask but where it enters r. Rows are scaled by a power of two to
 * a greatest number near 1, and H to a greatest diagonal near 1: nothing overflows on the way, and
 * no bit of the result changes.
 */
#include "linalg/refit.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { ROWS = 512, STEPS = 100, GRAIN = 4 };

static const double TOLERANCE = 1e-3;

/* Rows [row, row + n_rows), and scratch [n_rows, k] or [n_rows]. */
typedef struct block {
  float *v;
  const float *w;
  int64_t ldv, ldw, k, n_rows;
  const float *h, *inverse; /* inverse of the diagonal; 0 of what is not above 0 */
  float *d, *r;             /* of every row */
  float *p, *q;             /* of the rows that are not done: slot i is of row rows[i] */
  int64_t *rows, n_slots;
  int *exponents; /* of the rows' greatest numbers */
  double *first;  /* <r, z> at the start */
  double *now;    /* <r, z>; 0: the row is done */
} block;

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int exponent_of(const float *x, int64_t n) {
  float greatest = 0.0f;
  for (int64_t j = 0; j < n; j++) {
    greatest = fmaxf(greatest, fabsf(x[j]));
  }
  int exponent;
  frexpf(greatest, &exponent);
  return exponent;
}

/* q = w - v, scaled. */
static void take_differences(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const block *b = arg;
  for (int64_t i = begin; i < end; i++) {
    const float *v = b->v + i * b->ldv, *w = b->w + i * b->ldw;
    b->exponents[i] = exponent_of(w, b->k);
    for (int64_t j = 0; j < b->k; j++) {
      b->q[i * b->k + j] = (float)ldexp((double)w[j] - (double)v[j], -b->exponents[i]);
    }
  }
}

/* p = z + share p */
static void turn(const block *b, int64_t slot, double share) {
  const float *r = b->r + b->rows[slot] * b->k;
  float *p = b->p + slot * b->k;
  for (int64_t j = 0; j < b->k; j++) {
    p[j] = r[j] * b->inverse[j] + (float)share * p[j];
  }
}

/* <r, z> */
static double preconditioned(const block *b, int64_t i) {
  const float *r = b->r + i * b->k;
  double sum = 0.0;
  for (int64_t j = 0; j < b->k; j++) {
    sum += (double)r[j] * (double)r[j] * (double)b->inverse[j];
  }
  return sum;
}

/* r holds (w - v) H of all columns. */
static void start_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const block *b = arg;
  for (int64_t i = begin; i < end; i++) {
    const float *v = b->v + i * b->ldv;
    for (int64_t j = 0; j < b->k; j++) {
      const int64_t at = i * b->k + j;
      b->r[at] = v[j] != 0.0f ? b->r[at] : 0.0f;
      b->d[at] = 0.0f;
      b->p[at] = 0.0f;
    }
    b->first[i] = b->now[i] = preconditioned(b, i);
    b->rows[i] = i;
    turn(b, i, 0.0);
  }
}

/* q holds p H. */
static void step_slots(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const block *b = arg;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t i = b->rows[slot];
    const float *v = b->v + i * b->ldv, *p = b->p + slot * b->k, *q = b->q + slot * b->k;
    float *d = b->d + i * b->k, *r = b->r + i * b->k;
    double curvature = 0.0;
    for (int64_t j = 0; j < b->k; j++) {
      curvature += (double)p[j] * (double)q[j];
    }
    if (!(curvature > 0.0)) { /* of no use: H is singular, or is after rounding */
      b->now[i] = 0.0;
      continue;
    }
    const float step = (float)(b->now[i] / curvature);
    for (int64_t j = 0; j < b->k; j++) {
      d[j] += step * p[j];
      r[j] = v[j] != 0.0f ? r[j] - step * q[j] : 0.0f;
    }
    const double before = b->now[i], after = preconditioned(b, i);
    b->now[i] = after > TOLERANCE * TOLERANCE * b->first[i] ? after : 0.0;
    turn(b, slot, after / before);
  }
}

/* Rows that are done give up their slots. */
static void close_ranks(block *b) {
  int64_t n = 0;
  for (int64_t slot = 0; slot < b->n_slots; slot++) {
    if (b->now[b->rows[slot]] > 0.0) {
      b->rows[n] = b->rows[slot];
      memmove(b->p + n * b->k, b->p + slot * b->k, (size_t)b->k * sizeof *b->p);
      n++;
    }
  }
  b->n_slots = n;
}

static void finish_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const block *b = arg;
  for (int64_t i = begin; i < end; i++) {
    float *v = b->v + i * b->ldv;
    for (int64_t j = 0; j < b->k; j++) {
      const double x = (double)v[j] + ldexp((double)b->d[i * b->k + j], b->exponents[i]);
      v[j] = fabs(x) <= (double)FLT_MAX ? (float)x : v[j];
    }
  }
}

static vise_status refit_block(block *b, int64_t *n_left, vise_err *err) {
  vise_rows_dense dense;
  const vise_rows h = vise_rows_f32(&dense, b->h, b->k, b->k, b->k);
  VISE_TRY(vise_parallel_for(b->n_rows, GRAIN, take_differences, b, err));
  VISE_TRY(vise_gemm_f32(b->r, b->k, b->q, b->k, b->n_rows, &h, err));
  VISE_TRY(vise_parallel_for(b->n_rows, GRAIN, start_rows, b, err));
  b->n_slots = b->n_rows;
  close_ranks(b);
  for (int step = 0; step < STEPS && b->n_slots > 0; step++) {
    VISE_TRY(vise_gemm_f32(b->q, b->k, b->p, b->k, b->n_slots, &h, err));
    VISE_TRY(vise_parallel_for(b->n_slots, GRAIN, step_slots, b, err));
    close_ranks(b);
  }
  *n_left += b->n_slots;
  return vise_parallel_for(b->n_rows, GRAIN, finish_rows, b, err);
}

static void scale_h(float *h_out, float *inverse_out, const double *h, int64_t k) {
  double greatest = 0.0;
  for (int64_t j = 0; j < k; j++) {
    greatest = fmax(greatest, h[j * k + j]);
  }
  int exponent;
  frexp(greatest, &exponent);
  for (int64_t i = 0; i < k * k; i++) {
    h_out[i] = (float)ldexp(h[i], -exponent);
  }
  for (int64_t j = 0; j < k; j++) {
    const float x = h_out[j * k + j];
    inverse_out[j] = x > 0.0f && isfinite(1.0f / x) ? 1.0f / x : 0.0f;
  }
}

vise_status vise_refit(float *v,
                       int64_t ldv,
                       int64_t *n_left_out,
                       const float *w,
                       int64_t ldw,
                       int64_t m,
                       int64_t k,
                       const double *h,
                       vise_err *err) {
  const int64_t rows = smaller(ROWS, m);
  int64_t n_left = 0;
  void *floats = NULL, *numbers = NULL;
  int exponents[ROWS];
  int64_t slots[ROWS];
  VISE_TRY(vise_mem_alloc_array(&floats, (k + 1 + 4 * rows) * k, sizeof(float), err));
  vise_status st = vise_mem_alloc_array(&numbers, 2 * rows, sizeof(double), err);
  if (st == VISE_OK) {
    float *scaled = floats, *inverse = scaled + k * k, *scratch = inverse + k;
    scale_h(scaled, inverse, h, k);
    for (int64_t row = 0; row < m && st == VISE_OK; row += ROWS) {
      block b = {.v = v + row * ldv,
                 .w = w + row * ldw,
                 .ldv = ldv,
                 .ldw = ldw,
                 .k = k,
                 .n_rows = smaller(ROWS, m - row),
                 .h = scaled,
                 .inverse = inverse,
                 .d = scratch,
                 .r = scratch + rows * k,
                 .p = scratch + 2 * rows * k,
                 .q = scratch + 3 * rows * k,
                 .rows = slots,
                 .exponents = exponents,
                 .first = numbers,
                 .now = (double *)numbers + rows};
      st = refit_block(&b, &n_left, err);
    }
  }
  if (n_left_out != NULL) {
    *n_left_out = n_left;
  }
  vise_mem_free(numbers);
  vise_mem_free(floats);
  return st;
}
