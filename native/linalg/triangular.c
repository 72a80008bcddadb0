/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Left-looking: with J a block of 128 columns and D the block of L on the diagonal,
 *
 *   L x = b    J ascending:   X_J = (B_J - X_before L[J, before]') D'^-1
 *   L' x = b   J descending:  X_J = (B_J - X_after L[after, J]) D^-1
 *
 * The second is the first with D and the strip of L beside it transposed into scratch and the
 * order turned around. On the diagonal, eight right sides are solved side by side, so that the
 * loops run along vectors though each solution is a chain in the order of its columns.
 */
#include "linalg/triangular.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 128, SIDES = 8, GRAIN = 32 };

typedef struct solve {
  double *x;          /* [t, n] */
  double *known;      /* [t, BLOCK]: what the solved columns contribute to the block */
  const double *diag; /* [nb, nb], stride ldd: lower, or upper when descending */
  int64_t ldx, t, ldd, col, nb;
  bool is_descending;
} solve;

/* Eight right sides in y [nb][SIDES]. */
static void solve_sides(const solve *s, double *y) {
  for (int64_t step = 0; step < s->nb; step++) {
    const int64_t i = s->is_descending ? s->nb - 1 - step : step;
    const double *row = s->diag + i * s->ldd;
    double sum[SIDES];
    memcpy(sum, y + i * SIDES, sizeof sum);
    const int64_t begin = s->is_descending ? i + 1 : 0, end = s->is_descending ? s->nb : i;
    for (int64_t j = begin; j < end; j++) {
      const double factor = row[j];
      for (int k = 0; k < SIDES; k++) {
        sum[k] -= factor * y[j * SIDES + k];
      }
    }
    for (int k = 0; k < SIDES; k++) {
      y[i * SIDES + k] = sum[k] / row[i];
    }
  }
}

static void solve_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const solve *s = arg;
  double y[BLOCK * SIDES];
  for (int64_t row = begin; row < end; row += SIDES) {
    const int64_t n_rows = end - row < SIDES ? end - row : SIDES;
    memset(y, 0, sizeof y);
    for (int64_t k = 0; k < n_rows; k++) {
      const double *b = s->x + (row + k) * s->ldx + s->col, *known = s->known + (row + k) * s->nb;
      for (int64_t j = 0; j < s->nb; j++) {
        y[j * SIDES + k] = b[j] - known[j];
      }
    }
    solve_sides(s, y);
    for (int64_t k = 0; k < n_rows; k++) {
      for (int64_t j = 0; j < s->nb; j++) {
        s->x[(row + k) * s->ldx + s->col + j] = y[j * SIDES + k];
      }
    }
  }
}

static vise_status check_pivots(const double *l, int64_t ldl, int64_t n, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    const double pivot = l[i * ldl + i];
    if (pivot == 0.0 || !isfinite(pivot)) {
      return vise_fail(err, VISE_ENUMERIC,
                       "solve_triangular: pivot %lld is %g, expected a finite number other than 0",
                       (long long)i, pivot);
    }
  }
  return VISE_OK;
}

vise_status vise_triangular_solve(double *x,
                                  int64_t ldx,
                                  int64_t t,
                                  const double *l,
                                  int64_t ldl,
                                  int64_t n,
                                  bool is_transposed,
                                  vise_err *err) {
  VISE_TRY(check_pivots(l, ldl, n, err));
  if (t == 0 || n == 0) {
    return VISE_OK;
  }
  double *known, *strip = NULL;
  VISE_TRY(vise_matrix_alloc(&known, t, BLOCK, err));
  vise_status st = vise_matrix_alloc(&strip, BLOCK, is_transposed ? n : 0, err);
  solve s = {.x = x, .known = known, .ldx = ldx, .t = t, .is_descending = is_transposed};
  const int64_t n_blocks = (n + BLOCK - 1) / BLOCK;
  for (int64_t step = 0; step < n_blocks && st == VISE_OK; step++) {
    s.col = (is_transposed ? n_blocks - 1 - step : step) * BLOCK;
    s.nb = n - s.col < BLOCK ? n - s.col : BLOCK;
    const int64_t after = s.col + s.nb;
    if (is_transposed) { /* strip [nb, n - col]: D', then L[after, J]' */
      vise_matrix_transpose(strip, n - s.col, l + s.col * ldl + s.col, ldl, n - s.col, s.nb);
      s.diag = strip;
      s.ldd = n - s.col;
      st = vise_gemm_f64(known, s.nb, x + after, ldx, t, strip + s.nb, s.ldd, s.nb, n - after, err);
    } else {
      s.diag = l + s.col * ldl + s.col;
      s.ldd = ldl;
      st = vise_gemm_f64(known, s.nb, x, ldx, t, l + s.col * ldl, ldl, s.nb, s.col, err);
    }
    if (st == VISE_OK) {
      st = vise_parallel_for(t, GRAIN, solve_rows, &s, err);
    }
  }
  vise_mem_free(strip);
  vise_mem_free(known);
  return st;
}
