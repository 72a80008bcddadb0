/* SPDX-License-Identifier: Apache-2.0 */
/* Writing that fails leaves what was there before, and nothing else. */
#include "core/parallel.h"
#include "support/artifact.h"
#include "support/run_folder.h"
#include "support/test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

static const char OLD[] = "what was there before";

static int count_files(void) {
  DIR *d = opendir(folder);
  int n = 0;
  for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
    n += e->d_name[0] != '.';
  }
  closedir(d);
  return n;
}

static void assert_only_the_old_file(const char *path) {
  char *text;
  size_t bytes;
  assert_int_equal(count_files(), 1);
  assert_int_equal(vise_file_read(&text, &bytes, path, 1 << 20, NULL), VISE_OK);
  assert_string_equal(text, OLD);
  vise_mem_free(text);
}

static const char *old_file(void) {
  const char *path = test_path(folder, "model.vise");
  assert_int_equal(vise_file_replace(path, OLD, sizeof OLD - 1, NULL), VISE_OK);
  return path;
}

static void writing_survives_every_allocation_failure(void **state) {
  (void)state;
  (void)test_small_content();
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    for (long n = 0;; n++) {
      const char *path = old_file();
      const size_t live = vise_mem_live_blocks();
      vise_err err;
      vise_mem_fail_after(n);
      const vise_status st = test_write(path, (vise_artifact_coder)coder, NULL, &err);
      vise_mem_fail_after(-1);
      assert_int_equal(vise_mem_live_blocks(), live);
      if (st == VISE_OK) {
        assert_int_equal(count_files(), 1);
        break;
      }
      assert_only_the_old_file(path);
    }
  }
}

static void a_cancelled_write_leaves_the_old_file(void **state) {
  (void)state;
  const char *path = old_file();
  const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
  const int64_t shape[] = {1000};
  vise_tensor *t = test_tensor(VISE_DTYPE_F32, 1, shape, 1, 10);
  vise_artifact_writer *w;
  vise_err err;
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
  assert_int_equal(test_fill(w, &err), VISE_OK);

  vise_cancel();
  assert_int_equal(vise_artifact_writer_add_tensor(w, "t", t, &err), VISE_ECANCELLED);
  vise_cancel_clear();

  assert_int_equal(vise_artifact_writer_add_tensor(w, "u", t, &err), VISE_EARG);
  assert_string_equal(err.msg, "artifact: writing has failed before");
  assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_EARG);
  assert_only_the_old_file(path);
  vise_tensor_release(t);
}

static void a_cancelled_commit_leaves_the_old_file(void **state) {
  (void)state;
  const char *path = old_file();
  const vise_artifact_options options = {VISE_CODER_RAW, 1, false};
  vise_artifact_writer *w;
  vise_err err;
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
  assert_int_equal(test_fill(w, &err), VISE_OK);

  vise_cancel();
  assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_ECANCELLED);
  vise_cancel_clear();

  assert_only_the_old_file(path);
}

static void an_aborted_write_leaves_the_old_file(void **state) {
  (void)state;
  const char *path = old_file();
  const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
  vise_artifact_writer *w;
  vise_err err;
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
  assert_int_equal(test_fill(w, &err), VISE_OK);

  vise_artifact_writer_abort(w);

  assert_only_the_old_file(path);
}

/* A file may have so many bytes and no more: as if the disk were full there. At every size. */
static void a_full_disk_leaves_the_old_file(void **state) {
  (void)state;
  struct rlimit before;
  void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    vise_artifact_seal seal;
    vise_err err;
    const char *path = old_file();
    assert_int_equal(test_write(path, (vise_artifact_coder)coder, &seal, &err), VISE_OK);
    for (uint64_t room = 0; room < seal.bytes; room += 97) {
      path = old_file();
      const struct rlimit full = {room, before.rlim_max};
      assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
      const vise_status st = test_write(path, (vise_artifact_coder)coder, NULL, &err);
      assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

      assert_int_equal(st, VISE_EIO);
      assert_non_null(strstr(err.msg, "model.vise: cannot write: "));
      assert_only_the_old_file(path);
    }
  }
  signal(SIGXFSZ, handler);
}

/* 40 tensors of 2 MiB each pass through: those with frames in the two batches are held, no more. */
static void a_model_passes_through_in_little_memory(void **state) {
  (void)state;
  const int64_t shape[] = {2 << 20};
  const int threads = vise_threads();
  vise_threads_set(2); /* 8 slots a batch */
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    const char *path = old_file();
    const vise_artifact_options options = {(vise_artifact_coder)coder, 1, false};
    const size_t before = vise_mem_live_bytes();
    vise_artifact_writer *w;
    vise_err err;
    assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
    const size_t held = vise_mem_live_bytes();
    for (unsigned i = 0; i < 40; i++) {
      char name[] = {(char)('0' + i), '\0'};
      vise_tensor *t = test_tensor(VISE_DTYPE_U8, 1, shape, i, 256);
      assert_int_equal(vise_artifact_writer_add_tensor(w, name, t, &err), VISE_OK);
      vise_tensor_release(t);
      assert_true(vise_mem_live_bytes() < held + (20 << 20));
    }
    assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);
    assert_int_equal(vise_mem_live_bytes(), before);
  }
  vise_threads_set(threads);
}

static void what_the_reader_would_refuse_is_not_written(void **state) {
  (void)state;
  const char *path = old_file();
  const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
  vise_artifact_writer *w;
  vise_err err;
  char long_name[300];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  const char *const names[] = {"", long_name, "a\nb", "\xff", "\xed\xa0\x80", "\xc2\x85", "scalar"};
  vise_tensor *t = test_tensor(VISE_DTYPE_F32, 0, NULL, 1, 10);
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
  assert_int_equal(test_fill(w, &err), VISE_OK);

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    assert_int_equal(vise_artifact_writer_add_tensor(w, names[i], t, &err), VISE_EARG);
  }
  assert_string_equal(err.msg, "artifact: name 'scalar' is there already");
  assert_int_equal(vise_artifact_writer_add_tensor(w, "caf\xc3\xa9", t, &err), VISE_OK);
  assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);

  char *file;
  size_t bytes;
  assert_int_equal(vise_file_read(&file, &bytes, path, 1 << 20, NULL), VISE_OK);
  assert_int_equal(test_read(file, bytes, &err), VISE_OK);
  vise_mem_free(file);
  vise_tensor_release(t);
}

static void a_tree_deeper_than_the_contract_is_refused(void **state) {
  (void)state;
  const char *path = old_file();
  const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
  vise_artifact_writer *w;
  vise_tree *tree = NULL;
  vise_err err;
  for (int i = 0; i <= VISE_TREE_DEPTH; i++) {
    vise_tree *outer;
    assert_int_equal(vise_tree_create(&outer, "nest", 1, 1, &err), VISE_OK);
    if (tree != NULL) {
      assert_int_equal(vise_tree_add_child(outer, tree, &err), VISE_OK);
    }
    tree = outer;
  }
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);

  assert_int_equal(vise_artifact_writer_add_tree(w, "deep", tree, "", &err), VISE_EARG);
  assert_string_equal(err.msg, "deep: tree is nested deeper than 16 or has more than 4096 nodes");
  assert_int_equal(vise_artifact_writer_add_tree(w, "less", tree->children[0], "", &err), VISE_OK);

  vise_artifact_writer_abort(w);
  vise_tree_free(tree);
}

static void a_manifest_that_is_no_object_is_refused(void **state) {
  (void)state;
  static const char *const manifests[] = {"", "[]", "{", "{} x", "7"};
  for (size_t i = 0; i < sizeof manifests / sizeof manifests[0]; i++) {
    const char *path = old_file();
    const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
    vise_artifact_writer *w;
    vise_err err;
    assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);

    assert_int_equal(vise_artifact_writer_commit(w, NULL, manifests[i], NULL, &err), VISE_EARG);

    assert_memory_equal(err.msg, "manifest: ", 10);
    assert_only_the_old_file(path);
  }
}

static void a_level_out_of_range_is_refused(void **state) {
  (void)state;
  const vise_artifact_options options = {VISE_CODER_ZSTD, 20, false};
  vise_artifact_writer *w;
  vise_err err;

  assert_int_equal(vise_artifact_writer_create(&w, old_file(), &options, &err), VISE_EARG);

  assert_null(w);
  assert_string_equal(err.msg, "artifact: level is 20, expected -50 to 19");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writing_survives_every_allocation_failure),
      cmocka_unit_test(a_cancelled_write_leaves_the_old_file),
      cmocka_unit_test(a_cancelled_commit_leaves_the_old_file),
      cmocka_unit_test(an_aborted_write_leaves_the_old_file),
      cmocka_unit_test(a_full_disk_leaves_the_old_file),
      cmocka_unit_test(a_model_passes_through_in_little_memory),
      cmocka_unit_test(what_the_reader_would_refuse_is_not_written),
      cmocka_unit_test(a_tree_deeper_than_the_contract_is_refused),
      cmocka_unit_test(a_manifest_that_is_no_object_is_refused),
      cmocka_unit_test(a_level_out_of_range_is_refused),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
