/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every level of kernels/intq.h against ref, bit for bit; ref against sums written out in f64 and
 * against a bit stream read one bit at a time. `check_intq --bench` prints ns per weight.
 */
#include "core/checked.h"
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/intq.h"

#include <math.h>
#include <time.h>

enum { LONGEST = 2051, N_WIDTHS = 6 };

static const int widths[N_WIDTHS] = {2, 3, 4, 5, 6, 8};
static const int64_t groups[] = {1, 3, 8, 16, 24, 32, 48, 64, 128, 1000, 5000};
enum { N_GROUPS = sizeof groups / sizeof groups[0] };

static vise_intq_kernels ref;
static uint32_t seed = 1;

static int64_t length_at(int i) {
  static const int64_t primes[] = {79, 127, 131, 257, 509, 1031, LONGEST};
  return i <= 70 ? i : primes[i - 71];
}
enum { N_LENGTHS = 78 };

/* Ordinary, tied, tiny, huge and zero values. */
static void fill(float *x, int64_t n, int kind) {
  for (int64_t j = 0; j < n; j++) {
    const float u = check_number(&seed);
    x[j] = kind == 0   ? u
           : kind == 1 ? rintf(u * 8.0f) * 0.5f
           : kind == 2 ? u * 0x1p-130f
           : kind == 3 ? u * 0x1p120f
           : u > 0.0f  ? -0.0f
                       : 0.0f;
  }
}
enum { N_KINDS = 5 };

static void ranges_and_codes_agree_with_ref(void **state) {
  (void)state;
  static float low[2][LONGEST], high[2][LONGEST], r[LONGEST];
  static uint8_t zeros[LONGEST], want[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int i = 0; i < N_LENGTHS * N_GROUPS; i++) {
      const int64_t n = length_at(i / N_GROUPS), group = groups[i % N_GROUPS];
      const int64_t n_groups = vise_ceil_div(n, group);
      const int bits = widths[i % N_WIDTHS], is_symmetric = i / N_WIDTHS % 2;
      check_buffer x = check_create((size_t)n * sizeof(float), (size_t)(i % 16) * 4);
      check_buffer got = check_create((size_t)n, (size_t)(i * 7 % 64));
      fill(x.data, n, i % N_KINDS);
      for (int64_t g = 0; g < n_groups; g++) {
        r[g] = g % 5 == 4 ? 0.0f : check_number(&seed) * (float)(2 << bits);
        zeros[g] = (uint8_t)(check_random(&seed) & ((1u << bits) - 1u));
      }

      ref.ranges(low[0], high[0], x.data, n, group);
      k.ranges(low[1], high[1], x.data, n, group);
      ref.codes(want, x.data, n, group, bits, r, is_symmetric ? NULL : zeros);
      k.codes(got.data, x.data, n, group, bits, r, is_symmetric ? NULL : zeros);

      assert_memory_equal(low[0], low[1], (size_t)n_groups * sizeof(float));
      assert_memory_equal(high[0], high[1], (size_t)n_groups * sizeof(float));
      if (memcmp(want, got.data, (size_t)n) != 0) {
        fail_msg("codes at %s: n %lld, group %lld, bits %d", vise_cpu_name(level), (long long)n,
                 (long long)group, bits);
      }
      check_free(&x, "x");
      check_free(&got, "codes");
    }
  }
}

/* The answer is that of ref for the same values in f32; a NaN or infinity anywhere is seen. */
static void rows_of_bf16_give_what_they_give_in_f32(void **state) {
  (void)state;
  static float x[LONGEST], low[2][LONGEST], high[2][LONGEST], r[LONGEST];
  static uint8_t zeros[LONGEST], want[LONGEST];
  static const uint16_t bad[] = {0x7f80, 0xff80, 0x7fc0, 0xffc0, 0x7f81, 0xffff};
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int i = 0; i < N_LENGTHS * N_GROUPS; i++) {
      const int64_t n = length_at(i / N_GROUPS), group = groups[i % N_GROUPS];
      const int64_t n_groups = vise_ceil_div(n, group);
      const int bits = widths[i % N_WIDTHS], is_symmetric = i / N_WIDTHS % 2;
      check_buffer stored = check_create((size_t)n * 2, (size_t)(i % 32) * 2);
      check_buffer got = check_create((size_t)n, (size_t)(i * 7 % 64));
      uint16_t *b = stored.data;
      fill(x, n, i % N_KINDS);
      for (int64_t j = 0; j < n; j++) {
        b[j] = vise_f32_to_bf16(x[j]);
        x[j] = vise_bf16_to_f32(b[j]);
      }
      for (int64_t g = 0; g < n_groups; g++) {
        r[g] = g % 5 == 4 ? 0.0f : check_number(&seed) * (float)(2 << bits);
        zeros[g] = (uint8_t)(check_random(&seed) & ((1u << bits) - 1u));
      }

      ref.ranges(low[0], high[0], x, n, group);
      assert_int_equal(k.ranges_bf16(low[1], high[1], b, n, group), 0);
      ref.codes(want, x, n, group, bits, r, is_symmetric ? NULL : zeros);
      k.codes_bf16(got.data, b, n, group, bits, r, is_symmetric ? NULL : zeros);

      assert_memory_equal(low[0], low[1], (size_t)n_groups * sizeof(float));
      assert_memory_equal(high[0], high[1], (size_t)n_groups * sizeof(float));
      if (memcmp(want, got.data, (size_t)n) != 0) {
        fail_msg("codes of bf16 at %s: n %lld, group %lld, bits %d", vise_cpu_name(level),
                 (long long)n, (long long)group, bits);
      }
      if (n > 0) {
        b[check_random(&seed) % n] = bad[i % 6];
        assert_int_equal(k.ranges_bf16(low[1], high[1], b, n, group), 1);
      }
      check_free(&stored, "x");
      check_free(&got, "codes");
    }
  }
}

static void packing_is_a_little_endian_stream_of_bits(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int i = 0; i < N_LENGTHS * N_WIDTHS; i++) {
      const int64_t n = length_at(i / N_WIDTHS);
      const int bits = widths[i % N_WIDTHS];
      const size_t bytes = (size_t)(n * bits + 7) / 8;
      check_buffer codes = check_create((size_t)n, (size_t)(i % 64));
      check_buffer got = check_create(bytes, (size_t)(i * 3 % 64));
      uint8_t *c = codes.data;
      for (int64_t j = 0; j < n; j++) {
        c[j] = (uint8_t)(check_random(&seed) & ((1u << bits) - 1u));
      }
      uint8_t want[LONGEST] = {0};
      for (int64_t b = 0; b < n * bits; b++) {
        want[b / 8] |= (uint8_t)((c[b / bits] >> (b % bits) & 1) << (b % 8));
      }

      k.pack(got.data, c, n, bits);

      if (memcmp(want, got.data, bytes) != 0) {
        fail_msg("pack at %s: n %lld, bits %d", vise_cpu_name(level), (long long)n, bits);
      }
      check_free(&codes, "codes");
      check_free(&got, "pack");
    }
  }
}

/* The buffer of packed codes ends where the codes end: reading further is seen by the sanitizer. */
static void decoding_agrees_with_the_formula(void **state) {
  (void)state;
  static uint8_t codes[LONGEST], zeros[LONGEST];
  static uint16_t scales[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int i = 0; i < N_LENGTHS * N_GROUPS; i++) {
      const int64_t n = length_at(i / N_GROUPS), group = groups[i % N_GROUPS];
      const int64_t phase = i % 3 == 0 ? 0 : i % 3 == 1 ? group / 2 : group - 1;
      const int bits = widths[i % N_WIDTHS], is_symmetric = i / N_WIDTHS % 2;
      const size_t bytes = (size_t)(n * bits + 7) / 8;
      uint8_t *packed = malloc(bytes + 1);
      assert_non_null(packed);
      for (int64_t j = 0; j < n; j++) {
        codes[j] = (uint8_t)(check_random(&seed) & ((1u << bits) - 1u));
        scales[j] = (uint16_t)(check_random(&seed) & 0xbfffu); /* any finite f16 below 2 */
        zeros[j] = (uint8_t)(check_random(&seed) & ((1u << bits) - 1u));
      }
      ref.pack(packed, codes, n, bits);
      check_buffer got = check_create((size_t)n * sizeof(float), (size_t)(i % 16) * 4);

      k.decode(got.data, packed, n, bits, phase, group, scales, VISE_INTQ_F16,
               is_symmetric ? NULL : zeros);

      for (int64_t j = 0; j < n; j++) {
        const int64_t g = (j + phase) / group;
        const int zero = is_symmetric ? 1 << (bits - 1) : zeros[g];
        const float want = vise_f16_to_f32(scales[g]) * (float)(codes[j] - zero);
        if (memcmp(&want, (float *)got.data + j, sizeof want) != 0) {
          fail_msg("decode at %s: n %lld, group %lld, phase %lld, bits %d: value %lld",
                   vise_cpu_name(level), (long long)n, (long long)group, (long long)phase, bits,
                   (long long)j);
        }
      }
      check_free(&got, "decode");
      free(packed);
    }
  }
}

static void scales_of_every_type_decode_alike(void **state) {
  (void)state;
  const uint8_t packed[3] = {0x53, 0x20, 0x07}; /* 3 5 0 2 7 0 */
  const float f32[2] = {0.5f, -2.0f};
  const uint16_t f16[2] = {vise_f32_to_f16(0.5f), vise_f32_to_f16(-2.0f)};
  const uint16_t bf16[2] = {vise_f32_to_bf16(0.5f), vise_f32_to_bf16(-2.0f)};
  const void *const scales[] = {f16, bf16, f32};
  const uint8_t zeros[2] = {3, 2};
  const float want[6] = {0.0f, 1.0f, -1.5f, -0.5f, -10.0f, 4.0f};
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int type = 0; type < 3; type++) {
      float got[6];

      k.decode(got, packed, 6, 4, 0, 4, scales[type], (vise_intq_scale)type, zeros);

      assert_memory_equal(got, want, sizeof want);
    }
  }
}

static bool same(double a, double b) {
  return a == b; /* -0 and +0 are the same sum */
}

static void trials_agree_with_ref_and_with_f64(void **state) {
  (void)state;
  static float v[LONGEST];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_intq_kernels k;
    vise_intq_init(&k, level);
    for (int i = 0; i < N_LENGTHS * 4; i++) {
      const int64_t n = length_at(i / 4);
      check_buffer x = check_create((size_t)n * sizeof(float), (size_t)(i % 16) * 4);
      fill(x.data, n, i % 2);
      fill(v, n, 0);
      for (int64_t j = 0; j < n; j++) {
        v[j] = fabsf(v[j]);
      }
      const float *importance = i / 2 % 2 == 0 ? NULL : v;
      vise_intq_trial want[3] = {{7.5f, -8.0f, 7.0f, 0, 0, 0},
                                 {-30.0f, -2.0f, 1.0f, 1, 2, 3},
                                 {100.0f, 0.0f, 255.0f, 0, 0, 0}};
      vise_intq_trial got[3];
      memcpy(got, want, sizeof got);
      double error = 0.0;
      for (int64_t j = 0; j < n; j++) {
        const double t = (double)(((float *)x.data)[j] * 7.5f);
        const double e = t - nearbyint(fmin(fmax(t, -8.0), 7.0));
        error += (importance == NULL ? 1.0 : (double)importance[j]) * e * e;
      }

      ref.trials(want, 3, x.data, importance, n);
      k.trials(got, 3, x.data, importance, n);

      /* each lane adds at most 16 terms a block in f32, then 4 levels of lanes */
      assert_true(fabs(want[0].error - error) <= 24 * 0x1p-24 * error);
      for (int l = 0; l < 3; l++) {
        if (!same(want[l].error, got[l].error) || !same(want[l].slope, got[l].slope) ||
            !same(want[l].mass, got[l].mass)) {
          fail_msg("trials at %s: n %lld, trial %d", vise_cpu_name(level), (long long)n, l);
        }
      }
      check_free(&x, "x");
    }
  }
}

/* ---- bench ---- */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct bench_data {
  float x[2048], out[2048], low[64], high[64], r[64];
  uint16_t bf16[2048];
  uint8_t codes[2048], packed[2048];
  uint16_t scales[64];
} bench_data;

static void run_one(const vise_intq_kernels *k, int which, int bits, bench_data *b) {
  vise_intq_trial trials[32];
  switch (which) {
  case 0: k->ranges(b->low, b->high, b->x, 2048, 64); break;
  case 1: k->codes(b->codes, b->x, 2048, 64, bits, b->r, NULL); break;
  case 2: k->pack(b->packed, b->codes, 2048, bits); break;
  case 3: k->decode(b->out, b->packed, 2048, bits, 0, 64, b->scales, VISE_INTQ_F16, NULL); break;
  case 5: k->ranges_bf16(b->low, b->high, b->bf16, 2048, 64); break;
  case 6: k->codes_bf16(b->codes, b->bf16, 2048, 64, bits, b->r, NULL); break;
  default:
    memset(trials, 0, sizeof trials);
    for (int64_t j = 0; j < 2048; j += 64) {
      k->trials(trials, 32, b->x + j, NULL, 64);
    }
  }
}

static void bench(void) {
  static const char *const names[] = {"ranges",    "codes",       "pack",      "decode",
                                      "32 trials", "ranges bf16", "codes bf16"};
  static bench_data b;
  fill(b.x, 2048, 0);
  for (int j = 0; j < 2048; j++) {
    b.bf16[j] = vise_f32_to_bf16(b.x[j]);
  }
  for (int i = 0; i < 64; i++) {
    b.r[i] = 7.0f;
    b.scales[i] = vise_f32_to_f16(0.125f);
  }
  for (int which = 0; which < 7; which++) {
    for (int w = 0; w < N_WIDTHS; w++) {
      if ((which == 0 || which == 4 || which == 5) && w > 0) {
        continue;
      }
      double slow = 0.0;
      ref.codes(b.codes, b.x, 2048, 64, widths[w], b.r, NULL);
      for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
        vise_intq_kernels k;
        vise_intq_init(&k, level);
        double best = 1e9;
        for (int repeat = 0; repeat < 300; repeat++) {
          const double start = seconds();
          run_one(&k, which, widths[w], &b);
          best = fmin(best, seconds() - start);
        }
        slow = level == VISE_CPU_REF ? best : slow;
        printf("%-11s int%d %-7s %7.3f ns/weight %6.2fx\n", names[which], widths[w],
               vise_cpu_name(level), best * 1e9 / 2048, slow / best);
      }
    }
  }
}

int main(int argc, char **argv) {
  vise_intq_init(&ref, VISE_CPU_REF);
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    bench();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges_and_codes_agree_with_ref),
      cmocka_unit_test(rows_of_bf16_give_what_they_give_in_f32),
      cmocka_unit_test(packing_is_a_little_endian_stream_of_bits),
      cmocka_unit_test(decoding_agrees_with_the_formula),
      cmocka_unit_test(scales_of_every_type_decode_alike),
      cmocka_unit_test(trials_agree_with_ref_and_with_f64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
