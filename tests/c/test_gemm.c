/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values: one fmaf (fma) chain over ascending k for each output, by the C library. */
#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAD = 3 }; /* columns between rows, which must stay as they were */

typedef struct problem {
  int64_t t, m, k, ldx, ldw, ldy;
  float *x, *w, *y;
  double *x64, *w64, *y64;
} problem;

static uint32_t seed = 1;

/* Numbers in [-1, 1) with a full fraction. */
static float number(void) {
  seed = seed * 1664525u + 1013904223u;
  return (float)(int32_t)(seed ^ seed >> 13) * 0x1p-31f;
}

static void *allocate(int64_t n, size_t size) {
  void *p = calloc((size_t)n + 1, size);
  assert_non_null(p);
  return p;
}

static problem create_problem(int64_t t, int64_t m, int64_t k) {
  problem p = {.t = t, .m = m, .k = k, .ldx = k + PAD, .ldw = k + 2 * PAD, .ldy = m + PAD};
  p.x = allocate(t * p.ldx, sizeof(float));
  p.w = allocate(m * p.ldw, sizeof(float));
  p.y = allocate(t * p.ldy, sizeof(float));
  p.x64 = allocate(t * p.ldx, sizeof(double));
  p.w64 = allocate(m * p.ldw, sizeof(double));
  p.y64 = allocate(t * p.ldy, sizeof(double));
  for (int64_t i = 0; i < t * p.ldx; i++) {
    p.x[i] = number();
    p.x64[i] = (double)number() + (double)number() * 0x1p-30;
  }
  for (int64_t i = 0; i < m * p.ldw; i++) {
    p.w[i] = number();
    p.w64[i] = (double)number() + (double)number() * 0x1p-30;
  }
  for (int64_t i = 0; i < t * p.ldy; i++) {
    p.y[i] = 77.0f;
    p.y64[i] = 77.0;
  }
  return p;
}

static void free_problem(problem *p) {
  free(p->x);
  free(p->w);
  free(p->y);
  free(p->x64);
  free(p->w64);
  free(p->y64);
}

static vise_status multiply(problem *p, vise_err *err) {
  vise_rows_dense dense;
  const vise_rows rows = vise_rows_f32(&dense, p->w, p->m, p->k, p->ldw);
  return vise_gemm_f32(p->y, p->ldy, p->x, p->ldx, p->t, &rows, err);
}

static vise_status multiply64(problem *p, vise_err *err) {
  return vise_gemm_f64(p->y64, p->ldy, p->x64, p->ldx, p->t, p->w64, p->ldw, p->m, p->k, err);
}

static void assert_exact(const problem *p) {
  for (int64_t s = 0; s < p->t; s++) {
    for (int64_t i = 0; i < p->ldy; i++) {
      float sum = 0.0f;
      double sum64 = 0.0;
      for (int64_t l = 0; l < p->k && i < p->m; l++) {
        sum = fmaf(p->x[s * p->ldx + l], p->w[i * p->ldw + l], sum);
        sum64 = fma(p->x64[s * p->ldx + l], p->w64[i * p->ldw + l], sum64);
      }
      const float expected = i < p->m ? sum : 77.0f;
      const double expected64 = i < p->m ? sum64 : 77.0;
      if (memcmp(&expected, &p->y[s * p->ldy + i], sizeof expected) != 0 ||
          memcmp(&expected64, &p->y64[s * p->ldy + i], sizeof expected64) != 0) {
        fail_msg("t %lld m %lld k %lld: y[%lld, %lld] is %a %a, expected %a %a", (long long)p->t,
                 (long long)p->m, (long long)p->k, (long long)s, (long long)i,
                 (double)p->y[s * p->ldy + i], p->y64[s * p->ldy + i], (double)expected,
                 expected64);
      }
    }
  }
}

static void every_output_is_one_chain_over_ascending_k(void **state) {
  (void)state;
  static const int64_t shapes[][3] = {
      {0, 5, 7},     {5, 0, 7},    {5, 7, 0},     {1, 1, 1},     {1, 97, 256},   {2, 6, 257},
      {3, 7, 255},   {7, 14, 512}, {8, 13, 172},  {15, 48, 300}, {16, 96, 511},  {17, 97, 513},
      {31, 100, 64}, {32, 1, 768}, {33, 28, 769}, {64, 192, 33}, {65, 193, 100}, {200, 290, 130},
      {1030, 3, 5},  {2100, 2, 1}, {600, 50, 260}};
  const int threads = vise_threads();
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int n = 1; n <= 2; n++) {
      problem p = create_problem(shapes[i][0], shapes[i][1], shapes[i][2]);
      vise_threads_set(n);

      assert_int_equal(multiply(&p, NULL), VISE_OK);
      assert_int_equal(multiply64(&p, NULL), VISE_OK);

      assert_exact(&p);
      free_problem(&p);
    }
  }
  vise_threads_set(threads);
}

/* The turned copy of x [n, k], row stride ldx, with row stride n + PAD. */
static float *turned(const float *x, int64_t ldx, int64_t n, int64_t k) {
  float *out = allocate(k * (n + PAD), sizeof(float));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < k; j++) {
      out[j * (n + PAD) + i] = x[i * ldx + j];
    }
  }
  return out;
}

static void plain_products_are_the_same_chains(void **state) {
  (void)state;
  static const int64_t shapes[][3] = {{1, 1, 1},    {5, 7, 0},     {3, 7, 255},   {17, 97, 513},
                                      {65, 193, 7}, {1030, 3, 50}, {200, 60, 300}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    problem p = create_problem(shapes[i][0], shapes[i][1], shapes[i][2]);
    assert_int_equal(multiply64(&p, NULL), VISE_OK); /* assert_exact looks at both */
    float *x = turned(p.x, p.ldx, p.t, p.k);
    float *y = allocate(p.m * (p.t + PAD), sizeof(float));
    vise_rows_dense dense;
    const vise_rows rows = vise_rows_f32(&dense, p.w, p.m, p.k, p.ldw);

    assert_int_equal(vise_gemm_plain_f32(y, p.t + PAD, &rows, x, p.t + PAD, p.t, NULL), VISE_OK);

    float *back = turned(y, p.t + PAD, p.m, p.t); /* [t, m + PAD], as p.y is */
    for (int64_t s = 0; s < p.t; s++) {
      memcpy(p.y + s * p.ldy, back + s * p.ldy, (size_t)p.m * sizeof(float));
    }
    assert_exact(&p);
    free(x);
    free(y);
    free(back);
    free_problem(&p);
  }
}

/* Every tile asked for, with the contract of vise_rows_fn checked. */
static void decode_checked(const void *source,
                           int64_t row,
                           int64_t n_rows,
                           int64_t col,
                           int64_t n_cols,
                           float *out,
                           int64_t ld) {
  const problem *p = source;
  if (row < 0 || n_rows < 1 || row + n_rows > p->m || col % VISE_GEMM_TILE_K != 0 || n_cols < 1 ||
      (col + n_cols != p->k && (col + n_cols) % VISE_GEMM_TILE_K != 0) || ld < n_cols) {
    abort();
  }
  for (int64_t i = 0; i < n_rows; i++) {
    memcpy(out + i * ld, p->w + (row + i) * p->ldw + col, (size_t)n_cols * sizeof(float));
  }
}

static void rows_are_decoded_in_tiles_of_the_contract(void **state) {
  (void)state;
  problem p = create_problem(40, 203, 700);
  const vise_rows rows = {p.m, p.k, decode_checked, &p};

  assert_int_equal(vise_gemm_f32(p.y, p.ldy, p.x, p.ldx, p.t, &rows, NULL), VISE_OK);
  assert_int_equal(multiply64(&p, NULL), VISE_OK);

  assert_exact(&p);
  free_problem(&p);
}

static void nan_and_infinity_reach_the_outputs_they_touch_and_no_others(void **state) {
  (void)state;
  problem p = create_problem(19, 50, 300);
  p.x[4 * p.ldx + 299] = NAN;
  p.w[49 * p.ldw + 7] = INFINITY;
  p.x[5 * p.ldx + 7] = 0.0f;

  assert_int_equal(multiply(&p, NULL), VISE_OK);

  for (int64_t s = 0; s < p.t; s++) {
    for (int64_t i = 0; i < p.m; i++) {
      const float y = p.y[s * p.ldy + i];
      assert_int_equal(isnan(y), s == 4 || (s == 5 && i == 49)); /* 0 times infinity */
      assert_int_equal(isinf(y) != 0, i == 49 && s != 4 && s != 5);
    }
  }
  free_problem(&p);
}

static void gemm_survives_every_allocation_failure(void **state) {
  (void)state;
  problem p = create_problem(40, 203, 300);
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_err err;
    vise_mem_fail_after(n);
    const vise_status st = multiply(&p, &err);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n > 0);
      break;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
  free_problem(&p);
}

static void a_cancelled_product_says_so(void **state) {
  (void)state;
  problem p = create_problem(2, 3, 4);
  vise_err err;

  vise_cancel();
  const vise_status st = multiply(&p, &err);
  vise_cancel_clear();

  assert_int_equal(st, VISE_ECANCELLED);
  assert_string_equal(err.msg, "interrupted");
  free_problem(&p);
}

/* Raises the flag while the only chunk runs: nothing but the product itself can notice. */
static void decode_and_cancel(const void *source,
                              int64_t row,
                              int64_t n_rows,
                              int64_t col,
                              int64_t n_cols,
                              float *out,
                              int64_t ld) {
  decode_checked(source, row, n_rows, col, n_cols, out, ld);
  vise_cancel();
}

static void a_product_cancelled_in_its_last_chunk_says_so(void **state) {
  (void)state;
  problem p = create_problem(2, 3, 1000);
  const vise_rows rows = {p.m, p.k, decode_and_cancel, &p};

  const vise_status st = vise_gemm_f32(p.y, p.ldy, p.x, p.ldx, p.t, &rows, NULL);
  vise_cancel_clear();

  assert_int_equal(st, VISE_ECANCELLED);
  free_problem(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_output_is_one_chain_over_ascending_k),
      cmocka_unit_test(plain_products_are_the_same_chains),
      cmocka_unit_test(rows_are_decoded_in_tiles_of_the_contract),
      cmocka_unit_test(nan_and_infinity_reach_the_outputs_they_touch_and_no_others),
      cmocka_unit_test(gemm_survives_every_allocation_failure),
      cmocka_unit_test(a_cancelled_product_says_so),
      cmocka_unit_test(a_product_cancelled_in_its_last_chunk_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
