/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/gram.h"

#include "core/mem.h"
#include "linalg/eigh.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"

#include <stdbool.h>
#include <string.h>

enum { STRIP = 1024, ROWS = 512 };

/* Add strip strip', strip [m, n], to the rows of G on and below the diagonal. */
static vise_status
add_strip(double *g, const double *strip, double *scratch, int64_t m, int64_t n, vise_err *err) {
  for (int64_t row = 0; row < m; row += ROWS) {
    const int64_t n_rows = m - row < ROWS ? m - row : ROWS, n_cols = row + n_rows;
    VISE_TRY(vise_gemm_f64(scratch, n_cols, strip + row * n, n, n_rows, strip, n, n_cols, n, err));
    for (int64_t i = 0; i < n_rows; i++) {
      for (int64_t j = 0; j <= row + i; j++) {
        g[(row + i) * m + j] += scratch[i * n_cols + j];
      }
    }
  }
  return VISE_OK;
}

vise_status vise_gram(double *g_out, const vise_matrix_f32 *w, vise_err *err) {
  const int64_t m = w->m;
  const vise_matrix_f32 wt = {w->w, w->k, m, w->col_stride, w->row_stride};
  memset(g_out, 0, (size_t)(m * m) * sizeof *g_out);
  double *strip, *scratch = NULL;
  VISE_TRY(vise_matrix_alloc(&strip, m, w->k < STRIP ? w->k : STRIP, err));
  vise_status st = vise_matrix_alloc(&scratch, m < ROWS ? m : ROWS, m, err);
  for (int64_t col = 0; col < w->k && st == VISE_OK; col += STRIP) {
    const int64_t n = w->k - col < STRIP ? w->k - col : STRIP;
    const vise_matrix_f32 rows = {wt.w + col * wt.row_stride, n, m, wt.row_stride, wt.col_stride};
    st = vise_matrix_columns(strip, &rows, 0, m, err);
    if (st == VISE_OK) {
      st = add_strip(g_out, strip, scratch, m, n, err);
    }
  }
  vise_mem_free(scratch);
  vise_mem_free(strip);
  for (int64_t i = 0; i < m && st == VISE_OK; i++) {
    for (int64_t j = 0; j < i; j++) {
      g_out[j * m + i] = g_out[i * m + j];
    }
  }
  return st;
}

/* Of a matrix no taller than wide: ut [r, m], s [m], vt [r, k]. */
static vise_status
wide_svd(double *ut, double *s, double *vt, const vise_matrix_f32 *w, int64_t r, vise_err *err) {
  const int64_t m = w->m;
  double *g, *basis = NULL;
  VISE_TRY(vise_matrix_alloc(&g, m, m, err));
  vise_status st = vise_gram(g, w, err);
  if (st == VISE_OK) {
    st = vise_eigh(s, g, m, err);
  }
  if (st == VISE_OK) {
    st = vise_matrix_alloc(&basis, r, m, err);
  }
  if (st == VISE_OK) {
    for (int64_t i = 0; i < r; i++) { /* the greatest eigenvalue is the last */
      memcpy(basis + i * m, g + (m - 1 - i) * m, (size_t)m * sizeof *g);
    }
    st = vise_project(ut, s, vt, r, basis, r, w, err);
  }
  vise_mem_free(basis);
  vise_mem_free(g);
  return st;
}

vise_status vise_gram_svd(double *u,
                          double *s,
                          double *vt,
                          double *error_out,
                          const vise_matrix_f32 *w,
                          int64_t r,
                          vise_err *err) {
  const bool is_tall = w->m > w->k;
  const int64_t least = is_tall ? w->k : w->m, m = w->m, k = w->k;
  VISE_TRY(vise_project_check_rank("gram_svd", r, w, err));
  double square, *left, *values = NULL;
  VISE_TRY(vise_matrix_square(&square, "gram_svd", w, err));
  VISE_TRY(vise_matrix_alloc(&left, r, m, err));
  vise_status st = vise_matrix_alloc(&values, least, 1, err);
  if (st == VISE_OK) {
    const vise_matrix_f32 wt = {w->w, k, m, w->col_stride, w->row_stride};
    st = is_tall ? wide_svd(vt, values, left, &wt, r, err) : wide_svd(left, values, vt, w, r, err);
  }
  if (st == VISE_OK) {
    vise_matrix_transpose(u, r, left, m, r, m);
    vise_matrix_fix_signs(vt, r, k, u, m);
    memcpy(s, values, (size_t)r * sizeof *s);
    *error_out = vise_project_error(square, s, r);
  }
  vise_mem_free(values);
  vise_mem_free(left);
  return st;
}
