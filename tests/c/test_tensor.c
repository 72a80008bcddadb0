/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "support/folder.h"
#include "support/test.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* A new [2, 3, 4] i32 tensor that counts 0, 1, 2, ... in row-major order. */
static vise_tensor *make_counting(void) {
  vise_tensor *t;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_I32, 3, (int64_t[]){2, 3, 4}, NULL), VISE_OK);
  for (int i = 0; i < 24; i++) {
    ((int32_t *)vise_tensor_data(t))[i] = i;
  }
  return t;
}

static void a_tensor_knows_its_shape(void **state) {
  (void)state;
  char text[64];
  vise_tensor *t = make_counting();

  assert_int_equal(vise_tensor_rank(t), 3);
  assert_int_equal(vise_tensor_count(t), 24);
  assert_int_equal(vise_tensor_bytes(t), 96);
  assert_int_equal(vise_tensor_dim(t, 2), 4);
  assert_int_equal(vise_tensor_stride(t, 0), 12);
  assert_true(vise_tensor_is_contiguous(t));
  assert_false(vise_tensor_is_mapped(t));
  assert_string_equal(vise_tensor_shape_text(text, sizeof text, t), "[2, 3, 4]");
  assert_string_equal(vise_tensor_shape_text(text, 5, t), "[2, ");
  vise_tensor_release(t);
}

static void scalars_and_empty_tensors_are_tensors(void **state) {
  (void)state;
  vise_tensor *scalar, *empty, *copy;
  char text[64];
  assert_int_equal(vise_tensor_create(&scalar, VISE_DTYPE_F64, 0, NULL, NULL), VISE_OK);
  assert_int_equal(vise_tensor_create(&empty, VISE_DTYPE_F32, 2, (int64_t[]){5, 0}, NULL), VISE_OK);

  assert_int_equal(vise_tensor_count(scalar), 1);
  assert_string_equal(vise_tensor_shape_text(text, sizeof text, scalar), "[]");
  assert_int_equal(vise_tensor_count(empty), 0);
  assert_int_equal(vise_tensor_convert(&copy, empty, VISE_DTYPE_F16, NULL), VISE_OK);
  assert_int_equal(vise_tensor_count(copy), 0);
  vise_tensor_release(scalar);
  vise_tensor_release(empty);
  vise_tensor_release(copy);
  vise_tensor_release(NULL);
}

static void narrow_shows_a_part_and_transpose_swaps(void **state) {
  (void)state;
  vise_tensor *t = make_counting(), *part, *turned;

  assert_int_equal(vise_tensor_narrow(&part, t, 1, 1, 2, NULL), VISE_OK);
  assert_int_equal(vise_tensor_transpose(&turned, part, 0, 2, NULL), VISE_OK);
  vise_tensor_release(t);

  assert_false(vise_tensor_is_contiguous(part));
  assert_int_equal(vise_tensor_dim(turned, 0), 4);
  assert_int_equal(vise_tensor_dim(turned, 2), 2);
  for (int a = 0; a < 2; a++) {
    for (int b = 0; b < 2; b++) {
      for (int c = 0; c < 4; c++) {
        const double expected = 12 * a + 4 * (b + 1) + c; /* element [a, b + 1, c] of the first */
        assert_true(vise_tensor_get(part, (a * 2 + b) * 4 + c) == expected);
        assert_true(vise_tensor_get(turned, (c * 2 + b) * 2 + a) == expected);
      }
    }
  }
  vise_tensor_release(part);
  vise_tensor_release(turned);
}

static void reshape_keeps_the_elements_in_order(void **state) {
  (void)state;
  vise_tensor *t = make_counting(), *flat, *turned, *refused;
  vise_err err;

  assert_int_equal(vise_tensor_reshape(&flat, t, 2, (int64_t[]){6, 4}, NULL), VISE_OK);
  assert_true(vise_tensor_get(flat, 23) == 23.0);
  assert_ptr_equal(vise_tensor_data(flat), vise_tensor_data(t));

  assert_int_equal(vise_tensor_reshape(&refused, t, 1, (int64_t[]){23}, &err), VISE_ESHAPE);
  assert_null(refused);
  assert_string_equal(err.msg, "tensor: cannot reshape [2, 3, 4] to 23 elements");
  assert_int_equal(vise_tensor_transpose(&turned, t, 0, 1, NULL), VISE_OK);
  assert_int_equal(vise_tensor_reshape(&refused, turned, 1, (int64_t[]){24}, &err), VISE_ESHAPE);
  assert_string_equal(err.msg, "tensor: cannot reshape a view of [3, 2, 4] that is not contiguous");
  vise_tensor_release(t);
  vise_tensor_release(flat);
  vise_tensor_release(turned);
}

static void a_range_outside_is_refused(void **state) {
  (void)state;
  static const int64_t bad[][2] = {{-1, 1}, {0, -1}, {0, 4}, {3, 1}, {4, 0}, {INT64_MAX, 1}};
  vise_tensor *t = make_counting(), *part;
  vise_err err;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(vise_tensor_narrow(&part, t, 1, bad[i][0], bad[i][1], &err), VISE_ESHAPE);
    assert_null(part);
  }
  assert_int_equal(vise_tensor_narrow(&part, t, 3, 0, 1, &err), VISE_ESHAPE);
  assert_string_equal(err.msg, "tensor: no dimension 3, it has 3");
  assert_int_equal(vise_tensor_narrow(&part, t, 1, 3, 0, NULL), VISE_OK);
  vise_tensor_release(part);
  vise_tensor_release(t);
}

static void shapes_that_overflow_are_refused(void **state) {
  (void)state;
  vise_tensor *t;
  vise_err err;
  const int64_t huge[] = {INT64_C(1) << 40, INT64_C(1) << 40}, negative[] = {3, -1}, many[9] = {1};
  const int64_t empty_but_huge[] = {0, INT64_C(1) << 40, INT64_C(1) << 40};

  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 2, huge, &err), VISE_ESHAPE);
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 3, empty_but_huge, &err), VISE_ESHAPE);
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 2, negative, &err), VISE_ESHAPE);
  assert_string_equal(err.msg, "tensor: dimension 1 of the shape is -1, expected 0 or more");
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 9, many, &err), VISE_ESHAPE);
  assert_null(t);
}

static void a_tensor_over_a_mapping_keeps_the_file_and_its_bounds(void **state) {
  (void)state;
  static const float values[] = {1, 2, 3, 4};
  const char *folder = test_folder();
  vise_file_map *map;
  vise_storage *storage;
  vise_tensor *t;
  vise_err err;
  assert_int_equal(vise_file_replace(test_path(folder, "x"), values, sizeof values, NULL), VISE_OK);
  assert_int_equal(vise_file_map_open(&map, test_path(folder, "x"), NULL), VISE_OK);
  assert_int_equal(vise_storage_map(&storage, map, 4, 12, NULL), VISE_OK);
  vise_file_map_release(map);

  assert_int_equal(vise_tensor_over(&t, storage, 4, VISE_DTYPE_F32, 1, (int64_t[]){3}, &err),
                   VISE_ESHAPE);
  assert_int_equal(vise_tensor_over(&t, storage, 2, VISE_DTYPE_F32, 1, (int64_t[]){1}, &err),
                   VISE_ESHAPE);
  assert_int_equal(vise_tensor_over(&t, storage, 4, VISE_DTYPE_F32, 1, (int64_t[]){2}, NULL),
                   VISE_OK);
  vise_storage_release(storage);

  assert_true(vise_tensor_is_mapped(t));
  assert_true(vise_tensor_get(t, 0) == 3.0 && vise_tensor_get(t, 1) == 4.0);
  vise_tensor_release(t);
  assert_int_equal(vise_file_remove_tree(folder, NULL), VISE_OK);
}

static vise_tensor *make_f64(const double *values, int64_t n) {
  vise_tensor *t;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_F64, 1, &n, NULL), VISE_OK);
  memcpy(vise_tensor_data(t), values, (size_t)n * sizeof *values);
  return t;
}

/* Small integers are values of every dtype, so they survive each conversion there and back. */
static void small_integers_survive_every_pair_of_dtypes(void **state) {
  (void)state;
  static const double values[] = {0, 1, 2, 3, 7, 16, 96, 112};
  vise_tensor *start = make_f64(values, 8);
  for (int a = 0; a < VISE_DTYPE_BOOL; a++) {
    for (int b = 0; b < VISE_DTYPE_BOOL; b++) {
      vise_tensor *first, *second;
      assert_int_equal(vise_tensor_convert(&first, start, (vise_dtype)a, NULL), VISE_OK);
      assert_int_equal(vise_tensor_convert(&second, first, (vise_dtype)b, NULL), VISE_OK);
      for (int i = 0; i < 8; i++) {
        assert_true(vise_tensor_get(second, i) == values[i]);
      }
      vise_tensor_release(first);
      vise_tensor_release(second);
    }
  }
  vise_tensor_release(start);
}

static void what_an_integer_cannot_hold_is_refused_by_index(void **state) {
  (void)state;
  static const struct {
    vise_dtype dtype;
    double value;
  } bad[] = {{VISE_DTYPE_I8, 128},     {VISE_DTYPE_I8, -129}, {VISE_DTYPE_U8, -1},
             {VISE_DTYPE_U16, 65536},  {VISE_DTYPE_I32, 0.5}, {VISE_DTYPE_I64, 0x1p63},
             {VISE_DTYPE_U64, 0x1p64}, {VISE_DTYPE_I32, NAN}, {VISE_DTYPE_I64, INFINITY}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const double values[] = {1, bad[i].value};
    vise_tensor *t = make_f64(values, 2), *out;
    vise_err err;

    assert_int_equal(vise_tensor_convert(&out, t, bad[i].dtype, &err), VISE_ENUMERIC);

    assert_null(out);
    assert_non_null(strstr(err.msg, "tensor: element 1 is "));
    vise_tensor_release(t);
  }
}

/* 2^24 + 1 and 2^53 + 1 lie between floats; large integers must not pass through a narrower one. */
static void large_integers_convert_exactly(void **state) {
  (void)state;
  const int64_t n = 2, big[] = {(INT64_C(1) << 24) + 1, INT64_MAX};
  vise_tensor *t, *copy, *narrow;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_I64, 1, &n, NULL), VISE_OK);
  memcpy(vise_tensor_data(t), big, sizeof big);

  assert_int_equal(vise_tensor_convert(&copy, t, VISE_DTYPE_I64, NULL), VISE_OK);
  assert_memory_equal(vise_tensor_data(copy), big, sizeof big);
  assert_int_equal(vise_tensor_convert(&narrow, t, VISE_DTYPE_U64, NULL), VISE_OK);
  assert_memory_equal(vise_tensor_data(narrow), big, sizeof big);
  vise_tensor_release(t);
  vise_tensor_release(copy);
  vise_tensor_release(narrow);
}

/* f64 to f16 in one rounding: 1 + 2^-11 + 2^-40 is above the tie, but f32 would put it on the tie.
 */
static void f64_rounds_once(void **state) {
  (void)state;
  const double value = 1.0 + 0x1p-11 + 0x1p-40;
  vise_tensor *t = make_f64(&value, 1), *half;

  assert_int_equal(vise_tensor_convert(&half, t, VISE_DTYPE_F16, NULL), VISE_OK);

  assert_true(vise_tensor_get(half, 0) == 1.0 + 0x1p-10);
  vise_tensor_release(t);
  vise_tensor_release(half);
}

static void to_f32_reads_any_range_of_any_view(void **state) {
  (void)state;
  vise_tensor *t = make_counting(), *turned;
  float out[24];
  assert_int_equal(vise_tensor_transpose(&turned, t, 0, 2, NULL), VISE_OK);

  vise_tensor_to_f32(t, 5, 9, out);
  for (int i = 0; i < 4; i++) {
    assert_true(out[i] == (float)(5 + i));
  }
  vise_tensor_to_f32(turned, 1, 3, out); /* elements [0, 0, 1] and [0, 1, 0] */
  assert_true(out[0] == 12.0f && out[1] == 4.0f);
  vise_tensor_to_f32(t, 3, 3, out);
  vise_tensor_release(t);
  vise_tensor_release(turned);
}

static void random_tensors_are_the_numbers_of_their_stream_for_any_threads(void **state) {
  (void)state;
  const int64_t shape[] = {3, 50000};
  const vise_rng rng = vise_rng_named(7, "w");
  for (int threads = 1; threads <= 3; threads++) {
    vise_tensor *t;
    vise_threads_set(threads);
    assert_int_equal(vise_tensor_create_normal(&t, VISE_DTYPE_F32, 2, shape, 7, "w", 0.5, NULL),
                     VISE_OK);
    const float *x = vise_tensor_data(t);
    for (int64_t i = 0; i < 150000; i += 1111) {
      assert_true(x[i] == (float)(0.5 * vise_rng_normal(&rng, (uint64_t)i)));
    }
    vise_tensor_release(t);
  }
}

static vise_status use_everything(vise_err *err) {
  vise_tensor *t = NULL, *part = NULL, *turned = NULL, *copy = NULL, *flat = NULL;
  vise_status st =
      vise_tensor_create_normal(&t, VISE_DTYPE_BF16, 2, (int64_t[]){3, 5}, 1, "x", 1, err);
  if (st == VISE_OK) {
    st = vise_tensor_narrow(&part, t, 1, 1, 3, err);
  }
  if (st == VISE_OK) {
    st = vise_tensor_transpose(&turned, part, 0, 1, err);
  }
  if (st == VISE_OK) {
    st = vise_tensor_convert(&copy, turned, VISE_DTYPE_F64, err);
  }
  if (st == VISE_OK) {
    st = vise_tensor_reshape(&flat, copy, 1, (int64_t[]){9}, err);
  }
  vise_tensor_release(t);
  vise_tensor_release(part);
  vise_tensor_release(turned);
  vise_tensor_release(copy);
  vise_tensor_release(flat);
  return st;
}

static void tensors_survive_every_allocation_failure(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    const vise_status st = use_everything(NULL);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n >= 9);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tensor_knows_its_shape),
      cmocka_unit_test(scalars_and_empty_tensors_are_tensors),
      cmocka_unit_test(narrow_shows_a_part_and_transpose_swaps),
      cmocka_unit_test(reshape_keeps_the_elements_in_order),
      cmocka_unit_test(a_range_outside_is_refused),
      cmocka_unit_test(shapes_that_overflow_are_refused),
      cmocka_unit_test(a_tensor_over_a_mapping_keeps_the_file_and_its_bounds),
      cmocka_unit_test(small_integers_survive_every_pair_of_dtypes),
      cmocka_unit_test(what_an_integer_cannot_hold_is_refused_by_index),
      cmocka_unit_test(large_integers_convert_exactly),
      cmocka_unit_test(f64_rounds_once),
      cmocka_unit_test(to_f32_reads_any_range_of_any_view),
      cmocka_unit_test(random_tensors_are_the_numbers_of_their_stream_for_any_threads),
      cmocka_unit_test(tensors_survive_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
