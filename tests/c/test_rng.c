/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "support/test.h"

#include <math.h>

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

/*
 * Box-Muller by libm from the same uniforms: normal i takes what uniforms 2i and 2i + 1 take.
 * libm's angle 2 pi v < 2 pi is rounded twice, which moves its cosine by up to 4 pi 2^-53; each
 * side has a few more roundings relative to the radius.
 */
static void normal_numbers_are_those_of_libm_but_for_rounding(void **state) {
  (void)state;
  const vise_rng r = vise_rng_named(1, "libm");
  for (uint64_t i = 0; i < 100000; i++) {
    const double u = 1.0 - vise_rng_uniform(&r, 2 * i), v = vise_rng_uniform(&r, 2 * i + 1);
    const double radius = sqrt(-2.0 * log(u));
    const double expected = radius * cos(6.283185307179586 * v);

    const double got = vise_rng_normal(&r, i);

    assert_true(fabs(got - expected) <= (12.6 + 8.0) * 0x1p-53 * radius);
  }
}

static void streams_differ_by_seed_and_by_name(void **state) {
  (void)state;
  const vise_rng a = vise_rng_named(1, "a"), b = vise_rng_named(1, "b"), c = vise_rng_named(2, "a");
  int same = 0;
  for (uint64_t i = 0; i < 1000; i++) {
    same += vise_rng_u32(&a, i) == vise_rng_u32(&b, i);
    same += vise_rng_u32(&a, i) == vise_rng_u32(&c, i);
  }
  assert_true(same <= 1); /* 2000 pairs of 32 bits: two equal ones happen once in 10^13 runs */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(philox_gives_the_published_vectors),
      cmocka_unit_test(normal_numbers_are_those_of_libm_but_for_rounding),
      cmocka_unit_test(streams_differ_by_seed_and_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
