/* SPDX-License-Identifier: Apache-2.0 */
/* The layout is that of the specification in ggml's docs/gguf.md. */
#include "core/mem.h"
#include "io/gguf_writer.h"
#include "support/gguf_bytes.h"
#include "support/run_folder.h"
#include "support/test.h"
#include "weight/quant.h"

#include <stdlib.h>

/* One key of each kind, an array of strings, one of arrays; tensors f32 [2, 3] and q8_0 [1, 32]. */
static void make_file(gguf_bytes *b) {
  put_start(b, 2, 15);
  static const uint64_t minus_two = (uint64_t)-2;
  put_key(b, "u8", 0), put_number(b, 200, 1);
  put_key(b, "i8", 1), put_number(b, minus_two, 1);
  put_key(b, "u16", 2), put_number(b, 60000, 2);
  put_key(b, "i16", 3), put_number(b, minus_two, 2);
  put_key(b, "u32", 4), put_number(b, 4000000000u, 4);
  put_key(b, "i32", 5), put_number(b, minus_two, 4);
  put_key(b, "f32", 6), put_number(b, 0x3FC00000, 4); /* 1.5 */
  put_key(b, "bool", 7), put_number(b, 1, 1);
  put_key(b, "string", 8), put_string(b, "text");
  put_key(b, "u64", 10), put_number(b, UINT64_MAX, 8);
  put_key(b, "i64", 11), put_number(b, minus_two, 8);
  put_key(b, "f64", 12), put_number(b, 0xC000000000000000, 8); /* -2 */
  put_key(b, "strings", 9), put_number(b, 8, 4), put_number(b, 2, 8);
  put_string(b, "a"), put_string(b, "");
  put_key(b, "arrays", 9), put_number(b, 9, 4), put_number(b, 1, 8);
  put_number(b, 2, 4), put_number(b, 2, 8), put_number(b, 7, 2), put_number(b, 8, 2);
  put_key(b, "general.alignment", 4), put_number(b, 64, 4);
  put_string(b, "x");
  put_number(b, 2, 4), put_number(b, 3, 8), put_number(b, 2, 8); /* the fastest first */
  put_number(b, 0, 4), put_number(b, 64, 8);
  put_tensor(b, "q", 32, 8, 0);
  put_padding(b, 64, 64 + 24);
}

static vise_status use(const gguf_bytes *b, size_t n, vise_err *err) {
  vise_storage *storage = storage_of(b, n);
  vise_gguf *f;
  vise_tensor *t;
  vise_status st = vise_gguf_create(&f, storage, "file", err);
  vise_storage_release(storage);
  VISE_TRY(st);
  for (int64_t i = 0; st == VISE_OK && i < vise_gguf_count(f); i++) {
    st = vise_gguf_tensor(&t, f, vise_gguf_entry_at(f, i), err);
    vise_tensor_release(t);
  }
  vise_gguf_close(f);
  return st;
}

static const vise_gguf_value *value_of(const vise_gguf *f, const char *name) {
  const vise_gguf_key *key = vise_gguf_key_find(f, name, strlen(name));
  assert_non_null(key);
  return &key->value;
}

static void values_of_every_kind_are_read(void **state) {
  (void)state;
  gguf_bytes b;
  vise_gguf *f;
  make_file(&b);
  vise_storage *storage = storage_of(&b, b.n);
  assert_int_equal(vise_gguf_create(&f, storage, "file", NULL), VISE_OK);

  assert_int_equal(value_of(f, "u8")->u, 200);
  assert_int_equal(value_of(f, "i8")->i, -2);
  assert_int_equal(value_of(f, "u16")->u, 60000);
  assert_int_equal(value_of(f, "i16")->i, -2);
  assert_int_equal(value_of(f, "u32")->u, 4000000000u);
  assert_int_equal(value_of(f, "i32")->i, -2);
  assert_true(value_of(f, "f32")->r == 1.5);
  assert_int_equal(value_of(f, "bool")->u, 1);
  assert_int_equal(value_of(f, "string")->n, 4);
  assert_memory_equal(value_of(f, "string")->text, "text", 4);
  assert_int_equal(value_of(f, "u64")->u, UINT64_MAX);
  assert_int_equal(value_of(f, "i64")->i, -2);
  assert_true(value_of(f, "f64")->r == -2.0);
  assert_null(vise_gguf_key_find(f, "u", 1));
  vise_gguf_value element;
  const vise_gguf_value *strings = value_of(f, "strings");
  const uint8_t *at = strings->first;
  assert_int_equal(strings->n, 2);
  vise_gguf_next(&element, &at, strings->of);
  assert_int_equal(element.n, 1);
  assert_int_equal(element.text[0], 'a');
  vise_gguf_next(&element, &at, strings->of);
  assert_int_equal(element.n, 0);
  const vise_gguf_value *arrays = value_of(f, "arrays");
  at = arrays->first;
  vise_gguf_next(&element, &at, arrays->of);
  assert_int_equal(element.n, 2);
  at = element.first;
  vise_gguf_next(&element, &at, VISE_GGUF_U16);
  vise_gguf_next(&element, &at, VISE_GGUF_U16);
  assert_int_equal(element.u, 8);
  vise_gguf_close(f);
  vise_storage_release(storage);
}

static void tensors_are_views_of_the_file(void **state) {
  (void)state;
  gguf_bytes b;
  vise_gguf *f;
  vise_tensor *x, *q;
  make_file(&b);
  vise_storage *storage = storage_of(&b, b.n);
  assert_int_equal(vise_gguf_create(&f, storage, "file", NULL), VISE_OK);

  assert_int_equal(vise_gguf_tensor(&x, f, vise_gguf_find(f, "x", 1), NULL), VISE_OK);
  assert_int_equal(vise_gguf_tensor(&q, f, vise_gguf_find(f, "q", 1), NULL), VISE_OK);

  const uint8_t *data = vise_storage_data(storage);
  assert_int_equal(vise_tensor_dtype(x), VISE_DTYPE_F32);
  assert_int_equal(vise_tensor_rank(x), 2);
  assert_int_equal(vise_tensor_dim(x, 0), 2);
  assert_int_equal(vise_tensor_dim(x, 1), 3);
  assert_ptr_equal(vise_tensor_data(x), data + b.n - 24);
  assert_int_equal(vise_tensor_dtype(q), VISE_DTYPE_U8);
  assert_int_equal(vise_tensor_dim(q, 0), 34);
  assert_ptr_equal(vise_tensor_data(q), data + b.n - 24 - 64);
  assert_string_equal(vise_gguf_find(f, "q", 1)->type->name, "q8_0");
  assert_null(vise_gguf_find(f, "xx", 2));
  vise_tensor_release(q);
  vise_tensor_release(x);
  vise_gguf_close(f);
  vise_storage_release(storage);
}

static void reading_survives_every_allocation_failure(void **state) {
  (void)state;
  gguf_bytes b;
  make_file(&b);
  vise_storage *storage = storage_of(&b, b.n);
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_gguf *f;
    vise_tensor *t = NULL;
    vise_mem_fail_after(n);
    st = vise_gguf_create(&f, storage, "file", NULL);
    if (st == VISE_OK) {
      st = vise_gguf_tensor(&t, f, vise_gguf_entry_at(f, 0), NULL);
    }
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    vise_tensor_release(t);
    vise_gguf_close(f);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
  vise_storage_release(storage);
}

static void every_truncated_file_is_refused(void **state) {
  (void)state;
  gguf_bytes b;
  make_file(&b);
  assert_int_equal(use(&b, b.n, NULL), VISE_OK);
  for (size_t n = 0; n < b.n; n++) {
    assert_int_equal(use(&b, n, NULL), VISE_EFORMAT);
  }
}

static void every_flipped_bit_is_refused_or_sound(void **state) {
  (void)state;
  gguf_bytes b;
  make_file(&b);
  for (size_t bit = 0; bit < 8 * b.n; bit++) {
    b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    const vise_status st = use(&b, b.n, NULL);
    assert_true(st == VISE_OK || st == VISE_EFORMAT || st == VISE_EUNSUPPORTED);
    b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}

static void assert_refused(const gguf_bytes *b, const char *message) {
  vise_err err;
  assert_int_not_equal(use(b, b->n, &err), VISE_OK);
  assert_string_equal(err.msg, message);
}

static void lengths_that_lie_are_refused(void **state) {
  (void)state;
  gguf_bytes b;
  put_start(&b, UINT64_MAX, 0);
  assert_refused(&b, "file: has 18446744073709551615 tensors, file has 24 bytes");
  put_start(&b, 0, 3);
  assert_refused(&b, "file: has 3 keys, file has 24 bytes");
  put_start(&b, 0, 1);
  put_number(&b, UINT64_MAX, 8), put_padding(&b, 64, 0);
  assert_refused(&b, "file: name of a key at byte 32 has 18446744073709551615 bytes, file has 64 "
                     "bytes");
  put_start(&b, 0, 1);
  put_key(&b, "k", 9), put_number(&b, 12, 4), put_number(&b, UINT64_MAX / 8 + 2, 8);
  assert_refused(&b, "file: key 'k' at byte 49 is an array of 2305843009213693953 elements, file "
                     "has 49 bytes");
  put_start(&b, 1, 0);
  put_tensor(&b, "t", UINT64_MAX / 2 + 1, 0, 0);
  assert_refused(&b, "file: shape of tensor 't' overflows 64 bits");
  put_start(&b, 1, 0);
  put_tensor(&b, "t", 1ull << 61, 0, 0);
  assert_refused(&b, "file: shape of tensor 't' overflows 64 bits");
  put_start(&b, 1, 0);
  put_tensor(&b, "t", 8, 0, UINT64_MAX - 31), put_padding(&b, 32, 32);
  assert_refused(&b, "file: tensor 't' of 32 bytes begins at byte 18446744073709551584 of the "
                     "data, file has 96 bytes");
}

static void types_that_are_none_are_refused(void **state) {
  (void)state;
  gguf_bytes b;
  put_start(&b, 0, 1);
  put_key(&b, "k", 13), put_number(&b, 0, 8);
  assert_refused(&b, "file: key 'k' is of unknown type 13");
  put_start(&b, 0, 1);
  put_key(&b, "k", 9), put_number(&b, 77, 4), put_number(&b, 0, 8);
  assert_refused(&b, "file: key 'k' is an array of unknown type 77");
  put_start(&b, 0, 1);
  put_key(&b, "k", 7), put_number(&b, 2, 1);
  assert_refused(&b, "file: key 'k' at byte 37 is 2, expected a boolean, 0 or 1");
  put_start(&b, 0, 1);
  put_key(&b, "k", 9);
  for (int i = 0; i < 5; i++) {
    put_number(&b, 9, 4), put_number(&b, 1, 8);
  }
  put_padding(&b, 32, 64);
  assert_refused(&b, "file: key 'k' nests arrays deeper than 4");
  put_start(&b, 1, 0);
  put_tensor(&b, "t", 8, 4, 0);
  assert_refused(&b, "file: tensor 't' is of unknown type 4");
  put_start(&b, 1, 0);
  put_string(&b, "t"), put_number(&b, 5, 4), put_padding(&b, 32, 64);
  assert_refused(&b, "file: tensor 't' has 5 dimensions, expected at most 4");
  put_start(&b, 1, 0);
  put_tensor(&b, "t", 33, 2, 0), put_padding(&b, 32, 64);
  assert_refused(&b, "file: blocks of 32 (q4_0) do not divide the 33 columns of tensor 't'");
}

static void tensors_out_of_place_are_refused(void **state) {
  (void)state;
  gguf_bytes b;
  put_start(&b, 1, 0);
  put_tensor(&b, "t", 8, 0, 16), put_padding(&b, 32, 64);
  assert_refused(&b, "file: tensor 't' begins at byte 16 of the data, expected a multiple of the "
                     "alignment, 32");
  put_start(&b, 2, 0);
  put_tensor(&b, "b", 8, 0, 32), put_tensor(&b, "a", 9, 0, 0), put_padding(&b, 32, 96);
  assert_refused(&b, "file: tensors 'a' and 'b' overlap at byte 128");
  put_start(&b, 2, 0);
  put_tensor(&b, "a", 8, 0, 32), put_tensor(&b, "a", 8, 0, 0), put_padding(&b, 32, 96);
  assert_refused(&b, "file: two tensors are named 'a'");
  put_start(&b, 0, 1);
  put_key(&b, "general.alignment", 4), put_number(&b, 48, 4);
  assert_refused(&b,
                 "file: general.alignment is u32 48, expected u32, a power of two of 8 or more");
}

static void other_files_are_named(void **state) {
  (void)state;
  gguf_bytes b;
  put_start(&b, 0, 0);
  b.data[0] = 'g';
  assert_refused(&b, "file: does not begin with 'GGUF'");
  put_start(&b, 0, 0);
  b.data[4] = 1;
  assert_refused(&b, "file: version is 1, expected 2 or 3");
  put_start(&b, 0, 0);
  b.data[4] = 0, b.data[7] = 3;
  assert_refused(&b, "file: version is 50331648 (a big-endian file), expected 2 or 3");
}

/* ---- writing ---- */

/* Two tensors, one of them turned, and one key. */
static vise_status write_file(const char *path, vise_tensor *const *tensors) {
  gguf_bytes keys = {.n = 0};
  put_key(&keys, "k", 4), put_number(&keys, 5, 4);
  const vise_gguf_item items[] = {{{"a", 1}, 2, {3, 2}}, {{"bb", 2}, 2, {2, 64}}};
  vise_gguf_writer *w;
  uint64_t bytes;
  VISE_TRY(vise_gguf_writer_create(&w, path, keys.data, keys.n, 1, items, 2, NULL));
  static const char *const types[] = {"i16", "q4_0"};
  for (int i = 0; i < 2; i++) {
    const vise_status st = vise_gguf_writer_add(w, vise_gguf_type_find(types[i]), tensors[i], NULL);
    if (st != VISE_OK) {
      vise_gguf_writer_abort(w);
      return st;
    }
  }
  return vise_gguf_writer_commit(&bytes, w, NULL);
}

static void make_tensors(vise_tensor *tensors[2]) {
  vise_tensor *t;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_I16, 2, (int64_t[]){2, 3}, NULL), VISE_OK);
  memcpy(vise_tensor_data(t), ((int16_t[]){1, 2, 3, 4, 5, 6}), 12);
  assert_int_equal(vise_tensor_transpose(&tensors[0], t, 0, 1, NULL), VISE_OK);
  vise_tensor_release(t);
  assert_int_equal(vise_tensor_create(&tensors[1], VISE_DTYPE_U8, 2, (int64_t[]){2, 36}, NULL),
                   VISE_OK);
  memset(vise_tensor_data(tensors[1]), 7, 72);
}

static void what_is_written_is_read_back(void **state) {
  (void)state;
  const char *path = test_path(folder, "written");
  vise_tensor *tensors[2], *a, *b;
  vise_gguf *f;
  make_tensors(tensors);

  assert_int_equal(write_file(path, tensors), VISE_OK);

  assert_int_equal(vise_gguf_open(&f, path, NULL), VISE_OK);
  assert_int_equal(vise_gguf_version(f), 3);
  assert_int_equal(value_of(f, "k")->u, 5);
  const vise_gguf_entry *of_b = vise_gguf_find(f, "bb", 2);
  assert_int_equal(of_b->shape[0], 2);
  assert_int_equal(of_b->shape[1], 64);
  assert_int_equal(vise_gguf_tensor(&a, f, vise_gguf_find(f, "a", 1), NULL), VISE_OK);
  assert_int_equal(vise_gguf_tensor(&b, f, of_b, NULL), VISE_OK);
  assert_memory_equal(vise_tensor_data(a), ((int16_t[]){1, 4, 2, 5, 3, 6}), 12);
  assert_memory_equal(vise_tensor_data(b), vise_tensor_data(tensors[1]), 72);
  vise_tensor_release(b);
  vise_tensor_release(a);
  vise_gguf_close(f);
  vise_tensor_release(tensors[1]);
  vise_tensor_release(tensors[0]);
}

static void writing_survives_every_allocation_failure_and_leaves_nothing(void **state) {
  (void)state;
  const char *path = test_path(folder, "scarce");
  vise_tensor *tensors[2];
  make_tensors(tensors);
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_mem_fail_after(n);
    st = write_file(path, tensors);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
    assert_int_equal(access(path, F_OK) == 0, st == VISE_OK);
  }
  vise_tensor_release(tensors[1]);
  vise_tensor_release(tensors[0]);
}

static void what_was_not_announced_is_not_written(void **state) {
  (void)state;
  const char *path = test_path(folder, "refused");
  const vise_gguf_item items[] = {{{"a", 1}, 1, {3}}, {{"a", 1}, 1, {3}}};
  vise_gguf_writer *w;
  vise_tensor *t;
  vise_err err;
  uint64_t bytes;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_F32, 1, (int64_t[]){4}, NULL), VISE_OK);

  assert_int_equal(vise_gguf_writer_create(&w, path, "", 0, 0, items, 2, &err), VISE_EARG);
  assert_string_equal(err.msg, "gguf: two tensors are named 'a'");
  assert_int_equal(vise_gguf_writer_create(&w, path, "", 0, 0, items, 1, &err), VISE_OK);
  assert_int_equal(vise_gguf_writer_add(w, vise_gguf_type_find("f32"), t, &err), VISE_ESHAPE);
  assert_string_equal(err.msg, "gguf: tensor 'a' is [4], which is not its shape in f32");
  assert_int_equal(vise_gguf_writer_add(w, vise_gguf_type_find("f16"), t, &err), VISE_EDTYPE);
  assert_string_equal(err.msg, "gguf: tensor 'a' is f32, expected f16 (f16)");
  assert_int_equal(vise_gguf_writer_commit(&bytes, w, &err), VISE_EARG);
  assert_string_equal(err.msg, "gguf: tensor 'a' was not written");
  assert_int_not_equal(access(path, F_OK), 0);
  vise_tensor_release(t);
}

static void blocks_are_a_weight_whose_part_they_are(void **state) {
  (void)state;
  vise_tensor *t;
  vise_weight *w = NULL;
  vise_err err;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 2, (int64_t[]){2, 34}, NULL), VISE_OK);
  memset(vise_tensor_data(t), 0, 68);
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_mem_fail_after(n);
    st = vise_gguf_weight(&w, vise_gguf_type_find("q8_0"), t, NULL);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_true(st == VISE_OK || vise_mem_live_blocks() == live);
  }

  assert_int_equal(w->m, 2);
  assert_int_equal(w->k, 32);
  assert_ptr_equal(vise_weight_quant_part(w, "blocks"), t);
  vise_weight_release(w);
  assert_int_equal(vise_gguf_weight(&w, vise_gguf_type_find("q4_0"), t, &err), VISE_ESHAPE);
  assert_int_equal(vise_gguf_weight(&w, vise_gguf_type_find("mxfp4"), t, &err), VISE_EUNSUPPORTED);
  assert_string_equal(err.msg, "gguf: type mxfp4 is unsupported");
  assert_null(w);
  vise_tensor_release(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_kind_are_read),
      cmocka_unit_test(tensors_are_views_of_the_file),
      cmocka_unit_test(reading_survives_every_allocation_failure),
      cmocka_unit_test(every_truncated_file_is_refused),
      cmocka_unit_test(every_flipped_bit_is_refused_or_sound),
      cmocka_unit_test(lengths_that_lie_are_refused),
      cmocka_unit_test(types_that_are_none_are_refused),
      cmocka_unit_test(tensors_out_of_place_are_refused),
      cmocka_unit_test(other_files_are_named),
      cmocka_unit_test(what_is_written_is_read_back),
      cmocka_unit_test(writing_survives_every_allocation_failure_and_leaves_nothing),
      cmocka_unit_test(what_was_not_announced_is_not_written),
      cmocka_unit_test(blocks_are_a_weight_whose_part_they_are),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
