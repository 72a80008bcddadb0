/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/expand.h against the contract, bit by bit, values ending where memory does. */
#include "kernels/check.h"
#include "kernels/expand.h"

enum { MOST = 70 };

static uint32_t seed = 9;

static void values_go_where_bits_are_set(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_expand_kernels k;
    vise_expand_init(&k, level);
    for (int64_t n = 0; n <= MOST; n++) {
      for (int share = 0; share <= 4; share++) {
        uint8_t masks[MOST];
        float want[8 * MOST];
        int64_t n_values = 0;
        for (int64_t j = 0; j < 8 * n; j++) {
          const int is_set = (int)(check_random(&seed) % 4) < share;
          masks[j / 8] = (uint8_t)(j % 8 == 0 ? is_set : masks[j / 8] | is_set << j % 8);
          n_values += is_set;
        }
        check_buffer values = check_create((size_t)n_values * 4, (size_t)(n * 3 % 16) * 4);
        check_buffer out = check_create((size_t)n * 32, (size_t)(n % 16) * 4);
        float *v = values.data;
        int64_t next = 0;
        for (int64_t j = 0; j < n_values; j++) {
          v[j] = check_number(&seed);
        }
        for (int64_t j = 0; j < 8 * n; j++) {
          want[j] = masks[j / 8] >> j % 8 & 1 ? v[next++] : 0.0f;
        }

        assert_int_equal(k.expand(out.data, masks, n, v, n_values), n_values);

        if (memcmp(want, out.data, out.bytes) != 0) {
          fail_msg("%s: n %lld", vise_cpu_name(level), (long long)n);
        }
        check_free(&values, "values");
        check_free(&out, "out");
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_go_where_bits_are_set),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
