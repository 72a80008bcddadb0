/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of weights: what holds for every row of weights.def, and the kind `dense`. */
#include "core/parallel.h"
#include "support/samples.h"

static void every_kind_keeps_the_contract(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {0, 5}, {5, 0}, {37, 300}, {70, 513}};
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    for (int s = 0; s < 5; s++) {
      vise_weight *w = sample(vise_weight_kinds[i]->name, shapes[s][0], shapes[s][1]);
      assert_string_equal(w->kind->name, vise_weight_kinds[i]->name);
      keeps_the_contract_of_weights(w);
      vise_weight_release(w);
    }
  }
}

static void every_kind_multiplies_alike_on_any_number_of_threads(void **state) {
  (void)state;
  enum { M = 203, K = 517, T = 20 };
  static float x[T * K], y[2][T * M];
  for (int j = 0; j < T * K; j++) {
    x[j] = gaussian(3000, j);
  }
  const int threads = vise_threads();
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    vise_weight *w = sample(vise_weight_kinds[i]->name, M, K);
    for (int64_t t = 5; t <= T; t += 15) {
      vise_threads_set(1);
      TRY_OK(vise_weight_matmul(w, y[0], M, x, K, t, &test_err));
      vise_threads_set(3);
      TRY_OK(vise_weight_matmul(w, y[1], M, x, K, t, &test_err));
      assert_memory_equal(y[0], y[1], (size_t)(t * M) * sizeof(float));
    }
    vise_threads_set(threads);
    vise_weight_release(w);
  }
}

static void every_kind_refuses_damaged_trees(void **state) {
  (void)state;
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    vise_weight *w = sample(vise_weight_kinds[i]->name, 6, 128), *again;
    for (int damage = 0;; damage++) {
      vise_tree *t;
      TRY_OK(vise_weight_save(w, &t, &test_err));
      bool is_left = true;
      if (damage == 0) {
        t->m++;
      } else if (damage == 1) {
        t->k = -1;
      } else if (damage < 2 + t->n_parts) { /* one part away */
        vise_part *p = &t->parts[damage - 2];
        vise_tensor_release(p->tensor);
        *p = t->parts[--t->n_parts];
      } else if (damage < 2 + t->n_parts + t->n_attributes) { /* one attribute absurd */
        vise_attribute *a = &t->attributes[damage - 2 - t->n_parts];
        a->i = -12345;
        a->r = (double)NAN;
        strcpy(a->text, "absurd");
      } else {
        is_left = false;
      }
      /* symmetric is a bool, saved as an integer: every attribute has an absurd value */
      const vise_status st = is_left ? vise_weight_load(&again, t, &test_err) : VISE_OK;
      vise_tree_free(t);
      if (!is_left) {
        break;
      }
      assert_int_equal(st, VISE_EFORMAT);
      assert_null(again);
    }
    vise_weight_release(w);
  }
}

/* With k = -1 every count of the format int comes out as 1 column: the parts would fit. */
static void a_negative_shape_is_refused(void **state) {
  (void)state;
  vise_weight *w = sample("quant", 6, 1), *again;
  vise_tree *t;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  t->k = -1;

  const vise_status st = vise_weight_load(&again, t, &test_err);

  assert_int_equal(st, VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: shape is [6, -1], expected 0 or more");
  vise_tree_free(t);
  vise_weight_release(w);
}

static void saving_and_loading_survive_every_allocation_failure(void **state) {
  (void)state;
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    vise_weight *w = sample(vise_weight_kinds[i]->name, 6, 128);
    const size_t live = vise_mem_live_blocks();
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      vise_tree *t = NULL;
      vise_weight *again = NULL;
      vise_mem_fail_after(n);
      st = vise_weight_save(w, &t, &test_err);
      st = st == VISE_OK ? vise_weight_load(&again, t, &test_err) : st;
      vise_mem_fail_after(-1);
      assert_true(st == VISE_OK || st == VISE_ENOMEM);
      vise_tree_free(t);
      vise_weight_release(again);
      assert_int_equal(vise_mem_live_blocks(), live);
    }
    vise_weight_release(w);
  }
}

static void an_unknown_kind_is_named(void **state) {
  (void)state;
  vise_tree *t;
  vise_weight *w;
  TRY_OK(vise_tree_create(&t, "warped", 1, 1, &test_err));

  const vise_status st = vise_weight_load(&w, t, &test_err);

  assert_int_equal(st, VISE_EFORMAT);
  assert_string_equal(test_err.msg, "unknown kind of weight 'warped'");
  vise_tree_free(t);
}

static void dense_decodes_every_float_type(void **state) {
  (void)state;
  for (int i = 0; i < N_FLOATS; i++) {
    vise_weight *w = dense_of(floats[i], 5, 300);
    float *values = values_of(w);
    const vise_tensor *t = vise_weight_dense_tensor(w);

    for (int64_t j = 0; j < 5 * 300; j++) {
      assert_true(values[j] == (float)vise_tensor_get(t, j));
    }
    keeps_the_contract_of_weights(w);
    vise_mem_free(values);
    vise_weight_release(w);
  }
}

static void dense_refuses_what_is_no_float_matrix(void **state) {
  (void)state;
  const int64_t shape[] = {2, 3, 4};
  vise_tensor *cube, *integers, *matrix, *turned;
  vise_weight *w;
  TRY_OK(vise_tensor_create(&cube, VISE_DTYPE_F32, 3, shape, &test_err));
  TRY_OK(vise_tensor_create(&integers, VISE_DTYPE_I8, 2, shape, &test_err));
  TRY_OK(vise_tensor_create(&matrix, VISE_DTYPE_F32, 2, shape, &test_err));
  TRY_OK(vise_tensor_transpose(&turned, matrix, 0, 1, &test_err));

  assert_int_equal(vise_weight_dense(&w, cube, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "weight: tensor is [2, 3, 4], expected a contiguous matrix");
  assert_int_equal(vise_weight_dense(&w, integers, &test_err), VISE_EDTYPE);
  assert_string_equal(test_err.msg, "weight: tensor is i8, expected a float type");
  assert_int_equal(vise_weight_dense(&w, turned, &test_err), VISE_ESHAPE);
  vise_tensor_release(cube);
  vise_tensor_release(integers);
  vise_tensor_release(matrix);
  vise_tensor_release(turned);
}

static void rows_out_of_range_are_refused(void **state) {
  (void)state;
  vise_weight *w = dense_f32(4, 3, gaussian);
  const int32_t ids[] = {3, 0, 4};
  float out[9];

  assert_int_equal(vise_weight_gather_rows(w, ids, 3, out, 3, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "weight: id 2 is 4, expected 0 to 3");
  assert_int_equal(vise_weight_dense_rows(w, 3, 2, out, 3, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "weight: has no 2 rows from row 3, its shape is [4, 3]");
  TRY_OK(vise_weight_gather_rows(w, ids, 2, out, 3, &test_err));
  assert_memory_equal(out, dense_data(w) + 9, 12);
  assert_memory_equal(out + 3, dense_data(w), 12);
  vise_weight_release(w);
}

static void difference_of_a_case_worked_by_hand(void **state) {
  (void)state;
  vise_weight *a = dense_f32(2, 2, zero), *b = dense_f32(2, 2, zero);
  memcpy(dense_data(a), (const float[]){1, 2, 3, 4}, 16);
  memcpy(dense_data(b), (const float[]){1, 0, 3, 5}, 16);
  double squared, norm;

  TRY_OK(vise_weight_difference(&squared, &norm, a, b, NULL, &test_err));

  assert_true(squared == 5.0);
  assert_true(norm == 30.0);
  vise_weight *c = dense_f32(2, 3, zero);
  assert_int_equal(vise_weight_difference(&squared, &norm, a, c, NULL, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "weight: is [2, 3], expected [2, 2] as the other");
  vise_weight_release(a);
  vise_weight_release(b);
  vise_weight_release(c);
}

static void the_first_value_that_is_not_finite_is_named(void **state) {
  (void)state;
  vise_weight *w = dense_f32(50, 300, gaussian);
  TRY_OK(vise_weight_check_finite(w, &test_err));
  dense_data(w)[31 * 300 + 7] = -INFINITY;
  dense_data(w)[30 * 300 + 299] = INFINITY;

  const vise_status st = vise_weight_check_finite(w, &test_err);

  assert_int_equal(st, VISE_ENUMERIC);
  assert_string_equal(test_err.msg,
                      "w: row 30, column 299 (from 0) is inf, expected a finite number");
  vise_weight_release(w);
}

static void a_cancelled_product_says_so(void **state) {
  (void)state;
  vise_weight *w = dense_f32(64, 64, gaussian);
  float x[64] = {0}, y[64];
  vise_cancel();

  const vise_status st = vise_weight_matmul(w, y, 64, x, 64, 1, &test_err);

  vise_cancel_clear();
  assert_int_equal(st, VISE_ECANCELLED);
  vise_weight_release(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_keeps_the_contract),
      cmocka_unit_test(every_kind_multiplies_alike_on_any_number_of_threads),
      cmocka_unit_test(every_kind_refuses_damaged_trees),
      cmocka_unit_test(a_negative_shape_is_refused),
      cmocka_unit_test(saving_and_loading_survive_every_allocation_failure),
      cmocka_unit_test(an_unknown_kind_is_named),
      cmocka_unit_test(dense_decodes_every_float_type),
      cmocka_unit_test(dense_refuses_what_is_no_float_matrix),
      cmocka_unit_test(rows_out_of_range_are_refused),
      cmocka_unit_test(difference_of_a_case_worked_by_hand),
      cmocka_unit_test(the_first_value_that_is_not_finite_is_named),
      cmocka_unit_test(a_cancelled_product_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
