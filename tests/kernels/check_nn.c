/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/nn.h against ref, bit for bit; tests/c/test_nn_*.c say that ref is right.
 */
#include "kernels/check.h"
#include "kernels/nn.h"

#include <math.h>

enum { LONGEST = 331 };

static uint32_t seed = 11;

/* Ordinary numbers and, now and then, extreme ones. */
static void fill(float *x, int64_t n, float scale) {
  static const float extreme[] = {0.0f, -0.0f, 1e-41f, -3e38f, 90.0f, -90.0f, -104.0f, 1.0f};
  for (int64_t i = 0; i < n; i++) {
    const uint32_t r = check_random(&seed);
    x[i] = r % 29 == 0 ? extreme[r / 29 % 8] : check_number(&seed) * scale;
  }
}

static void
same(const char *what, vise_cpu_level level, int64_t n, check_buffer *is, check_buffer *want) {
  if (memcmp(is->data, want->data, is->bytes) != 0) {
    fail_msg("%s at %s: n %lld", what, vise_cpu_name(level), (long long)n);
  }
  check_free(is, what);
  check_free(want, what);
}

static check_buffer filled(int64_t n, size_t misalign, float scale) {
  check_buffer b = check_create((size_t)n * sizeof(float), misalign % 16 * 4);
  fill(b.data, n, scale);
  return b;
}

static check_buffer copy_of(const check_buffer *b) {
  check_buffer copy = check_create(b->bytes, b->misalign);
  memcpy(copy.data, b->data, b->bytes);
  return copy;
}

static void elementwise_loops_agree_with_ref(void **state) {
  (void)state;
  vise_nn_kernels ref, k;
  vise_nn_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_nn_init(&k, level);
    for (int64_t n = 1; n <= LONGEST; n += n < 70 ? 1 : 29) {
      check_buffer x = filled(n, (size_t)n, 30.0f), y = filled(n, (size_t)n * 7, 2.0f);
      check_buffer out[4], want[4];
      for (int i = 0; i < 4; i++) {
        out[i] = check_create((size_t)n * 4, (size_t)(n * 3 % 16) * 4);
        want[i] = check_create((size_t)n * 4, (size_t)(n * 3 % 16) * 4);
      }

      k.exp(out[0].data, x.data, n);
      k.rmsnorm(out[1].data, x.data, y.data, n, 1e-5);
      k.add(out[2].data, x.data, y.data, n);
      k.swiglu(out[3].data, x.data, y.data, n);

      ref.exp(want[0].data, x.data, n);
      ref.rmsnorm(want[1].data, x.data, y.data, n, 1e-5);
      ref.add(want[2].data, x.data, y.data, n);
      ref.swiglu(want[3].data, x.data, y.data, n);
      same("exp", level, n, &out[0], &want[0]);
      same("rmsnorm", level, n, &out[1], &want[1]);
      same("add", level, n, &out[2], &want[2]);
      same("swiglu", level, n, &out[3], &want[3]);
      check_free(&x, "x");
      check_free(&y, "y");
    }
  }
}

static void rotating_agrees_with_ref(void **state) {
  (void)state;
  vise_nn_kernels ref, k;
  vise_nn_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_nn_init(&k, level);
    for (int64_t n = 1; n <= 70; n++) {
      const int64_t heads = n % 3 + 1;
      check_buffer x = filled(heads * 2 * n, (size_t)n, 3.0f);
      check_buffer c = filled(n, 3, 1.0f), s = filled(n, (size_t)n * 5, 1.0f);
      check_buffer out = check_create((size_t)(heads * 2 * n) * 4, 4);
      check_buffer want = check_create((size_t)(heads * 2 * n) * 4, 4);

      k.rotate(out.data, x.data, c.data, s.data, heads, n);

      ref.rotate(want.data, x.data, c.data, s.data, heads, n);
      same("rotate", level, n, &out, &want);
      check_free(&x, "x");
      check_free(&c, "cos");
      check_free(&s, "sin");
    }
  }
}

static void softening_agrees_with_ref(void **state) {
  (void)state;
  vise_nn_kernels ref, k;
  vise_nn_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_nn_init(&k, level);
    for (int64_t n = 16; n <= 64; n += 16) {
      for (int64_t lo = 0; lo < n; lo += 5) {
        const int64_t hi = lo + 1 + (int64_t)(check_random(&seed) % (uint32_t)(n - lo));
        vise_softmax_state is = {-INFINITY, 0.0f, 0.0f}, wanted = is;
        for (int block = 0; block < 3; block++) { /* the state goes on */
          check_buffer s = filled(n, (size_t)lo, 20.0f), want = copy_of(&s);

          k.soften(&is, s.data, n, lo, hi, 0.25f);

          ref.soften(&wanted, want.data, n, lo, hi, 0.25f);
          assert_memory_equal(&is, &wanted, sizeof is);
          same("soften", level, n, &s, &want);
        }
      }
    }
  }
}

static void tiles_agree_with_ref(void **state) {
  (void)state;
  vise_nn_kernels ref, k;
  vise_nn_init(&ref, VISE_CPU_REF);
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_nn_init(&k, level);
    for (int64_t rows = 1; rows <= 11; rows++) {
      for (int64_t dim = 1; dim <= 65; dim += 16) { /* of a key */
        const int64_t panels = rows % 4 + 1, ld = panels * 16 + 3, padded = (dim + 15) / 16 * 16;
        const int64_t keys = panels * 16 - rows % 7;
        check_buffer q = filled(rows * (dim + 5), (size_t)rows, 1.0f);
        check_buffer keys_in = filled(panels * dim * 16, (size_t)dim, 1.0f);
        check_buffer values = filled(panels * 16 * padded, (size_t)dim * 3, 1.0f);
        check_buffer rescale = filled(rows, 1, 1.0f);
        check_buffer s = filled(rows * ld, 2, 1.0f), want_s = copy_of(&s);
        check_buffer o = filled(rows * padded, 3, 1.0f), want_o = copy_of(&o);

        k.scores(s.data, ld, q.data, dim + 5, keys_in.data, rows, dim, panels);
        k.mix(o.data, padded, rescale.data, s.data, ld, values.data, padded, rows, keys, padded);

        ref.scores(want_s.data, ld, q.data, dim + 5, keys_in.data, rows, dim, panels);
        ref.mix(want_o.data, padded, rescale.data, want_s.data, ld, values.data, padded, rows, keys,
                padded);
        same("scores", level, rows, &s, &want_s);
        same("mix", level, rows, &o, &want_o);
        check_free(&q, "q");
        check_free(&keys_in, "keys");
        check_free(&values, "values");
        check_free(&rescale, "rescale");
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(elementwise_loops_agree_with_ref),
      cmocka_unit_test(rotating_agrees_with_ref),
      cmocka_unit_test(softening_agrees_with_ref),
      cmocka_unit_test(tiles_agree_with_ref),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
