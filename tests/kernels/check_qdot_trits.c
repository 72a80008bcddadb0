/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/qdot_trits.h against its contract, written out one column at a time. */
#include "kernels/check.h"
#include "kernels/qdot_trits.h"

#include <math.h>

enum { LONGEST = 1000, LANES = 16, TRITS = 5 };

static uint32_t seed = 3;

static int trit_of(const uint8_t *row, int64_t k, int64_t piece, int64_t byte, int p) {
  const int64_t left = k - piece * VISE_TRITS_PIECE;
  const int64_t bytes = left < VISE_TRITS_PIECE ? (left + TRITS - 1) / TRITS : VISE_TRITS_BYTES;
  if (byte >= bytes) {
    return 0;
  }
  unsigned q = row[piece * VISE_TRITS_BYTES + byte];
  for (int i = 0; i < p; i++) {
    q = q * 3 & 255u;
  }
  return (int)(q * 3 >> 8);
}

static float input(const float *x, int64_t k, int64_t piece, int64_t byte, int p) {
  const int64_t left = k - piece * VISE_TRITS_PIECE;
  const int64_t columns = left < VISE_TRITS_PIECE ? left : VISE_TRITS_PIECE;
  const int64_t bytes = (columns + TRITS - 1) / TRITS, column = byte + p * bytes;
  return byte < bytes && column < columns ? x[piece * VISE_TRITS_PIECE + column] : 0.0f;
}

static float expected(const uint8_t *row, int64_t k, const float *x) {
  float total[LANES] = {0};
  for (int64_t piece = 0; piece * VISE_TRITS_PIECE < k; piece++) {
    for (int l = 0; l < LANES; l++) {
      float sum = 0.0f;
      for (int i = 0; i < 4 * TRITS; i++) {
        sum -= input(x, k, piece, 4 * l + i % 4, i / 4);
      }
      for (int i = 0; i < 4 * TRITS; i++) {
        const int64_t byte = 4 * l + i % 4;
        sum =
            fmaf((float)trit_of(row, k, piece, byte, i / 4), input(x, k, piece, byte, i / 4), sum);
      }
      total[l] += sum;
    }
  }
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      total[l] += total[l + half];
    }
  }
  return total[0];
}

static void a_row_is_the_contract_written_out(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_qdot_trits_kernels kernels;
    vise_qdot_trits_init(&kernels, level);
    for (int64_t k = 1; k <= LONGEST; k += k < 340 ? 1 : 37) {
      const int64_t bytes = (k + TRITS - 1) / TRITS;
      check_buffer codes = check_create((size_t)bytes, (size_t)(k % 64));
      check_buffer x = check_create((size_t)k * 4, (size_t)(k % 16) * 4);
      check_buffer prepared = check_create((size_t)vise_qdot_trits_prepared(k) * 4, 0);
      uint8_t *c = codes.data;
      float *xp = x.data;
      for (int64_t i = 0; i < bytes; i++) { /* all 243 are seen */
        c[i] = (uint8_t)(((i + 7 * k) % 243 * 256 + 242) / 243);
      }
      for (int64_t j = 0; j < k; j++) {
        xp[j] = check_number(&seed);
      }
      vise_qdot_trits_prepare(prepared.data, xp, k);

      const float got = kernels.row(c, k, prepared.data), want = expected(c, k, xp);

      if (memcmp(&got, &want, sizeof got) != 0) {
        fail_msg("%s: k %lld: %g, expected %g", vise_cpu_name(level), (long long)k, (double)got,
                 (double)want);
      }
      check_free(&codes, "codes");
      check_free(&x, "x");
      check_free(&prepared, "prepared");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_row_is_the_contract_written_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
