/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/hadamard.h against ref, bit for bit; tests/c/test_linalg_hadamard.c says
   that ref is right. */
#include "kernels/check.h"
#include "kernels/hadamard.h"

static uint32_t seed = 17;

static check_buffer filled(int64_t n, size_t misalign) {
  static const float extreme[] = {0.0f, -0.0f, 1e-41f, -3e38f, 3e38f};
  check_buffer b = check_create((size_t)n * sizeof(float), misalign % 16 * 4);
  float *x = b.data;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t r = check_random(&seed);
    x[i] = r % 61 == 0 ? extreme[r / 61 % 5] : check_number(&seed);
  }
  return b;
}

static check_buffer copy_of(const check_buffer *b) {
  check_buffer copy = check_create(b->bytes, b->misalign);
  memcpy(copy.data, b->data, b->bytes);
  return copy;
}

static void same(vise_cpu_level level, int64_t m, int64_t p, check_buffer *is, check_buffer *want) {
  const float *x = is->data, *y = want->data;
  for (int64_t i = 0; i < m * p; i++) { /* which NaN comes out is not defined */
    if (memcmp(&x[i], &y[i], sizeof *x) != 0 && !(x[i] != x[i] && y[i] != y[i])) {
      fail_msg("%s: m %lld p %lld differ at %lld", vise_cpu_name(level), (long long)m, (long long)p,
               (long long)i);
    }
  }
  check_free(is, "inout");
  check_free(want, "inout");
}

static void butterflies_agree_with_ref(void **state) {
  (void)state;
  vise_hadamard_kernels ref, k;
  vise_hadamard_kernels_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_hadamard_kernels_init(&k, level);
    for (int64_t n = 1; n <= 8192; n *= 2) {
      for (size_t misalign = 0; misalign < 16; misalign += 5) {
        check_buffer x = filled(n, misalign), want = copy_of(&x);
        k.butterfly(x.data, n, 0.3f);
        ref.butterfly(want.data, n, 0.3f);
        same(level, 1, n, &x, &want);
      }
    }
  }
}

static void mixing_agrees_with_ref(void **state) {
  (void)state;
  vise_hadamard_kernels ref, k;
  vise_hadamard_kernels_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_hadamard_kernels_init(&k, level);
    for (int64_t m = 4; m <= VISE_HADAMARD_MIX_MAX; m += m < 60 ? 8 : 49 * 4) {
      check_buffer h = check_create((size_t)(m * m) * sizeof(float), 4);
      float *signs = h.data;
      for (int64_t i = 0; i < m * m; i++) {
        signs[i] = check_random(&seed) % 2 == 0 ? 1.0f : -1.0f;
      }
      for (int64_t p = 1; p <= 64; p *= 2) {
        check_buffer x = filled(m * p, (size_t)p), want = copy_of(&x);
        k.mix(x.data, signs, m, p);
        ref.mix(want.data, signs, m, p);
        same(level, m, p, &x, &want);
      }
      check_free(&h, "signs");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(butterflies_agree_with_ref),
      cmocka_unit_test(mixing_agrees_with_ref),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
