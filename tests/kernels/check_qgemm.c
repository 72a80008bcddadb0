/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/qgemm.h against the contract written out: sums of integers, chains of fmaf. */
#include "kernels/check.h"
#include "kernels/qgemm.h"

#include <math.h>

enum { ROWS = VISE_QGEMM_ROWS, STEP = VISE_QGEMM_STEP, LONGEST = 200 };

static uint32_t seed = 9;

static int64_t draw(int64_t n) {
  return (int64_t)(check_random(&seed) % (uint32_t)n);
}

typedef struct example { /* of n_groups groups */
  vise_qgemm_panel panel;
  check_buffer packed;
  uint8_t *codes;
  int8_t *a;
  int64_t k, n_tokens;
} example;

static void *aligned(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 64) & ~(size_t)63);
  assert_non_null(p);
  return p;
}

/* Codes, zeros and activations at their extremes in every third example. */
static example new_example(int reach, int64_t group, int64_t n_groups, int64_t n_tokens, int kind) {
  example e = {.k = group * n_groups, .n_tokens = n_tokens};
  const size_t n = (size_t)(n_groups * ROWS) * 4;
  int32_t *zeros = aligned(n);
  float *scales = aligned(n), *lows = aligned(n);
  e.codes = aligned((size_t)(ROWS * e.k));
  e.a = aligned((size_t)(n_tokens * e.k));
  const int top = reach == 128 ? 255 : reach == 8 ? 15 : reach == 16 ? 31 : reach;
  for (int64_t i = 0; i < n_groups * ROWS; i++) {
    zeros[i] = top > reach ? reach : (int32_t)draw(top + 1);
    scales[i] = check_number(&seed);
    lows[i] = check_number(&seed);
  }
  for (int64_t i = 0; i < ROWS * e.k; i++) {
    e.codes[i] = (uint8_t)(kind % 3 == 0 ? 0 : draw(top + 1));
  }
  for (int64_t i = 0; i < n_tokens * e.k; i++) {
    e.a[i] = (int8_t)(kind % 3 == 0 ? -127 + 254 * (kind / 3 % 2) : draw(255) - 127);
  }
  e.panel = (vise_qgemm_panel){.zeros = zeros,
                               .scales = scales,
                               .lows = kind % 2 == 0 ? lows : NULL,
                               .n_groups = n_groups,
                               .group = group,
                               .reach = reach};
  if (e.panel.lows == NULL) {
    free(lows);
  }
  e.packed = check_create((size_t)(32 * e.k), 0);
  e.panel.codes = e.packed.data;
  return e;
}

static void free_example(example *e) {
  free((void *)(uintptr_t)e->panel.zeros);
  free((void *)(uintptr_t)e->panel.scales);
  if (e->panel.lows != NULL) {
    free((void *)(uintptr_t)e->panel.lows);
  }
  free(e->codes);
  free(e->a);
  check_free(&e->packed, "packed");
}

static void write_out(float *y, const example *e) {
  for (int64_t s = 0; s < e->n_tokens; s++) {
    for (int64_t i = 0; i < ROWS; i++) {
      for (int64_t g = 0; g < e->panel.n_groups; g++) {
        const int64_t at = g * ROWS + i;
        int64_t sum = 0, of_group = 0;
        for (int64_t j = g * e->panel.group; j < (g + 1) * e->panel.group; j++) {
          sum += e->a[s * e->k + j] * (e->codes[i * e->k + j] - e->panel.zeros[at]);
          of_group += e->a[s * e->k + j];
        }
        float *out = &y[s * ROWS + i];
        *out = fmaf(e->panel.scales[at], (float)sum, *out);
        *out = e->panel.lows == NULL ? *out : fmaf(e->panel.lows[at], (float)of_group, *out);
      }
    }
  }
}

/* As the kernels of `k` want activations: rows apart, in 16 bits where the reach is long. */
static void multiply(const vise_qgemm_kernels *k, float *y, const example *e) {
  const int64_t lda = e->k + 32, lds = e->k / 16 + 2;
  const bool is_wide = e->panel.reach > k->narrow_reach;
  const size_t size = is_wide ? 2 : 1;
  char *a = aligned((size_t)(e->n_tokens * lda) * size);
  int16_t *sums = aligned((size_t)(e->n_tokens * lds) * 2);
  for (int64_t s = 0; s < e->n_tokens; s++) {
    for (int64_t j = 0; j < e->k; j++) {
      if (is_wide) {
        ((int16_t *)(void *)a)[s * lda + j] = e->a[s * e->k + j];
      } else {
        ((int8_t *)a)[s * lda + j] = e->a[s * e->k + j];
      }
    }
    k->sums(sums + s * lds, e->a + s * e->k, e->k);
  }
  const vise_qgemm_tokens tokens = {a, sums, lda, lds, (int)e->n_tokens};
  k->pack((void *)(uintptr_t)e->panel.codes, e->codes, e->k, &e->panel);
  k->multiply(y, &e->panel, &tokens);
  free(a);
  free(sums);
}

static void sums_are_exact_and_chains_in_the_order_of_groups(void **state) {
  (void)state;
  static const int reaches[] = {2, 4, 7, 8, 15, 16, 31, 63, 128, 255};
  static const int64_t groups[] = {32, 64, 96, 128, 416};
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_qgemm_kernels k;
    vise_qgemm_init(&k, level);
    for (int i = 0; i < 600; i++) {
      const int64_t n_tokens = 1 + i % k.tokens;
      example e = new_example(reaches[i % 10], groups[i / 10 % 5], i / 50 % 4, n_tokens, i / 7);
      float want[VISE_QGEMM_TOKENS * ROWS];
      check_buffer got = check_create((size_t)(n_tokens * ROWS) * 4, (size_t)(i % 16) * 4);
      for (int64_t j = 0; j < n_tokens * ROWS; j++) {
        want[j] = ((float *)got.data)[j] = check_number(&seed);
      }
      write_out(want, &e);

      multiply(&k, got.data, &e);

      if (memcmp(want, got.data, got.bytes) != 0) {
        fail_msg("%s: reach %d, %d tokens, %lld groups of %lld", vise_cpu_name(level),
                 e.panel.reach, (int)n_tokens, (long long)e.panel.n_groups,
                 (long long)e.panel.group);
      }
      check_free(&got, "out");
      free_example(&e);
    }
  }
}

static void activations_are_rounded_to_even_and_cut(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_qgemm_kernels k;
    vise_qgemm_init(&k, level);
    for (int64_t n = 0; n <= LONGEST; n++) {
      check_buffer x = check_create((size_t)n * 4, (size_t)(n % 16) * 4);
      check_buffer got = check_create((size_t)n, (size_t)(n * 5 % 64));
      float *v = x.data, greatest = 0.0f;
      for (int64_t j = 0; j < n; j++) {
        v[j] = j % 3 == 0 ? (float)draw(600) - 300.5f : check_number(&seed) * 100.0f;
        greatest = fmaxf(greatest, fabsf(v[j]));
      }

      const uint32_t bits = k.greatest(v, n);
      k.round(got.data, v, n, 1.0f);

      assert_memory_equal(&bits, &greatest, sizeof bits);
      for (int64_t j = 0; j < n; j++) {
        const double t = fmin(fmax((double)v[j], -127.0), 127.0);
        assert_int_equal(((int8_t *)got.data)[j], (int)nearbyint(t));
      }
      if (n > 0) {
        v[draw(n)] = -NAN;
        assert_true(k.greatest(v, n) > 0x7f800000u);
      }
      check_free(&x, "x");
      check_free(&got, "round");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_are_exact_and_chains_in_the_order_of_groups),
      cmocka_unit_test(activations_are_rounded_to_even_and_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
