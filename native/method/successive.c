/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in tiles of 64, a column of a tile side by side, so that the kernel of feedback serves here
   too. */
#include "method/successive.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/feedback.h"
#include "linalg/cholesky.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/triangular.h"
#include "weight/integers.h"

#include <math.h>
#include <string.h>

enum { TILE = VISE_FEEDBACK_ROWS, SLAB = 1024 };

typedef struct job {
  const vise_successive *s;
  uint8_t *codes;
  double *sums;   /* [tiles, n, 2]: of z x / step and of z^2 */
  float *scratch; /* [threads, 2, n, TILE]: weights, then what is left of them */
} job;

/* The weights of a tile by place. */
static void gather(float *out, const vise_successive *s, int64_t first, int64_t n_rows) {
  const int64_t n = s->factor->n;
  memset(out, 0, (size_t)(n * TILE) * sizeof *out);
  for (int64_t i = 0; i < n_rows; i++) {
    const float *row = s->w + (first + i) * n;
    const float inverse = 1.0f / s->rows[first + i];
    for (int64_t p = 0; p < n; p++) {
      out[p * TILE + i] = row[s->factor->columns[p]] * inverse;
    }
  }
}

/* One column: z, what is left, and sums. */
static void round_column(float *left,
                         float *z_out,
                         double sums[2],
                         const float *w,
                         const float *x,
                         double step,
                         double gain) {
  const float inverse = (float)(1.0 / step), value = (float)(step * gain);
  const float most = VISE_INTEGERS_MOST;
  double zx = 0.0, zz = 0.0;
  for (int i = 0; i < TILE; i++) {
    const float t = x[i] * inverse;
    const float z = fmaxf(-most, fminf(most, rintf(t)));
    z_out[i] = z;
    left[i] = w[i] - z * value;
    zx += (double)z * (double)t;
    zz += (double)z * (double)z;
  }
  sums[0] = zx;
  sums[1] = zz;
}

static void run_tiles(void *arg, int64_t begin, int64_t end, int worker) {
  static const float zeros[TILE] = {0};
  const job *j = arg;
  const vise_successive *s = j->s;
  const vise_feedback_kernels *kernels = vise_feedback_kernels_used();
  const int64_t n = s->factor->n;
  float *w = j->scratch + (int64_t)worker * 2 * n * TILE, *left = w + n * TILE;
  for (int64_t tile = begin; tile < end; tile++) {
    const int64_t first = tile * TILE, n_rows = s->m - first < TILE ? s->m - first : TILE;
    gather(w, s, first, n_rows);
    for (int64_t p = n - 1; p >= 0; p--) {
      float x[TILE], z[TILE];
      kernels->target(x, w + p * TILE, zeros, left + (p + 1) * TILE,
                      s->factor->ratios + p * n + p + 1, n - 1 - p);
      round_column(left + p * TILE, z, j->sums + (tile * n + p) * 2, w + p * TILE, x, s->steps[p],
                   s->gains[p]);
      uint8_t *codes = j->codes + first * n + s->factor->columns[p];
      for (int64_t i = 0; i < n_rows; i++) {
        codes[i * n] = (uint8_t)((int)z[i] + VISE_INTEGERS_ZERO);
      }
    }
  }
}

static void best_gains(double *out, const double *sums, int64_t n_tiles, int64_t n) {
  for (int64_t p = 0; p < n; p++) {
    double zx = 0.0, zz = 0.0;
    for (int64_t tile = 0; tile < n_tiles; tile++) {
      zx += sums[(tile * n + p) * 2];
      zz += sums[(tile * n + p) * 2 + 1];
    }
    out[p] = zz > 0.0 ? zx / zz : 1.0;
  }
}

vise_status
vise_successive_run(uint8_t *codes_out, double *best_out, const vise_successive *s, vise_err *err) {
  const int64_t n = s->factor->n, n_tiles = (s->m + TILE - 1) / TILE;
  job j = {.s = s, .codes = codes_out};
  void *scratch = NULL;
  VISE_TRY(vise_matrix_alloc(&j.sums, n_tiles, 2 * n, err));
  vise_status st =
      vise_mem_alloc_array(&scratch, 2 * n * vise_threads(), TILE * sizeof(float), err);
  j.scratch = scratch;
  if (st == VISE_OK) {
    st = vise_parallel_for(n_tiles, 1, run_tiles, &j, err);
  }
  if (st == VISE_OK && best_out != NULL) {
    best_gains(best_out, j.sums, n_tiles, n);
  }
  vise_mem_free(scratch);
  vise_mem_free(j.sums);
  return st;
}

/* ---- rescaling ---- */

typedef struct least_squares {
  double *h;          /* [n, n] by place */
  double *gram, *add; /* [n, n] Z'Z and a slab's part of it */
  double *rows;       /* [SLAB, n] W / rows, then z by rows */
  double *outputs;    /* [SLAB, n] of those rows */
  double *z;          /* [n, SLAB] */
  double *b;          /* [n] */
} least_squares;

/* H of the factor, by place. */
static void fill_moments(double *h, const vise_moments *s, const vise_feedback_factor *f) {
  const int64_t n = s->n;
  const double per_token = 1.0 / (double)s->count;
  for (int64_t p = 0; p < n; p++) {
    const int64_t x = f->columns[p];
    for (int64_t q = 0; q < n; q++) {
      const int64_t o = f->columns[q];
      h[p * n + q] = s->second[o > x ? o * n + x : x * n + o] * per_token;
    }
    const bool is_dead = s->second[x * n + x] == 0.0;
    h[p * n + p] = is_dead ? f->pivots[p] * f->pivots[p] : h[p * n + p] + f->ridge;
  }
}

static void add_slab(least_squares *y,
                     const uint8_t *codes,
                     const vise_successive *s,
                     int64_t first,
                     int64_t n_rows) {
  const int64_t n = s->factor->n;
  for (int64_t i = 0; i < n_rows; i++) {
    const uint8_t *row = codes + (first + i) * n;
    for (int64_t p = 0; p < n; p++) {
      const double z = row[s->factor->columns[p]] - VISE_INTEGERS_ZERO;
      y->z[p * n_rows + i] = z;
      y->b[p] += z * y->outputs[i * n + p];
    }
  }
}

static vise_status take_slab(least_squares *y,
                             const uint8_t *codes,
                             const vise_successive *s,
                             int64_t first,
                             int64_t n_rows,
                             vise_err *err) {
  const int64_t n = s->factor->n;
  for (int64_t i = 0; i < n_rows; i++) {
    const float *row = s->w + (first + i) * n;
    for (int64_t p = 0; p < n; p++) {
      y->rows[i * n + p] = (double)row[s->factor->columns[p]] / (double)s->rows[first + i];
    }
  }
  VISE_TRY(vise_gemm_f64(y->outputs, n, y->rows, n, n_rows, y->h, n, n, n, err));
  add_slab(y, codes, s, first, n_rows);
  VISE_TRY(vise_gemm_f64(y->add, n, y->z, n_rows, n, y->z, n_rows, n, n_rows, err));
  for (int64_t i = 0; i < n * n; i++) {
    y->gram[i] += y->add[i];
  }
  return VISE_OK;
}

/* gram o h and b to the factors by place, in b. */
static vise_status solve(least_squares *y, int64_t n, vise_err *err) {
  double trace = 0.0;
  for (int64_t i = 0; i < n * n; i++) {
    y->gram[i] *= y->h[i];
    trace += i % (n + 1) == 0 ? y->gram[i] : 0.0;
  }
  if (!(trace > 0.0)) { /* all z are 0 */
    memset(y->b, 0, (size_t)n * sizeof *y->b);
    return VISE_OK;
  }
  VISE_TRY(vise_cholesky_damped(y->add, NULL, y->gram, n, n, 1e-8, err));
  VISE_TRY(vise_triangular_solve(y->b, n, 1, y->add, n, n, false, err));
  return vise_triangular_solve(y->b, n, 1, y->add, n, n, true, err);
}

static vise_status allocate(least_squares *y, int64_t n, vise_err *err) {
  VISE_TRY(vise_matrix_alloc(&y->h, n, n, err));
  VISE_TRY(vise_matrix_alloc(&y->gram, n, n, err));
  VISE_TRY(vise_matrix_alloc(&y->add, n, n, err));
  VISE_TRY(vise_matrix_alloc(&y->rows, SLAB, n, err));
  VISE_TRY(vise_matrix_alloc(&y->outputs, SLAB, n, err));
  VISE_TRY(vise_matrix_alloc(&y->z, n, SLAB, err));
  VISE_TRY(vise_matrix_alloc(&y->b, n, 1, err));
  memset(y->gram, 0, (size_t)(n * n) * sizeof *y->gram);
  memset(y->b, 0, (size_t)n * sizeof *y->b);
  return VISE_OK;
}

vise_status vise_successive_rescale(double *a_out,
                                    const uint8_t *codes,
                                    const vise_successive *s,
                                    const vise_moments *moments,
                                    vise_err *err) {
  const int64_t n = s->factor->n;
  least_squares y = {0};
  vise_status st = allocate(&y, n, err);
  if (st == VISE_OK) {
    fill_moments(y.h, moments, s->factor);
  }
  for (int64_t first = 0; first < s->m && st == VISE_OK; first += SLAB) {
    st = take_slab(&y, codes, s, first, s->m - first < SLAB ? s->m - first : SLAB, err);
  }
  if (st == VISE_OK) {
    st = solve(&y, n, err);
  }
  for (int64_t p = 0; p < n && st == VISE_OK; p++) {
    a_out[s->factor->columns[p]] = y.b[p];
  }
  double *const owned[] = {y.h, y.gram, y.add, y.rows, y.outputs, y.z, y.b};
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
    vise_mem_free(owned[i]);
  }
  return st;
}
