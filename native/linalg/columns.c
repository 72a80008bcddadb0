/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With H_SS = L L' and X the matrix whose row j is L^-1 e_j, [H_SS^-1]_ij = X_i X_j', and X_j is 0 before
 * j. So the inverse is never formed: a group's part of it is the product of a few rows of X.
 */
#include "linalg/columns.h"

#include "core/mem.h"
#include "linalg/cholesky.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/triangular.h"

#include <stdbool.h>
#include <string.h>

enum { ROUNDS = 16 };

/* S is the n groups `kept`; matrices are contiguous. */
typedef struct state {
  const vise_columns *c;
  int64_t n;       /* groups that are left */
  int32_t *kept;   /* [k / group] */
  double *h;       /* [k, k] damped */
  double *l, *x;   /* [s, s], s = n group columns */
  double *w, *v;   /* [m, k] the original; [m, s] now */
  double *losses;  /* [n] */
  double *removed; /* of those that went, ascending; or NULL */
  int64_t n_removed;
} state;

static int64_t columns_of(const state *s) {
  return s->n * s->c->group;
}

/* Which column of W stands at `j` of S. */
static int64_t column_at(const state *s, int64_t j) {
  return s->kept[j / s->c->group] * s->c->group + j % s->c->group;
}

/* x = rows S of H: all columns, or those of S. */
static void take_rows(const state *s, double *out, bool is_square) {
  const int64_t n = columns_of(s), k = s->c->k;
  for (int64_t i = 0; i < n; i++) {
    const double *row = s->h + column_at(s, i) * k;
    for (int64_t j = 0; j < (is_square ? n : k); j++) {
      out[i * (is_square ? n : k) + j] = row[is_square ? column_at(s, j) : j];
    }
  }
}

/* l: the factor of H_SS; v = W H_:S H_SS^-1. */
static vise_status fit(state *s, vise_err *err) {
  const int64_t m = s->c->m, k = s->c->k, n = columns_of(s);
  take_rows(s, s->x, false);
  VISE_TRY(vise_gemm_f64(s->v, n, s->w, k, m, s->x, k, n, k, err));
  take_rows(s, s->l, true);
  VISE_TRY(vise_cholesky(s->l, n, n, err));
  VISE_TRY(vise_triangular_solve(s->v, n, m, s->l, n, n, false, err));
  return vise_triangular_solve(s->v, n, m, s->l, n, n, true, err);
}

static double dot(const double *a, const double *b, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += a[i] * b[i];
  }
  return sum;
}

/* tr(W_P A^-1 W_P'), A [p, p] the group's part of the inverse. */
static vise_status loss_of(const state *s, int64_t g, double *a, double *w, vise_err *err) {
  const int64_t p = s->c->group, n = columns_of(s), m = s->c->m, first = g * p;
  for (int64_t i = 0; i < p; i++) {
    for (int64_t j = 0; j <= i; j++) {
      const int64_t from = first + i; /* before, the later row is 0 */
      a[i * p + j] = dot(s->x + from * n + from, s->x + (first + j) * n + from, n - from);
    }
  }
  for (int64_t i = 0; i < m; i++) {
    memcpy(w + i * p, s->v + i * n + first, (size_t)p * sizeof *w);
  }
  VISE_TRY(vise_cholesky(a, p, p, err));
  VISE_TRY(vise_triangular_solve(w, p, m, a, p, p, false, err));
  s->losses[g] = dot(w, w, m * p);
  return VISE_OK;
}

/* The losses of all groups, from l and v. */
static vise_status measure(state *s, vise_err *err) {
  const int64_t n = columns_of(s), p = s->c->group;
  memset(s->x, 0, (size_t)(n * n) * sizeof *s->x);
  for (int64_t i = 0; i < n; i++) {
    s->x[i * n + i] = 1.0;
  }
  VISE_TRY(vise_triangular_solve(s->x, n, n, s->l, n, n, false, err));
  double *scratch;
  VISE_TRY(vise_matrix_alloc(&scratch, p + s->c->m, p, err));
  vise_status st = VISE_OK;
  for (int64_t g = 0; g < s->n && st == VISE_OK; g++) {
    st = loss_of(s, g, scratch, scratch + p * p, err);
  }
  vise_mem_free(scratch);
  return st;
}

/* The `n` groups of the least loss go; of equals the first. */
static void drop_least(state *s, int64_t n) {
  for (; n > 0; n--) {
    int64_t least = 0;
    for (int64_t g = 1; g < s->n; g++) {
      least = s->losses[g] < s->losses[least] ? g : least;
    }
    if (s->removed != NULL) {
      const double loss = s->losses[least],
                   before = s->n_removed > 0 ? s->removed[s->n_removed - 1] : 0.0;
      s->removed[s->n_removed++] = loss > before ? loss : before;
    }
    s->n--;
    const size_t after = (size_t)(s->n - least);
    memmove(s->losses + least, s->losses + least + 1, after * sizeof *s->losses);
    memmove(s->kept + least, s->kept + least + 1, after * sizeof *s->kept);
  }
}

/* h: that of `c` with its damping; of inputs that are all 0 the identity. */
static vise_status damp(state *s, vise_err *err) {
  const int64_t k = s->c->k;
  double sum = 0.0, damping = 0.0, greatest = 0.0;
  VISE_TRY(vise_matrix_check_finite(&greatest, "columns", s->c->h, k, k, k, err));
  memcpy(s->h, s->c->h, (size_t)(k * k) * sizeof *s->h);
  for (int64_t j = 0; j < k; j++) {
    sum += s->h[j * k + j];
  }
  if (greatest > 0.0) {
    VISE_TRY(vise_cholesky_damped(s->l, &damping, s->h, k, k, s->c->damping, err));
  }
  for (int64_t j = 0; j < k; j++) {
    s->h[j * k + j] += greatest > 0.0 ? damping * sum / (double)k : 1.0;
  }
  return VISE_OK;
}

static vise_status start(state *s, const vise_columns *c, double **memory, vise_err *err) {
  const int64_t m = c->m, k = c->k;
  if (c->group < 1 || k < c->group || k % c->group != 0) {
    return vise_fail(err, VISE_EARG, "columns: groups of %lld do not divide the %lld columns of w",
                     (long long)c->group, (long long)k);
  }
  VISE_TRY(vise_matrix_alloc(memory, 3 * k + 2 * m + 2, k, err));
  s->c = c;
  s->n = k / c->group;
  s->h = *memory;
  s->l = s->h + k * k;
  s->x = s->l + k * k;
  s->w = s->x + k * k;
  s->v = s->w + m * k;
  s->losses = s->v + m * k;
  s->kept = (int32_t *)(void *)(s->losses + k);
  for (int64_t g = 0; g < s->n; g++) {
    s->kept[g] = (int32_t)g;
  }
  for (int64_t i = 0; i < m * k; i++) {
    s->w[i] = (double)c->w[i];
  }
  return damp(s, err);
}

/* tr(W H W') of the damped H. */
static vise_status norm_of(double *norm_out, state *s, vise_err *err) {
  const int64_t m = s->c->m, k = s->c->k;
  VISE_TRY(vise_gemm_f64(s->v, k, s->w, k, m, s->h, k, k, k, err));
  *norm_out = dot(s->v, s->w, m * k);
  return VISE_OK;
}

vise_status
vise_columns_losses(double *losses_out, double *norm_out, const vise_columns *c, vise_err *err) {
  state s = {0};
  double *memory = NULL;
  vise_status st = start(&s, c, &memory, err);
  st = st == VISE_OK ? norm_of(norm_out, &s, err) : st;
  st = st == VISE_OK ? fit(&s, err) : st;
  st = st == VISE_OK ? measure(&s, err) : st;
  if (st == VISE_OK) {
    memcpy(losses_out, s.losses, (size_t)s.n * sizeof *losses_out);
  }
  vise_mem_free(memory);
  return st;
}

static vise_status drop(state *s, int64_t n_drop, vise_err *err) {
  for (int64_t round = 0; round < ROUNDS && n_drop > 0; round++) {
    const int64_t n = (n_drop + ROUNDS - round - 1) / (ROUNDS - round);
    VISE_TRY(fit(s, err));
    VISE_TRY(measure(s, err));
    drop_least(s, n);
    n_drop -= n;
  }
  return fit(s, err);
}

/* out [m, k]: v where columns are left, else 0. */
static void spread(float *out, const state *s) {
  const int64_t n = columns_of(s);
  memset(out, 0, (size_t)(s->c->m * s->c->k) * sizeof *out);
  for (int64_t i = 0; i < s->c->m; i++) {
    for (int64_t j = 0; j < n; j++) {
      out[i * s->c->k + column_at(s, j)] = (float)s->v[i * n + j];
    }
  }
}

vise_status vise_columns_drop(int32_t *kept_out,
                              float *v_out,
                              double *losses_out,
                              const vise_columns *c,
                              int64_t n_drop,
                              vise_err *err) {
  state s = {.removed = losses_out};
  double *memory = NULL;
  vise_status st = start(&s, c, &memory, err);
  if (st == VISE_OK && (n_drop < 0 || n_drop >= s.n)) {
    st = vise_fail(err, VISE_EARG, "columns: %lld of %lld groups are to go, expected 0 to %lld",
                   (long long)n_drop, (long long)s.n, (long long)s.n - 1);
  } else if (st == VISE_OK && n_drop == 0) {
    memcpy(v_out, c->w, (size_t)(c->m * c->k) * sizeof *v_out);
  } else if (st == VISE_OK) {
    st = drop(&s, n_drop, err);
    spread(v_out, &s);
  }
  if (st == VISE_OK) {
    memcpy(kept_out, s.kept, (size_t)s.n * sizeof *kept_out);
  }
  vise_mem_free(memory);
  return st;
}
