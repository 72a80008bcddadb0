/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All vectors are rows. With Omega [l, k] of normal numbers:
 *
 *   Y = Omega W', Q = qr(Y)                      the range finder, algorithm 4.1
 *   q times:  Z = Q W, Q = qr(Z);  Y = Q W', Q = qr(Y)          algorithm 4.4
 *   B = Q W in f64, its SVD, cut to r                           algorithm 5.1: linalg/project.h
 *
 * The first product has PROBES rows more, with which nothing else is done: they are independent of
 * Q, so the largest part of them that U does not span bounds the error (equation 4.3, alpha = 10).
 *
 * Random numbers and basis are multiplied by a power of two before they meet W, so that products
 * of very great or small weights stay within f32; a QR does not see scales.
 */
#include "linalg/rsvd.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "kernels/gemm_tile.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/qr.h"

#include <math.h>
#include <string.h>

enum { PROBES = 6, SCALE_LIMIT = 60, GRAIN = 1024 };

typedef struct rsvd {
  const vise_matrix_f32 *w;
  vise_rng rng;
  int64_t r, l;
  float scale;
  float *x, *y;           /* [l + PROBES, max(m, k)]: what goes into a product and comes out */
  double *basis, *probes; /* [l, max(m, k)], [PROBES, m] */
  double *ut, *s;         /* [r, m], [l] */
} rsvd;

static void fill_omega(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  rsvd *p = arg;
  for (int64_t i = begin; i < end; i++) {
    p->x[i] = (float)vise_rng_normal(&p->rng, (uint64_t)i) * p->scale;
  }
}

/* vise_rows_fn of a matrix with any strides, one of which is 1. */
static void decode_strided(const void *source,
                           int64_t row,
                           int64_t n_rows,
                           int64_t col,
                           int64_t n_cols,
                           float *out,
                           int64_t ld) {
  const vise_matrix_f32 *w = source;
  const float *first = w->w + row * w->row_stride + col * w->col_stride;
  if (w->col_stride == 1) {
    for (int64_t i = 0; i < n_rows; i++) {
      memcpy(out + i * ld, first + i * w->row_stride, (size_t)n_cols * sizeof *out);
    }
  } else {
    vise_gemm_kernels_used()->f32.transpose(out, ld, first, w->col_stride, n_cols, n_rows);
  }
}

/* y [t, n] = x [t, .] M', n the rows of M. */
static vise_status multiply(rsvd *p, const vise_matrix_f32 *matrix, int64_t t, vise_err *err) {
  const vise_rows rows = {matrix->m, matrix->k, decode_strided, matrix};
  return vise_gemm_f32(p->y, matrix->m, p->x, matrix->k, t, &rows, err);
}

/* The basis of the first l rows of y, n long. */
static vise_status orthonormalize(rsvd *p, int64_t n, vise_err *err) {
  for (int64_t i = 0; i < p->l * n; i++) {
    p->basis[i] = (double)p->y[i];
  }
  return vise_qr(p->basis, p->l, n, NULL, err);
}

static void basis_to_x(rsvd *p, int64_t n) {
  for (int64_t i = 0; i < p->l * n; i++) {
    p->x[i] = (float)p->basis[i] * p->scale;
  }
}

static vise_status find_basis(rsvd *p, int64_t passes, vise_err *err) {
  const vise_matrix_f32 *w = p->w;
  const vise_matrix_f32 wt = {w->w, w->k, w->m, w->col_stride, w->row_stride};
  const int64_t n_vectors = p->l + PROBES;
  VISE_TRY(vise_parallel_for(n_vectors * w->k, GRAIN, fill_omega, p, err));
  VISE_TRY(multiply(p, w, n_vectors, err));
  for (int64_t i = 0; i < PROBES * w->m; i++) {
    p->probes[i] = (double)p->y[p->l * w->m + i];
  }
  VISE_TRY(orthonormalize(p, w->m, err));
  for (int64_t pass = 0; pass < passes; pass++) {
    basis_to_x(p, w->m);
    VISE_TRY(multiply(p, &wt, p->l, err));
    VISE_TRY(orthonormalize(p, w->k, err));
    basis_to_x(p, w->k);
    VISE_TRY(multiply(p, w, p->l, err));
    VISE_TRY(orthonormalize(p, w->m, err));
  }
  return VISE_OK;
}

/* 10 sqrt(2 / pi) times the greatest |(I - U U') W omega|; u is [m, r]. */
static vise_status bound_error(double *out, const rsvd *p, const double *u, vise_err *err) {
  const int64_t m = p->w->m, r = p->r;
  double *coefficients, *spanned = NULL, greatest = 0.0;
  VISE_TRY(vise_matrix_alloc(&coefficients, PROBES, r, err));
  vise_status st = vise_matrix_alloc(&spanned, PROBES, m, err);
  if (st == VISE_OK) {
    st = vise_gemm_f64(coefficients, r, p->probes, m, PROBES, p->ut, m, r, m, err);
  }
  if (st == VISE_OK) {
    st = vise_gemm_f64(spanned, m, coefficients, r, PROBES, u, r, m, r, err);
  }
  for (int64_t i = 0; i < PROBES && st == VISE_OK; i++) {
    double sum = 0.0;
    for (int64_t j = i * m; j < (i + 1) * m; j++) {
      sum += (p->probes[j] - spanned[j]) * (p->probes[j] - spanned[j]);
    }
    greatest = fmax(greatest, sqrt(sum) / (double)p->scale);
  }
  vise_mem_free(spanned);
  vise_mem_free(coefficients);
  *out = 10.0 * sqrt(2.0 / 3.14159265358979323846) * greatest;
  return st;
}

static vise_status alloc_all(rsvd *p, vise_err *err) {
  const int64_t m = p->w->m, longest = m > p->w->k ? m : p->w->k;
  void *x, *y;
  VISE_TRY(vise_mem_alloc_array(&x, (p->l + PROBES) * longest, sizeof(float), err));
  p->x = x;
  VISE_TRY(vise_mem_alloc_array(&y, (p->l + PROBES) * longest, sizeof(float), err));
  p->y = y;
  VISE_TRY(vise_matrix_alloc(&p->basis, p->l, longest, err));
  VISE_TRY(vise_matrix_alloc(&p->probes, PROBES, m, err));
  VISE_TRY(vise_matrix_alloc(&p->ut, p->r, m, err));
  return vise_matrix_alloc(&p->s, p->l, 1, err);
}

static vise_status factor(rsvd *p,
                          double *u,
                          double *s,
                          double *vt,
                          vise_rsvd_error *error_out,
                          double square,
                          int64_t passes,
                          vise_err *err) {
  const int64_t m = p->w->m, k = p->w->k, r = p->r;
  VISE_TRY(alloc_all(p, err));
  VISE_TRY(find_basis(p, passes, err));
  VISE_TRY(vise_project(p->ut, p->s, vt, r, p->basis, p->l, p->w, err));
  vise_matrix_transpose(u, r, p->ut, m, r, m);
  VISE_TRY(bound_error(&error_out->spectral, p, u, err));
  error_out->frobenius = vise_project_error(square, p->s, r);
  vise_matrix_fix_signs(vt, r, k, u, m);
  memcpy(s, p->s, (size_t)r * sizeof *s);
  return VISE_OK;
}

vise_status vise_rsvd(double *u,
                      double *s,
                      double *vt,
                      vise_rsvd_error *error_out,
                      const vise_matrix_f32 *w,
                      int64_t r,
                      const vise_rsvd_opts *opts,
                      vise_err *err) {
  const int64_t least = w->m < w->k ? w->m : w->k;
  VISE_TRY(vise_project_check_rank("randomized_svd", r, w, err));
  if (opts->oversample < 0 || opts->passes < 0) {
    return vise_fail(
        err, VISE_EARG,
        "randomized_svd: oversample is %lld and passes is %lld, expected neither below "
        "0",
        (long long)opts->oversample, (long long)opts->passes);
  }
  double square;
  VISE_TRY(vise_matrix_square(&square, "randomized_svd", w, err));
  int exponent = 0;
  (void)frexp(sqrt(square), &exponent);
  exponent = exponent > SCALE_LIMIT    ? SCALE_LIMIT
             : exponent < -SCALE_LIMIT ? -SCALE_LIMIT
                                       : exponent;
  rsvd p = {.w = w,
            .rng = vise_rng_named(opts->seed, opts->name),
            .r = r,
            .l = least - r < opts->oversample ? least : r + opts->oversample,
            .scale = ldexpf(1.0f, -exponent)};
  const vise_status st = factor(&p, u, s, vt, error_out, square, opts->passes, err);
  vise_mem_free(p.x);
  vise_mem_free(p.y);
  vise_mem_free(p.basis);
  vise_mem_free(p.probes);
  vise_mem_free(p.ut);
  vise_mem_free(p.s);
  return st;
}
