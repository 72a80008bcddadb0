/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/run_folder.h"
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A file in memory: two tensors, one of them misaligned, and metadata. */
static vise_storage *make_file(void) {
  static const char header[] =
      "{\"__metadata__\":{\"k\":\"v\"},\"u\":{\"dtype\":\"U8\",\"shape\":[1],"
      "\"data_offsets\":[0,1]},\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}";
  const size_t n = (sizeof header + 6) / 8 * 8; /* padded, so that byte 1 of the data is odd */
  vise_storage *storage;
  assert_int_equal(vise_storage_create(&storage, 8 + n + 9, NULL), VISE_OK);
  uint8_t *data = vise_storage_data(storage);
  memset(data, 0, 8);
  data[0] = (uint8_t)n;
  memset(data + 8, ' ', n);
  memcpy(data + 8, header, sizeof header - 1);
  data[8 + n] = 42;
  memcpy(data + 8 + n + 1, (float[]){1.5f, -2.0f}, 8);
  return storage;
}

static vise_status use(vise_storage *storage) {
  vise_safetensors *f;
  vise_tensor *t;
  VISE_TRY(vise_safetensors_create(&f, storage, "file", NULL));
  vise_status st = VISE_OK;
  for (int64_t i = 0; st == VISE_OK && i < vise_safetensors_count(f); i++) {
    st = vise_safetensors_tensor(&t, f, vise_safetensors_entry_at(f, i), NULL);
    vise_tensor_release(t);
  }
  vise_safetensors_close(f);
  return st;
}

static void tensors_are_views_unless_they_are_misaligned(void **state) {
  (void)state;
  vise_storage *storage = make_file();
  vise_safetensors *f;
  vise_tensor *u, *x;
  assert_int_equal(vise_safetensors_create(&f, storage, "file", NULL), VISE_OK);

  assert_int_equal(vise_safetensors_tensor(&u, f, vise_safetensors_find(f, "u"), NULL), VISE_OK);
  assert_int_equal(vise_safetensors_tensor(&x, f, vise_safetensors_find(f, "x"), NULL), VISE_OK);

  const uint8_t *begin = vise_storage_data(storage), *end = begin + vise_storage_bytes(storage);
  const uint8_t *of_u = vise_tensor_data(u), *of_x = vise_tensor_data(x);
  assert_true(of_u >= begin && of_u < end);
  assert_false(of_x >= begin && of_x < end);
  assert_int_equal(*of_u, 42);
  assert_memory_equal(of_x, ((float[]){1.5f, -2.0f}), 8);
  assert_null(vise_safetensors_find(f, "v"));
  vise_tensor_release(x);
  vise_tensor_release(u);
  vise_safetensors_close(f);
  vise_storage_release(storage);
}

static void reading_survives_every_allocation_failure(void **state) {
  (void)state;
  vise_storage *storage = make_file();
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_mem_fail_after(n);
    st = use(storage);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
  vise_storage_release(storage);
}

static void writing_survives_every_allocation_failure_and_leaves_nothing(void **state) {
  (void)state;
  const char *path = test_path(folder, "written");
  vise_tensor *t, *turned;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_I16, 2, (int64_t[]){2, 3}, NULL), VISE_OK);
  memset(vise_tensor_data(t), 0, vise_tensor_bytes(t));
  assert_int_equal(vise_tensor_transpose(&turned, t, 0, 1, NULL), VISE_OK);
  const vise_safetensors_item items[] = {{"a", t}, {"b", turned}};
  const size_t live = vise_mem_live_blocks();
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    vise_mem_fail_after(n);
    st = vise_safetensors_write(path, items, 2, (const char *[]){"k", "v"}, 1, NULL);
    vise_mem_fail_after(-1);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(vise_mem_live_blocks(), live);
    assert_int_equal(access(path, F_OK) == 0, st == VISE_OK);
  }
  vise_tensor_release(turned);
  vise_tensor_release(t);
}

static long allocations_left;

static void *scarce(size_t bytes) {
  return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

static void writing_without_memory_for_json_is_out_of_memory(void **state) {
  (void)state;
  const char *path = test_path(folder, "written");
  vise_tensor *t;
  assert_int_equal(vise_tensor_create(&t, VISE_DTYPE_U8, 0, NULL, NULL), VISE_OK);
  memset(vise_tensor_data(t), 0, 1);
  const vise_safetensors_item item = {"a", t};
  unlink(path);
  vise_status st = VISE_ENOMEM;
  for (long n = 0; st != VISE_OK; n++) {
    allocations_left = n;
    json_set_alloc_funcs(scarce, free);
    st = vise_safetensors_write(path, &item, 1, (const char *[]){"k", "v"}, 1, NULL);
    json_set_alloc_funcs(malloc, free);
    assert_true(st == VISE_OK || st == VISE_ENOMEM);
    assert_int_equal(access(path, F_OK) == 0, st == VISE_OK);
  }
  vise_tensor_release(t);
}

static void every_flipped_bit_is_refused_or_sound(void **state) {
  (void)state;
  vise_storage *storage = make_file();
  uint8_t *data = vise_storage_data(storage);
  for (size_t bit = 0; bit < 8 * vise_storage_bytes(storage); bit++) {
    data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    const vise_status st = use(storage);
    assert_true(st == VISE_OK || st == VISE_EFORMAT);
    data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  vise_storage_release(storage);
}

/* A sparse file of 1 GiB: its data pages stay out of memory while it is opened and listed. */
static void opening_does_not_touch_the_data(void **state) {
  (void)state;
  enum { MIB = 1 << 20 };
  static const char header[] = "{\"a\":{\"dtype\":\"BF16\",\"shape\":[16384,32768],"
                               "\"data_offsets\":[0,1073741824]}}";
  const uint64_t n = sizeof header - 1;
  const char *path = test_path(folder, "sparse");
  const int fd = open(path, O_RDWR | O_CREAT, 0600);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, &n, 8, 0), 8);
  assert_int_equal(pwrite(fd, header, n, 8), (ssize_t)n);
  assert_int_equal(ftruncate(fd, (off_t)(8 + n + 1024u * MIB)), 0);
  vise_safetensors *f;
  vise_tensor *t;

  assert_int_equal(vise_safetensors_open(&f, path, NULL), VISE_OK);
  assert_int_equal(vise_safetensors_tensor(&t, f, vise_safetensors_find(f, "a"), NULL), VISE_OK);

  static unsigned char pages[1024 * MIB / 4096];
  uint8_t *data = (uint8_t *)vise_tensor_data(t) - 8 - n;
  size_t resident = 0;
  assert_int_equal(mincore(data, 1024u * MIB, pages), 0);
  for (size_t i = 0; i < sizeof pages; i++) {
    resident += pages[i] & 1;
  }
  assert_true(resident * 4096 <= 4 * MIB); /* what the system reads ahead of the header */
  assert_true(vise_tensor_is_mapped(t));
  vise_tensor_release(t);
  vise_safetensors_close(f);
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_are_views_unless_they_are_misaligned),
      cmocka_unit_test(reading_survives_every_allocation_failure),
      cmocka_unit_test(writing_survives_every_allocation_failure_and_leaves_nothing),
      cmocka_unit_test(writing_without_memory_for_json_is_out_of_memory),
      cmocka_unit_test(every_flipped_bit_is_refused_or_sound),
      cmocka_unit_test(opening_does_not_touch_the_data),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
