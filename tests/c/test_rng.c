/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "support/test.h"

/* Known answers of Random123's kat_vectors for philox4x32 with 10 rounds. */
static void philox_gives_the_published_vectors(void **state) {
  (void)state;
  static const uint32_t cases[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
       0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1},
  };
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];

    vise_philox(out, cases[i], cases[i] + 4);

    assert_memory_equal(out, cases[i] + 6, sizeof out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(philox_gives_the_published_vectors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
