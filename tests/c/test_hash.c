/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hash.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "support/folder.h"
#include "support/test.h"

#include <string.h>

static void assert_sha256(const void *data, size_t n, const char *expected) {
  uint8_t digest[VISE_SHA256_BYTES];
  char hex[VISE_SHA256_HEX];
  vise_sha256(digest, data, n);
  vise_sha256_hex(hex, digest);
  assert_string_equal(hex, expected);
}

/* The examples of FIPS 180-2, appendix B, and the empty message of NIST's test vectors. */
static void sha256_gives_the_published_digests(void **state) {
  (void)state;
  static char million[1000000];
  memset(million, 'a', sizeof million);

  assert_sha256("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  assert_sha256(million, sizeof million,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static const size_t sizes[] = {0, 1, 1048575, 1048576, 1048577, 3 * 1048576 + 5};

static uint8_t *make_data(void) {
  static uint8_t data[3 * 1048576 + 5];
  for (size_t i = 0; i < sizeof data; i++) {
    data[i] = (uint8_t)(i * 2654435761u >> 13);
  }
  return data;
}

/* libcrypto's digest of each message alone, for every length around the padding's limits. */
static void pair_gives_the_digests_of_both_messages(void **state) {
  (void)state;
  const uint8_t *a = make_data(), *b = a + 5000;
  for (size_t n = 0; n < 4500; n += n < 300 ? 1 : 97) {
    const size_t others[] = {n, n + 1, 130, 4096};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
      uint8_t got[2][VISE_SHA256_BYTES], expected[2][VISE_SHA256_BYTES];
      vise_sha256(expected[0], a, n);
      vise_sha256(expected[1], b, others[i]);

      vise_sha256_pair(got[0], a, n, got[1], b, others[i]);

      assert_memory_equal(got, expected, sizeof got);
    }
  }
}

/* The definition in hash.h, word for word, leaf by leaf. */
static void slow_tree(uint8_t out[VISE_SHA256_BYTES], const uint8_t *data, size_t n) {
  uint8_t all[16 * VISE_SHA256_BYTES + 8];
  size_t bytes = 0;
  for (size_t at = 0; at < n; at += 1048576) {
    vise_sha256(all + bytes, data + at, n - at < 1048576 ? n - at : 1048576);
    bytes += VISE_SHA256_BYTES;
  }
  for (int i = 0; i < 8; i++) {
    all[bytes++] = (uint8_t)(n >> (8 * i));
  }
  vise_sha256(out, all, bytes);
}

static void tree_hash_is_its_definition_for_any_number_of_threads(void **state) {
  (void)state;
  const uint8_t *data = make_data();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint8_t expected[VISE_SHA256_BYTES];
    slow_tree(expected, data, sizes[i]);
    for (int threads = 1; threads <= 3; threads++) {
      uint8_t digest[VISE_SHA256_BYTES];
      vise_threads_set(threads);

      assert_int_equal(vise_sha256_tree(digest, data, sizes[i], NULL), VISE_OK);

      assert_memory_equal(digest, expected, sizeof expected);
    }
  }
}

static void hash_of_a_file_is_that_of_its_content(void **state) {
  (void)state;
  const uint8_t *data = make_data();
  const char *folder = test_folder();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    const char *path = test_path(folder, "data");
    uint8_t expected[VISE_SHA256_BYTES], digest[VISE_SHA256_BYTES];
    assert_int_equal(vise_file_replace(path, data, sizes[i], NULL), VISE_OK);
    assert_int_equal(vise_sha256_tree(expected, data, sizes[i], NULL), VISE_OK);

    assert_int_equal(vise_sha256_file(digest, path, NULL), VISE_OK);

    assert_memory_equal(digest, expected, sizeof expected);
  }
  assert_int_equal(vise_file_remove_tree(folder, NULL), VISE_OK);
}

static void tree_hash_survives_every_allocation_failure_and_cancel(void **state) {
  (void)state;
  const size_t live = vise_mem_live_blocks();
  uint8_t digest[VISE_SHA256_BYTES];

  vise_mem_fail_after(0);
  assert_int_equal(vise_sha256_tree(digest, "abc", 3, NULL), VISE_ENOMEM);
  vise_mem_fail_after(-1);
  vise_cancel();
  assert_int_equal(vise_sha256_tree(digest, make_data(), 3 << 20, NULL), VISE_ECANCELLED);
  vise_cancel_clear();

  assert_int_equal(vise_mem_live_blocks(), live);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_gives_the_published_digests),
      cmocka_unit_test(pair_gives_the_digests_of_both_messages),
      cmocka_unit_test(tree_hash_is_its_definition_for_any_number_of_threads),
      cmocka_unit_test(hash_of_a_file_is_that_of_its_content),
      cmocka_unit_test(tree_hash_survives_every_allocation_failure_and_cancel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
