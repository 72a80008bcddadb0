/* SPDX-License-Identifier: Apache-2.0 */
/* The methods magnitude, wanda and ria: which weights go, judged by scores in naive loops; and what the
   refit gains, by the output error of stats/output_error.h. */
#include "method/method.h"
#include "stats/output_error.h"
#include "support/weights.h"
#include "weight/sparse.h"

enum { M = 24, K = 96 };

/* Inputs that are correlated and of unlike powers, as those of transformers are. */
static vise_moments *skewed_moments(int64_t n, int64_t t) {
  float *x = calloc((size_t)(t * n), sizeof *x);
  for (int64_t i = 0; i < t; i++) {
    float before = 0.0f;
    for (int64_t j = 0; j < n; j++) {
      const float power = expf(1.2f * gaussian(9000, j));
      before = 0.9f * before + 0.5f * gaussian(10000 + i, j);
      x[i * n + j] = power * before;
    }
  }
  vise_moments *s;
  TRY_OK(vise_moments_create(&s, n, false, &test_err));
  TRY_OK(vise_moments_add(s, x, n, NULL, 0, t, &test_err));
  free(x);
  return s;
}

static void set(double *values, const vise_method *method, const char *name, double value) {
  for (int i = 0; method->params[i].name != NULL; i++) {
    if (strcmp(method->params[i].name, name) == 0) {
      values[i] = value;
      return;
    }
  }
  fail_msg("no option %s", name);
}

static void
set_word(double *values, const vise_method *method, const char *name, const char *word) {
  for (int i = 0; method->params[i].name != NULL; i++) {
    if (strcmp(method->params[i].name, name) == 0) {
      values[i] = vise_param_find(method->params[i].choices, word);
      assert_true(values[i] >= 0);
      return;
    }
  }
  fail_msg("no option %s", name);
}

static vise_status try_prune(vise_weight **out,
                             const vise_method *method,
                             const double *values,
                             const vise_weight *w,
                             const vise_moments *moments,
                             char note[VISE_NOTE_BYTES]) {
  const vise_method_input in = {.w = w, .values = values, .moments = moments, .name = ""};
  return vise_method_run(out, method, NULL, &in, note, &test_err);
}

static float *
pruned(const char *name, const double *values, const vise_weight *w, const vise_moments *moments) {
  vise_weight *q;
  char note[VISE_NOTE_BYTES];
  TRY_OK(try_prune(&q, vise_method_find(name), values, w, moments, note));
  assert_string_equal(note, "");
  assert_string_equal(q->kind->name, "sparse");
  float *x = values_of(q);
  vise_weight_release(q);
  return x;
}

/* What stays of the weights compared scores as much as what goes or more, and `n` of them go. */
static void goes_by_score(
    const float *x, const double *scores, const int64_t *compared, int64_t n_all, int64_t n) {
  double least = INFINITY, greatest = -INFINITY;
  int64_t n_gone = 0;
  for (int64_t i = 0; i < n_all; i++) {
    const bool is_gone = x[compared[i]] == 0.0f;
    n_gone += is_gone;
    greatest = is_gone ? fmax(greatest, scores[compared[i]]) : greatest;
    least = is_gone ? least : fmin(least, scores[compared[i]]);
  }
  assert_int_equal(n_gone, n);
  assert_true(greatest <= least * (1.0 + 1e-6)); /* scores are rounded to f32 */
}

static const char *const names[] = {"magnitude", "ria", "wanda"};

/* The scores as the papers have them. */
static void naive_scores(double *out, int method, const float *x, const vise_moments *moments) {
  for (int64_t i = 0; i < M; i++) {
    for (int64_t j = 0; j < K; j++) {
      double row = 0.0, column = 0.0;
      for (int64_t l = 0; l < K; l++) {
        row += fabs((double)x[i * K + l]);
      }
      for (int64_t l = 0; l < M; l++) {
        column += fabs((double)x[l * K + j]);
      }
      const double w = fabs((double)x[i * K + j]), norm = sqrt(moments->second[j * K + j]);
      out[i * K + j] = method == 0   ? w
                       : method == 1 ? (w / row + w / column) * sqrt(norm)
                                     : w * norm;
    }
  }
}

static void each_row_loses_exactly_the_share_of_the_lowest_scores(void **state) {
  (void)state;
  vise_moments *moments = skewed_moments(K, 300);
  vise_weight *w = dense_f32(M, K, gaussian);
  for (int a = 0; a < 3; a++) {
    for (int s = 0; s <= 9; s += 3) {
      double values[VISE_PARAM_MAX], scores[M * K];
      vise_param_defaults(vise_method_find(names[a])->params, values);
      set(values, vise_method_find(names[a]), "sparsity", s / 10.0);
      naive_scores(scores, a, dense_data(w), moments);

      float *x = pruned(names[a], values, w, moments);

      for (int64_t i = 0; i < M; i++) {
        int64_t row[K];
        for (int64_t j = 0; j < K; j++) {
          row[j] = i * K + j;
        }
        goes_by_score(x, scores, row, K, K * s / 10);
      }
      for (int64_t i = 0; i < M * K; i++) {
        assert_true(x[i] == 0.0f || x[i] == dense_data(w)[i]);
      }
      vise_mem_free(x);
    }
  }
  vise_weight_release(w);
  vise_moments_free(moments);
}

static void a_tensor_loses_exactly_its_share_whatever_its_rows(void **state) {
  (void)state;
  vise_moments *moments = skewed_moments(K, 300);
  vise_weight *w = dense_f32(M, K, gaussian);
  for (int a = 0; a < 3; a++) {
    double values[VISE_PARAM_MAX], scores[M * K];
    int64_t all[M * K];
    vise_param_defaults(vise_method_find(names[a])->params, values);
    set(values, vise_method_find(names[a]), "sparsity", 0.37);
    set_word(values, vise_method_find(names[a]), "per", "tensor");
    naive_scores(scores, a, dense_data(w), moments);
    for (int64_t i = 0; i < M * K; i++) {
      all[i] = i;
    }

    float *x = pruned(names[a], values, w, moments);

    goes_by_score(x, scores, all, M * K, 852); /* floor(0.37 * 2304 = 852.48) */
    vise_mem_free(x);
  }
  vise_weight_release(w);
  vise_moments_free(moments);
}

static float steps(int64_t i, int64_t j) {
  return (float)((i + j) % 3 + 1);
}

static void of_equal_scores_the_first_go(void **state) {
  (void)state;
  double values[VISE_PARAM_MAX];
  const vise_method *method = vise_method_find("magnitude");
  vise_param_defaults(method->params, values);
  set_word(values, method, "per", "tensor");
  vise_weight *w = dense_f32(6, 5, steps); /* ten of each of 1, 2, 3: 15 go */

  float *x = pruned("magnitude", values, w, NULL);

  int64_t n_twos = 0;
  for (int64_t i = 0; i < 30; i++) {
    const float before = steps(i / 5, i % 5);
    n_twos += before == 2.0f;
    const bool goes = before == 1.0f || (before == 2.0f && n_twos <= 5);
    assert_true(x[i] == (goes ? 0.0f : before));
  }
  vise_mem_free(x);
  vise_weight_release(w);
}

static void every_group_of_n_of_m_keeps_its_n_greatest(void **state) {
  (void)state;
  static const struct {
    const char *word;
    int n, m;
  } patterns[] = {{"1:2", 1, 2}, {"2:4", 2, 4}, {"4:8", 4, 8},  {"8:16", 8, 16},
                  {"1:4", 1, 4}, {"2:8", 2, 8}, {"4:16", 4, 16}};
  vise_moments *moments = skewed_moments(K, 300);
  vise_weight *w = dense_f32(M, K, gaussian);
  for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
    const int n = patterns[p].n, m = patterns[p].m;
    double values[VISE_PARAM_MAX], scores[M * K];
    const vise_method *method = vise_method_find("wanda");
    vise_param_defaults(method->params, values);
    set_word(values, method, "pattern", patterns[p].word);
    naive_scores(scores, 2, dense_data(w), moments);

    vise_weight *q;
    char note[VISE_NOTE_BYTES], text[64];
    TRY_OK(try_prune(&q, method, values, w, moments, note));

    float *x = values_of(q);
    for (int64_t g = 0; g < M * K; g += m) {
      int64_t group[16];
      for (int64_t j = 0; j < m; j++) {
        group[j] = g + j;
      }
      goes_by_score(x, scores, group, m, m - n);
    }
    TRY_OK(vise_weight_describe(q, text, sizeof text, &test_err));
    assert_non_null(strstr(text, patterns[p].word)); /* stored as such */
    vise_mem_free(x);
    vise_weight_release(q);
  }
  vise_weight_release(w);
  vise_moments_free(moments);
}

static void blocks_stay_or_go_as_one_and_by_their_norm(void **state) {
  (void)state;
  double values[VISE_PARAM_MAX], norms[M / 4 * (K / 4)];
  const vise_method *method = vise_method_find("magnitude");
  vise_weight *w = dense_f32(M, K, gaussian), *q;
  vise_param_defaults(method->params, values);
  set_word(values, method, "pattern", "4x4");
  set_word(values, method, "per", "tensor");
  set(values, method, "sparsity", 0.75);
  char note[VISE_NOTE_BYTES], text[64];

  TRY_OK(try_prune(&q, method, values, w, NULL, note));

  float *x = values_of(q), kept[M / 4 * (K / 4)];
  int64_t all[M / 4 * (K / 4)];
  for (int64_t b = 0; b < M / 4 * (K / 4); b++) {
    norms[b] = 0.0;
    int n_gone = 0;
    for (int64_t e = 0; e < 16; e++) {
      const int64_t at = (b / (K / 4) * 4 + e / 4) * K + b % (K / 4) * 4 + e % 4;
      norms[b] += (double)dense_data(w)[at] * (double)dense_data(w)[at];
      n_gone += x[at] == 0.0f;
    }
    assert_true(n_gone == 0 || n_gone == 16);
    kept[b] = n_gone == 0 ? 1.0f : 0.0f;
    all[b] = b;
  }
  goes_by_score(kept, norms, all, M / 4 * (K / 4), 108);
  TRY_OK(vise_weight_describe(q, text, sizeof text, &test_err));
  assert_non_null(strstr(text, "4x4"));
  vise_mem_free(x);
  vise_weight_release(q);
  vise_weight_release(w);
}

static void with_equal_inputs_wanda_is_magnitude(void **state) {
  (void)state;
  vise_moments *identity;
  TRY_OK(vise_moments_create(&identity, K, false, &test_err));
  for (int64_t j = 0; j < K; j++) {
    identity->second[j * K + j] = 7.0;
  }
  identity->count = 7;
  vise_weight *w = dense_f32(M, K, gaussian);
  double values[VISE_PARAM_MAX];
  vise_param_defaults(vise_method_find("wanda")->params, values);

  float *a = pruned("wanda", values, w, identity), *b = pruned("magnitude", values, w, NULL);

  assert_memory_equal(a, b, M * K * sizeof(float));
  vise_mem_free(a);
  vise_mem_free(b);
  vise_weight_release(w);
  vise_moments_free(identity);
}

/* The share of the outputs' power that is lost. */
static double lost(const char *name, double sparsity, bool is_refit, const vise_moments *moments) {
  double values[VISE_PARAM_MAX], squared, norm;
  const vise_method *method = vise_method_find(name);
  vise_weight *w = dense_f32(64, K, gaussian), *q;
  char note[VISE_NOTE_BYTES];
  vise_param_defaults(method->params, values);
  set(values, method, "sparsity", sparsity);
  set(values, method, "refit", is_refit);
  TRY_OK(try_prune(&q, method, values, w, moments, note));
  TRY_OK(vise_output_error(&squared, &norm, w, q, moments, &test_err));
  vise_weight_release(q);
  vise_weight_release(w);
  return squared / norm;
}

/* algorithms.md, table 7.1: the order, on other data of its kind. */
static void losses_are_in_the_order_of_the_table(void **state) {
  (void)state;
  vise_moments *moments = skewed_moments(K, 600);
  for (int s = 0; s < 3; s++) {
    const double sparsity = (const double[]){0.5, 0.7, 0.8}[s];
    const double magnitude = lost("magnitude", sparsity, false, moments);
    const double ria = lost("ria", sparsity, false, moments);
    const double wanda = lost("wanda", sparsity, false, moments);
    const double magnitude_refit = lost("magnitude", sparsity, true, moments);
    const double ria_refit = lost("ria", sparsity, true, moments);
    const double wanda_refit = lost("wanda", sparsity, true, moments);
    printf("%.1f: magnitude %.4f, refit %.4f; ria %.4f, %.4f; wanda %.4f, %.4f\n", sparsity,
           magnitude, magnitude_refit, ria, ria_refit, wanda, wanda_refit);

    assert_true(wanda < ria && ria < magnitude);
    assert_true(wanda_refit < magnitude_refit);
    assert_true(wanda_refit < 0.5 * wanda && magnitude_refit < 0.5 * magnitude);
    assert_true(ria_refit < 0.5 * ria);
  }
  vise_moments_free(moments);
}

static void what_does_not_fit_is_refused_with_the_reason(void **state) {
  (void)state;
  static const struct {
    const char *option, *word;
    double number;
    bool has_moments;
    vise_status status;
    const char *message;
  } cases[] = {
      {"pattern", "2:4", 0, true, VISE_ESHAPE,
       "pattern: groups of 4 (2:4) do not divide the 98 columns of w"},
      {"pattern", "4x4", 0, true, VISE_ESHAPE, "pattern: blocks of 4x4 do not divide w [6, 98]"},
      {"sparsity", NULL, 1.0, true, VISE_EARG,
       "magnitude: sparsity is 1, expected a number in [0, 0.999]"},
      {"refit", NULL, 1.0, false, VISE_EARG,
       "refit: needs statistics of the inputs, which are not given (stats = ...)"},
  };
  const vise_method *method = vise_method_find("magnitude");
  vise_moments *moments = skewed_moments(98, 4);
  vise_weight *w = dense_f32(6, 98, gaussian), *q;
  char note[VISE_NOTE_BYTES];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double values[VISE_PARAM_MAX];
    vise_param_defaults(method->params, values);
    if (cases[i].word != NULL) {
      set_word(values, method, cases[i].option, cases[i].word);
    } else {
      set(values, method, cases[i].option, cases[i].number);
    }

    const vise_status st =
        try_prune(&q, method, values, w, cases[i].has_moments ? moments : NULL, note);

    assert_int_equal(st, cases[i].status);
    assert_string_equal(test_err.msg, cases[i].message);
  }
  double values[VISE_PARAM_MAX];
  vise_param_defaults(method->params, values);
  set_word(values, method, "pattern", "1:2");
  set(values, method, "sparsity", 0.7);
  assert_int_equal(try_prune(&q, method, values, w, NULL, note), VISE_EARG);
  assert_string_equal(test_err.msg, "sparsity: is 0.7, expected 0.5, that of the pattern 1:2");
  vise_weight_release(w);
  vise_moments_free(moments);
}

static float beyond_f16(int64_t i, int64_t j) {
  return i == 2 && j == 3 ? -7e4f : gaussian(i, j);
}

static void values_beyond_f16_are_cut_and_counted(void **state) {
  (void)state;
  const vise_method *method = vise_method_find("magnitude");
  double values[VISE_PARAM_MAX];
  vise_weight *w = dense_f32(4, 10, beyond_f16), *q;
  char note[VISE_NOTE_BYTES];
  vise_param_defaults(method->params, values);
  set_word(values, method, "values", "f16");

  TRY_OK(try_prune(&q, method, values, w, NULL, note));

  float *x = values_of(q);
  assert_true(x[23] == -65504.0f);
  assert_string_equal(note, "1 values beyond the range of f16 were cut to 65504");
  vise_mem_free(x);
  vise_weight_release(q);
  vise_weight_release(w);
}

/* A mask is 288 bytes; where few stay, their columns in two bytes each are fewer. */
static void the_smallest_layout_is_taken(void **state) {
  (void)state;
  static const struct {
    double sparsity;
    const char *values;
    int64_t bytes;
  } cases[] = {
      {0.5, "f32", M * K / 8 + 5 * 256 * 4}, /* 1152 values in 4.5 rows of 256 */
      {0.5, "bf16", M * K / 8 + 5 * 256 * 2},
      {0.5, "int8", M * K / 8 + 5 * 256 + 5 * 4 * 2},   /* a scale of f16 for each 64 */
      {0.98, "f16", (M + 1) * 4 + M * 2 * 2 + 256 * 2}, /* 2 of 96 stay: floor(94.08) go */
  };
  const vise_method *method = vise_method_find("magnitude");
  vise_weight *w = dense_f32(M, K, gaussian), *q;
  char note[VISE_NOTE_BYTES];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double values[VISE_PARAM_MAX];
    int64_t bytes;
    vise_param_defaults(method->params, values);
    set(values, method, "sparsity", cases[i].sparsity);
    set_word(values, method, "values", cases[i].values);
    TRY_OK(try_prune(&q, method, values, w, NULL, note));

    TRY_OK(vise_weight_bytes(&bytes, q, &test_err));

    assert_int_equal(bytes, cases[i].bytes);
    vise_weight_release(q);
  }
  vise_weight_release(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_row_loses_exactly_the_share_of_the_lowest_scores),
      cmocka_unit_test(a_tensor_loses_exactly_its_share_whatever_its_rows),
      cmocka_unit_test(of_equal_scores_the_first_go),
      cmocka_unit_test(every_group_of_n_of_m_keeps_its_n_greatest),
      cmocka_unit_test(blocks_stay_or_go_as_one_and_by_their_norm),
      cmocka_unit_test(with_equal_inputs_wanda_is_magnitude),
      cmocka_unit_test(losses_are_in_the_order_of_the_table),
      cmocka_unit_test(what_does_not_fit_is_refused_with_the_reason),
      cmocka_unit_test(values_beyond_f16_are_cut_and_counted),
      cmocka_unit_test(the_smallest_layout_is_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
