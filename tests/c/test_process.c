/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/lua/test_process.lua cannot see: memory and open files. */
#include "core/mem.h"
#include "core/process.h"
#include "support/folder.h"
#include "support/test.h"

#include <string.h>

static vise_status echo(vise_err *err) {
  static const char *const argv[] = {"cat", NULL}, *const env[] = {"A=b", "HOME", NULL};
  const vise_process_options options = {.argv = argv,
                                        .env = env,
                                        .input = "one\ntwo",
                                        .input_bytes = 7,
                                        .is_captured = true,
                                        .is_error_kept = true};
  vise_process *p;
  const char *line;
  size_t n;
  int code, signal_number;
  bool is_late;
  VISE_TRY(vise_process_spawn(&p, &options, err));
  vise_status st = vise_process_read_line(p, -1, &line, &n, &is_late, err);
  if (st == VISE_OK) {
    assert_int_equal(n, 3);
    assert_memory_equal(line, "one", 3);
    st = vise_process_wait(p, -1, &code, &signal_number, &is_late, err);
  }
  vise_process_close(p);
  return st;
}

static int64_t n_open_files(void) {
  vise_file_names names;
  assert_int_equal(vise_file_list(&names, "/proc/self/fd", NULL), VISE_OK);
  const int64_t n = names.n;
  vise_file_names_free(&names);
  return n;
}

static void a_process_survives_every_allocation_failure_and_leaves_no_file_open(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    const int64_t files = n_open_files();
    vise_mem_fail_after(n);
    const vise_status st = echo(NULL);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    assert_int_equal(n_open_files(), files);
    if (st == VISE_OK) {
      assert_true(n >= 3);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

static void a_program_that_cannot_start_leaves_nothing(void **state) {
  (void)state;
  static const char *const argv[] = {"/no/such/program", NULL};
  const vise_process_options options = {
      .argv = argv, .input = "x", .input_bytes = 1, .is_captured = true};
  const size_t live = vise_mem_live_blocks();
  const int64_t files = n_open_files();
  vise_process *p;
  vise_err err;

  assert_int_equal(vise_process_spawn(&p, &options, &err), VISE_EIO);

  assert_null(p);
  assert_int_equal(vise_mem_live_blocks(), live);
  assert_int_equal(n_open_files(), files);
  vise_process_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_process_survives_every_allocation_failure_and_leaves_no_file_open),
      cmocka_unit_test(a_program_that_cannot_start_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
