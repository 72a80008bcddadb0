/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every level of kernels/convert.h against ref, bit for bit; ref itself is held against other
 * programs in test_convert. `check_convert --bench` prints ns per element and the ratio to ref.
 */
#include "kernels/check.h"
#include "kernels/convert.h"

#include <time.h>

enum { EXTRA = 70 };

static const int64_t primes[] = {79, 127, 131, 257, 509, 1031};

static int64_t length_at(int i) {
  return i <= 70 ? i : primes[i - 71];
}

enum { N_LENGTHS = 71 + sizeof primes / sizeof primes[0] };

/* Any bits at all, and every second time a value near where some format rounds, ends or begins. */
static float awkward(uint32_t *state) {
  static const uint32_t near[] = {
      0x00000000, 0x00000001, 0x00800000, 0x33000000, 0x38800000, 0x3a800000, 0x3c800000,
      0x3f800000, 0x43e00000, 0x43f00000, 0x3e800000, 0x3f400000, 0x40600000, 0x40a00000,
      0x40f40000, 0x41f00000, 0x47600000, 0x477fe000, 0x477ff000, 0x7f7f8000, 0x7f800000,
      0x7f800001, 0x7fc00000, 0x37000000, 0x3b000000, 0x3affffff};
  uint32_t bits = check_random(state);
  if (bits & 1u) {
    bits = near[bits / 2 % (sizeof near / sizeof near[0])] + (bits >> 8) % 5 - 2;
    bits |= check_random(state) & 0x80000000u;
  }
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

typedef void run_fn(const vise_convert_kernels *k, void *out, const void *x, int64_t n);

#define RUN(kernel)                                                                                \
  static void run_##kernel(const vise_convert_kernels *k, void *out, const void *x, int64_t n) {   \
    k->kernel(out, x, n);                                                                          \
  }
RUN(bf16_decode)
RUN(f16_decode)
RUN(bf16_encode)
RUN(f16_encode)
RUN(e4m3_decode)
RUN(e5m2_decode)
RUN(e4m3_encode)
RUN(e5m2_encode)
RUN(e2m3_decode)
RUN(e3m2_decode)
RUN(e2m1_decode)
RUN(e2m3_encode)
RUN(e3m2_encode)
RUN(e2m1_encode)

static void run_has_nonfinite(const vise_convert_kernels *k, void *out, const void *x, int64_t n) {
  *(int32_t *)out = k->has_nonfinite(x, n) != 0;
}

static const struct kernel {
  const char *name;
  run_fn *run;
  size_t in_bytes, out_bytes; /* of one element */
} kernels[] = {
    {"bf16_decode", run_bf16_decode, 2, 4}, {"f16_decode", run_f16_decode, 2, 4},
    {"bf16_encode", run_bf16_encode, 4, 2}, {"f16_encode", run_f16_encode, 4, 2},
    {"e4m3_decode", run_e4m3_decode, 1, 4}, {"e5m2_decode", run_e5m2_decode, 1, 4},
    {"e4m3_encode", run_e4m3_encode, 4, 1}, {"e5m2_encode", run_e5m2_encode, 4, 1},
    {"e2m3_decode", run_e2m3_decode, 1, 4}, {"e2m3_encode", run_e2m3_encode, 4, 1},
    {"e3m2_decode", run_e3m2_decode, 1, 4}, {"e3m2_encode", run_e3m2_encode, 4, 1},
    {"e2m1_decode", run_e2m1_decode, 1, 4}, {"e2m1_encode", run_e2m1_encode, 4, 1},
};

enum { N_KERNELS = sizeof kernels / sizeof kernels[0] };

static void fill_input(void *x, const struct kernel *kernel, int64_t n, uint32_t *state) {
  for (int64_t i = 0; i < n; i++) {
    if (kernel->in_bytes == 4) {
      ((float *)x)[i] = awkward(state);
    } else if (kernel->in_bytes == 2) {
      ((uint16_t *)x)[i] = (uint16_t)check_random(state);
    } else {
      ((uint8_t *)x)[i] = (uint8_t)check_random(state);
    }
  }
}

static void compare(const struct kernel *kernel,
                    vise_cpu_level level,
                    int64_t n,
                    size_t align_in,
                    size_t align_out,
                    uint32_t *state) {
  vise_convert_kernels ref, k;
  vise_convert_init(&ref, VISE_CPU_REF);
  vise_convert_init(&k, level);
  check_buffer x = check_create((size_t)n * kernel->in_bytes, align_in * kernel->in_bytes);
  check_buffer got = check_create((size_t)n * kernel->out_bytes, align_out * kernel->out_bytes);
  check_buffer want = check_create((size_t)n * kernel->out_bytes, 0);
  fill_input(x.data, kernel, n, state);

  kernel->run(&ref, want.data, x.data, n);
  kernel->run(&k, got.data, x.data, n);

  for (int64_t i = 0; i < n; i++) {
    const size_t at = (size_t)i * kernel->out_bytes;
    if (memcmp((char *)got.data + at, (char *)want.data + at, kernel->out_bytes) != 0) {
      uint32_t in = 0, g = 0, w = 0;
      memcpy(&in, (char *)x.data + (size_t)i * kernel->in_bytes, kernel->in_bytes);
      memcpy(&g, (char *)got.data + at, kernel->out_bytes);
      memcpy(&w, (char *)want.data + at, kernel->out_bytes);
      fail_msg("%s at level %s, element %lld of %lld: %08x gives %08x, ref gives %08x",
               kernel->name, vise_cpu_name(level), (long long)i, (long long)n, in, g, w);
    }
  }
  check_free(&x, kernel->name);
  check_free(&got, kernel->name);
  check_free(&want, kernel->name);
}

static void every_level_gives_the_bits_of_ref(void **state) {
  (void)state;
  uint32_t random = 1;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    for (int k = 0; k < N_KERNELS; k++) {
      for (int i = 0; i < N_LENGTHS; i++) {
        compare(&kernels[k], level, length_at(i), 0, 0, &random);
      }
      for (size_t align = 0; align < 64; align++) {
        compare(&kernels[k], level, 67, align, 63 - align, &random);
      }
      compare(&kernels[k], level, 1 << 18, 1, 3, &random);
    }
  }
}

/* All 2^16 or 2^8 codes, so that no NaN, infinity or subnormal is left to chance. */
static void every_code_decodes_alike_at_every_level(void **state) {
  (void)state;
  static uint16_t codes16[1 << 16];
  static uint8_t codes8[1 << 8];
  static float got[1 << 16], want[1 << 16];
  for (int i = 0; i < 1 << 16; i++) {
    codes16[i] = (uint16_t)i;
    codes8[i & 255] = (uint8_t)i;
  }
  vise_convert_kernels ref, k;
  vise_convert_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_convert_init(&k, level);
    for (int i = 0; i < N_KERNELS; i++) {
      if (kernels[i].in_bytes < 4) {
        const int64_t n = kernels[i].in_bytes == 2 ? 1 << 16 : 1 << 8;
        const void *codes = kernels[i].in_bytes == 2 ? (const void *)codes16 : codes8;
        kernels[i].run(&ref, want, codes, n);
        kernels[i].run(&k, got, codes, n);
        assert_memory_equal(got, want, (size_t)n * sizeof *got);
      }
    }
  }
}

static void a_nonfinite_value_is_found_wherever_it_is(void **state) {
  (void)state;
  static const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff};
  float x[EXTRA];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_convert_kernels k;
    vise_convert_init(&k, level);
    for (int64_t n = 0; n < EXTRA; n++) {
      for (int i = 0; i < EXTRA; i++) {
        x[i] = i % 2 == 0 ? -3.402823466e38f : 1e-45f;
      }
      assert_int_equal(k.has_nonfinite(x, n) != 0, 0);
      for (int64_t at = 0; at < n; at++) {
        const float before = x[at];
        memcpy(&x[at], &bad[at % 5], sizeof x[at]);
        assert_int_equal(k.has_nonfinite(x, n) != 0, 1);
        x[at] = before;
      }
    }
  }
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best_ns(const struct kernel *kernel, vise_cpu_level level, void *out, const void *x) {
  enum { N = 1 << 14, TIMES = 200 };
  vise_convert_kernels k;
  vise_convert_init(&k, level);
  double best = 1e9;
  for (int i = 0; i < TIMES; i++) {
    const double start = seconds();
    kernel->run(&k, out, x, N);
    const double ns = (seconds() - start) * 1e9 / N;
    best = ns < best ? ns : best;
  }
  return best;
}

static void bench(void) {
  static float x[1 << 14], out[1 << 14];
  static const struct kernel find = {"has_nonfinite", run_has_nonfinite, 4, 4};
  uint32_t random = 1;
  for (int i = 0; i < 1 << 14; i++) {
    x[i] = check_number(&random);
  }
  for (int i = 0; i <= N_KERNELS; i++) {
    const struct kernel *kernel = i < N_KERNELS ? &kernels[i] : &find;
    const double ref = best_ns(kernel, VISE_CPU_REF, out, x);
    for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
      const double ns = best_ns(kernel, level, out, x);
      printf("%-14s %-7s %7.3f ns  %6.2f x ref\n", kernel->name, vise_cpu_name(level), ns,
             ref / ns);
    }
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    bench();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_level_gives_the_bits_of_ref),
      cmocka_unit_test(every_code_decodes_alike_at_every_level),
      cmocka_unit_test(a_nonfinite_value_is_found_wherever_it_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
