/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/mem.h"
#include "support/test.h"

#include <string.h>

static void blocks_are_aligned_and_counted(void **state) {
  (void)state;
  const size_t blocks = vise_mem_live_blocks(), bytes = vise_mem_live_bytes();
  void *a, *b;

  assert_int_equal(vise_mem_alloc(&a, 1, NULL), VISE_OK);
  assert_int_equal(vise_mem_zalloc(&b, 1000, NULL), VISE_OK);

  assert_int_equal((uintptr_t)a % 64, 0);
  assert_int_equal((uintptr_t)b % 64, 0);
  assert_int_equal(vise_mem_live_blocks(), blocks + 2);
  assert_int_equal(vise_mem_live_bytes(), bytes + 1001);
  assert_true(vise_mem_peak_bytes() >= bytes + 1001);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(((char *)b)[i], 0);
  }
  vise_mem_free(a);
  vise_mem_free(b);
  vise_mem_free(NULL);
  assert_int_equal(vise_mem_live_blocks(), blocks);
  assert_int_equal(vise_mem_live_bytes(), bytes);
}

static void no_bytes_give_a_block_that_can_be_freed(void **state) {
  (void)state;
  void *p;

  assert_int_equal(vise_mem_alloc(&p, 0, NULL), VISE_OK);

  assert_non_null(p);
  vise_mem_free(p);
}

static void resize_keeps_the_content(void **state) {
  (void)state;
  void *p = NULL;

  assert_int_equal(vise_mem_resize(&p, 4, NULL), VISE_OK);
  memcpy(p, "abcd", 4);
  assert_int_equal(vise_mem_resize(&p, 1000, NULL), VISE_OK);
  assert_memory_equal(p, "abcd", 4);
  assert_int_equal(vise_mem_resize(&p, 2, NULL), VISE_OK);

  assert_memory_equal(p, "ab", 2);
  vise_mem_free(p);
}

static void a_failed_resize_changes_nothing(void **state) {
  (void)state;
  void *p;
  assert_int_equal(vise_mem_alloc(&p, 4, NULL), VISE_OK);
  memcpy(p, "abcd", 4);
  void *const before = p;

  vise_mem_fail_after(0);
  const vise_status st = vise_mem_resize(&p, 100, NULL);
  vise_mem_fail_after(-1);

  assert_int_equal(st, VISE_ENOMEM);
  assert_ptr_equal(p, before);
  assert_memory_equal(p, "abcd", 4);
  vise_mem_free(p);
}

static void sizes_that_overflow_are_refused(void **state) {
  (void)state;
  vise_err err;
  void *p;

  assert_int_equal(vise_mem_alloc(&p, SIZE_MAX, &err), VISE_ENOMEM);
  assert_null(p);
  assert_int_equal(vise_mem_alloc_array(&p, INT64_MAX, 8, &err), VISE_ENOMEM);
  assert_null(p);
  assert_string_equal(err.msg, "out of memory: 9223372036854775807 elements of 8 bytes");
  assert_int_equal(vise_mem_alloc_array(&p, -1, 8, &err), VISE_ENOMEM);
  assert_null(p);
}

static void the_chosen_allocation_fails_and_only_that(void **state) {
  (void)state;
  void *a, *b, *c;

  vise_mem_fail_after(1);
  const vise_status first = vise_mem_alloc(&a, 8, NULL);
  const vise_status second = vise_mem_alloc(&b, 8, NULL);
  const vise_status third = vise_mem_alloc(&c, 8, NULL);

  assert_int_equal(first, VISE_OK);
  assert_int_equal(second, VISE_ENOMEM);
  assert_null(b);
  assert_int_equal(third, VISE_OK);
  vise_mem_free(a);
  vise_mem_free(c);
}

static void strdup_copies_what_it_is_told_and_ends_it(void **state) {
  (void)state;
  char *copy;

  assert_int_equal(vise_mem_strdup(&copy, "abcdef", 3, NULL), VISE_OK);

  assert_string_equal(copy, "abc");
  vise_mem_free(copy);
}

static void arena_pieces_are_aligned_and_apart(void **state) {
  (void)state;
  vise_arena arena;
  assert_int_equal(vise_arena_need(1), 64);
  assert_int_equal(vise_arena_need(64), 64);
  assert_int_equal(vise_arena_need(65), 128);
  const size_t bytes = vise_arena_need(10) + vise_arena_need(64) + vise_arena_need(0);
  assert_int_equal(vise_arena_create(&arena, bytes, NULL), VISE_OK);

  char *a = vise_arena_take(&arena, 10);
  char *b = vise_arena_take(&arena, 64);

  assert_int_equal((uintptr_t)a % 64, 0);
  assert_int_equal(b - a, 64);
  assert_int_equal(arena.used, arena.size);
  vise_arena_free(&arena);
  vise_arena_free(&arena);
}

static void arena_create_survives_allocation_failure(void **state) {
  (void)state;
  const size_t live = vise_mem_live_blocks();
  vise_arena arena;

  vise_mem_fail_after(0);
  const vise_status st = vise_arena_create(&arena, 64, NULL);
  vise_mem_fail_after(-1);

  assert_int_equal(st, VISE_ENOMEM);
  assert_null(arena.base);
  assert_int_equal(vise_mem_live_blocks(), live);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_aligned_and_counted),
      cmocka_unit_test(no_bytes_give_a_block_that_can_be_freed),
      cmocka_unit_test(resize_keeps_the_content),
      cmocka_unit_test(a_failed_resize_changes_nothing),
      cmocka_unit_test(sizes_that_overflow_are_refused),
      cmocka_unit_test(the_chosen_allocation_fails_and_only_that),
      cmocka_unit_test(strdup_copies_what_it_is_told_and_ends_it),
      cmocka_unit_test(arena_pieces_are_aligned_and_apart),
      cmocka_unit_test(arena_create_survives_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
