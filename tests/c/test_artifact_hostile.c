/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are cut, altered, or lie with the right hashes. */
#include "artifact/xxh64.h"
#include "support/artifact.h"
#include "support/run_folder.h"
#include "support/test.h"

/* The small artifact, in owned memory. */
static uint8_t *small(size_t *bytes_out, vise_artifact_coder coder) {
  const char *path = test_path(folder, "small.vise");
  char *file;
  vise_err err = {0};
  if (test_write(path, coder, NULL, &err) != VISE_OK ||
      vise_file_read(&file, bytes_out, path, 1 << 20, &err) != VISE_OK) {
    fail_msg("%s", err.msg);
  }
  return (uint8_t *)file;
}

static void every_shorter_file_is_refused(void **state) {
  (void)state;
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    size_t bytes;
    uint8_t *file = small(&bytes, (vise_artifact_coder)coder);
    vise_err err;
    assert_int_equal(test_read(file, bytes, &err), VISE_OK);

    for (size_t n = 0; n < bytes; n++) {
      assert_int_equal(test_read(file, n, &err), VISE_EFORMAT);
      assert_memory_equal(err.msg, "memory: ", 8);
    }
    vise_mem_free(file);
  }
}

static void a_longer_file_is_refused(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *file = small(&bytes, VISE_CODER_ZSTD), *longer;
  void *memory;
  vise_err err;
  assert_int_equal(vise_mem_zalloc(&memory, bytes + 200, NULL), VISE_OK);
  longer = memory;
  memcpy(longer, file, bytes);

  assert_int_equal(test_read(longer, bytes + 1, &err), VISE_EFORMAT);
  memcpy(longer + bytes + 200 - VISE_TRAILER_BYTES, file + bytes - VISE_TRAILER_BYTES,
         VISE_TRAILER_BYTES);
  assert_int_equal(test_read(longer, bytes + 200, &err), VISE_EFORMAT);

  vise_mem_free(longer);
  vise_mem_free(file);
}

static void every_altered_byte_is_noticed(void **state) {
  (void)state;
  static const uint8_t masks[] = {0x01, 0x80, 0xff};
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    size_t bytes;
    uint8_t *file = small(&bytes, (vise_artifact_coder)coder);
    vise_err err;
    for (size_t i = 0; i < bytes; i++) {
      for (size_t j = 0; j < sizeof masks; j++) {
        file[i] ^= masks[j];
        assert_int_equal(test_read(file, bytes, &err), VISE_EFORMAT);
        file[i] ^= masks[j];
      }
    }
    assert_int_equal(test_read(file, bytes, &err), VISE_OK);
    vise_mem_free(file);
  }
}

/* Numbers of the index replaced one by one, hashes made true again: refused or read, but never
   more. The sanitizer builds watch over the reading. */
static void a_lie_with_the_right_hashes_does_no_harm(void **state) {
  (void)state;
  static const uint8_t values[] = {0x00, 0x01, 0x04, 0x7f, 0x80, 0xff};
  const size_t live = vise_mem_live_blocks();
  int refused = 0, tried = 0;
  for (int coder = VISE_CODER_RAW; coder <= VISE_CODER_ZSTD; coder++) {
    size_t bytes;
    uint8_t *file = small(&bytes, (vise_artifact_coder)coder);
    const size_t trailer = bytes - VISE_TRAILER_BYTES;
    vise_err err;
    void *memory;
    assert_int_equal(vise_mem_alloc(&memory, bytes, NULL), VISE_OK);
    uint8_t *copy = memory;
    for (size_t i = (size_t)vise_load_u64(file + trailer); i < trailer + 48; i++) {
      for (size_t j = 0; j < sizeof values; j++) {
        memcpy(copy, file, bytes);
        copy[i] = values[j];
        test_reseal(copy, bytes);
        const vise_status st = test_read(copy, bytes, &err);
        if (st != VISE_OK && st != VISE_EFORMAT && st != VISE_ENOMEM) {
          fail_msg("byte %zu as %d: %s", i, values[j], err.msg);
        }
        tried++;
        refused += st != VISE_OK;
      }
    }
    vise_mem_free(copy);
    vise_mem_free(file);
  }
  assert_true(refused > tried / 3); /* the rest: texts, real attributes, the manifest */
  assert_int_equal(vise_mem_live_blocks(), live);
}

/* ---- lies in particular ---- */

/* One u8 tensor of `bytes` with the digest and layout of `content`, as of an honest file. */
static test_pieces one_tensor(const void *content, uint64_t bytes, uint64_t begin) {
  test_pieces p = {.manifest = "{}"};
  uint8_t hashed[VISE_SHA256_BYTES + 8], digest[VISE_SHA256_BYTES];
  vise_sha256(hashed, content, (size_t)bytes);
  vise_store_u64(hashed + VISE_SHA256_BYTES, bytes);
  vise_container_part_digest(digest, hashed, 1);
  const uint32_t counts[] = {1, 1, 1};
  int bad = 0;
  for (int i = 0; i < 3; i++) {
    bad += vise_buffer_add_u32(&p.contents, counts[i], NULL) != VISE_OK;
  }
  bad += vise_buffer_add_u64(&p.contents, bytes, NULL) != VISE_OK;
  bad += vise_buffer_add(&p.contents, digest, sizeof digest, NULL) != VISE_OK;
  const uint8_t object[] = {0, 13, 1}; /* a tensor, u8, of one dimension */
  bad += vise_buffer_add(&p.contents, object, sizeof object, NULL) != VISE_OK;
  bad += vise_buffer_add_u64(&p.contents, bytes, NULL) != VISE_OK;
  bad += vise_buffer_add_u32(&p.contents, 0, NULL) != VISE_OK;
  bad += vise_buffer_add_text(&p.contents, "codes", NULL) != VISE_OK;
  bad += vise_buffer_add_u32(&p.contents, 0, NULL) != VISE_OK;
  bad += vise_buffer_add(&p.parts, content, (size_t)bytes, NULL) != VISE_OK;
  bad += vise_buffer_add_u64(&p.layout, begin, NULL) != VISE_OK;
  bad += vise_buffer_add_u8(&p.layout, 0, NULL) != VISE_OK;
  bad += vise_buffer_add_u8(&p.layout, 0, NULL) != VISE_OK;
  bad += vise_buffer_add_text(&p.layout, "u8", NULL) != VISE_OK;
  assert_int_equal(bad, 0);
  return p;
}

static void assert_refused(test_pieces p, const char *message) {
  uint8_t *file;
  const size_t bytes = test_assemble(&file, &p);
  vise_err err = {0};
  assert_int_equal(test_read(file, bytes, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, message);
  vise_mem_free(file);
}

static void an_artifact_put_together_by_hand_is_read(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  uint8_t *file;
  const size_t bytes = test_assemble(&file, &p);
  vise_err err = {0};

  assert_int_equal(test_read(file, bytes, &err), VISE_OK);

  vise_mem_free(file);
}

static void a_wrong_content_is_refused_by_name(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  ((uint8_t *)p.parts.data)[2] = 'X';
  assert_refused(p, "memory: tensor 'codes': frame 0 does not match its digest");
}

static void counts_that_the_contents_cannot_hold_are_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    static const char *const messages[] = {"memory: contents: 4294967295 parts do not fit it",
                                           "memory: contents: 4294967295 objects do not fit it",
                                           "memory: contents: 4294967295 names do not fit it"};
    test_pieces p = one_tensor("abcd", 4, 64);
    vise_store_u32((uint8_t *)p.contents.data + 4 * i, UINT32_MAX);
    assert_refused(p, messages[i]);
  }
}

static void parts_outside_their_place_are_refused(void **state) {
  (void)state;
  assert_refused(one_tensor("abcd", 4, 60),
                 "memory: layout: part 0 begins at byte 60, the one before ends at 64");
  assert_refused(one_tensor("abcd", 4, 128),
                 "memory: layout: part 0 begins at byte 128, the one before ends at 64");
  assert_refused(one_tensor("abcd", 4, UINT64_MAX),
                 "memory: layout: part 0 begins at byte 18446744073709551615, the one before ends "
                 "at 64");
  assert_refused(one_tensor("abcd", 4, 65),
                 "memory: layout: part 0 of 4 bytes at byte 65 does not end before the contents at "
                 "68");
}

static void bytes_that_no_part_covers_are_refused(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  assert_int_equal(vise_buffer_add_u8(&p.parts, 0, NULL), VISE_OK);
  assert_refused(p, "memory: layout: parts end at byte 68, contents begin at 69");
}

/* A shape whose product is 2^64 + 4, and one without a product. */
static void shapes_that_overflow_are_refused(void **state) {
  (void)state;
  static const uint64_t dims[] = {UINT64_MAX, (uint64_t)1 << 63, (uint64_t)INT64_MAX, 5};
  for (size_t i = 0; i < 4; i++) {
    test_pieces p = one_tensor("abcd", 4, 64);
    vise_store_u64((uint8_t *)p.contents.data + 12 + 40 + 3, dims[i]);
    assert_refused(p,
                   "memory: contents: object 0 at byte 135: its shape does not have the bytes of "
                   "its part");
  }
}

static void a_part_larger_than_the_file_is_refused_before_it_is_allocated(void **state) {
  (void)state;
  const size_t peak = vise_mem_peak_bytes();
  test_pieces p = one_tensor("abcd", 4, 64);
  const uint64_t huge = (uint64_t)1 << 50;
  vise_store_u64((uint8_t *)p.contents.data + 12, huge);
  vise_store_u64((uint8_t *)p.contents.data + 12 + 40 + 3, huge);
  assert_refused(p, "memory: layout: part 0: it has more frames than the layout has room for");
  assert_true(vise_mem_peak_bytes() < peak + (1 << 20));
}

static void a_number_of_a_part_that_is_not_there_is_refused(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  vise_store_u32((uint8_t *)p.contents.data + 12 + 40 + 11, 1);
  assert_refused(p, "memory: contents: object 0 at byte 135: no such part");
}

static void an_unknown_coder_is_refused(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  ((uint8_t *)p.layout.data)[8] = 2;
  assert_refused(p, "memory: layout: part 0: no such coder or planes");
}

static void a_name_with_control_characters_is_refused(void **state) {
  (void)state;
  test_pieces p = one_tensor("abcd", 4, 64);
  ((uint8_t *)p.contents.data)[p.contents.bytes - 5] = 27;
  assert_refused(p, "memory: contents: name 0 is malformed");
}

/* zstd of 100 zeros in a part that says 99, and the other way round. */
static void a_frame_that_holds_more_or_less_than_it_says_is_refused(void **state) {
  (void)state;
  static const uint8_t coded[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x64, 0x45, 0x00, 0x00,
                                  0x10, 0x00, 0x00, 0x01, 0x00, 0x3f, 0x01, 0x2c};
  for (uint64_t says = 99; says <= 101; says++) {
    const uint8_t zeros[128] = {0};
    test_pieces p = one_tensor(zeros, says, 64);
    p.parts.bytes = 0;
    p.layout.bytes = 8; /* all but the place is written anew */
    int bad = vise_buffer_add(&p.parts, coded, sizeof coded, NULL) != VISE_OK;
    bad += vise_buffer_add_u8(&p.layout, 1, NULL) != VISE_OK;
    bad += vise_buffer_add_u8(&p.layout, 0, NULL) != VISE_OK;
    bad += vise_buffer_add_u32(&p.layout, sizeof coded, NULL) != VISE_OK;
    bad += vise_buffer_add_u64(&p.layout, vise_xxh64(coded, sizeof coded), NULL) != VISE_OK;
    bad += vise_buffer_add_text(&p.layout, "u8", NULL) != VISE_OK;
    assert_int_equal(bad, 0);
    uint8_t *file;
    const size_t bytes = test_assemble(&file, &p);
    vise_err err = {0};

    assert_int_equal(test_read(file, bytes, &err), says == 100 ? VISE_OK : VISE_EFORMAT);

    if (says == 99) {
      assert_string_equal(err.msg, "memory: tensor 'codes': frame 0 cannot be decoded by zstd: "
                                   "Destination buffer is too small");
    } else if (says == 101) {
      assert_string_equal(err.msg, "memory: tensor 'codes': frame 0 holds 100 bytes, expected 101");
    }
    vise_mem_free(file);
  }
}

/* A weight whose tree is `depth` nodes deep, each of kind "n" and [1, 1], around one part. */
static test_pieces deep_tree(int depth) {
  test_pieces p = one_tensor("abcd", 4, 64);
  vise_buffer *c = &p.contents;
  c->bytes = 12 + 40;
  int bad = vise_buffer_add_u8(c, 1, NULL) != VISE_OK;
  for (int i = 0; i < depth; i++) {
    bad += vise_buffer_add_text(c, "n", NULL) != VISE_OK;
    bad += vise_buffer_add_u64(c, 1, NULL) != VISE_OK;
    bad += vise_buffer_add_u64(c, 1, NULL) != VISE_OK;
    bad += vise_buffer_add_u8(c, 0, NULL) != VISE_OK;
    const int is_last = i == depth - 1;
    bad += vise_buffer_add_u8(c, is_last ? 1 : 0, NULL) != VISE_OK;
    if (is_last) {
      bad += vise_buffer_add_text(c, "p", NULL) != VISE_OK;
      bad += vise_buffer_add_u8(c, 13, NULL) != VISE_OK;
      bad += vise_buffer_add_u8(c, 1, NULL) != VISE_OK;
      bad += vise_buffer_add_u64(c, 4, NULL) != VISE_OK;
      bad += vise_buffer_add_u32(c, 0, NULL) != VISE_OK;
    }
    bad += vise_buffer_add_u8(c, is_last ? 0 : 1, NULL) != VISE_OK;
  }
  bad += vise_buffer_add_text(c, "w", NULL) != VISE_OK;
  bad += vise_buffer_add_u32(c, 0, NULL) != VISE_OK;
  assert_int_equal(bad, 0);
  return p;
}

static void trees_are_as_deep_as_the_contract_says_and_no_deeper(void **state) {
  (void)state;
  test_pieces p = deep_tree(VISE_TREE_DEPTH);
  uint8_t *file;
  const size_t bytes = test_assemble(&file, &p);
  vise_err err = {0};
  assert_int_equal(test_read(file, bytes, &err), VISE_OK);
  vise_mem_free(file);

  p = deep_tree(VISE_TREE_DEPTH);
  ((uint8_t *)p.parts.data)[0] = 'X';
  assert_refused(p, "memory: part '1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.p' of 'w': frame 0 does not match "
                    "its digest");
  assert_refused(deep_tree(VISE_TREE_DEPTH + 1),
                 "memory: contents: object 0 at byte 475: its tree is too deep or too large");
  assert_refused(deep_tree(5000),
                 "memory: contents: object 0 at byte 475: its tree is too deep or too large");
}

static void a_newer_version_is_named(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *file = small(&bytes, VISE_CODER_ZSTD);
  vise_err err;
  vise_store_u32(file + 4, 4);
  test_reseal(file, bytes);

  assert_int_equal(test_read(file, bytes, &err), VISE_EFORMAT);

  assert_string_equal(err.msg, "memory: header: version is 4, expected 1 to 3");
  vise_mem_free(file);
}

static void a_weight_of_an_unknown_kind_is_refused_by_name(void **state) {
  (void)state;
  const char *path = test_path(folder, "small.vise");
  vise_artifact *a;
  vise_weight *w;
  vise_err err;
  assert_int_equal(test_write(path, VISE_CODER_ZSTD, NULL, &err), VISE_OK);
  assert_int_equal(vise_artifact_open(&a, path, &err), VISE_OK);

  assert_int_equal(vise_artifact_weight(&w, a, vise_artifact_find(a, "tree"), &err), VISE_EFORMAT);

  assert_null(w);
  assert_non_null(strstr(err.msg, "small.vise: weight 'tree': "));
  vise_artifact_close(a);
}

static void reading_survives_every_allocation_failure(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *file = small(&bytes, VISE_CODER_ZSTD);
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_err err;
    vise_mem_fail_after(n);
    const vise_status st = test_read(file, bytes, &err);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      break;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
  vise_mem_free(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_shorter_file_is_refused),
      cmocka_unit_test(a_longer_file_is_refused),
      cmocka_unit_test(every_altered_byte_is_noticed),
      cmocka_unit_test(a_lie_with_the_right_hashes_does_no_harm),
      cmocka_unit_test(an_artifact_put_together_by_hand_is_read),
      cmocka_unit_test(a_wrong_content_is_refused_by_name),
      cmocka_unit_test(counts_that_the_contents_cannot_hold_are_refused),
      cmocka_unit_test(parts_outside_their_place_are_refused),
      cmocka_unit_test(bytes_that_no_part_covers_are_refused),
      cmocka_unit_test(shapes_that_overflow_are_refused),
      cmocka_unit_test(a_part_larger_than_the_file_is_refused_before_it_is_allocated),
      cmocka_unit_test(a_number_of_a_part_that_is_not_there_is_refused),
      cmocka_unit_test(an_unknown_coder_is_refused),
      cmocka_unit_test(a_name_with_control_characters_is_refused),
      cmocka_unit_test(a_frame_that_holds_more_or_less_than_it_says_is_refused),
      cmocka_unit_test(trees_are_as_deep_as_the_contract_says_and_no_deeper),
      cmocka_unit_test(a_newer_version_is_named),
      cmocka_unit_test(a_weight_of_an_unknown_kind_is_refused_by_name),
      cmocka_unit_test(reading_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
