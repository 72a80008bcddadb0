/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out is judged in tests/lua/test_images.lua; here: memory. */
#include "core/file.h"
#include "core/mem.h"
#include "io/gzip.h"
#include "support/test.h"

static void unpack_survives_every_allocation_failure(void **state) {
  (void)state;
  char *packed;
  size_t n;
  vise_err err;
  assert_int_equal(vise_file_read(&packed, &n, "tests/fuzz/seeds/gzip/text", 1 << 20, &err),
                   VISE_OK);
  for (long allowed = 0;; allowed++) {
    const size_t live = vise_mem_live_blocks();
    uint8_t *out;
    size_t n_out;
    vise_mem_fail_after(allowed);
    const vise_status st =
        vise_gzip_unpack(&out, &n_out, (const uint8_t *)packed, n, 1 << 20, &err);
    vise_mem_fail_after(-1);
    if (st == VISE_OK) {
      vise_mem_free(out);
      assert_int_equal(vise_mem_live_blocks(), live);
      break;
    }
    assert_int_equal(st, VISE_ENOMEM);
    assert_null(out);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
  vise_mem_free(packed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(unpack_survives_every_allocation_failure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
