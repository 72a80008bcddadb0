/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/planes.h"
#include "artifact/xxh64.h"
#include "core/parallel.h"
#include "support/artifact.h"
#include "support/run_folder.h"
#include "support/test.h"

static vise_artifact *open_or_fail(const char *path) {
  vise_artifact *a;
  vise_err err = {0};
  if (vise_artifact_open(&a, path, &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  return a;
}

static void assert_same_tensor(const vise_tensor *a, const vise_tensor *b) {
  assert_int_equal(vise_tensor_dtype(a), vise_tensor_dtype(b));
  assert_int_equal(vise_tensor_rank(a), vise_tensor_rank(b));
  for (int i = 0; i < vise_tensor_rank(a); i++) {
    assert_int_equal(vise_tensor_dim(a, i), vise_tensor_dim(b, i));
  }
  assert_memory_equal(vise_tensor_data(a), vise_tensor_data(b), vise_tensor_bytes(a));
}

static void assert_same_tree(const vise_tree *a, const vise_tree *b) {
  assert_string_equal(a->kind, b->kind);
  assert_int_equal(a->m, b->m);
  assert_int_equal(a->k, b->k);
  assert_int_equal(a->n_attributes, b->n_attributes);
  for (int i = 0; i < a->n_attributes; i++) {
    assert_string_equal(a->attributes[i].name, b->attributes[i].name);
    assert_int_equal(a->attributes[i].type, b->attributes[i].type);
    assert_int_equal(a->attributes[i].i, b->attributes[i].i);
    assert_memory_equal(&a->attributes[i].r, &b->attributes[i].r, sizeof(double));
    assert_string_equal(a->attributes[i].text, b->attributes[i].text);
  }
  assert_int_equal(a->n_parts, b->n_parts);
  for (int i = 0; i < a->n_parts; i++) {
    assert_string_equal(a->parts[i].name, b->parts[i].name);
    assert_same_tensor(a->parts[i].tensor, b->parts[i].tensor);
  }
  assert_int_equal(a->n_children, b->n_children);
  for (int i = 0; i < a->n_children; i++) {
    assert_same_tree(a->children[i], b->children[i]);
  }
}

/* Known answers of xxHash's own sanity check, for seed 0 and its generated buffer. */
static void xxh64_gives_the_published_vectors(void **state) {
  (void)state;
  uint8_t buffer[222];
  uint64_t generator = 2654435761u;
  for (size_t i = 0; i < sizeof buffer; i++) {
    buffer[i] = (uint8_t)(generator >> 56);
    generator *= 11400714785074694797ull;
  }
  assert_true(vise_xxh64(buffer, 0) == 0xef46db3751d8e999);
  assert_true(vise_xxh64(buffer, 1) == 0xe934a84adb052768);
  assert_true(vise_xxh64(buffer, 4) == 0x9136a0dca57457ee);
  assert_true(vise_xxh64(buffer, 14) == 0x8282dcc4994e35c8);
  assert_true(vise_xxh64(buffer, 222) == 0xb641ae8cb691c174);
}

/* 0x3f80 is 1 in bf16: exponent 127, sign and mantissa 0. */
static void planes_part_the_exponent_from_sign_and_mantissa(void **state) {
  (void)state;
  const uint8_t one_and_minus_two[] = {0x80, 0x3f, 0x00, 0xc0};
  uint8_t out[4];

  vise_planes_split(out, one_and_minus_two, 4, 2);

  const uint8_t expected[] = {127, 128, 0, 1};
  assert_memory_equal(out, expected, sizeof out);
}

static void planes_join_to_what_was_split(void **state) {
  (void)state;
  uint8_t in[8 * 77], planes[sizeof in], out[sizeof in];
  for (size_t i = 0; i < sizeof in; i++) {
    in[i] = (uint8_t)(i * i * 31 + i / 7);
  }
  for (int width = 2; width <= 8; width *= 2) {
    vise_planes_split(planes, in, sizeof in, width);
    vise_planes_join(out, planes, sizeof in, width);

    assert_memory_equal(out, in, sizeof in);
  }
}

static void every_dtype_and_rank_comes_back(void **state) {
  (void)state;
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    const char *path = test_path(folder, "dtypes.vise");
    const vise_artifact_options options = {(vise_artifact_coder)coder, 1, false};
    const int64_t shape[] = {3, 5, 1, 2, 1, 1, 7, 2};
    vise_tensor *tensors[VISE_DTYPES];
    vise_artifact_writer *w;
    vise_err err;
    assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
    for (int d = 0; d < VISE_DTYPES; d++) {
      tensors[d] = test_tensor((vise_dtype)d, d % 9, shape, (unsigned)d, d % 2 ? 256 : 3);
      assert_int_equal(
          vise_artifact_writer_add_tensor(w, vise_dtype_name((vise_dtype)d), tensors[d], &err),
          VISE_OK);
    }
    assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);

    vise_artifact *a = open_or_fail(path);
    for (int d = 0; d < VISE_DTYPES; d++) {
      vise_tensor *t;
      const int64_t i = vise_artifact_find(a, vise_dtype_name((vise_dtype)d));
      assert_int_equal(i, d);
      assert_int_equal(vise_artifact_tensor(&t, a, i, &err), VISE_OK);
      assert_same_tensor(t, tensors[d]);
      assert_true(coder != VISE_CODER_RAW || vise_tensor_is_mapped(t));
      vise_tensor_release(t);
      vise_tensor_release(tensors[d]);
    }
    vise_artifact_close(a);
  }
}

/* 2.5 frames of compressible bytes, of noise, and of floats. */
static void parts_of_several_frames_come_back(void **state) {
  (void)state;
  const int64_t n[] = {5 << 19}, half[] = {5 << 18};
  vise_tensor *tensors[] = {test_tensor(VISE_DTYPE_U8, 1, n, 1, 10),
                            test_tensor(VISE_DTYPE_U8, 1, n, 2, 256),
                            test_tensor(VISE_DTYPE_BF16, 1, half, 3, 80)};
  const char *names[] = {"codes", "noise", "floats"};
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    const char *path = test_path(folder, "frames.vise");
    const vise_artifact_options options = {(vise_artifact_coder)coder, 1, false};
    vise_artifact_writer *w;
    vise_err err;
    assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(vise_artifact_writer_add_tensor(w, names[i], tensors[i], &err), VISE_OK);
    }
    assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);

    vise_artifact *a = open_or_fail(path);
    for (int i = 0; i < 3; i++) {
      vise_tensor *t;
      assert_int_equal(vise_artifact_tensor(&t, a, i, &err), VISE_OK);
      assert_same_tensor(t, tensors[i]);
      vise_tensor_release(t);
    }
    vise_artifact_close(a);
  }
  for (int i = 0; i < 3; i++) {
    vise_tensor_release(tensors[i]);
  }
}

static void a_strided_view_is_stored_as_its_values(void **state) {
  (void)state;
  const int64_t shape[] = {6, 4};
  vise_tensor *t = test_tensor(VISE_DTYPE_I16, 2, shape, 1, 256), *view, *dense, *back;
  const char *path = test_path(folder, "view.vise");
  const vise_artifact_options options = {VISE_CODER_ZSTD, 1, false};
  vise_artifact_writer *w;
  vise_err err;
  assert_int_equal(vise_tensor_transpose(&view, t, 0, 1, &err), VISE_OK);
  assert_int_equal(vise_tensor_convert(&dense, view, VISE_DTYPE_I16, &err), VISE_OK);
  assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
  assert_int_equal(vise_artifact_writer_add_tensor(w, "t", view, &err), VISE_OK);
  assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);

  vise_artifact *a = open_or_fail(path);
  assert_int_equal(vise_artifact_tensor(&back, a, 0, &err), VISE_OK);

  assert_same_tensor(back, dense);
  vise_artifact_close(a);
  assert_same_tensor(back, dense); /* outlives the artifact */
  vise_tensor_release(back);
  vise_tensor_release(dense);
  vise_tensor_release(view);
  vise_tensor_release(t);
}

static void a_nested_tree_of_an_unknown_kind_comes_back(void **state) {
  (void)state;
  const char *path = test_path(folder, "small.vise");
  vise_err err;
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    assert_int_equal(test_write(path, (vise_artifact_coder)coder, NULL, &err), VISE_OK);

    vise_artifact *a = open_or_fail(path);
    vise_tree *tree, *expected = test_tree();
    const int64_t i = vise_artifact_find(a, "tree");
    assert_int_equal(vise_artifact_tree(&tree, a, i, &err), VISE_OK);

    assert_same_tree(tree, expected);
    assert_string_equal(vise_artifact_entry_at(a, i).kind, "sum");
    assert_string_equal(vise_artifact_entry_at(a, i).description, "sum");
    vise_tree_free(tree);
    vise_tree_free(expected);
    vise_artifact_close(a);
  }
}

static void names_of_one_weight_open_as_one(void **state) {
  (void)state;
  const char *path = test_path(folder, "small.vise");
  vise_weight *embed, *head;
  vise_err err;
  assert_int_equal(test_write(path, VISE_CODER_ZSTD, NULL, &err), VISE_OK);

  vise_artifact *a = open_or_fail(path);
  assert_int_equal(vise_artifact_weight(&embed, a, vise_artifact_find(a, "embed"), &err), VISE_OK);
  assert_int_equal(vise_artifact_weight(&head, a, vise_artifact_find(a, "head"), &err), VISE_OK);

  assert_ptr_equal(embed, head);
  assert_string_equal(vise_artifact_entry_at(a, 1).same_as, "embed");
  vise_weight_release(embed);
  vise_weight_release(head);
  vise_artifact_close(a);
}

typedef struct part_count {
  int parts, first;
} part_count;

static void count_part(void *arg, const vise_artifact_part *part) {
  part_count *c = arg;
  c->parts++;
  c->first += part->is_first;
}

/* The tree's first two leaves have equal values: see test_tree. */
static void equal_parts_are_stored_once(void **state) {
  (void)state;
  const char *path = test_path(folder, "small.vise");
  vise_err err;
  assert_int_equal(test_write(path, VISE_CODER_RAW, NULL, &err), VISE_OK);

  vise_artifact *a = open_or_fail(path);
  const int64_t i = vise_artifact_find(a, "tree");
  part_count c = {0, 0};
  vise_artifact_each_part(a, i, count_part, &c);

  assert_int_equal(c.parts, 3);
  assert_int_equal(c.first, 2);
  assert_int_equal(vise_artifact_entry_at(a, i).packed_bytes, 3 * 48);
  assert_int_equal(vise_artifact_entry_at(a, i).coded_bytes, 2 * 48);
  vise_artifact_close(a);
}

/* 20 frames come and go: more than a batch, so that some were written before they were known. */
static void a_large_part_that_is_there_already_leaves_no_trace(void **state) {
  (void)state;
  const int64_t large[] = {20 << 20}, small[] = {1000};
  vise_tensor *big = test_tensor(VISE_DTYPE_U8, 1, large, 1, 256);
  vise_tensor *end = test_tensor(VISE_DTYPE_U8, 1, small, 2, 256);
  uint64_t bytes[2];
  for (int copies = 1; copies <= 2; copies++) {
    const char *path = test_path(folder, "copies.vise");
    const vise_artifact_options options = {VISE_CODER_RAW, 1, false};
    vise_artifact_writer *w;
    vise_artifact_seal seal;
    vise_err err;
    assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
    assert_int_equal(vise_artifact_writer_add_tensor(w, "a", big, &err), VISE_OK);
    if (copies == 2) {
      assert_int_equal(vise_artifact_writer_add_tensor(w, "b", big, &err), VISE_OK);
    }
    assert_int_equal(vise_artifact_writer_add_tensor(w, "c", end, &err), VISE_OK);
    assert_int_equal(vise_artifact_writer_commit(w, &seal, "{}", NULL, &err), VISE_OK);
    bytes[copies - 1] = seal.bytes;
    vise_artifact *a = open_or_fail(path);
    assert_int_equal(vise_artifact_verify(a, &err), VISE_OK);
    vise_artifact_close(a);
  }

  assert_int_equal(bytes[1], bytes[0] + 6); /* one more name: a length, a letter, a number */
  vise_tensor_release(big);
  vise_tensor_release(end);
}

/* header + padding + frames + index + trailer = file */
static void the_ledger_adds_up_to_the_file(void **state) {
  (void)state;
  const char *path = test_path(folder, "small.vise");
  vise_artifact_seal seal;
  vise_err err;
  assert_int_equal(test_write(path, VISE_CODER_ZSTD, &seal, &err), VISE_OK);

  vise_artifact *a = open_or_fail(path);
  uint64_t coded = 0;
  for (int64_t i = 0; i < vise_artifact_count(a); i++) {
    coded += vise_artifact_entry_at(a, i).coded_bytes;
  }
  char *file;
  size_t bytes;
  assert_int_equal(vise_file_read(&file, &bytes, path, 1 << 20, &err), VISE_OK);
  const uint64_t tail_begin =
      vise_load_u64((const uint8_t *)file + bytes - VISE_TRAILER_BYTES); /* no padding with zstd */

  assert_int_equal(coded + VISE_HEADER_BYTES, tail_begin);
  assert_int_equal(seal.bytes, bytes);
  assert_int_equal(vise_artifact_bytes(a), bytes);
  vise_mem_free(file);
  vise_artifact_close(a);
}

static void the_bytes_do_not_depend_on_threads(void **state) {
  (void)state;
  const int64_t shape[] = {3000, 1000};
  vise_tensor *t = test_tensor(VISE_DTYPE_F32, 2, shape, 1, 100);
  const int before = vise_threads();
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    uint8_t digests[3][VISE_SHA256_BYTES];
    for (int threads = 1; threads <= 3; threads++) {
      const char *path = test_path(folder, "threads.vise");
      const vise_artifact_options options = {(vise_artifact_coder)coder, 1, false};
      vise_artifact_writer *w;
      vise_err err;
      vise_threads_set(threads);
      assert_int_equal(vise_artifact_writer_create(&w, path, &options, &err), VISE_OK);
      assert_int_equal(test_fill(w, &err), VISE_OK);
      assert_int_equal(vise_artifact_writer_add_tensor(w, "large", t, &err), VISE_OK);
      assert_int_equal(vise_artifact_writer_commit(w, NULL, "{}", NULL, &err), VISE_OK);
      char *file;
      size_t bytes;
      assert_int_equal(vise_file_read(&file, &bytes, path, 1 << 28, &err), VISE_OK);
      vise_sha256(digests[threads - 1], file, bytes);
      vise_mem_free(file);
    }

    assert_memory_equal(digests[1], digests[0], VISE_SHA256_BYTES);
    assert_memory_equal(digests[2], digests[0], VISE_SHA256_BYTES);
  }
  vise_threads_set(before);
  vise_tensor_release(t);
}

static void the_hash_ignores_coder_and_record_but_not_names_or_manifest(void **state) {
  (void)state;
  static const struct {
    vise_artifact_coder coder;
    const char *name, *manifest, *record;
  } cases[] = {{VISE_CODER_RAW, "a", "{}", NULL},
               {VISE_CODER_ZSTD, "a", "{}", "{\"host\":1}"},
               {VISE_CODER_RAW, "b", "{}", NULL},
               {VISE_CODER_RAW, "a", "{\"x\":1}", NULL}};
  const int64_t shape[] = {1000};
  vise_tensor *t = test_tensor(VISE_DTYPE_F32, 1, shape, 1, 10);
  vise_artifact_seal seals[4];
  for (int i = 0; i < 4; i++) {
    const vise_artifact_options options = {cases[i].coder, 7, false};
    vise_artifact_writer *w;
    vise_err err;
    assert_int_equal(
        vise_artifact_writer_create(&w, test_path(folder, "hash.vise"), &options, &err), VISE_OK);
    assert_int_equal(vise_artifact_writer_add_tensor(w, cases[i].name, t, &err), VISE_OK);
    assert_int_equal(
        vise_artifact_writer_commit(w, &seals[i], cases[i].manifest, cases[i].record, &err),
        VISE_OK);
  }

  assert_memory_equal(seals[1].hash, seals[0].hash, VISE_SHA256_BYTES);
  assert_memory_not_equal(seals[2].hash, seals[0].hash, VISE_SHA256_BYTES);
  assert_memory_not_equal(seals[3].hash, seals[0].hash, VISE_SHA256_BYTES);
  vise_tensor_release(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(xxh64_gives_the_published_vectors),
      cmocka_unit_test(planes_part_the_exponent_from_sign_and_mantissa),
      cmocka_unit_test(planes_join_to_what_was_split),
      cmocka_unit_test(every_dtype_and_rank_comes_back),
      cmocka_unit_test(parts_of_several_frames_come_back),
      cmocka_unit_test(a_strided_view_is_stored_as_its_values),
      cmocka_unit_test(a_nested_tree_of_an_unknown_kind_comes_back),
      cmocka_unit_test(names_of_one_weight_open_as_one),
      cmocka_unit_test(equal_parts_are_stored_once),
      cmocka_unit_test(a_large_part_that_is_there_already_leaves_no_trace),
      cmocka_unit_test(the_ledger_adds_up_to_the_file),
      cmocka_unit_test(the_bytes_do_not_depend_on_threads),
      cmocka_unit_test(the_hash_ignores_coder_and_record_but_not_names_or_manifest),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
