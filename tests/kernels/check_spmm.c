/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/spmm.h against the contract written out: chains of fmaf. */
#include "kernels/check.h"
#include "kernels/spmm.h"

#include <math.h>

enum { TOKENS = VISE_SPMM_TOKENS, ROWS = VISE_SPMM_ROWS, COLUMNS = 90, LONGEST = 70 };

static uint32_t seed = 5;

static void every_sum_is_one_chain_of_fma(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_spmm_kernels k;
    vise_spmm_init(&k, level);
    for (int64_t n = 0; n <= LONGEST; n++) {
      const int64_t ldv = n + n % 3;
      check_buffer x = check_create(COLUMNS * TOKENS * 4, 0);
      check_buffer sums = check_create(ROWS * TOKENS * 4, 0);
      check_buffer columns = check_create((size_t)n * 4, (size_t)(n % 16) * 4);
      check_buffer values = check_create((size_t)(ROWS * ldv) * 4, (size_t)(n * 3 % 16) * 4);
      float want[ROWS * TOKENS], *xp = x.data, *vp = values.data, *sp = sums.data;
      uint32_t *cp = columns.data;
      for (int64_t j = 0; j < COLUMNS * TOKENS; j++) {
        xp[j] = check_number(&seed);
      }
      for (int64_t j = 0; j < n; j++) {
        cp[j] = check_random(&seed) % COLUMNS;
      }
      for (int64_t j = 0; j < ROWS * ldv; j++) {
        vp[j] = check_number(&seed);
      }
      for (int64_t j = 0; j < ROWS * TOKENS; j++) {
        want[j] = sp[j] = check_number(&seed);
      }
      for (int64_t r = 0; r < ROWS; r++) {
        for (int64_t i = 0; i < n; i++) {
          for (int64_t j = 0; j < TOKENS; j++) {
            float *sum = &want[r * TOKENS + j];
            *sum = fmaf(xp[cp[i] * TOKENS + j], vp[r * ldv + i], *sum);
          }
        }
      }

      if (n % 2 == 0) {
        k.rows(sp, vp, ldv, cp, n, xp);
      } else {
        for (int64_t r = 0; r < ROWS; r++) {
          k.row(sp + r * TOKENS, vp + r * ldv, cp, n, xp);
        }
      }

      if (memcmp(want, sp, sums.bytes) != 0) {
        fail_msg("%s: n %lld", vise_cpu_name(level), (long long)n);
      }
      check_free(&x, "x");
      check_free(&sums, "sums");
      check_free(&columns, "columns");
      check_free(&values, "values");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_sum_is_one_chain_of_fma),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
