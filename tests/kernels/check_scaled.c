/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every level of kernels/scaled.h against ref, bit for bit; what ref's trials round to against the
 * codes of kernels/convert.h, and its bytes of trits against division.
 */
#include "core/checked.h"
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/scaled.h"

#include <math.h>

enum { LONGEST = 1031, N_ELEMENTS = VISE_NF4 + 1 };

static const int64_t groups[] = {1, 3, 16, 24, 32, 64, 100, 128, 5000};
enum { N_GROUPS = sizeof groups / sizeof groups[0] };

static vise_scaled_kernels ref;
static uint32_t seed = 1;

static int64_t length_at(int i) {
  static const int64_t primes[] = {79, 127, 131, 257, 509, LONGEST};
  return i <= 70 ? i : primes[i - 71];
}
enum { N_LENGTHS = 77 };

/* Ordinary, tied, tiny, huge and zero values. */
static void fill(float *x, int64_t n, int kind) {
  for (int64_t j = 0; j < n; j++) {
    const float u = check_number(&seed);
    x[j] = kind == 0   ? u
           : kind == 1 ? rintf(u * 32.0f) * 0.25f
           : kind == 2 ? u * 0x1p-130f
           : kind == 3 ? u * 0x1p120f
           : u > 0.0f  ? -0.0f
                       : 0.0f;
  }
}
enum { N_KINDS = 5 };

static void fill_scales(float *scales, int64_t n) {
  for (int64_t g = 0; g < n; g++) {
    scales[g] = g % 5 == 4 ? 0.0f : check_number(&seed);
  }
}

static void fill_bytes(uint8_t *bytes, int64_t n, unsigned below) {
  for (int64_t i = 0; i < n; i++) {
    bytes[i] = (uint8_t)(check_random(&seed) % below);
  }
}

static void groups_of_values_agree_with_ref(void **state) {
  (void)state;
  static float scales[LONGEST], want[LONGEST];
  static uint8_t codes[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_scaled_kernels k;
    vise_scaled_init(&k, level);
    for (int i = 0; i < N_LENGTHS * N_GROUPS; i++) {
      const int64_t n = length_at(i / N_GROUPS), group = groups[i % N_GROUPS];
      const int64_t n_groups = vise_ceil_div(n, group);
      check_buffer x = check_create((size_t)n * 4, (size_t)(i % 16) * 4);
      check_buffer least = check_create((size_t)n_groups * 4, 0);
      check_buffer got = check_create((size_t)n * 4, (size_t)(i * 3 % 16) * 4);
      check_buffer got_codes = check_create((size_t)n, (size_t)(i * 7 % 64));
      fill(x.data, n, i % N_KINDS);
      fill_scales(scales, n_groups);

      ref.extremes(want, x.data, n, group);
      k.extremes(least.data, x.data, n, group);
      assert_memory_equal(least.data, want, least.bytes);
      ref.divide(want, x.data, n, group, scales);
      k.divide(got.data, x.data, n, group, scales);
      assert_memory_equal(got.data, want, got.bytes);
      const int64_t phase = group == 1 ? 0 : (int64_t)(check_random(&seed) % (uint32_t)group);
      fill_scales(scales, vise_ceil_div(n + phase, group));
      memcpy(want, x.data, x.bytes);
      memcpy(got.data, x.data, x.bytes);
      ref.multiply(want, n, phase, group, scales);
      k.multiply(got.data, n, phase, group, scales);
      assert_memory_equal(got.data, want, got.bytes);
      ref.nf4(codes, x.data, n, group, scales);
      k.nf4(got_codes.data, x.data, n, group, scales);
      assert_memory_equal(got_codes.data, codes, got_codes.bytes);
      ref.trits(codes, x.data, n, group, scales);
      k.trits(got_codes.data, x.data, n, group, scales);
      assert_memory_equal(got_codes.data, codes, got_codes.bytes);
      check_free(&x, "x");
      check_free(&least, "extremes");
      check_free(&got, "divide or multiply");
      check_free(&got_codes, "nf4 or trits");
    }
  }
}

static void tables_agree_with_ref(void **state) {
  (void)state;
  static float scales[LONGEST + 1], want[LONGEST];
  static uint8_t packed[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_scaled_kernels k;
    vise_scaled_init(&k, level);
    for (int i = 0; i < 4 * N_LENGTHS * N_GROUPS; i++) {
      const int64_t n = length_at(i / 4 / N_GROUPS), group = groups[i / 4 % N_GROUPS];
      const bool is_high_first = i % 2 != 0;
      const int64_t any = (int64_t)(check_random(&seed) % (uint32_t)group);
      const int64_t phase = i % 4 < 2 ? any / 16 * 16 : any;
      fill_scales(scales, vise_ceil_div(n + phase, group));
      fill_bytes(packed, (n + 1) / 2, 256);
      check_buffer got = check_create((size_t)n * 4, (size_t)(i % 16) * 4);

      ref.table(want, packed, n, is_high_first, vise_nf4_table, phase, group, scales);
      k.table(got.data, packed, n, is_high_first, vise_nf4_table, phase, group, scales);

      if (memcmp(got.data, want, got.bytes) != 0) {
        fail_msg("table at %s: n %lld, group %lld, phase %lld", vise_cpu_name(level), (long long)n,
                 (long long)group, (long long)phase);
      }
      for (int64_t j = 0; j < n; j++) { /* the contract written out */
        const int shift = (j % 2 != 0) == is_high_first ? 0 : 4;
        assert_true(want[j] ==
                    vise_nf4_table[packed[j / 2] >> shift & 15] * scales[(phase + j) / group]);
      }
      check_free(&got, "table");
    }
  }
}

static void packing_agrees_with_ref(void **state) {
  (void)state;
  static uint8_t in[5 * LONGEST], want[LONGEST];
  static float want_trits[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_scaled_kernels k;
    vise_scaled_init(&k, level);
    for (int i = 0; i < N_LENGTHS; i++) {
      const int64_t n = length_at(i);
      check_buffer got = check_create((size_t)n, (size_t)(i * 7 % 64));
      check_buffer half = check_create((size_t)(n + 1) / 2, (size_t)(i * 5 % 64));
      check_buffer trits = check_create((size_t)n * 4, (size_t)(i % 16) * 4);
      fill_bytes(in, n, 16);
      ref.pack_high(want, in, n);
      k.pack_high(half.data, in, n);
      assert_memory_equal(half.data, want, half.bytes);
      fill_bytes(in, (n * 6 + 7) / 8, 256);
      ref.unpack6(want, in, n);
      k.unpack6(got.data, in, n);
      assert_memory_equal(got.data, want, got.bytes);
      for (int64_t j = 0; j < n; j++) { /* the stream, one bit at a time */
        for (int b = 0; b < 6; b++) {
          const int64_t at = 6 * j + b;
          assert_int_equal(want[j] >> b & 1, in[at / 8] >> at % 8 & 1);
        }
      }
      fill_bytes(in, 5 * n, 3);
      ref.pack_trits(want, in, n);
      k.pack_trits(got.data, in, n);
      assert_memory_equal(got.data, want, got.bytes);
      for (int place = 0; place < 5; place++) {
        ref.unpack_trits(want_trits, want, n, place);
        k.unpack_trits(trits.data, want, n, place);
        assert_memory_equal(trits.data, want_trits, trits.bytes);
        for (int64_t j = 0; j < n; j++) {
          assert_true(want_trits[j] == (float)in[j + place * n] - 1.0f);
        }
      }
      check_free(&got, "unpack6 or pack_trits");
      check_free(&half, "pack_high");
      check_free(&trits, "unpack_trits");
    }
  }
}

static void trials_agree_with_ref(void **state) {
  (void)state;
  enum { TRIALS = 3 };
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_scaled_kernels k;
    vise_scaled_init(&k, level);
    for (int i = 0; i < 2 * N_LENGTHS * N_ELEMENTS; i++) {
      const int64_t n = length_at(i / 2 / N_ELEMENTS);
      const vise_element e = (vise_element)(i / 2 % N_ELEMENTS);
      check_buffer x = check_create((size_t)n * 4, (size_t)(i % 16) * 4);
      check_buffer v = check_create((size_t)n * 4, (size_t)(i * 3 % 16) * 4);
      fill(x.data, n, i / 2 % N_KINDS);
      fill(v.data, n, 1);
      vise_scaled_trial want[TRIALS], got[TRIALS];
      for (int t = 0; t < TRIALS; t++) {
        const float scale = (check_number(&seed) + 1.5f) * (i / 2 % N_KINDS == 3 ? 0x1p110f : 0.1f);
        want[t] = got[t] = (vise_scaled_trial){.scale = scale};
      }

      ref.trials(want, TRIALS, x.data, i % 2 == 0 ? NULL : v.data, n, e);
      k.trials(got, TRIALS, x.data, i % 2 == 0 ? NULL : v.data, n, e);

      for (int t = 0; t < TRIALS; t++) {
        assert_true(want[t].error == got[t].error);
        assert_true(want[t].slope == got[t].slope);
        assert_true(want[t].mass == got[t].mass);
        got[t].error = 0.0;
      }
      k.errors(got, TRIALS, x.data, i % 2 == 0 ? NULL : v.data, n, e);
      for (int t = 0; t < TRIALS; t++) {
        assert_true(want[t].error == got[t].error);
      }
      check_free(&x, "x");
      check_free(&v, "v");
    }
  }
}

static float rounded(float t, vise_element e) {
  switch (e) {
  case VISE_E4M3: return vise_e4m3_to_f32(vise_f32_to_e4m3(t));
  case VISE_E5M2: return vise_e5m2_to_f32(vise_f32_to_e5m2(t));
  case VISE_E2M3: return vise_e2m3_to_f32(vise_f32_to_e2m3(t));
  case VISE_E3M2: return vise_e3m2_to_f32(vise_f32_to_e3m2(t));
  case VISE_E2M1: return vise_e2m1_to_f32(vise_f32_to_e2m1(t));
  case VISE_NF4: break;
  }
  uint8_t code;
  const float one = 1.0f;
  ref.nf4(&code, &t, 1, 1, &one);
  return vise_nf4_table[code];
}

/* One value a trial: its element can be read off the sums. Every tie of every element is among the
   multiples of 2^-k tried, and so is what lies just beside it. */
static void trials_round_as_codes_do(void **state) {
  (void)state;
  for (int e = 0; e < N_ELEMENTS; e++) {
    for (int i = 0; i < 40000; i++) {
      const float near = ldexpf((float)(i % 128), i / 128 % 36 - 22);
      const float t = (i / 13824 % 2 == 0 ? near : -near) * (i / 4608 % 3 == 0   ? 1.0f
                                                             : i / 4608 % 3 == 1 ? 0x1.000002p0f
                                                                                 : 0x1.fffffep-1f);
      vise_scaled_trial trial = {.scale = 1.0f};

      ref.trials(&trial, 1, &t, NULL, 1, (vise_element)e);

      const float q = rounded(t, (vise_element)e), d = t - q;
      assert_true(trial.mass == (double)(q * q));
      assert_true(trial.slope == (double)(d * q));
      assert_true(trial.error == (double)(d * d));
    }
  }
}

static int set_up(void **state) {
  (void)state;
  vise_scaled_init(&ref, VISE_CPU_REF);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(groups_of_values_agree_with_ref), cmocka_unit_test(tables_agree_with_ref),
      cmocka_unit_test(packing_agrees_with_ref),         cmocka_unit_test(trials_agree_with_ref),
      cmocka_unit_test(trials_round_as_codes_do),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
