/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/moments.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

#include <math.h>
#include <string.h>

enum { STRIP = 1024, ROWS = 512, GRAIN = 16 };

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static vise_status zeros(double **out, int64_t m, int64_t k, vise_err *err) {
  VISE_TRY(vise_matrix_alloc(out, m, k, err));
  memset(*out, 0, (size_t)(m * k) * sizeof **out);
  return VISE_OK;
}

vise_status vise_moments_create(vise_moments **out, int64_t n, bool has_cross, vise_err *err) {
  *out = NULL;
  if (n < 0) {
    return vise_fail(err, VISE_EARG, "moments: n is %lld, expected 0 or more", (long long)n);
  }
  void *p = NULL;
  VISE_TRY(vise_mem_zalloc(&p, sizeof(vise_moments), err));
  vise_moments *s = p;
  s->n = n;
  vise_status st = zeros(&s->second, n, n, err);
  if (st == VISE_OK && has_cross) {
    st = zeros(&s->cross, n, n, err);
  }
  double **const vectors[] = {&s->sum, &s->sum_abs, &s->max_abs};
  for (int i = 0; i < 3 && st == VISE_OK; i++) {
    st = zeros(vectors[i], n, 1, err);
  }
  if (st != VISE_OK) {
    vise_moments_free(s);
    return st;
  }
  *out = s;
  return VISE_OK;
}

void vise_moments_free(vise_moments *s) {
  if (s == NULL) {
    return;
  }
  vise_mem_free(s->second);
  vise_mem_free(s->cross);
  vise_mem_free(s->sum);
  vise_mem_free(s->sum_abs);
  vise_mem_free(s->max_abs);
  vise_mem_free(s);
}

/* x [t, n] of a strip of tokens, its transpose and the sums of its columns. */
typedef struct strip {
  const float *x;
  int64_t ldx, t;
  float *xt;                       /* [n, t] */
  double *sum, *sum_abs, *max_abs; /* [n] */
} strip;

/* Columns [begin, end), each in the order of the tokens. */
static void turn_columns(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const strip *p = arg;
  for (int64_t i = 0; i < p->t; i++) {
    for (int64_t j = begin; j < end; j++) {
      p->xt[j * p->t + i] = p->x[i * p->ldx + j];
    }
  }
  for (int64_t j = begin; j < end; j++) {
    double sum = 0.0, sum_abs = 0.0, max_abs = 0.0;
    for (int64_t i = 0; i < p->t; i++) {
      const double x = (double)p->xt[j * p->t + i], size = fabs(x);
      sum += x;
      sum_abs += size;
      max_abs = size > max_abs ? size : max_abs;
    }
    p->sum[j] = sum;
    p->sum_abs[j] = sum_abs;
    p->max_abs[j] = max_abs;
  }
}

/* Fill what `p` points to. A sum of magnitudes is finite if and only if they all are. */
static vise_status turn(strip *p, int64_t n, vise_err *err) {
  VISE_TRY(vise_parallel_for(n, 64, turn_columns, p, err));
  for (int64_t j = 0; j < n; j++) {
    if (!isfinite(p->sum_abs[j])) {
      return vise_fail(err, VISE_ENUMERIC,
                       "moments: column %lld of the input has a NaN or infinity, expected finite "
                       "numbers",
                       (long long)j);
    }
  }
  return VISE_OK;
}

/* Rows [row, ...) of a sum [n, n] take `product` [.., n_cols] in. */
typedef struct addition {
  double *into;
  const float *product;
  int64_t n, row, n_cols;
  bool is_lower; /* only on and below the diagonal */
} addition;

static void add_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const addition *a = arg;
  for (int64_t i = begin; i < end; i++) {
    double *into = a->into + (a->row + i) * a->n;
    const float *product = a->product + i * a->n_cols;
    const int64_t n_cols = a->is_lower ? a->row + i + 1 : a->n;
    for (int64_t j = 0; j < n_cols; j++) {
      into[j] += (double)product[j];
    }
  }
}

/* into += left right', both [n, t]; product: scratch of ROWS x n. */
static vise_status add_products(double *into,
                                const float *left,
                                const float *right,
                                int64_t n,
                                int64_t t,
                                bool is_lower,
                                float *product,
                                vise_err *err) {
  for (int64_t row = 0; row < n; row += ROWS) {
    const int64_t n_rows = smaller(ROWS, n - row), n_cols = is_lower ? row + n_rows : n;
    vise_rows_dense dense;
    const vise_rows rows = vise_rows_f32(&dense, right, n_cols, t, t);
    VISE_TRY(vise_gemm_f32(product, n_cols, left + row * t, t, n_rows, &rows, err));
    addition a = {into, product, n, row, n_cols, is_lower};
    VISE_TRY(vise_parallel_for(n_rows, GRAIN, add_rows, &a, err));
  }
  return VISE_OK;
}

/* `o`: the same tokens before compression; its x is NULL without cross moments. */
static vise_status add_strip(vise_moments *s, strip *x, strip *o, float *product, vise_err *err) {
  const int64_t n = s->n;
  if (o->x != NULL) {
    VISE_TRY(turn(o, n, err));
  }
  VISE_TRY(turn(x, n, err));
  VISE_TRY(add_products(s->second, x->xt, x->xt, n, x->t, true, product, err));
  if (o->x != NULL) {
    VISE_TRY(add_products(s->cross, o->xt, x->xt, n, x->t, false, product, err));
  }
  for (int64_t j = 0; j < n; j++) {
    s->sum[j] += x->sum[j];
    s->sum_abs[j] += x->sum_abs[j];
    s->max_abs[j] = x->max_abs[j] > s->max_abs[j] ? x->max_abs[j] : s->max_abs[j];
  }
  s->count += x->t;
  return VISE_OK;
}

vise_status vise_moments_add(vise_moments *s,
                             const float *x,
                             int64_t ldx,
                             const float *original,
                             int64_t ldo,
                             int64_t t,
                             vise_err *err) {
  if ((original != NULL) != (s->cross != NULL)) {
    return vise_fail(err, VISE_EARG, "moments: the original input is %s, expected it %s",
                     original != NULL ? "given" : "absent",
                     original != NULL ? "only with cross moments" : "for cross moments");
  }
  const int64_t n = s->n, tokens = smaller(STRIP, t), n_strips = original != NULL ? 2 : 1;
  void *floats = NULL;
  double *sums = NULL;
  VISE_TRY(vise_mem_alloc_array(&floats, n * (n_strips * tokens + smaller(ROWS, n)), sizeof(float),
                                err));
  vise_status st = vise_matrix_alloc(&sums, 3, n, err);
  float *xt = floats, *ot = xt + n * tokens, *product = xt + n * n_strips * tokens;
  for (int64_t at = 0; at < t && st == VISE_OK; at += STRIP) {
    strip p = {x + at * ldx, ldx, smaller(STRIP, t - at), xt, sums, sums + n, sums + 2 * n};
    strip o = p;
    o.x = original == NULL ? NULL : original + at * ldo;
    o.ldx = ldo;
    o.xt = ot;
    st = add_strip(s, &p, &o, product, err);
  }
  vise_mem_free(sums);
  vise_mem_free(floats);
  return st;
}

static void add_to(double *into, const double *from, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    into[i] += from[i];
  }
}

vise_status vise_moments_merge(vise_moments *s, const vise_moments *other, vise_err *err) {
  const int64_t n = s->n;
  if (other->n != n || (other->cross != NULL) != (s->cross != NULL)) {
    return vise_fail(err, VISE_ESHAPE, "moments: those of %lld columns%s do not add to %lld%s",
                     (long long)other->n, other->cross != NULL ? " with cross moments" : "",
                     (long long)n, s->cross != NULL ? " with cross moments" : "");
  }
  add_to(s->second, other->second, n * n);
  if (s->cross != NULL) {
    add_to(s->cross, other->cross, n * n);
  }
  add_to(s->sum, other->sum, n);
  add_to(s->sum_abs, other->sum_abs, n);
  for (int64_t j = 0; j < n; j++) {
    s->max_abs[j] = other->max_abs[j] > s->max_abs[j] ? other->max_abs[j] : s->max_abs[j];
  }
  s->count += other->count;
  return VISE_OK;
}

static double per_token(const vise_moments *s) {
  return s->count > 0 ? 1.0 / (double)s->count : 0.0;
}

void vise_moments_second(double *h_out, const vise_moments *s) {
  const double scale = per_token(s);
  const int64_t n = s->n;
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) {
      h_out[i * n + j] = s->second[i * n + j] * scale;
      h_out[j * n + i] = h_out[i * n + j];
    }
  }
}

void vise_moments_cross(double *c_out, const vise_moments *s) {
  const double scale = per_token(s);
  for (int64_t i = 0; i < s->n * s->n; i++) {
    c_out[i] = s->cross[i] * scale;
  }
}

vise_status vise_moments_scaled(vise_moments **out,
                                const vise_moments *s,
                                const float *factors,
                                vise_err *err) {
  const int64_t n = s->n;
  VISE_TRY(vise_moments_create(out, n, s->cross != NULL, err));
  vise_moments *to = *out;
  to->count = s->count;
  for (int64_t i = 0; i < n; i++) {
    const double f = (double)factors[i];
    for (int64_t j = 0; j < n; j++) {
      to->second[i * n + j] = s->second[i * n + j] * f * (double)factors[j];
      if (s->cross != NULL) {
        to->cross[i * n + j] = s->cross[i * n + j] * f * (double)factors[j];
      }
    }
    to->sum[i] = s->sum[i] * f;
    to->sum_abs[i] = s->sum_abs[i] * fabs(f);
    to->max_abs[i] = s->max_abs[i] * fabs(f);
  }
  return VISE_OK;
}

void vise_moments_importance(float *out, const vise_moments *s) {
  for (int64_t j = 0; j < s->n; j++) {
    out[j] = (float)(s->second[j * s->n + j] * per_token(s));
  }
}
