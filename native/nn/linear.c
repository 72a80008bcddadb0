/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product A [p, r] B [r, q] whose operands both lie as written is the cheapest for the GEMM: it
 * copies runs of rows. So of X W' and dY' X one operand is turned first, once, the smaller of the two
 * ways: the GEMM by rows would turn X and Y, t (m + k) numbers, where W has m k.
 */
#include "nn/linear.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"
#include "linalg/gemm.h"

enum { ROWS_PER_CHUNK = 64 };

typedef struct turn {
  float *out;
  const float *in;
  int64_t rows, columns;
} turn;

static void turn_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const turn *a = arg;
  (void)worker;
  vise_gemm_kernels_used()->f32.transpose(a->out + begin, a->rows, a->in + begin * a->columns,
                                          a->columns, end - begin, a->columns);
}

/* *out: the turned copy [columns, rows], owned. */
static vise_status
turned_create(float **out, const float *in, int64_t rows, int64_t columns, vise_err *err) {
  void *memory;
  *out = NULL;
  VISE_TRY(vise_mem_alloc_array(&memory, rows * columns, sizeof(float), err));
  turn a = {memory, in, rows, columns};
  const vise_status st = vise_parallel_for(rows, ROWS_PER_CHUNK, turn_rows, &a, err);
  if (st != VISE_OK) {
    vise_mem_free(memory);
    return st;
  }
  *out = memory;
  return VISE_OK;
}

vise_status vise_linear_run(
    float *y, const float *x, const float *w, int64_t t, int64_t m, int64_t k, vise_err *err) {
  vise_rows_dense dense;
  if (t * (m + k) <= m * k) {
    const vise_rows rows = vise_rows_f32(&dense, w, m, k, k);
    return vise_gemm_f32(y, m, x, k, t, &rows, err);
  }
  float *turned;
  VISE_TRY(turned_create(&turned, w, m, k, err));
  const vise_rows rows = vise_rows_f32(&dense, x, t, k, k);
  const vise_status st = vise_gemm_plain_f32(y, m, &rows, turned, m, m, err);
  vise_mem_free(turned);
  return st;
}

vise_status vise_linear_backward_x(
    float *d_x, const float *d_y, const float *w, int64_t t, int64_t m, int64_t k, vise_err *err) {
  vise_rows_dense dense;
  const vise_rows rows = vise_rows_f32(&dense, d_y, t, m, m);
  return vise_gemm_plain_f32(d_x, k, &rows, w, k, k, err);
}

vise_status vise_linear_backward_w(
    float *d_w, const float *d_y, const float *x, int64_t t, int64_t m, int64_t k, vise_err *err) {
  vise_rows_dense dense;
  float *turned;
  VISE_TRY(turned_create(&turned, d_y, t, m, err));
  const vise_rows rows = vise_rows_f32(&dense, turned, m, t, t);
  const vise_status st = vise_gemm_plain_f32(d_w, k, &rows, x, k, k, err);
  vise_mem_free(turned);
  return st;
}
