/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every level of kernels/loss.h against ref, bit for bit, and e^x against libm; test_loss has the
 * values.
 * `check_loss --bench` prints ns per element and the ratio to ref.
 */
#include "kernels/check.h"
#include "kernels/exp_body.h"
#include "kernels/loss.h"

#include <math.h>
#include <time.h>

enum { LONGEST = 1031, PADDING = 16 };

static const int64_t lengths[] = {79, 127, 131, 257, 509, 1031};

static int64_t length_at(int i) {
  return i <= 70 ? i : lengths[i - 71];
}

enum { N_LENGTHS = 71 + sizeof lengths / sizeof lengths[0] };

static vise_loss_kernels ref;

/* Logits of a kind: 0 ordinary, 1 all equal, 2 far apart, 3 nearly equal to `base`. */
static void fill(float *x, int64_t n, int kind, const float *base, uint32_t seed) {
  for (int64_t i = 0; i < n; i++) {
    const float u = check_number(&seed);
    x[i] = kind == 0 ? 10.0f * u : kind == 1 ? 3.25f : kind == 2 ? 200.0f * u : base[i] + 1e-3f * u;
  }
}

static vise_softmax_row softmax_row(const vise_loss_kernels *k, const float *x, int64_t n) {
  vise_softmax_row row = {.x = x, .shift = k->row_max(x, n)};
  row.scale = (float)(1.0 / k->row_sum_exp(x, n, row.shift));
  return row;
}

static void
same_bits(const char *what, vise_cpu_level level, int64_t n, int kind, double got, double want) {
  if (memcmp(&got, &want, sizeof got) != 0) {
    fail_msg("%s at level %s, n = %lld, kind %d: %a, ref gives %a", what, vise_cpu_name(level),
             (long long)n, kind, got, want);
  }
}

static void every_level_agrees_with_ref_bit_for_bit(void **state) {
  (void)state;
  static float base[LONGEST], p_space[LONGEST + PADDING], q_space[LONGEST + PADDING];
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_loss_kernels k;
    vise_loss_init(&k, level);
    for (int i = 0; i < N_LENGTHS; i++) {
      for (int kind = 0; kind < 4; kind++) {
        const int64_t n = length_at(i);
        float *p = p_space + i % PADDING, *q = q_space + (3 * i + kind) % PADDING;
        fill(base, n, 0, NULL, 1);
        memcpy(p, base, (size_t)n * sizeof *p);
        fill(q, n, kind, base, 2);

        same_bits("row_max", level, n, kind, (double)k.row_max(q, n), (double)ref.row_max(q, n));
        same_bits("row_sum_exp", level, n, kind, k.row_sum_exp(q, n, 1.5f),
                  ref.row_sum_exp(q, n, 1.5f));
        if (n > 0) {
          const vise_softmax_row rp = softmax_row(&ref, p, n), rq = softmax_row(&ref, q, n);
          const float ratio = logf(rq.scale) - logf(rp.scale);
          same_bits("row_kl", level, n, kind, k.row_kl(&rp, &rq, n, ratio),
                    ref.row_kl(&rp, &rq, n, ratio));
        }
      }
    }
  }
}

static void a_nan_reaches_the_sum_wherever_it_stands(void **state) {
  (void)state;
  float x[37] = {0};
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_loss_kernels k;
    vise_loss_init(&k, level);
    for (int i = 0; i < 37; i++) {
      x[i] = NAN;

      assert_true(isnan(k.row_sum_exp(x, 37, 0.0f)));

      x[i] = 0.0f;
    }
  }
}

/* A prime step through the bit patterns meets every exponent, both signs, NaN and infinity. */
static void exp_is_within_one_ulp_of_libm(void **state) {
  (void)state;
  double worst = 0.0;
  for (uint64_t u = 0; u <= UINT32_MAX; u += 1009) {
    const uint32_t bits = (uint32_t)u;
    float x;
    memcpy(&x, &bits, sizeof x);
    const float y = exp_body(x);
    if (isnan(x)) {
      assert_true(isnan(y));
    } else if (x < -87.0f || x > 88.72f) {
      assert_true(x < 0.0f ? y == 0.0f : isinf(y));
    } else {
      int e;
      const double want = exp((double)x);
      frexp(want, &e);
      worst = fmax(worst, fabs((double)y - want) / ldexp(1.0, e - 24));
    }
  }
  assert_true(worst < 1.0);
  assert_true(exp_body(0.0f) == 1.0f);
  assert_true(exp_body(-INFINITY) == 0.0f);
  assert_true(isinf(exp_body(INFINITY)));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
time_of(const vise_loss_kernels *k, int which, const float *p, const float *q, int64_t n) {
  const vise_softmax_row rp = softmax_row(k, p, n), rq = softmax_row(k, q, n);
  double best = 1e9, sink = 0.0;
  for (int repeat = 0; repeat < 200; repeat++) {
    const double start = seconds();
    sink += which == 0   ? (double)k->row_max(p, n)
            : which == 1 ? k->row_sum_exp(p, n, rp.shift)
                         : k->row_kl(&rp, &rq, n, 0.0f);
    best = fmin(best, seconds() - start);
  }
  assert_true(isfinite(sink));
  return best * 1e9 / (double)n;
}

static void bench(void) {
  static const char *const names[] = {"row_max", "row_sum_exp", "row_kl"};
  static float p[32768], q[32768];
  fill(p, 32768, 0, NULL, 1);
  fill(q, 32768, 0, NULL, 2);
  for (int which = 0; which < 3; which++) {
    const double slow = time_of(&ref, which, p, q, 32768);
    for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
      vise_loss_kernels k;
      vise_loss_init(&k, level);
      const double ns = time_of(&k, which, p, q, 32768);
      printf("%-12s %-7s %7.3f ns/element  %5.2fx\n", names[which], vise_cpu_name(level), ns,
             slow / ns);
    }
  }
}

int main(int argc, char **argv) {
  vise_loss_init(&ref, VISE_CPU_REF);
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    bench();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_level_agrees_with_ref_bit_for_bit),
      cmocka_unit_test(a_nan_reaches_the_sum_wherever_it_stands),
      cmocka_unit_test(exp_is_within_one_ulp_of_libm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
