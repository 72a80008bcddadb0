/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ggml's block formats against ../shared/golden/ggml: values decoded by the PyPI package gguf
 * 0.19.0, blocks encoded by it and by ggml's C reference. Ours are judged by the error that ggml's
 * leave. What holds for every format is in test_format.c.
 */
#include "format/ggml.h"
#include "support/weights.h"
#include "weight/quant.h"

#define GOLDEN "../shared/golden/ggml/"

static const struct {
  const char *name;
  int block, bytes;
  bool has_importance; /* in ggml */
} types[] = {{"q4_0", 32, 18, true},    {"q4_1", 32, 20, true},   {"q5_0", 32, 22, true},
             {"q5_1", 32, 24, true},    {"q8_0", 32, 34, false},  {"tq2_0", 256, 66, false},
             {"q2_k", 256, 84, true},   {"q3_k", 256, 110, true}, {"q4_k", 256, 144, true},
             {"q5_k", 256, 176, true},  {"q6_k", 256, 210, true}, {"iq4_nl", 32, 18, true},
             {"iq4_xs", 256, 136, true}};
enum { N_TYPES = sizeof types / sizeof types[0], ROWS = 64, MSE = 0, THEIRS = 1 };

/* A golden file; owned by the caller, free with free(). */
static void *golden(const char *type, const char *rest, size_t bytes) {
  char path[128];
  snprintf(path, sizeof path, GOLDEN "%s%s", type, rest);
  FILE *f = fopen(path, "rb");
  if (f == NULL) {
    fail_msg("%s: cannot be opened", path);
  }
  void *data = malloc(bytes + 1);
  assert_int_equal(fread(data, 1, bytes + 1, f), bytes);
  fclose(f);
  return data;
}

static bool has_golden(void) {
  FILE *f = fopen(GOLDEN "src.f32", "rb");
  if (f == NULL) {
    printf("skipped: " GOLDEN " is not there\n");
    return false;
  }
  fclose(f);
  return true;
}

static vise_format_spec spec_of(int type, int search) {
  vise_format_spec s = {.format = vise_format_find(types[type].name)};
  assert_non_null(s.format);
  s.values[VISE_GGML_SEARCH] = search;
  return s;
}

static vise_weight *quantized(const vise_weight *w, int type, int search, const float *importance) {
  const vise_format_spec s = spec_of(type, search);
  vise_weight *q;
  TRY_OK(vise_weight_quantize(&q, w, &s, importance, &test_err));
  return q;
}

static uint8_t *blocks_of(const vise_weight *q) {
  return vise_tensor_data(vise_weight_quant_part(q, "blocks"));
}

/* A weight of [m, k] whose blocks are `bytes`. */
static vise_status loaded(vise_weight **out, int type, int64_t m, int64_t k, const void *bytes) {
  vise_weight *w = dense_f32(m, k, zero), *q = quantized(w, type, 2, NULL);
  memcpy(blocks_of(q), bytes, (size_t)(m * k / types[type].block * types[type].bytes));
  vise_tree *t;
  TRY_OK(vise_weight_save(q, &t, &test_err));
  const vise_status st = vise_weight_load(out, t, &test_err);
  vise_tree_free(t);
  vise_weight_release(q);
  vise_weight_release(w);
  return st;
}

static void golden_blocks_decode_to_the_golden_values(void **state) {
  (void)state;
  for (int i = 0; i < N_TYPES && has_golden(); i++) {
    const int block = types[i].block;
    void *blocks = golden(types[i].name, ".bin", (size_t)(ROWS * types[i].bytes));
    float *want = golden(types[i].name, ".f32", (size_t)(ROWS * block) * sizeof(float));
    vise_weight *w;
    TRY_OK(loaded(&w, i, ROWS, block, blocks));

    float *got = values_of(w);

    for (int j = 0; j < ROWS * block; j++) {
      if (!(got[j] == want[j])) {
        fail_msg("%s: value %d is %g, expected %g", types[i].name, j, (double)got[j],
                 (double)want[j]);
      }
    }
    vise_mem_free(got);
    vise_weight_release(w);
    free(want);
    free(blocks);
  }
}

static void compare_encoded(int type, const vise_weight *w, const float *importance) {
  const size_t bytes = (size_t)(ROWS * 256 / types[type].block * types[type].bytes);
  const char *rest = importance == NULL ? ".enc.bin" : ".enc_imatrix.bin";
  uint8_t *want = golden(types[type].name, rest, bytes);

  vise_weight *q = quantized(w, type, THEIRS, importance);

  const uint8_t *got = blocks_of(q);
  for (size_t b = 0; b < bytes; b++) {
    if (got[b] != want[b]) {
      fail_msg("%s%s: byte %zu is %d, expected %d", types[type].name, rest, b, got[b], want[b]);
    }
  }
  vise_weight_release(q);
  free(want);
}

static void ggml_search_writes_the_golden_bytes(void **state) {
  (void)state;
  if (!has_golden()) {
    return;
  }
  vise_weight *w = dense_f32(ROWS, 256, zero);
  float *source = golden("", "src.f32", ROWS * 256 * sizeof(float));
  float *importance = golden("", "imatrix.f32", 256 * sizeof(float));
  memcpy(dense_data(w), source, ROWS * 256 * sizeof(float));
  for (int i = 0; i < N_TYPES; i++) {
    compare_encoded(i, w, NULL);
    if (types[i].has_importance) {
      compare_encoded(i, w, importance);
    }
  }
  free(importance);
  free(source);
  vise_weight_release(w);
}

/* Any bytes, but for scales that are NaN or infinite, decode to finite numbers. */
static void every_pattern_is_loaded_or_refused(void **state) {
  (void)state;
  enum { BLOCKS = 512 };
  uint32_t seed = 1;
  for (int i = 0; i < N_TYPES; i++) {
    int n_loaded = 0;
    for (int n = 0; n < BLOCKS; n++) {
      uint8_t block[256];
      for (int b = 0; b < types[i].bytes; b++) {
        seed = seed * 1664525u + 1013904223u;
        block[b] = (uint8_t)(seed >> 24);
      }
      vise_weight *w;
      const vise_status st = loaded(&w, i, 1, types[i].block, block);
      if (st == VISE_OK) {
        float *values = values_of(w);
        for (int j = 0; j < types[i].block; j++) {
          assert_true(isfinite(values[j]));
        }
        vise_mem_free(values);
        vise_weight_release(w);
        n_loaded++;
      } else {
        assert_int_equal(st, VISE_EFORMAT);
        assert_non_null(strstr(test_err.msg, "expected a finite number"));
      }
    }
    assert_in_range(n_loaded, BLOCKS * 8 / 10, BLOCKS - 1); /* 1 in 32 f16 is not finite */
  }
}

static void scales_that_are_not_finite_are_named(void **state) {
  (void)state;
  uint8_t blocks[2 * 2 * 144] = {0};
  blocks[3 * 144 + 3] = 0xfc;
  vise_weight *w;

  const vise_status st = loaded(&w, 8, 2, 512, blocks);

  assert_int_equal(st, VISE_EFORMAT);
  assert_null(w);
  assert_string_equal(test_err.msg,
                      "q4_k: scale 1 of block 1 of row 1 is -inf, expected a finite number");
}

static void columns_that_blocks_do_not_divide_are_refused(void **state) {
  (void)state;
  vise_weight *w = dense_f32(2, 172, gaussian), *q;
  const vise_format_spec s = spec_of(8, MSE);

  const vise_status st = vise_weight_quantize(&q, w, &s, NULL, &test_err);

  assert_int_equal(st, VISE_ESHAPE);
  assert_string_equal(test_err.msg, "q4_k: blocks of 256 do not divide the 172 columns of w");
  vise_weight_release(w);
}

/* ---- our search ---- */

static float uniform(int64_t i, int64_t j) { /* in (0, 1), by the normal distribution function */
  return 0.5f * erfcf(-gaussian(i + 3000, j) * 0.70710678f) * 0.999998f + 1e-6f;
}

static float laplace(int64_t i, int64_t j) {
  const float u = uniform(i, j) - 0.5f;
  return u < 0.0f ? logf(1.0f + 2.0f * u) : -logf(1.0f - 2.0f * u);
}

static float student(int64_t i, int64_t j) { /* 5 degrees of freedom */
  float squares = 0.0f;
  for (int64_t d = 1; d <= 5; d++) {
    squares += gaussian(i + 1000 * d, j) * gaussian(i + 1000 * d, j);
  }
  return gaussian(i, j) / sqrtf(squares / 5.0f);
}

static double weighted_error(const vise_weight *w, const vise_weight *q, const float *importance) {
  float *values = values_of(q);
  double error = 0;
  for (int64_t j = 0; j < w->m * w->k; j++) {
    const double e = (double)dense_data(w)[j] - (double)values[j];
    error += (importance == NULL ? 1.0 : (double)importance[j % w->k]) * e * e;
  }
  vise_mem_free(values);
  return error;
}

static void our_search_never_loses_to_ggml(void **state) {
  (void)state;
  enum { M = 64, K = 768 };
  static float importance[K];
  for (int j = 0; j < K; j++) {
    importance[j] = expf(1.5f * gaussian(5000, j));
  }
  float (*const sources[])(int64_t, int64_t) = {gaussian, laplace, student};
  for (int d = 0; d < 3; d++) {
    vise_weight *w = dense_f32(M, K, sources[d]);
    for (int i = 0; i < 2 * N_TYPES; i++) {
      const float *v = i % 2 == 0 ? NULL : importance;
      vise_weight *ours = quantized(w, i / 2, MSE, v), *theirs = quantized(w, i / 2, THEIRS, v);

      const double ratio = weighted_error(w, ours, v) / weighted_error(w, theirs, v);

      printf("%-6s %d%s: %.4f of ggml's error\n", types[i / 2].name, d,
             v == NULL ? "" : " weighted", ratio);
      assert_true(ratio <= 1.0);
      vise_weight_release(ours);
      vise_weight_release(theirs);
    }
    vise_weight_release(w);
  }
}

/* The scale of one block of importance alone: the others must not move it. */
static void importance_decides_between_values(void **state) {
  (void)state;
  for (int i = 0; i < N_TYPES; i++) {
    static float importance[256];
    vise_weight *w = dense_f32(1, 256, gaussian);
    for (int j = 0; j < 256; j++) {
      importance[j] = j % 16 == 5 ? 1.0f : 0.0f;
    }
    vise_weight *ours = quantized(w, i, MSE, importance), *plain = quantized(w, i, MSE, NULL);

    assert_true(weighted_error(w, ours, importance) < weighted_error(w, plain, importance));
    float *values = values_of(ours);
    for (int j = 0; j < 256; j++) {
      assert_true(isfinite(values[j]));
    }
    vise_mem_free(values);
    vise_weight_release(ours);
    vise_weight_release(plain);
    vise_weight_release(w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_blocks_decode_to_the_golden_values),
      cmocka_unit_test(ggml_search_writes_the_golden_bytes),
      cmocka_unit_test(every_pattern_is_loaded_or_refused),
      cmocka_unit_test(scales_that_are_not_finite_are_named),
      cmocka_unit_test(columns_that_blocks_do_not_divide_are_refused),
      cmocka_unit_test(our_search_never_loses_to_ggml),
      cmocka_unit_test(importance_decides_between_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
