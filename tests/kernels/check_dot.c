/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/dot.h against the contract written out: 32 chains of fmaf, then halves. */
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/dot.h"

#include <math.h>

enum { LONGEST = 521, TOKENS = 7 };

static uint32_t seed = 3;

static void adding_is_one_chain_of_fma_a_lane(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_dot_kernels k;
    vise_dot_init(&k, level);
    for (int64_t n = 0; n <= LONGEST; n += n < 70 ? 1 : 41) {
      const int64_t t = n % (TOKENS + 1), ldx = n + 3;
      check_buffer w = check_create((size_t)n * 4, (size_t)(n % 16) * 4);
      check_buffer x = check_create((size_t)(t * ldx) * 4, (size_t)(n * 3 % 16) * 4);
      check_buffer lanes = check_create((size_t)(t * VISE_DOT_LANES) * 4, (size_t)(n % 5) * 4);
      float want[TOKENS * VISE_DOT_LANES], *wp = w.data, *xp = x.data, *lp = lanes.data;
      for (int64_t j = 0; j < n; j++) {
        wp[j] = check_number(&seed);
      }
      for (int64_t j = 0; j < t * ldx; j++) {
        xp[j] = check_number(&seed);
      }
      for (int64_t l = 0; l < t * VISE_DOT_LANES; l++) {
        want[l] = lp[l] = check_number(&seed);
      }
      for (int64_t s = 0; s < t; s++) {
        for (int64_t j = 0; j < n; j++) {
          float *lane = &want[s * VISE_DOT_LANES + j % VISE_DOT_LANES];
          *lane = fmaf(xp[s * ldx + j], wp[j], *lane);
        }
      }

      k.add(lp, wp, xp, ldx, t, n);

      if (memcmp(want, lp, lanes.bytes) != 0) {
        fail_msg("add at %s: n %lld, t %lld", vise_cpu_name(level), (long long)n, (long long)t);
      }
      check_free(&w, "w");
      check_free(&x, "x");
      check_free(&lanes, "add");
    }
  }
}

static void lanes_are_added_by_halves(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_dot_kernels k;
    vise_dot_init(&k, level);
    for (int repeat = 0; repeat < 100; repeat++) {
      float lanes[VISE_DOT_LANES], tree[VISE_DOT_LANES];
      for (int l = 0; l < VISE_DOT_LANES; l++) {
        tree[l] = lanes[l] = check_number(&seed);
      }
      for (int half = VISE_DOT_LANES / 2; half > 0; half /= 2) {
        for (int l = 0; l < half; l++) {
          tree[l] += tree[l + half];
        }
      }

      const float got = k.sum(lanes);

      assert_memory_equal(&got, &tree[0], sizeof got);
    }
  }
}

/* A row with one token is its chains, then their sum, whatever it is stored as. */
static void one_token_is_chains_and_their_sum(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_dot_kernels k, ref;
    vise_dot_init(&k, level);
    vise_dot_init(&ref, VISE_CPU_REF);
    for (int64_t n = 0; n <= LONGEST; n += n < 70 ? 1 : 41) {
      check_buffer w = check_create((size_t)n * 4, (size_t)(n % 16) * 4);
      check_buffer x = check_create((size_t)n * 4, (size_t)(n * 3 % 16) * 4);
      check_buffer b = check_create((size_t)n * 2, (size_t)(n % 16) * 2);
      float lanes[VISE_DOT_LANES] = {0.0f}, *wp = w.data, *xp = x.data;
      uint16_t *bp = b.data;
      for (int64_t j = 0; j < n; j++) {
        bp[j] = vise_f32_to_bf16(check_number(&seed));
        wp[j] = vise_bf16_to_f32(bp[j]);
        xp[j] = check_number(&seed);
        lanes[j % VISE_DOT_LANES] = fmaf(xp[j], wp[j], lanes[j % VISE_DOT_LANES]);
      }
      const float want = ref.sum(lanes);

      const float f32 = k.one_f32(wp, xp, n), bf16 = k.one_bf16(bp, xp, n);

      assert_memory_equal(&f32, &want, sizeof want);
      assert_memory_equal(&bf16, &want, sizeof want);
      check_free(&w, "w");
      check_free(&x, "x");
      check_free(&b, "bf16");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adding_is_one_chain_of_fma_a_lane),
      cmocka_unit_test(lanes_are_added_by_halves),
      cmocka_unit_test(one_token_is_chains_and_their_sum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
