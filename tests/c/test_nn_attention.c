/* SPDX-License-Identifier: Apache-2.0 */
/* nn/attention.h against the definition in f64, and what it promises about order and grouping. */
#include "core/mem.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "nn/attention.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 210, HEADS = 6, KV_HEADS = 2, DIM = 20, Q = HEADS * DIM, K = KV_HEADS * DIM };

static const vise_attention_spec plain = {HEADS, KV_HEADS, DIM, 0};
static float q[T * Q], k[T * K], v[T * K], out[T * Q], other[T * Q];

static void fill(float *to, const char *name, int64_t n, double scale) {
  const vise_rng r = vise_rng_named(5, name);
  for (int64_t i = 0; i < n; i++) {
    to[i] = (float)(scale * vise_rng_normal(&r, (uint64_t)i));
  }
}

static int setup(void **state) {
  (void)state;
  fill(q, "q", T * Q, 2.0);
  fill(k, "k", T * K, 1.0);
  fill(v, "v", T * K, 1.0);
  return 0;
}

/* The definition: token `i` of the sequence that begins at row `start`, head `h`, into want [DIM].
 */
static void attend_naively(double *want, int start, int i, int h, int64_t window) {
  const int kv = h / (HEADS / KV_HEADS),
            first = window > 0 && i >= window ? i - (int)window + 1 : 0;
  double total = 0.0, greatest = -INFINITY, s[T];
  for (int j = first; j <= i; j++) {
    s[j] = 0.0;
    for (int d = 0; d < DIM; d++) {
      s[j] += (double)q[(start + i) * Q + h * DIM + d] * (double)k[(start + j) * K + kv * DIM + d];
    }
    s[j] /= sqrt(DIM);
    greatest = fmax(greatest, s[j]);
  }
  memset(want, 0, DIM * sizeof *want);
  for (int j = first; j <= i; j++) {
    const double p = exp(s[j] - greatest);
    total += p;
    for (int d = 0; d < DIM; d++) {
      want[d] += p * (double)v[(start + j) * K + kv * DIM + d];
    }
  }
  for (int d = 0; d < DIM; d++) {
    want[d] /= total;
  }
}

/* Scores reach 20 and carry an error of DIM eps |q||k| < 2e-6 each, which moves p by as much;
   values are a few units and sums of T terms add T eps. */
static const double ATTENTION_TOL = 2e-5;

static void expect_definition(const int64_t *starts, int n_sequences, int64_t window) {
  for (int s = 0; s < n_sequences; s++) {
    for (int64_t row = starts[s]; row < starts[s + 1]; row++) {
      for (int h = 0; h < HEADS; h++) {
        double want[DIM];
        attend_naively(want, (int)starts[s], (int)(row - starts[s]), h, window);
        for (int d = 0; d < DIM; d++) {
          assert_true(fabs((double)out[row * Q + h * DIM + d] - want[d]) <= ATTENTION_TOL);
        }
      }
    }
  }
}

static void packed_sequences_follow_the_definition(void **state) {
  (void)state;
  vise_err err;
  const int64_t starts[] = {0, 1, 65, 66, 195, T};

  assert_int_equal(vise_attention_run(out, q, k, v, starts, 5, &plain, &err), VISE_OK);

  expect_definition(starts, 5, 0);
}

static void a_window_hides_older_keys(void **state) {
  (void)state;
  vise_err err;
  const int64_t starts[] = {0, 40, T};
  static const int64_t windows[] = {1, 7, 64, 65, 100, 1000};
  for (int i = 0; i < 6; i++) {
    const vise_attention_spec spec = {HEADS, KV_HEADS, DIM, windows[i]};

    assert_int_equal(vise_attention_run(out, q, k, v, starts, 2, &spec, &err), VISE_OK);

    expect_definition(starts, 2, windows[i]);
  }
}

static void a_sequence_does_not_feel_its_neighbours(void **state) {
  (void)state;
  vise_err err;
  const int64_t starts[] = {0, 37, T}, alone[] = {0, T - 37};
  assert_int_equal(vise_attention_run(out, q, k, v, starts, 2, &plain, &err), VISE_OK);

  assert_int_equal(
      vise_attention_run(other, q + 37 * Q, k + 37 * K, v + 37 * K, alone, 1, &plain, &err),
      VISE_OK);

  assert_memory_equal(out + 37 * Q, other, (T - 37) * Q * sizeof(float));
}

static void a_cache_gives_the_same_bits_in_any_pieces(void **state) {
  (void)state;
  static const int pieces[] = {70, 1, 1, 15, 64, 1, 58};
  static const int64_t windows[] = {0, 30};
  const int64_t starts[] = {0, T};
  for (int w = 0; w < 2; w++) {
    const vise_attention_spec spec = {HEADS, KV_HEADS, DIM, windows[w]};
    vise_err err;
    vise_kv *kv;
    assert_int_equal(vise_attention_run(out, q, k, v, starts, 1, &spec, &err), VISE_OK);
    assert_int_equal(vise_kv_create(&kv, T, KV_HEADS, DIM, &err), VISE_OK);

    for (int i = 0, at = 0; i < 7; at += pieces[i++]) {
      assert_int_equal(vise_attention_append(other + at * Q, kv, q + at * Q, k + at * K, v + at * K,
                                             pieces[i], &spec, &err),
                       VISE_OK);
    }

    assert_memory_equal(out, other, sizeof out);
    assert_int_equal(vise_kv_length(kv), T);
    vise_kv_free(kv);
  }
}

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  vise_err err;
  const int64_t starts[] = {0, 130, T};
  vise_threads_set(1);
  assert_int_equal(vise_attention_run(out, q, k, v, starts, 2, &plain, &err), VISE_OK);
  vise_threads_set(3);

  assert_int_equal(vise_attention_run(other, q, k, v, starts, 2, &plain, &err), VISE_OK);

  assert_memory_equal(out, other, sizeof out);
}

static void a_full_cache_refuses_more(void **state) {
  (void)state;
  vise_err err;
  vise_kv *kv;
  assert_int_equal(vise_kv_create(&kv, 10, KV_HEADS, DIM, &err), VISE_OK);
  assert_int_equal(vise_attention_append(out, kv, q, k, v, 8, &plain, &err), VISE_OK);

  assert_int_equal(vise_attention_append(out, kv, q, k, v, 3, &plain, &err), VISE_ESHAPE);

  assert_string_equal(err.msg, "attention: cache has room for 2 tokens, 3 are new");
  assert_int_equal(vise_kv_length(kv), 8);
  vise_kv_free(kv);
}

static void wrong_arguments_are_named(void **state) {
  (void)state;
  vise_err err;
  const int64_t starts[] = {0, 5, 5};
  const vise_attention_spec uneven = {6, 4, DIM, 0};

  assert_int_equal(vise_attention_run(out, q, k, v, starts, 2, &plain, &err), VISE_ESHAPE);
  assert_int_equal(vise_attention_run(out, q, k, v, starts, 1, &uneven, &err), VISE_EARG);

  assert_string_equal(err.msg, "attention: 6 heads over 4 key heads, expected numbers above 0 of "
                               "which the second divides the first");
}

static void run_survives_every_allocation_failure(void **state) {
  (void)state;
  const int64_t starts[] = {0, 130, T};
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_err err;
    vise_mem_fail_after(n);
    const vise_status st = vise_attention_run(out, q, k, v, starts, 2, &plain, &err);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n > 0);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

static void creating_a_cache_survives_every_allocation_failure(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_err err;
    vise_kv *kv;
    vise_mem_fail_after(n);
    const vise_status st = vise_kv_create(&kv, 100, KV_HEADS, DIM, &err);
    vise_mem_fail_after(-1);
    if (st == VISE_OK) {
      vise_kv_free(kv);
      assert_int_equal(vise_mem_live_blocks(), live);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
    assert_null(kv);
    assert_int_equal(vise_mem_live_blocks(), live);
  }
}

/* Derivatives against the definition are in tests/lua/test_grad.lua. */
static float d_q[T * Q], d_k[T * K], d_v[T * K], d_k_other[T * K];

static void derivatives_depend_neither_on_threads_nor_on_other_sequences(void **state) {
  (void)state;
  const int64_t starts[] = {0, 70, T}, alone[] = {0, 140};
  const int threads = vise_threads();
  vise_err err;
  fill(out, "d_out", T * Q, 1.0);
  vise_threads_set(2);
  assert_int_equal(vise_attention_backward(d_q, d_k, d_v, out, q, k, v, starts, 2, &plain, &err),
                   VISE_OK);

  vise_threads_set(1);
  assert_int_equal(vise_attention_backward(other, d_k_other, d_v + 70 * K, out + 70 * Q, q + 70 * Q,
                                           k + 70 * K, v + 70 * K, alone, 1, &plain, &err),
                   VISE_OK);

  vise_threads_set(threads);
  assert_memory_equal(other, d_q + 70 * Q, 140 * Q * sizeof *other);
  assert_memory_equal(d_k_other, d_k + 70 * K, 140 * K * sizeof *d_k);
}

static void derivatives_survive_every_allocation_failure(void **state) {
  (void)state;
  const int64_t starts[] = {0, 70};
  for (long n = 0;; n++) {
    const size_t live = vise_mem_live_blocks();
    vise_err err;
    vise_mem_fail_after(n);
    const vise_status st =
        vise_attention_backward(d_q, d_k, d_v, out, q, k, v, starts, 1, &plain, &err);
    vise_mem_fail_after(-1);
    assert_int_equal(vise_mem_live_blocks(), live);
    if (st == VISE_OK) {
      assert_true(n > 0);
      return;
    }
    assert_int_equal(st, VISE_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(derivatives_depend_neither_on_threads_nor_on_other_sequences, setup),
      cmocka_unit_test_setup(derivatives_survive_every_allocation_failure, setup),
      cmocka_unit_test(packed_sequences_follow_the_definition),
      cmocka_unit_test(a_window_hides_older_keys),
      cmocka_unit_test(a_sequence_does_not_feel_its_neighbours),
      cmocka_unit_test(a_cache_gives_the_same_bits_in_any_pieces),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(a_full_cache_refuses_more),
      cmocka_unit_test(wrong_arguments_are_named),
      cmocka_unit_test(run_survives_every_allocation_failure),
      cmocka_unit_test(creating_a_cache_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
