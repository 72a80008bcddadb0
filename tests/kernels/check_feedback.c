/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/feedback.h against ref, bit for bit; tests/c/test_feedback.c says that ref
   is right. */
#include "kernels/check.h"
#include "kernels/feedback.h"

#include <math.h>

enum { ROWS = VISE_FEEDBACK_ROWS };

static uint32_t seed = 29;

/* Columns of numbers, some of them extreme. */
static check_buffer columns(int64_t n, size_t misalign) {
  static const float extreme[] = {0.0f, -0.0f, 1e-41f, -3e38f, 3e38f};
  check_buffer b = check_create((size_t)(n * ROWS) * sizeof(float), misalign % 16 * 4);
  float *x = b.data;
  for (int64_t i = 0; i < n * ROWS; i++) {
    const uint32_t r = check_random(&seed);
    x[i] = r % 61 == 0 ? extreme[r / 61 % 5] : check_number(&seed);
  }
  return b;
}

static void same_floats(vise_cpu_level level, int64_t n, check_buffer *is, check_buffer *want) {
  const float *x = is->data, *y = want->data;
  for (int64_t i = 0; i < ROWS; i++) { /* which NaN comes out is not defined */
    if (memcmp(&x[i], &y[i], sizeof *x) != 0 && !(x[i] != x[i] && y[i] != y[i])) {
      fail_msg("%s: n %lld, row %lld differ", vise_cpu_name(level), (long long)n, (long long)i);
    }
  }
  check_free(is, "out");
  check_free(want, "out");
}

static void targets_agree_with_ref(void **state) {
  (void)state;
  vise_feedback_kernels ref, k;
  vise_feedback_kernels_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_feedback_kernels_init(&k, level);
    for (int64_t n = 0; n <= 70; n++) {
      check_buffer w = columns(1, (size_t)n), known = columns(1, 3), delta = columns(n, 7);
      check_buffer factors = columns(2, 5), is = columns(1, 9), want = columns(1, 2);
      k.target(is.data, w.data, known.data, delta.data, factors.data, n);
      ref.target(want.data, w.data, known.data, delta.data, factors.data, n);
      same_floats(level, n, &is, &want);
      check_free(&w, "w");
      check_free(&known, "known");
      check_free(&delta, "delta");
      check_free(&factors, "factors");
    }
  }
}

/* Cells whose steps are from far too small to far too large, some of them of nothing. */
static void fill_cells(vise_feedback_cells *out, float *memory, int top) {
  float *scale = memory, *inverse = scale + ROWS, *zero = inverse + ROWS, *offset = zero + ROWS;
  for (int i = 0; i < ROWS; i++) {
    scale[i] = i % 17 == 0 ? 0.0f : check_number(&seed) * (i % 5 == 0 ? 1e-30f : 0.1f);
    inverse[i] = scale[i] == 0.0f ? 0.0f : 1.0f / scale[i];
    zero[i] = (float)(check_random(&seed) % (uint32_t)(top + 1));
    offset[i] = i % 2 == 0 ? -0.0f : check_number(&seed);
  }
  *out = (vise_feedback_cells){scale, inverse, zero, offset};
}

static void fill_table(vise_feedback_table *out, int size) {
  out->size = size;
  for (int i = 0; i < size; i++) {
    out->elements[i] = (float)(i - size / 2) + 0.3f * check_number(&seed);
    out->codes[i] = (uint8_t)check_random(&seed);
  }
  for (int i = 0; i + 1 < size; i++) {
    out->limits[i] = 0.5f * (out->elements[i] + out->elements[i + 1]);
  }
  out->limits[size - 1] = 3e38f;
}

/* size 0: steps up to `top`. */
static void rounding_of(vise_cpu_level level, int top, int size) {
  static vise_feedback_table table;
  float memory[4 * ROWS];
  vise_feedback_kernels ref, k;
  vise_feedback_cells cells;
  vise_feedback_kernels_init(&ref, VISE_CPU_REF);
  vise_feedback_kernels_init(&k, level);
  fill_cells(&cells, memory, top);
  check_buffer x = columns(1, 1), is = columns(1, 5), want = columns(1, 6);
  check_buffer codes = check_create(ROWS, 3), expected = check_create(ROWS, 1);
  ((float *)x.data)[7] = NAN;
  if (size == 0) {
    k.round(is.data, codes.data, x.data, &cells, top);
    ref.round(want.data, expected.data, x.data, &cells, top);
  } else {
    fill_table(&table, size);
    k.look_up(is.data, codes.data, x.data, &cells, &table);
    ref.look_up(want.data, expected.data, x.data, &cells, &table);
  }
  if (memcmp(codes.data, expected.data, ROWS) != 0) {
    fail_msg("%s: codes differ, top %d, table of %d", vise_cpu_name(level), top, size);
  }
  same_floats(level, top, &is, &want);
  check_free(&x, "x");
  check_free(&codes, "codes");
  check_free(&expected, "codes");
}

static void rounding_agrees_with_ref(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    for (int round = 0; round < 40; round++) {
      for (int top = 1; top < 256; top = 2 * top + 1) {
        rounding_of(level, top, 0);
      }
      for (int size = 2; size <= 256; size *= 2) {
        rounding_of(level, 3, size);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(targets_agree_with_ref),
      cmocka_unit_test(rounding_agrees_with_ref),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
