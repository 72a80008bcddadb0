/* SPDX-License-Identifier: Apache-2.0 */
#include "support/weights.h"
#include "weight/tree.h"

static vise_tensor *new_tensor(vise_dtype dtype, int64_t m, int64_t k) {
  vise_tensor *t;
  const int64_t shape[] = {m, k};
  TRY_OK(vise_tensor_create(&t, dtype, 2, shape, &test_err));
  memset(vise_tensor_data(t), 0, vise_tensor_bytes(t));
  return t;
}

static vise_tree *new_tree(const char *kind) {
  vise_tree *t;
  TRY_OK(vise_tree_create(&t, kind, 2, 3, &test_err));
  return t;
}

static void what_was_added_is_found(void **state) {
  (void)state;
  vise_tree *t = new_tree("sum");
  vise_tensor *part = new_tensor(VISE_DTYPE_U8, 2, 3), *found;
  int64_t i;
  double r;
  const char *text;

  TRY_OK(vise_tree_add_int(t, "bits", 4, &test_err));
  TRY_OK(vise_tree_add_real(t, "ratio", 0.5, &test_err));
  TRY_OK(vise_tree_add_text(t, "format", "int", &test_err));
  TRY_OK(vise_tree_add_part(t, "codes", part, &test_err));

  TRY_OK(vise_tree_get_int(&i, t, "bits", &test_err));
  TRY_OK(vise_tree_get_real(&r, t, "ratio", &test_err));
  TRY_OK(vise_tree_get_text(&text, t, "format", &test_err));
  TRY_OK(
      vise_tree_get_part(&found, t, "codes", VISE_DTYPE_U8, 2, (const int64_t[]){2, 3}, &test_err));
  assert_int_equal(i, 4);
  assert_true(r == 0.5);
  assert_string_equal(text, "int");
  assert_ptr_equal(found, part);
  vise_tensor_release(part);
  vise_tree_free(t);
}

static void what_is_missing_or_of_another_type_is_named(void **state) {
  (void)state;
  vise_tree *t = new_tree("quant");
  vise_tensor *part = new_tensor(VISE_DTYPE_U8, 2, 3), *found;
  int64_t i;
  TRY_OK(vise_tree_add_text(t, "format", "int", &test_err));
  TRY_OK(vise_tree_add_part(t, "codes", part, &test_err));

  assert_int_equal(vise_tree_get_int(&i, t, "bits", &test_err), VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: has no attribute 'bits'");
  assert_int_equal(vise_tree_get_int(&i, t, "format", &test_err), VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: attribute 'format' is a text, expected an integer");
  const int64_t shape[] = {2, 3}, other[] = {3, 2};
  assert_int_equal(vise_tree_get_part(&found, t, "scales", VISE_DTYPE_U8, 2, shape, &test_err),
                   VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: has no part 'scales'");
  assert_int_equal(vise_tree_get_part(&found, t, "codes", VISE_DTYPE_F16, 2, shape, &test_err),
                   VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: part 'codes' is u8, expected f16");
  assert_int_equal(vise_tree_get_part(&found, t, "codes", VISE_DTYPE_U8, 2, other, &test_err),
                   VISE_EFORMAT);
  assert_string_equal(test_err.msg, "quant: part 'codes' is [2, 3], expected [3, 2]");
  vise_tensor_release(part);
  vise_tree_free(t);
}

static void names_are_unique_short_and_counted(void **state) {
  (void)state;
  vise_tree *t = new_tree("quant"), *none;
  char name[40];
  TRY_OK(vise_tree_add_int(t, "bits", 4, &test_err));

  assert_int_equal(vise_tree_add_real(t, "bits", 4, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "quant: has attribute 'bits' already");
  assert_int_equal(vise_tree_add_int(t, "", 1, &test_err), VISE_EARG);
  assert_int_equal(vise_tree_add_int(t, "a_name_that_is_longer_than_31_char", 1, &test_err),
                   VISE_EARG);
  assert_int_equal(vise_tree_add_text(t, "x", "a_text_that_is_longer_than_31_char", &test_err),
                   VISE_EARG);
  assert_int_equal(vise_tree_create(&none, "a_kind_that_is_longer_than_31_char", 1, 1, &test_err),
                   VISE_EARG);
  for (int i = 1; i < VISE_TREE_ATTRIBUTES; i++) {
    snprintf(name, sizeof name, "a%d", i);
    TRY_OK(vise_tree_add_int(t, name, i, &test_err));
  }
  assert_int_equal(vise_tree_add_int(t, "last", 1, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "quant: no room for attribute 'last'");
  vise_tree_free(t);
}

static void bytes_count_children(void **state) {
  (void)state;
  vise_tree *t = new_tree("sum"), *child = new_tree("dense");
  vise_tensor *a = new_tensor(VISE_DTYPE_F32, 2, 3), *b = new_tensor(VISE_DTYPE_F16, 2, 3);
  TRY_OK(vise_tree_add_part(t, "a", a, &test_err));
  TRY_OK(vise_tree_add_part(child, "b", b, &test_err));
  TRY_OK(vise_tree_add_child(t, child, &test_err));

  const int64_t bytes = vise_tree_bytes(t);

  assert_int_equal(bytes, 24 + 12);
  vise_tensor_release(a);
  vise_tensor_release(b);
  vise_tree_free(t);
}

static void creating_survives_allocation_failure(void **state) {
  (void)state;
  vise_tree *t;
  const size_t live = vise_mem_live_blocks();
  vise_mem_fail_after(0);

  const vise_status st = vise_tree_create(&t, "dense", 1, 1, &test_err);

  vise_mem_fail_after(-1);
  assert_int_equal(st, VISE_ENOMEM);
  assert_null(t);
  assert_int_equal(vise_mem_live_blocks(), live);
  vise_tree_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_added_is_found),
      cmocka_unit_test(what_is_missing_or_of_another_type_is_named),
      cmocka_unit_test(names_are_unique_short_and_counted),
      cmocka_unit_test(bytes_count_children),
      cmocka_unit_test(creating_survives_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
