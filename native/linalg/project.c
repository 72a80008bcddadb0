/* SPDX-License-Identifier: Apache-2.0 */
/*
 * B [l, k] may be wide and badly scaled, so its SVD goes by B' = Q R: R' = U2 diag(s) V2' is small,
 * and V' = V2' Q'. Everything is backward stable, whatever the ranks.
 */
#include "linalg/project.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/qr.h"
#include "linalg/svd.h"

#include <math.h>

enum { SQUARE_ROWS = 64, LANES = 8, SIDE = 16 };

typedef struct square_job {
  const vise_matrix_f32 *w;
  double *sums; /* of each chunk */
} square_job;

static void square_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const square_job *job = arg;
  double sum = 0.0;
  for (int64_t i = begin; i < end; i++) {
    double lanes[LANES] = {0};
    const float *row = job->w->w + i * job->w->row_stride;
    const int64_t k = job->w->k, stride = job->w->col_stride;
    int64_t j = 0;
    for (; stride == 1 && j + LANES <= k; j += LANES) {
      for (int l = 0; l < LANES; l++) {
        lanes[l] += (double)row[j + l] * (double)row[j + l];
      }
    }
    for (; j < k; j++) {
      const double x = (double)row[j * stride];
      lanes[j % LANES] += x * x;
    }
    for (int l = 0; l < LANES; l++) {
      sum += lanes[l];
    }
  }
  job->sums[begin / SQUARE_ROWS] = sum;
}

static vise_status name_place(const char *what, const vise_matrix_f32 *w, vise_err *err) {
  for (int64_t i = 0; i < w->m; i++) {
    for (int64_t j = 0; j < w->k; j++) {
      const double x = (double)w->w[i * w->row_stride + j * w->col_stride];
      if (!isfinite(x)) {
        return vise_fail(err, VISE_ENUMERIC, "%s: a[%lld, %lld] is %g, expected finite numbers",
                         what, (long long)i, (long long)j, x);
      }
    }
  }
  return VISE_OK; /* squares of finite f32 numbers cannot overflow a sum in f64 */
}

vise_status
vise_matrix_square(double *out, const char *what, const vise_matrix_f32 *w, vise_err *err) {
  const int64_t n_chunks = vise_ceil_div(w->m, SQUARE_ROWS);
  square_job job = {.w = w};
  VISE_TRY(vise_matrix_alloc(&job.sums, n_chunks, 1, err));
  const vise_status st = vise_parallel_for(w->m, SQUARE_ROWS, square_rows, &job, err);
  double sum = 0.0;
  for (int64_t i = 0; i < n_chunks && st == VISE_OK; i++) {
    sum += job.sums[i];
  }
  vise_mem_free(job.sums);
  *out = sum;
  return st == VISE_OK && !isfinite(sum) ? name_place(what, w, err) : st;
}

/* square [n_cols, SIDE] = a piece of W, turned around; at most SIDE by SIDE. */
static void load_square(float *square,
                        const vise_matrix_f32 *w,
                        int64_t row,
                        int64_t n_rows,
                        int64_t col,
                        int64_t n_cols) {
  const float *first = w->w + row * w->row_stride + col * w->col_stride;
  if (w->col_stride == 1) {
    vise_gemm_kernels_used()->f32.transpose(square, SIDE, first, w->row_stride, n_rows, n_cols);
    return;
  }
  for (int64_t l = 0; l < n_cols; l++) {
    for (int64_t i = 0; i < n_rows; i++) {
      square[l * SIDE + i] = first[i * w->row_stride + l * w->col_stride];
    }
  }
}

typedef struct columns_job {
  double *out;
  const vise_matrix_f32 *w;
  int64_t col, n_cols;
} columns_job;

/* Rows [begin, end) of W, SIDE of them, by squares: both sides move by whole cache lines. */
static void columns_of_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const columns_job *job = arg;
  float square[SIDE * SIDE];
  for (int64_t j = 0; j < job->n_cols; j += SIDE) {
    const int64_t n_cols = job->n_cols - j < SIDE ? job->n_cols - j : SIDE;
    load_square(square, job->w, begin, end - begin, job->col + j, n_cols);
    for (int64_t l = 0; l < n_cols; l++) {
      for (int64_t i = begin; i < end; i++) {
        job->out[(j + l) * job->w->m + i] = (double)square[l * SIDE + i - begin];
      }
    }
  }
}

vise_status vise_matrix_columns(
    double *out, const vise_matrix_f32 *w, int64_t col, int64_t n_cols, vise_err *err) {
  columns_job job = {out, w, col, n_cols};
  return vise_parallel_for(w->m, SIDE, columns_of_rows, &job, err);
}

/* vise_rows_f64_fn of W': row i is column i of W. Squares of it are turned around in f32. */
static void decode_columns(const void *source,
                           int64_t row,
                           int64_t n_rows,
                           int64_t col,
                           int64_t n_cols,
                           double *out,
                           int64_t ld) {
  const vise_matrix_f32 *w = source;
  float square[SIDE * SIDE];
  for (int64_t j = 0; j < n_cols; j += SIDE) {
    const int64_t width = n_cols - j < SIDE ? n_cols - j : SIDE;
    for (int64_t i = 0; i < n_rows; i += SIDE) {
      const int64_t height = n_rows - i < SIDE ? n_rows - i : SIDE;
      load_square(square, w, col + j, width, row + i, height);
      for (int64_t l = 0; l < height; l++) {
        for (int64_t c = 0; c < width; c++) {
          out[(i + l) * ld + j + c] = (double)square[l * SIDE + c];
        }
      }
    }
  }
}

/* b [l, k] = basis W */
static vise_status
multiply_basis(double *b, const double *basis, int64_t l, const vise_matrix_f32 *w, vise_err *err) {
  const vise_rows_f64 rows = {w->k, w->m, decode_columns, w};
  return vise_gemm_rows_f64(b, w->k, basis, w->m, l, &rows, err);
}

/* out [r, m] = small [r, l] rows [l, m] */
static vise_status combine(double *out,
                           const double *small,
                           int64_t r,
                           const double *rows,
                           int64_t l,
                           int64_t m,
                           vise_err *err) {
  double *columns;
  VISE_TRY(vise_matrix_alloc(&columns, m, l, err));
  vise_matrix_transpose(columns, l, rows, m, l, m);
  const vise_status st = vise_gemm_f64(out, m, small, l, r, columns, l, m, l, err);
  vise_mem_free(columns);
  return st;
}

vise_status vise_project(double *ut,
                         double *s,
                         double *vt,
                         int64_t r,
                         const double *basis,
                         int64_t l,
                         const vise_matrix_f32 *w,
                         vise_err *err) {
  double *b, *small[3] = {NULL}; /* R, then U2'; R', then U2; V2' */
  VISE_TRY(vise_matrix_alloc(&b, l, w->k, err));
  vise_status st = VISE_OK;
  for (int i = 0; i < 3 && st == VISE_OK; i++) {
    st = vise_matrix_alloc(&small[i], l, l, err);
  }
  if (st == VISE_OK) {
    st = multiply_basis(b, basis, l, w, err);
  }
  if (st == VISE_OK) {
    st = vise_qr(b, l, w->k, small[0], err);
  }
  if (st == VISE_OK) {
    vise_matrix_transpose(small[1], l, small[0], l, l, l);
    st = vise_svd(small[0], s, small[2], small[1], l, l, l, err);
  }
  if (st == VISE_OK) {
    vise_matrix_transpose(small[1], l, small[0], l, l, l);
    st = combine(ut, small[1], r, basis, l, w->m, err);
  }
  if (st == VISE_OK) {
    st = combine(vt, small[2], r, b, l, w->k, err);
  }
  for (int i = 0; i < 3; i++) {
    vise_mem_free(small[i]);
  }
  vise_mem_free(b);
  return st;
}

double vise_project_error(double square, const double *s, int64_t r) {
  double kept = 0.0;
  for (int64_t i = 0; i < r; i++) {
    kept += s[i] * s[i];
  }
  return square > kept ? sqrt(square - kept) : 0.0;
}

vise_status
vise_project_check_rank(const char *what, int64_t r, const vise_matrix_f32 *w, vise_err *err) {
  if (r < 1 || r > w->m || r > w->k) {
    return vise_fail(err, VISE_EARG, "%s: rank is %lld, expected 1 to %lld, the smaller side of w",
                     what, (long long)r, (long long)(w->m < w->k ? w->m : w->k));
  }
  return VISE_OK;
}
