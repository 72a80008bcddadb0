/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/grad.h against ref, bit for bit; tests/lua/test_grad.lua and test_train.lua
   say that ref is right. */
#include "kernels/check.h"
#include "kernels/grad.h"

#include <math.h>

enum { LONGEST = 331, BUFFERS = 6 };

static uint32_t seed = 17;

/* Ordinary numbers and, now and then, extreme ones. */
static check_buffer filled(int64_t n, size_t misalign, float scale) {
  static const float extreme[] = {0.0f, -0.0f, 1e-41f, -3e18f, 90.0f, -90.0f, -104.0f, 1.0f};
  check_buffer b = check_create((size_t)n * sizeof(float), misalign % 16 * 4);
  float *x = (float *)(void *)b.data;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t r = check_random(&seed);
    x[i] = r % 29 == 0 ? extreme[r / 29 % 8] : check_number(&seed) * scale;
  }
  return b;
}

/* The arrays of one call: the same numbers twice, for a level and for ref. */
typedef struct arrays {
  check_buffer is[BUFFERS], want[BUFFERS];
  float *x[BUFFERS], *y[BUFFERS];
} arrays;

static arrays create_arrays(int64_t n, float scale) {
  arrays a;
  for (int i = 0; i < BUFFERS; i++) {
    a.is[i] = filled(n, (size_t)(n * (i + 3)), scale);
    a.want[i] = check_create(a.is[i].bytes, a.is[i].misalign);
    memcpy(a.want[i].data, a.is[i].data, a.is[i].bytes);
    a.x[i] = (float *)(void *)a.is[i].data;
    a.y[i] = (float *)(void *)a.want[i].data;
  }
  return a;
}

static void same(const char *what, vise_cpu_level level, int64_t n, arrays *a) {
  for (int i = 0; i < BUFFERS; i++) {
    if (memcmp(a->is[i].data, a->want[i].data, a->is[i].bytes) != 0) {
      fail_msg("%s at %s: n %lld, array %d", what, vise_cpu_name(level), (long long)n, i);
    }
    check_free(&a->is[i], what);
    check_free(&a->want[i], what);
  }
}

typedef void call_fn(const vise_grad_kernels *k, float **x, int64_t n);

static void call_rmsnorm_back(const vise_grad_kernels *k, float **x, int64_t n) {
  k->rmsnorm_back(x[0], x[1], x[2], x[3], x[4], n, 1e-5);
}

static void call_swiglu_back(const vise_grad_kernels *k, float **x, int64_t n) {
  k->swiglu_back(x[0], x[1], x[2], x[3], x[4], n);
}

static void call_rotate_back(const vise_grad_kernels *k, float **x, int64_t n) {
  k->rotate_back(x[0], x[1], x[2], x[3], 1, n / 2);
}

static void call_soften_back(const vise_grad_kernels *k, float **x, int64_t n) {
  k->soften_back(x[0], x[1], n, 3.5f, 0.25f);
}

static void call_soft_row(const vise_grad_kernels *k, float **x, int64_t n) {
  k->soft_row(x[0], x[1], n, 2.0f, 0.125f);
  k->soft_row(x[2], x[2], n, 50.0f, 7.0f);
}

static void call_accumulate(const vise_grad_kernels *k, float **x, int64_t n) {
  k->accumulate(x[0], x[1], n);
}

static void call_scale(const vise_grad_kernels *k, float **x, int64_t n) {
  k->scale(x[0], x[1], n, -1.3f);
}

static void call_squares(const vise_grad_kernels *k, float **x, int64_t n) {
  x[1][0] = (float)k->squares(x[0], n);
}

static void call_adamw(const vise_grad_kernels *k, float **x, int64_t n) {
  const vise_adamw_step step = {.rate = 0.01f,
                                .beta1 = 0.9f,
                                .beta2 = 0.95f,
                                .epsilon = 1e-8f,
                                .decay = 0.1f,
                                .correct1 = 1.7f,
                                .correct2 = 3.1f,
                                .clip = 0.5f};
  for (int64_t i = 0; i < n; i++) {
    x[2][i] = fabsf(x[2][i]); /* a mean of squares */
  }
  k->adamw(x[0], x[1], x[2], x[3], n, &step);
}

static void call_sgd(const vise_grad_kernels *k, float **x, int64_t n) {
  k->sgd(x[0], x[1], x[2], n, 0.01f, 0.9f, 0.1f, 0.5f);
}

static void call_sign(const vise_grad_kernels *k, float **x, int64_t n) {
  k->sign(x[0], x[1], n, 0.01f, 0.1f);
}

static void every_loop_agrees_with_ref(void **state) {
  (void)state;
  static const struct {
    const char *name;
    call_fn *call;
  } rows[] = {
      {"rmsnorm_back", call_rmsnorm_back},
      {"swiglu_back", call_swiglu_back},
      {"rotate_back", call_rotate_back},
      {"soften_back", call_soften_back},
      {"soft_row", call_soft_row},
      {"accumulate", call_accumulate},
      {"scale", call_scale},
      {"squares", call_squares},
      {"adamw", call_adamw},
      {"sgd", call_sgd},
      {"sign", call_sign},
  };
  vise_grad_kernels ref, k;
  vise_grad_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_grad_init(&k, level);
    for (int64_t n = 1; n <= LONGEST; n += n < 70 ? 1 : 29) {
      for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arrays a = create_arrays(n, 3.0f);
        rows[i].call(&k, a.x, n);
        rows[i].call(&ref, a.y, n);
        same(rows[i].name, level, n, &a);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_loop_agrees_with_ref),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
