/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With a basis Q [l, m] of orthonormal rows and T = Q W, the eigenvectors E of T H T' = Q W H W' Q'
 * give U' = E' Q. Three bases:
 *
 *   exact, m <= k    Q = I, T = W
 *   exact, m > k     W = Q' R, T = R: the columns of W span all there is
 *   not exact        Q = qr of (W H W')^3 Omega, orthonormalised in between; Omega [m, l] normal
 *                    numbers (Halko, Martinsson, Tropp, SIAM Review 53 (2011), algorithm 4.4)
 *
 * The squares that W H W' brings cost digits only of singular values below 1e-8 of the greatest.
 */
#include "linalg/whitened.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "linalg/eigh.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/qr.h"

#include <math.h>
#include <string.h>

enum { OVERSAMPLE = 10, STEPS = 3, GRAIN = 1024 };

typedef struct whitened {
  const vise_matrix_f32 *w;
  const vise_whitened_opts *opts;
  int64_t r, l;
  double *basis;  /* [l, m]; NULL: I */
  double *t, *th; /* [l, k]; th is t where H = I */
  double *g;      /* [l, l] */
} whitened;

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

int64_t vise_whitened_size(const vise_matrix_f32 *w, int64_t r, bool is_exact) {
  const int64_t least = smaller(w->m, w->k);
  return is_exact ? least : smaller(least, r + OVERSAMPLE);
}

/* vise_rows_f64_fn of a matrix of floats with any strides. */
static void decode_strided(const void *source,
                           int64_t row,
                           int64_t n_rows,
                           int64_t col,
                           int64_t n_cols,
                           double *out,
                           int64_t ld) {
  const vise_matrix_f32 *w = source;
  const float *first = w->w + row * w->row_stride + col * w->col_stride;
  if (w->col_stride == 1) {
    for (int64_t i = 0; i < n_rows; i++) {
      for (int64_t j = 0; j < n_cols; j++) {
        out[i * ld + j] = (double)first[i * w->row_stride + j];
      }
    }
  } else {
    for (int64_t j = 0; j < n_cols; j++) {
      for (int64_t i = 0; i < n_rows; i++) {
        out[i * ld + j] = (double)first[i * w->row_stride + j * w->col_stride];
      }
    }
  }
}

static vise_matrix_f32 transposed(const vise_matrix_f32 *w) {
  return (vise_matrix_f32){w->w, w->k, w->m, w->col_stride, w->row_stride};
}

/* y [t, rows of W] = x W'. */
static vise_status
multiply(double *y, const double *x, int64_t t, const vise_matrix_f32 *w, vise_err *err) {
  const vise_rows_f64 rows = {w->m, w->k, decode_strided, w};
  return vise_gemm_rows_f64(y, w->m, x, w->k, t, &rows, err);
}

vise_status
vise_whitened_rows(double *y, const double *x, int64_t t, const vise_matrix_f32 *w, vise_err *err) {
  const vise_matrix_f32 wt = transposed(w);
  return multiply(y, x, t, &wt, err);
}

/* th = t H. */
static vise_status weigh(whitened *p, vise_err *err) {
  const int64_t k = p->w->k;
  if (p->opts->h != NULL) {
    return vise_gemm_f64(p->th, k, p->t, k, p->l, p->opts->h, k, k, k, err);
  }
  for (int64_t i = 0; i < p->l && p->opts->diagonal != NULL; i++) {
    for (int64_t j = 0; j < k; j++) {
      p->th[i * k + j] = p->t[i * k + j] * (double)p->opts->diagonal[j];
    }
  }
  return VISE_OK;
}

typedef struct fill {
  double *out;
  vise_rng rng;
} fill;

static void fill_normal(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const fill *f = arg;
  for (int64_t i = begin; i < end; i++) {
    f->out[i] = vise_rng_normal(&f->rng, (uint64_t)i);
  }
}

/* The basis of a random subspace, and t. */
static vise_status sample(whitened *p, vise_err *err) {
  const int64_t m = p->w->m;
  VISE_TRY(vise_matrix_alloc(&p->basis, p->l, m, err));
  fill f = {p->basis, vise_rng_named(p->opts->seed, p->opts->name)};
  VISE_TRY(vise_parallel_for(p->l * m, GRAIN, fill_normal, &f, err));
  for (int step = 0; step < STEPS; step++) {
    VISE_TRY(vise_whitened_rows(p->t, p->basis, p->l, p->w, err));
    VISE_TRY(weigh(p, err));
    VISE_TRY(multiply(p->basis, p->th, p->l, p->w, err));
    VISE_TRY(vise_qr(p->basis, p->l, m, NULL, err));
  }
  return vise_whitened_rows(p->t, p->basis, p->l, p->w, err);
}

/* The basis of all columns, and t. */
static vise_status take_all(whitened *p, vise_err *err) {
  const int64_t m = p->w->m, k = p->w->k;
  if (m <= k) {
    decode_strided(p->w, 0, m, 0, k, p->t, k);
    return VISE_OK;
  }
  const vise_matrix_f32 wt = transposed(p->w);
  VISE_TRY(vise_matrix_alloc(&p->basis, k, m, err));
  decode_strided(&wt, 0, k, 0, m, p->basis, m);
  return vise_qr(p->basis, k, m, p->t, err);
}

static vise_status solve(whitened *p, double *ut, double *s, vise_err *err) {
  const int64_t m = p->w->m, k = p->w->k, r = p->r, l = p->l;
  const bool is_identity = p->opts->h == NULL && p->opts->diagonal == NULL;
  VISE_TRY(vise_matrix_alloc(&p->t, l, k, err));
  if (!is_identity) {
    VISE_TRY(vise_matrix_alloc(&p->th, l, k, err));
  } else {
    p->th = p->t;
  }
  VISE_TRY(vise_matrix_alloc(&p->g, l + r, l, err));
  VISE_TRY(l == smaller(m, k) ? take_all(p, err) : sample(p, err));
  VISE_TRY(weigh(p, err));
  VISE_TRY(vise_gemm_f64(p->g, l, p->th, k, l, p->t, k, l, k, err));
  VISE_TRY(vise_eigh(s, p->g, l, err));

  double *leading = p->basis == NULL ? ut : p->g + l * l;
  for (int64_t i = 0; i < r; i++) { /* the greatest eigenvalue is the last */
    memcpy(leading + i * l, p->g + (l - 1 - i) * l, (size_t)l * sizeof *leading);
  }
  for (int64_t i = 0; i < (l + 1) / 2; i++) {
    const double low = sqrt(fmax(s[i], 0.0));
    s[i] = sqrt(fmax(s[l - 1 - i], 0.0));
    s[l - 1 - i] = low;
  }
  if (p->basis == NULL) {
    return VISE_OK;
  }
  double *columns;
  VISE_TRY(vise_matrix_alloc(&columns, m, l, err));
  vise_matrix_transpose(columns, l, p->basis, m, l, m);
  const vise_status st = vise_gemm_f64(ut, m, leading, l, r, columns, l, m, l, err);
  vise_mem_free(columns);
  return st;
}

vise_status vise_whitened(double *ut,
                          double *s,
                          const vise_matrix_f32 *w,
                          int64_t r,
                          const vise_whitened_opts *opts,
                          vise_err *err) {
  VISE_TRY(vise_project_check_rank("svd", r, w, err));
  whitened p = {.w = w, .opts = opts, .r = r, .l = vise_whitened_size(w, r, opts->is_exact)};
  const vise_status st = solve(&p, ut, s, err);
  vise_mem_free(p.basis);
  vise_mem_free(p.th == p.t ? NULL : p.th);
  vise_mem_free(p.t);
  vise_mem_free(p.g);
  return st;
}
