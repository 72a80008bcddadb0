/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "core/mem.h"
#include "support/run_folder.h"
#include "support/test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int64_t n_entries(void) {
  vise_file_names names;
  assert_int_equal(vise_file_list(&names, folder, NULL), VISE_OK);
  const int64_t n = names.n;
  vise_file_names_free(&names);
  return n;
}

static void assert_content(const char *path, const char *expected) {
  char *text;
  size_t n;
  assert_int_equal(vise_file_read(&text, &n, path, 1000, NULL), VISE_OK);
  assert_int_equal(n, strlen(expected));
  assert_string_equal(text, expected);
  vise_mem_free(text);
}

static void replace_leaves_the_new_content_and_nothing_else(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");

  assert_int_equal(vise_file_replace(path, "one", 3, NULL), VISE_OK);
  assert_int_equal(vise_file_replace(path, "three", 5, NULL), VISE_OK);

  assert_content(path, "three");
  assert_int_equal(n_entries(), 1);
}

/* Blocks are reserved many at a time; those beyond the end are given back. */
static void a_long_file_takes_no_more_room_than_its_content(void **state) {
  (void)state;
  enum { PIECE = 1 << 20, N = 17 };
  const char *path = test_path(folder, "long");
  static char piece[PIECE];
  memset(piece, 'x', sizeof piece);
  vise_file_writer *w;
  assert_int_equal(vise_file_writer_create(&w, path, NULL), VISE_OK);
  for (uint64_t i = 0; i < N; i++) {
    assert_int_equal(vise_file_writer_write_at(w, i * PIECE, piece, PIECE, NULL), VISE_OK);
  }
  assert_int_equal(vise_file_writer_write_at(w, (uint64_t)N * PIECE, "end", 3, NULL), VISE_OK);

  assert_int_equal(vise_file_writer_commit(w, true, NULL), VISE_OK);

  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_size, (int64_t)N * PIECE + 3);
  assert_true(info.st_blocks * 512 < (int64_t)(N + 1) * PIECE);
}

static void a_writer_shows_nothing_before_commit_and_leaves_nothing_after_abort(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");
  vise_file_writer *w;

  assert_int_equal(vise_file_writer_create(&w, path, NULL), VISE_OK);
  assert_int_equal(vise_file_writer_write_at(w, 2, "cd", 2, NULL), VISE_OK);
  assert_int_equal(vise_file_writer_write_at(w, 0, "ab", 2, NULL), VISE_OK);
  assert_int_not_equal(access(path, F_OK), 0);
  assert_int_equal(vise_file_writer_commit(w, true, NULL), VISE_OK);
  assert_content(path, "abcd");

  assert_int_equal(vise_file_writer_create(&w, path, NULL), VISE_OK);
  assert_int_equal(vise_file_writer_write_at(w, 0, "xxxxxx", 6, NULL), VISE_OK);
  vise_file_writer_abort(w);
  vise_file_writer_abort(NULL);
  assert_content(path, "abcd");
  assert_int_equal(n_entries(), 1);
}

static void a_temporary_file_left_by_a_killed_process_is_not_in_the_way(void **state) {
  (void)state;
  char name[64];
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "a.tmp-%ld-%d", (long)getpid(), i);
    FILE *left = fopen(test_path(folder, name), "w");
    assert_non_null(left);
    fclose(left);
  }

  assert_int_equal(vise_file_replace(test_path(folder, "a"), "new", 3, NULL), VISE_OK);

  assert_content(test_path(folder, "a"), "new");
}

static void truncate_cuts_what_was_written(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");
  vise_file_writer *w;
  assert_int_equal(vise_file_writer_create(&w, path, NULL), VISE_OK);
  assert_int_equal(vise_file_writer_write_at(w, 0, "abcdef", 6, NULL), VISE_OK);

  assert_int_equal(vise_file_writer_truncate(w, 3, NULL), VISE_OK);
  assert_int_equal(vise_file_writer_commit(w, false, NULL), VISE_OK);

  assert_content(path, "abc");
}

/* A limit on the size of files stands in for a full disk: write() is refused in the middle. */
static void a_write_that_does_not_fit_leaves_the_old_file(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");
  static char large[100000];
  vise_err err;
  struct rlimit before, small;
  assert_int_equal(vise_file_replace(path, "old", 3, NULL), VISE_OK);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = (struct rlimit){50000, before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

  const vise_status st = vise_file_replace(path, large, sizeof large, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

  char expected[600];
  snprintf(expected, sizeof expected, "%s: cannot write: File too large", path);
  assert_int_equal(st, VISE_EIO);
  assert_string_equal(err.msg, expected);
  assert_content(path, "old");
  assert_int_equal(n_entries(), 1);
}

static void a_folder_is_not_replaced(void **state) {
  (void)state;
  const char *path = test_path(folder, "sub");
  vise_err err;
  assert_int_equal(vise_file_make_dirs(path, NULL), VISE_OK);

  assert_int_equal(vise_file_replace(path, "x", 1, &err), VISE_EIO);

  assert_non_null(strstr(err.msg, "cannot rename into place"));
  assert_int_equal(n_entries(), 1);
}

static void maps_hold_the_content_as_long_as_somebody_does(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");
  vise_file_map *map;
  assert_int_equal(vise_file_replace(path, "mapped", 6, NULL), VISE_OK);
  assert_int_equal(vise_file_map_open(&map, path, NULL), VISE_OK);

  assert_ptr_equal(vise_file_map_retain(map), map);
  vise_file_map_release(map);
  assert_int_equal(unlink(path), 0);

  assert_int_equal(vise_file_map_bytes(map), 6);
  assert_memory_equal(vise_file_map_data(map), "mapped", 6);
  assert_string_equal(vise_file_map_path(map), path);
  vise_file_drop_pages(vise_file_map_data(map), 6);
  vise_file_map_release(map);
  vise_file_map_release(NULL);
}

static void an_empty_file_can_be_mapped_and_read(void **state) {
  (void)state;
  const char *path = test_path(folder, "empty");
  vise_file_map *map;
  assert_int_equal(vise_file_replace(path, "", 0, NULL), VISE_OK);

  assert_int_equal(vise_file_map_open(&map, path, NULL), VISE_OK);

  assert_int_equal(vise_file_map_bytes(map), 0);
  vise_file_map_release(map);
  assert_content(path, "");
}

static void dropped_pages_are_read_again(void **state) {
  (void)state;
  enum { BYTES = 1 << 16 };
  static char data[BYTES];
  memset(data, 7, sizeof data);
  const char *path = test_path(folder, "pages");
  vise_file_map *map;
  assert_int_equal(vise_file_replace(path, data, BYTES, NULL), VISE_OK);
  assert_int_equal(vise_file_map_open(&map, path, NULL), VISE_OK);

  vise_file_drop_pages(vise_file_map_data(map) + 1, BYTES - 1);

  assert_memory_equal(vise_file_map_data(map), data, BYTES);
  vise_file_map_release(map);
}

static void what_is_no_file_is_refused_by_name(void **state) {
  (void)state;
  char expected[600];
  vise_file_map *map;
  vise_err err;

  assert_int_equal(vise_file_map_open(&map, folder, &err), VISE_EIO);
  assert_null(map);
  snprintf(expected, sizeof expected, "%s: is a folder, expected a file", folder);
  assert_string_equal(err.msg, expected);

  assert_int_equal(vise_file_map_open(&map, "/dev/null", &err), VISE_EIO);
  assert_string_equal(err.msg, "/dev/null: is a device, expected a file");

  const char *path = test_path(folder, "none");
  assert_int_equal(vise_file_map_open(&map, path, &err), VISE_EIO);
  snprintf(expected, sizeof expected, "%s: cannot open: No such file or directory", path);
  assert_string_equal(err.msg, expected);

  const char *fifo = test_path(folder, "fifo");
  assert_int_equal(mkfifo(fifo, 0600), 0);
  assert_int_equal(vise_file_map_open(&map, fifo, &err), VISE_EIO); /* and does not wait for it */
  snprintf(expected, sizeof expected, "%s: is a FIFO, expected a file", fifo);
  assert_string_equal(err.msg, expected);
}

static void a_file_over_the_limit_is_refused(void **state) {
  (void)state;
  const char *path = test_path(folder, "a");
  char expected[600], *text;
  size_t n;
  vise_err err;
  assert_int_equal(vise_file_replace(path, "abcd", 4, NULL), VISE_OK);

  assert_int_equal(vise_file_read(&text, &n, path, 3, &err), VISE_EFORMAT);

  assert_null(text);
  snprintf(expected, sizeof expected, "%s: has 4 bytes, expected at most 3", path);
  assert_string_equal(err.msg, expected);
}

static void make_dirs_makes_all_and_does_not_mind_what_is_there(void **state) {
  (void)state;
  const char *path = test_path(folder, "x/y/z");
  vise_file_info info;
  vise_err err;

  assert_int_equal(vise_file_make_dirs(path, NULL), VISE_OK);
  assert_int_equal(vise_file_make_dirs(path, NULL), VISE_OK);
  assert_int_equal(vise_file_stat(&info, path, NULL), VISE_OK);
  assert_int_equal(info.kind, VISE_FILE_FOLDER);

  const char *file = test_path(folder, "file");
  assert_int_equal(vise_file_replace(file, "", 0, NULL), VISE_OK);
  assert_int_equal(vise_file_make_dirs(test_path(folder, "file/sub"), &err), VISE_EIO);
  assert_non_null(strstr(err.msg, "cannot make the folder"));
}

static void remove_tree_does_not_follow_links(void **state) {
  (void)state;
  assert_int_equal(vise_file_make_dirs(test_path(folder, "kept"), NULL), VISE_OK);
  assert_int_equal(vise_file_replace(test_path(folder, "kept/a"), "a", 1, NULL), VISE_OK);
  assert_int_equal(vise_file_make_dirs(test_path(folder, "gone/deep"), NULL), VISE_OK);
  assert_int_equal(symlink("../kept", test_path(folder, "gone/link")), 0);

  assert_int_equal(vise_file_remove_tree(test_path(folder, "gone"), NULL), VISE_OK);
  assert_int_equal(vise_file_remove_tree(test_path(folder, "never"), NULL), VISE_OK);

  assert_int_equal(n_entries(), 1);
  assert_content(test_path(folder, "kept/a"), "a");
}

static void list_is_in_byte_order(void **state) {
  (void)state;
  static const char *const made[] = {"b", "a", "B", "10", "9", "\xc3\xa4"};
  static const char *const expected[] = {"10", "9", "B", "a", "b", "\xc3\xa4"};
  vise_file_names names;
  vise_err err;
  for (int i = 0; i < 6; i++) {
    assert_int_equal(vise_file_replace(test_path(folder, made[i]), "", 0, NULL), VISE_OK);
  }

  assert_int_equal(vise_file_list(&names, folder, NULL), VISE_OK);

  assert_int_equal(names.n, 6);
  for (int i = 0; i < 6; i++) {
    assert_string_equal(names.names[i], expected[i]);
  }
  vise_file_names_free(&names);
  assert_int_equal(vise_file_list(&names, test_path(folder, "none"), &err), VISE_EIO);
}

static void stat_tells_files_apart(void **state) {
  (void)state;
  vise_file_info a, b, device;
  assert_int_equal(vise_file_replace(test_path(folder, "a"), "abc", 3, NULL), VISE_OK);
  assert_int_equal(vise_file_replace(test_path(folder, "b"), "abc", 3, NULL), VISE_OK);

  assert_int_equal(vise_file_stat(&a, test_path(folder, "a"), NULL), VISE_OK);
  assert_int_equal(vise_file_stat(&b, test_path(folder, "b"), NULL), VISE_OK);
  assert_int_equal(vise_file_stat(&device, "/dev/null", NULL), VISE_OK);

  assert_int_equal(a.kind, VISE_FILE_PLAIN);
  assert_int_equal(a.bytes, 3);
  assert_true(a.changed_ns > INT64_C(1700000000) * 1000000000);
  assert_int_equal(a.device, b.device);
  assert_int_not_equal(a.inode, b.inode);
  assert_int_equal(device.kind, VISE_FILE_OTHER);
}

/* Everything that allocates, in one go; each failure leaves no memory and no file. */
static vise_status use_everything(vise_err *err) {
  vise_file_map *map;
  vise_file_names names;
  char *text;
  size_t n;
  VISE_TRY(vise_file_make_dirs(test_path(folder, "d"), err));
  VISE_TRY(vise_file_replace(test_path(folder, "d/a"), "abc", 3, err));
  VISE_TRY(vise_file_map_open(&map, test_path(folder, "d/a"), err));
  vise_file_map_release(map);
  VISE_TRY(vise_file_read(&text, &n, test_path(folder, "d/a"), 10, err));
  vise_mem_free(text);
  VISE_TRY(vise_file_list(&names, test_path(folder, "d"), err));
  vise_file_names_free(&names);
  return vise_file_remove_tree(test_path(folder, "d"), err);
}

static void files_survive_every_allocation_failure(void **state) {
  (void)state;
  vise_err err;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_mem_fail_after(n);
    const vise_status st = use_everything(&err);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n > 5);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(replace_leaves_the_new_content_and_nothing_else),
      FILE_TEST(a_long_file_takes_no_more_room_than_its_content),
      FILE_TEST(a_writer_shows_nothing_before_commit_and_leaves_nothing_after_abort),
      FILE_TEST(a_temporary_file_left_by_a_killed_process_is_not_in_the_way),
      FILE_TEST(truncate_cuts_what_was_written),
      FILE_TEST(a_write_that_does_not_fit_leaves_the_old_file),
      FILE_TEST(a_folder_is_not_replaced),
      FILE_TEST(maps_hold_the_content_as_long_as_somebody_does),
      FILE_TEST(an_empty_file_can_be_mapped_and_read),
      FILE_TEST(dropped_pages_are_read_again),
      FILE_TEST(what_is_no_file_is_refused_by_name),
      FILE_TEST(a_file_over_the_limit_is_refused),
      FILE_TEST(make_dirs_makes_all_and_does_not_mind_what_is_there),
      FILE_TEST(remove_tree_does_not_follow_links),
      FILE_TEST(list_is_in_byte_order),
      FILE_TEST(stat_tells_files_apart),
      FILE_TEST(files_survive_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
