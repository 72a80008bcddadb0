/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reflections H_j = I - tau_j v_j v_j', v_j zero before element j and 1 there, are kept as one:
 * H_1 ... H_n = I - V T V', T upper triangular. Columns are split in halves:
 *
 *   factor the left half:             V1, T1
 *   right half = H' right half:       A2' -= ((A2' V1) T1) V1'
 *   factor the right half:            V2, T2
 *   join:                             T = [T1, -T1 (V1' V2) T2; 0, T2]
 *
 * down to BASE columns, which are done one by one. V and T are also kept transposed, because
 * linalg/gemm takes both of its operands by rows.
 *
 * Differs from the source: T is joined at every level, the top one too, as Q is formed from it:
 * Q' = E' (I - V T' V'), E the first n columns of the identity.
 *
 * A is scaled to a greatest magnitude in [0.5, 1) by a power of two, so that no square overflows.
 */
#include "linalg/qr.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BASE = 8, LANES = 8 };

typedef struct qr {
  int64_t n, m;
  double *v, *vt;   /* [n, m]: rows of A' that turn into reflections; [m, n] */
  double *t, *tt;   /* [n, n] */
  double *r;        /* [n, n] */
  double *update;   /* [n / 2, m], a multiple of BASE rows */
  double *small[2]; /* [n / 2 + BASE, n / 2 + BASE] each */
} qr;

/* Lane partials, element i in lane i mod 8, added by halves. */
static double dot(const double *x, const double *y, int64_t n) {
  double s[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      s[l] += x[i + l] * y[i + l];
    }
  }
  for (int l = 0; i + l < n; l++) {
    s[l] += x[i + l] * y[i + l];
  }
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The reflection that turns row j from element j on into (R_jj, 0, ...). */
static void reflect(qr *q, int64_t j) {
  const int64_t n = q->n, m = q->m;
  double *x = q->v + j * m;
  for (int64_t i = 0; i < j; i++) {
    q->r[i * n + j] = x[i];
    x[i] = 0.0;
  }
  const double alpha = x[j], sigma = dot(x + j + 1, x + j + 1, m - j - 1);
  const double beta = sigma > 0.0 ? -copysign(sqrt(alpha * alpha + sigma), alpha) : alpha;
  const double tau = sigma > 0.0 ? (beta - alpha) / beta : 0.0;
  const double scale = sigma > 0.0 ? 1.0 / (alpha - beta) : 0.0;
  x[j] = 1.0;
  q->vt[j * n + j] = 1.0;
  for (int64_t i = j + 1; i < m; i++) {
    x[i] *= scale;
    q->vt[i * n + j] = x[i];
  }
  q->r[j * n + j] = beta;
  q->t[j * n + j] = tau;
  q->tt[j * n + j] = tau;
}

static void factor_base(qr *q, int64_t begin, int64_t width) {
  const int64_t n = q->n, m = q->m;
  for (int64_t j = begin; j < begin + width; j++) {
    reflect(q, j);
    const double *v = q->v + j * m + j;
    const double tau = q->t[j * n + j];
    for (int64_t i = j + 1; i < begin + width; i++) {
      double *x = q->v + i * m + j;
      const double w = tau * dot(v, x, m - j);
      for (int64_t l = 0; l < m - j; l++) {
        x[l] -= w * v[l];
      }
    }
    double d[BASE]; /* V' v_j of the reflections of this base before j */
    for (int64_t i = begin; i < j; i++) {
      d[i - begin] = dot(v, q->v + i * m + j, m - j);
    }
    for (int64_t i = begin; i < j; i++) {
      double sum = 0.0;
      for (int64_t l = i; l < j; l++) {
        sum += q->t[i * n + l] * d[l - begin];
      }
      q->t[i * n + j] = -tau * sum;
      q->tt[j * n + i] = -tau * sum;
    }
  }
}

/* Right half, `w2` rows from j1 on, met by the reflections [j0, j0 + w1). */
static vise_status
apply_left(qr *q, int64_t j0, int64_t w1, int64_t j1, int64_t w2, vise_err *err) {
  const int64_t n = q->n, m = q->m, length = m - j0;
  double *right = q->v + j1 * m + j0, *p = q->small[0], *pt = q->small[1];
  VISE_TRY(vise_gemm_f64(p, w1, right, m, w2, q->v + j0 * m + j0, m, w1, length, err));
  VISE_TRY(vise_gemm_f64(pt, w1, p, w1, w2, q->tt + j0 * n + j0, n, w1, w1, err));
  VISE_TRY(vise_gemm_f64(q->update, length, pt, w1, w2, q->vt + j0 * n + j0, n, length, w1, err));
  for (int64_t i = 0; i < w2; i++) {
    for (int64_t l = 0; l < length; l++) {
      right[i * m + l] -= q->update[i * length + l];
    }
  }
  return VISE_OK;
}

static vise_status join(qr *q, int64_t j0, int64_t w1, int64_t j1, int64_t w2, vise_err *err) {
  const int64_t n = q->n, m = q->m;
  double *a = q->small[0], *b = q->small[1];
  VISE_TRY(vise_gemm_f64(a, w1, q->v + j1 * m + j1, m, w2, q->v + j0 * m + j1, m, w1, m - j1, err));
  VISE_TRY(vise_gemm_f64(b, w2, q->t + j0 * n + j0, n, w1, a, w1, w2, w1, err)); /* T1 V1' V2 */
  VISE_TRY(vise_gemm_f64(a, w2, b, w2, w1, q->tt + j1 * n + j1, n, w2, w2, err));
  for (int64_t i = 0; i < w1; i++) {
    for (int64_t j = 0; j < w2; j++) {
      q->t[(j0 + i) * n + j1 + j] = -a[i * w2 + j];
      q->tt[(j1 + j) * n + j0 + i] = -a[i * w2 + j];
    }
  }
  return VISE_OK;
}

static vise_status factor(qr *q, int64_t begin, int64_t width, vise_err *err) {
  if (width <= BASE) {
    factor_base(q, begin, width);
    return vise_cancel_check(err);
  }
  const int64_t w1 = (width / 2 + BASE - 1) / BASE * BASE, w2 = width - w1, middle = begin + w1;
  VISE_TRY(factor(q, begin, w1, err));
  VISE_TRY(apply_left(q, begin, w1, middle, w2, err));
  VISE_TRY(factor(q, middle, w2, err));
  return join(q, begin, w1, middle, w2, err);
}

/* Q' over V, whose transpose is all that is needed; R's diagonal is made >= 0. */
static vise_status form_q(qr *q, vise_err *err) {
  const int64_t n = q->n, m = q->m;
  double *p = q->tt; /* no longer needed */
  VISE_TRY(vise_gemm_f64(p, n, q->vt, n, n, q->t, n, n, n, err));
  VISE_TRY(vise_gemm_f64(q->v, m, p, n, n, q->vt, n, m, n, err));
  for (int64_t j = 0; j < n; j++) {
    const bool is_turned = q->r[j * n + j] < 0.0;
    double *row = q->v + j * m;
    for (int64_t i = 0; i < m; i++) {
      const double value = (i == j ? 1.0 : 0.0) - row[i];
      row[i] = is_turned ? -value : value;
    }
    for (int64_t i = j; i < n && is_turned; i++) {
      q->r[j * n + i] = -q->r[j * n + i];
    }
  }
  return VISE_OK;
}

static void scale(double *x, int64_t n, int exponent) {
  const int half = exponent / 2; /* 2^exponent itself may be no number */
  const double first = ldexp(1.0, half), second = ldexp(1.0, exponent - half);
  for (int64_t i = 0; i < n; i++) {
    x[i] = x[i] * first * second;
  }
}

vise_status vise_qr(double *at, int64_t n, int64_t m, double *r_out, vise_err *err) {
  double greatest;
  VISE_TRY(vise_matrix_check_finite(&greatest, "qr", at, m, n, m, err));
  if (n == 0) {
    return VISE_OK;
  }
  int exponent;
  (void)frexp(greatest, &exponent);
  const int64_t half = n / 2 + BASE;
  double *block[7] = {NULL};
  const int64_t sizes[7][2] = {{m, n},    {n, n},       {n, n},      {n, n},
                               {half, m}, {half, half}, {half, half}};
  vise_status st = VISE_OK;
  for (int i = 0; i < 7 && st == VISE_OK; i++) {
    st = vise_matrix_alloc(&block[i], sizes[i][0], sizes[i][1], err);
  }
  if (st == VISE_OK) {
    for (int i = 0; i < 4; i++) {
      memset(block[i], 0, (size_t)(sizes[i][0] * sizes[i][1]) * sizeof(double));
    }
    qr q = {n, m, at, block[0], block[1], block[2], block[3], block[4], {block[5], block[6]}};
    scale(at, n * m, -exponent);
    st = factor(&q, 0, n, err);
    if (st == VISE_OK) {
      st = form_q(&q, err);
    }
    if (st == VISE_OK && r_out != NULL) {
      scale(q.r, n * n, exponent);
      memcpy(r_out, q.r, (size_t)(n * n) * sizeof *r_out);
    }
  }
  for (int i = 0; i < 7; i++) {
    vise_mem_free(block[i]);
  }
  return st;
}

vise_status vise_qr_reduced(
    double *q, double *r, const double *a, int64_t lda, int64_t m, int64_t n, vise_err *err) {
  const int64_t least = m < n ? m : n;
  double *at, *square = NULL;
  VISE_TRY(vise_matrix_check_finite(NULL, "qr", a, lda, m, n, err));
  VISE_TRY(vise_matrix_alloc(&at, n, m, err));
  vise_matrix_transpose(at, m, a, lda, m, n);
  vise_status st = vise_matrix_alloc(&square, least, least, err);
  if (st == VISE_OK) {
    st = vise_qr(at, least, m, square, err);
  }
  if (st == VISE_OK) {
    vise_matrix_transpose(q, least, at, m, least, m);
    for (int64_t i = 0; i < least && r != NULL; i++) {
      memcpy(r + i * n, square + i * least, (size_t)least * sizeof *r);
    }
    if (r != NULL) { /* columns beyond the m of a wide matrix: Q' A */
      st = vise_gemm_f64(r + least, n, at, m, least, at + least * m, m, n - least, m, err);
    }
  }
  vise_mem_free(square);
  vise_mem_free(at);
  return st;
}
