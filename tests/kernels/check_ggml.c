/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every level of kernels/ggml.h against ref, bit for bit: blocks of every search, with and without
 * importance, and the values of any blocks. `check_ggml --bench` prints million weights a second.
 */
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/ggml.h"

#include <math.h>
#include <time.h>

static const struct {
  const char *name;
  int block, bytes, scale_at;
} types[VISE_GGML_TYPES] = {
    [VISE_GGML_Q4_0] = {"q4_0", 32, 18, 0},      [VISE_GGML_Q4_1] = {"q4_1", 32, 20, 0},
    [VISE_GGML_Q5_0] = {"q5_0", 32, 22, 0},      [VISE_GGML_Q5_1] = {"q5_1", 32, 24, 0},
    [VISE_GGML_Q8_0] = {"q8_0", 32, 34, 0},      [VISE_GGML_TQ2_0] = {"tq2_0", 256, 66, 64},
    [VISE_GGML_Q2_K] = {"q2_k", 256, 84, 80},    [VISE_GGML_Q3_K] = {"q3_k", 256, 110, 108},
    [VISE_GGML_Q4_K] = {"q4_k", 256, 144, 0},    [VISE_GGML_Q5_K] = {"q5_k", 256, 176, 0},
    [VISE_GGML_Q6_K] = {"q6_k", 256, 210, 208},  [VISE_GGML_IQ4_NL] = {"iq4_nl", 32, 18, 0},
    [VISE_GGML_IQ4_XS] = {"iq4_xs", 256, 136, 0}};
enum { N_SEARCHES = 3, LONGEST = 5 * 256, N_KINDS = 8 };

static vise_ggml_kernels ref;
static uint32_t seed = 1;

/* Ordinary, tied, tiny, huge, sparse and zero values, one sign, an outlier. */
static void fill(float *x, int64_t n, int kind) {
  for (int64_t j = 0; j < n; j++) {
    const float u = check_number(&seed), t = u * 0x1p-5f;
    switch (kind) {
    case 1: x[j] = rintf(u * 8.0f) * 0.5f; break;
    case 2: x[j] = u * 0x1p-130f; break;
    case 3: x[j] = u * 0x1p120f; break;
    case 4: x[j] = j % 16 == 3 ? t : 0.0f; break;
    case 5: x[j] = j % 2 == 0 ? 0.0f : -0.0f; break;
    case 6: x[j] = fabsf(t); break;
    case 7: x[j] = j % 100 == 0 ? 1e4f : t; break;
    default: x[j] = t;
    }
  }
}

static void blocks_agree_with_ref(void **state) {
  (void)state;
  static float v[LONGEST];
  static uint8_t want[LONGEST / 32 * 34];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_ggml_kernels k;
    vise_ggml_init(&k, level);
    for (int i = 0; i < VISE_GGML_TYPES * N_SEARCHES * 2 * N_KINDS * 3; i++) {
      const int type = i % VISE_GGML_TYPES, rest = i / VISE_GGML_TYPES;
      const vise_ggml_search search = (vise_ggml_search)(rest % N_SEARCHES);
      const int kind = rest / N_SEARCHES / 2 % N_KINDS;
      const float *importance = rest / N_SEARCHES % 2 == 0 ? NULL : v;
      const int64_t n_blocks = (i % 5 + 1) * (types[type].block == 32 ? 7 : 1);
      const int64_t n = n_blocks * types[type].block;
      const size_t bytes = (size_t)n_blocks * (size_t)types[type].bytes;
      check_buffer x = check_create((size_t)n * sizeof(float), (size_t)(i % 16) * 4);
      check_buffer got = check_create(bytes, (size_t)(i * 7 % 64));
      fill(x.data, n, kind);
      for (int64_t j = 0; j < n; j++) {
        v[j] = j % 9 == 0 ? 0.0f : fabsf(check_number(&seed));
      }

      ref.encode[type](want, x.data, importance, n_blocks, search);
      k.encode[type](got.data, x.data, importance, n_blocks, search);

      if (memcmp(got.data, want, bytes) != 0) {
        fail_msg("%s at %s: search %d, values of kind %d%s, %d blocks", types[type].name,
                 vise_cpu_name(level), search, kind, importance == NULL ? "" : ", weighted",
                 (int)n_blocks);
      }
      check_free(&x, types[type].name);
      check_free(&got, types[type].name);
    }
  }
}

static void values_agree_with_ref(void **state) {
  (void)state;
  enum { BLOCKS = 3 };
  static float want[BLOCKS * 256];
  static const uint16_t scales[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x3555, 0x7bff, 0xfbff};
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_ggml_kernels k;
    vise_ggml_init(&k, level);
    for (int i = 0; i < VISE_GGML_TYPES * 64; i++) {
      const int type = i % VISE_GGML_TYPES;
      const size_t bytes = (size_t)(BLOCKS * types[type].bytes);
      const size_t values = (size_t)(BLOCKS * types[type].block);
      check_buffer blocks = check_create(bytes, (size_t)(i * 7 % 64));
      check_buffer got = check_create(values * sizeof(float), (size_t)(i % 16) * 4);
      uint8_t *p = blocks.data;
      for (size_t b = 0; b < bytes; b++) {
        seed = seed * 1664525u + 1013904223u;
        p[b] = (uint8_t)(seed >> 24);
      }
      for (int b = 0; b < BLOCKS; b++) { /* finite scales, of two where a format has two */
        uint8_t *at = p + b * types[type].bytes + types[type].scale_at;
        memcpy(at, &scales[(i + b) % 8], 2);
        if (types[type].bytes - types[type].scale_at >= 4) {
          at[3] &= 0xbf;
        }
      }

      ref.decode[type](want, p, BLOCKS);
      k.decode[type](got.data, p, BLOCKS);

      if (memcmp(got.data, want, values * sizeof(float)) != 0) {
        fail_msg("%s at %s: values of random blocks", types[type].name, vise_cpu_name(level));
      }
      check_free(&blocks, types[type].name);
      check_free(&got, types[type].name);
    }
  }
}

/* ---- --bench ---- */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void bench(void) {
  enum { N = 1 << 18, REPEATS = 7 };
  static float x[N], v[N];
  static uint8_t blocks[N / 32 * 34];
  for (int j = 0; j < N; j++) {
    x[j] = check_number(&seed) + check_number(&seed) + check_number(&seed);
    v[j] = fabsf(check_number(&seed));
  }
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_ggml_kernels k;
    vise_ggml_init(&k, level);
    printf("%s, million weights/s: mse, weighted mse, ggml, none, decode\n", vise_cpu_name(level));
    for (int type = 0; type < VISE_GGML_TYPES; type++) {
      printf("%-7s", types[type].name);
      for (int c = 0; c < 5; c++) {
        double best = 1e9;
        for (int i = 0; i < REPEATS; i++) {
          const double start = seconds();
          if (c == 4) {
            k.decode[type](x, blocks, N / types[type].block);
          } else {
            k.encode[type](blocks, x, c == 1 ? v : NULL, N / types[type].block,
                           c < 2    ? VISE_GGML_MSE
                           : c == 2 ? VISE_GGML_THEIRS
                                    : VISE_GGML_NONE);
          }
          best = fmin(best, seconds() - start);
        }
        printf(" %6.0f", N / best * 1e-6);
      }
      printf("\n");
    }
  }
}

int main(int argc, char **argv) {
  vise_ggml_init(&ref, VISE_CPU_REF);
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    bench();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_agree_with_ref),
      cmocka_unit_test(values_agree_with_ref),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
