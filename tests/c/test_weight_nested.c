/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind, in every format and nested at random, against values and products in f64. */
#include "core/parallel.h"
#include "support/samples.h"

enum { TOKENS = 70 }; /* more than one tile of any kernel */

static float *inputs(int64_t t, int64_t n) {
  void *x;
  TRY_OK(vise_mem_alloc_array(&x, t * n + 1, sizeof(float), &test_err));
  for (int64_t s = 0; s < t; s++) {
    for (int64_t j = 0; j < n; j++) {
      ((float *)x)[s * n + j] = gaussian(s + 1000, j);
    }
  }
  return x;
}

static vise_status
multiply(const vise_weight *w, bool is_turned, float *y, const float *x, int64_t t, vise_err *err) {
  return is_turned ? vise_weight_matmul_t(w, y, w->k, x, w->m, t, err)
                   : vise_weight_matmul(w, y, w->m, x, w->k, t, err);
}

/* X as the weight's products see it: `input` rounds it, but not on the way back. */
static float *seen_inputs(const vise_weight *w, const float *x, int64_t n_in, bool is_turned) {
  float *seen = inputs(TOKENS, n_in);
  memcpy(seen, x, (size_t)(TOKENS * n_in) * sizeof(float));
  if (!is_turned) {
    vise_tree *t;
    TRY_OK(vise_weight_save(w, &t, &test_err));
    round_inputs(t, seen, TOKENS);
    vise_tree_free(t);
  }
  return seen;
}

/* Few and many tokens, one thread and three, both ways round. */
static void products_are_right(const vise_weight *w, const oracle *o, bool is_turned) {
  static const int64_t counts[] = {0, 1, VISE_WEIGHT_FEW_TOKENS, 9, TOKENS};
  const int64_t n_in = is_turned ? w->m : w->k, n_out = is_turned ? w->k : w->m;
  const int threads = vise_threads();
  float *x = inputs(TOKENS, n_in), *seen = seen_inputs(w, x, n_in, is_turned),
        *y = inputs(TOKENS, n_out), *again = inputs(TOKENS, n_out);
  for (int c = 0; c < 5; c++) {
    vise_threads_set(1);
    TRY_OK(multiply(w, is_turned, y, x, counts[c], &test_err));
    product_is_of_the_oracle(o, y, seen, counts[c], is_turned);
    vise_threads_set(3);
    TRY_OK(multiply(w, is_turned, again, x, counts[c], &test_err));
    assert_memory_equal(y, again, (size_t)(counts[c] * n_out) * sizeof(float));
  }
  vise_threads_set(threads);
  vise_mem_free(x);
  vise_mem_free(seen);
  vise_mem_free(y);
  vise_mem_free(again);
}

static void chosen_rows_are_rows(const vise_weight *w, const float *values) {
  const int32_t ids[] = {(int32_t)w->m - 1, 0, (int32_t)w->m / 2, 0};
  if (w->m == 0) {
    return;
  }
  float *rows = inputs(4, w->k);
  TRY_OK(vise_weight_gather_rows(w, ids, 4, rows, w->k, &test_err));
  for (int i = 0; i < 4; i++) {
    assert_memory_equal(rows + i * w->k, values + ids[i] * w->k, (size_t)w->k * sizeof(float));
  }
  vise_mem_free(rows);
}

static void keeps_everything(const vise_weight *w) {
  keeps_the_contract_of_weights(w);
  oracle o = oracle_of_weight(w);
  float *values = values_of(w);
  values_are_of_the_oracle(&o, values);
  chosen_rows_are_rows(w, values);
  products_are_right(w, &o, false);
  products_are_right(w, &o, true);
  vise_mem_free(values);
  free_oracle(&o);
}

static void every_kind_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {0, 5}, {5, 0}, {3, 7}, {37, 300}, {70, 513}};
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    for (int s = 0; s < 6; s++) {
      vise_weight *w = sample(vise_weight_kinds[i]->name, shapes[s][0], shapes[s][1]);
      keeps_everything(w);
      vise_weight_release(w);
    }
  }
}

static void every_format_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {3, 33}, {5, 256}, {2, 512}};
  for (int i = 0; vise_formats[i] != NULL; i++) {
    int n = 0;
    for (int s = 0; s < 4; s++) {
      vise_weight *w = quant_of(vise_formats[i], 0, shapes[s][0], shapes[s][1]);
      if (w != NULL) {
        keeps_everything(w);
        n++;
      }
      vise_weight_release(w);
    }
    assert_true(n >= 2);
  }
}

/* Every format in its defaults and `int` in all settings, in both formats of activations, with scales
   of tokens and one that cuts the largest. */
static void every_rounding_of_inputs_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{19, 300}, {33, 512}};
  for (int i = 0; vise_formats[i] != NULL; i++) {
    const bool is_int = strcmp(vise_formats[i]->name, "int") == 0;
    for (int n = 0; n < (is_int ? 40 : 1); n++) {
      const int64_t *shape = shapes[is_int ? n % 2 : 1];
      vise_weight *c = quant_of(vise_formats[i], n, shape[0], shape[1]);
      for (int form = n % 2; form < 4 && c != NULL; form += is_int ? 2 : 1) {
        vise_weight *w = input_of(vise_weight_retain(c), (vise_input_format)(form / 2),
                                  form % 2 == 0 ? 0.0f
                                  : form == 1   ? 0.015f
                                                : 0.005f);
        keeps_everything(w);
        vise_weight_release(w);
      }
      vise_weight_release(c);
    }
  }
}

static void inputs_that_are_no_numbers_give_none(void **state) {
  (void)state;
  enum { M = 5, K = 64 };
  float x[3 * K], y[3 * M];
  for (int form = 0; form < 4; form++) {
    for (int j = 0; j < 3 * K; j++) {
      x[j] = gaussian(1, j);
    }
    x[7] = form % 2 == 0 ? NAN : -INFINITY;
    memset(x + K, 0, K * sizeof(float));
    vise_weight *w = input_of(quant_of(vise_format_find("int"), 0, M, K),
                              (vise_input_format)(form / 2), form % 2 == 0 ? 0.0f : 0.1f);

    TRY_OK(vise_weight_matmul(w, y, M, x, K, 3, &test_err));

    for (int i = 0; i < M; i++) {
      assert_true(isnan(y[i]));
      assert_true(y[M + i] == 0.0f);
      assert_true(isfinite(y[2 * M + i]) && y[2 * M + i] != 0.0f);
    }
    vise_weight_release(w);
  }
}

static void roundings_that_make_no_sense_are_refused(void **state) {
  (void)state;
  static const float scales[] = {-1.0f, NAN, INFINITY, 0x1p-127f};
  vise_weight *c = dense_f32(2, 3, gaussian), *w, *again;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(vise_weight_input(&w, c, VISE_INPUT_FP8, scales[i], &test_err), VISE_EARG);
    assert_null(w);
  }
  assert_string_equal(test_err.msg,
                      "input: scale is 5.87747e-39, expected a normal number above 0");
  w = input_of(c, VISE_INPUT_INT8, 0.5f);
  vise_tree *t;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  *(float *)vise_tensor_data(t->parts[0].tensor) = -2.0f;
  assert_int_equal(vise_weight_load(&again, t, &test_err), VISE_EFORMAT);
  strcpy(t->attributes[0].text, "int9");
  assert_int_equal(vise_weight_load(&again, t, &test_err), VISE_EFORMAT);
  assert_string_equal(test_err.msg, "input: format is 'int9', expected int8 or fp8");
  vise_tree_free(t);
  vise_weight_release(w);
}

/* Orders of algorithms.md A12 that are small, blocks, and both sides. */
static void every_rotation_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t cases[][4] = {/* m, k, left, right */
                                     {3, 288, 0, 288}, {60, 56, 12, 28}, {5, 256, 0, 32},
                                     {128, 9, 64, 0},  {76, 4, 76, 4},   {44, 40, 44, 20}};
  for (int i = 0; i < 6; i++) {
    const int64_t *c = cases[i];
    vise_weight *w = rotated_of(dense_of(VISE_DTYPE_F32, c[0], c[1]), c[2], c[3]);
    keeps_everything(w);
    vise_weight_release(w);
  }
}

static void every_layout_of_sparse_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {0, 5}, {5, 0}, {3, 7}, {37, 300}, {20, 1030}};
  for (int64_t i = 0; i < 10; i++) {
    for (int s = 0; s < 6; s++) {
      vise_weight *w = sparse_sample(i, shapes[s][0], shapes[s][1], floats[1 + (i + s) % 3], NULL);
      keeps_everything(w);
      vise_weight_release(w);
      w = sparse_sample(i, shapes[s][0], shapes[s][1], VISE_DTYPE_F32, vise_format_find("int"));
      keeps_everything(w);
      vise_weight_release(w);
    }
  }
}

/* What the sample of the layout was made from comes back: the oracle above shares no reader. */
static void sparse_keeps_the_numbers_it_was_made_from(void **state) {
  (void)state;
  static const int n[] = {4, 4, 2, 1, 5, 3, 8, 4, 4, 4},
                   m[] = {13, 13, 4, 16, 9, 3, 16, 13, 13, 13};
  for (int i = 0; i < 10; i++) {
    vise_weight *w = pruned(21, 299, n[i], m[i]);
    vise_weight *s = sparse_sample(i, 21, 299, VISE_DTYPE_F32, NULL);
    float *values = values_of(s);
    assert_memory_equal(values, dense_data(w), 21 * 299 * sizeof(float));
    vise_mem_free(values);
    vise_weight_release(s);
    vise_weight_release(w);
  }
}

static void sparse_refuses_what_it_cannot_keep(void **state) {
  (void)state;
  vise_weight *w = dense_f32(2, 7, gaussian), *s;
  vise_sparse_options o = {.layout = VISE_SPARSE_NM, .n = 2, .m = 4, .values = VISE_DTYPE_F32};
  assert_int_equal(vise_weight_sparse(&s, w, &o, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg,
                      "sparse: row 0, columns 0 to 3 (from 0) have more than 2 numbers "
                      "that are not zero, expected 2 of 4");
  o.n = 5;
  assert_int_equal(vise_weight_sparse(&s, w, &o, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "sparse: n is 5, expected 1 to 4 (m)");
  o.m = 17;
  assert_int_equal(vise_weight_sparse(&s, w, &o, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "sparse: m is 17, expected 1 to 16");
  o = (vise_sparse_options){.layout = VISE_SPARSE_BLOCK, .rows = 257, .columns = 4};
  assert_int_equal(vise_weight_sparse(&s, w, &o, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "sparse: block is 257 x 4, expected 1 to 256 each way");
  vise_weight_release(w);
}

static void every_codebook_answers_as_its_tree_says(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {0, 5}, {5, 0}, {3, 7}, {9, 300}};
  static const int bits[] = {1, 2, 3, 4, 5, 6, 7, 8, 12};
  for (int i = 0; i < 36; i++) {
    const vise_codebook_per per = (vise_codebook_per)(i % 4);
    const int64_t d = 1 + i / 4 % 3 * (1 + i % 5), group = per == VISE_CODEBOOK_GROUP ? 3 * d : 0;
    const int64_t *shape = shapes[i % 5];
    vise_weight *w = codebook_of(per, bits[i / 4], d, group, floats[1 + i % 3], shape[0], shape[1]);
    keeps_everything(w);
    vise_weight_release(w);
  }
}

static void codebook_refuses_what_does_not_fit(void **state) {
  (void)state;
  vise_tensor *indices, *table, *odd;
  vise_weight *w;
  TRY_OK(vise_tensor_create(&indices, VISE_DTYPE_I32, 2, (const int64_t[]){1, 3}, &test_err));
  TRY_OK(vise_tensor_create(&table, VISE_DTYPE_F32, 3, (const int64_t[]){1, 4, 2}, &test_err));
  TRY_OK(vise_tensor_create(&odd, VISE_DTYPE_F32, 3, (const int64_t[]){1, 3, 2}, &test_err));
  memset(vise_tensor_data(table), 0, 32);
  memcpy(vise_tensor_data(indices), (const int32_t[]){3, 0, 4}, 12);

  const vise_codebook_per per = VISE_CODEBOOK_TENSOR;
  assert_int_equal(vise_weight_codebook(&w, indices, table, 5, per, 0, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "codebook: index 2 of row 0 (from 0) is 4, expected 0 to 3");
  assert_int_equal(vise_weight_codebook(&w, indices, table, 4, per, 0, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg,
                      "codebook: indices are [1, 3], expected [m, 2] (vectors of 2 in "
                      "4 columns)");
  assert_int_equal(vise_weight_codebook(&w, indices, odd, 5, per, 0, &test_err), VISE_ESHAPE);
  assert_int_equal(vise_weight_codebook(&w, indices, table, 5, per, 2, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "codebook: group is 2, expected 0 but for per = group");
  assert_int_equal(vise_weight_codebook(&w, indices, table, 5, VISE_CODEBOOK_COLUMN, 0, &test_err),
                   VISE_ESHAPE);
  assert_string_equal(test_err.msg, "codebook: table is [1, 4, 2], expected 3 tables");
  ((float *)vise_tensor_data(table))[7] = INFINITY;
  assert_int_equal(vise_weight_codebook(&w, indices, table, 5, per, 0, &test_err), VISE_ENUMERIC);
  assert_null(w);
  vise_tensor_release(indices);
  vise_tensor_release(table);
  vise_tensor_release(odd);
}

/* Every byte of the positions changed in turn: loaded with other values, or refused; and all ones. */
static void damaged_positions_never_reach_beyond_the_weight(void **state) {
  (void)state;
  for (int64_t i = 0; i < 10; i++) {
    vise_weight *w = sparse_sample(i, 5, 37, VISE_DTYPE_F32, NULL), *again;
    vise_tree *t;
    TRY_OK(vise_weight_save(w, &t, &test_err));
    for (int p = 0; p < t->n_parts; p++) {
      uint8_t *bytes = vise_tensor_data(t->parts[p].tensor);
      for (size_t b = 0; b < vise_tensor_bytes(t->parts[p].tensor); b++) {
        const uint8_t before = bytes[b];
        bytes[b] ^= (uint8_t)(0x81u + b % 64);
        const vise_status st = vise_weight_load(&again, t, &test_err);
        assert_true(st == VISE_OK || st == VISE_EFORMAT);
        if (st == VISE_OK) {
          vise_mem_free(values_of(again));
          vise_weight_release(again);
        }
        bytes[b] = before;
      }
    }
    memset(vise_tensor_data(t->parts[0].tensor), 0xff, vise_tensor_bytes(t->parts[0].tensor));
    const bool is_any_allowed = i == 3 || i == 5; /* 1:16: any 4 bits; 3:3: no positions */
    const vise_status st = vise_weight_load(&again, t, &test_err);
    assert_int_equal(st, is_any_allowed ? VISE_OK : VISE_EFORMAT);
    vise_weight_release(again);
    vise_tree_free(t);
    vise_weight_release(w);
  }
}

static void weights_nested_at_random_answer_as_their_trees_say(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, 1}, {0, 5}, {5, 0}, {3, 7}, {17, 256}, {40, 300}};
  for (uint32_t i = 0; i < 120; i++) {
    uint32_t seed = i;
    vise_weight *w = random_weight(&seed, 3, shapes[i % 6][0], shapes[i % 6][1]);
    w = i % 5 == 4 ? input_of(w, VISE_INPUT_INT8, 0.0f) : w;
    keeps_everything(w);
    vise_weight_release(w);
  }
}

static vise_status every_question(const vise_weight *w, float *y, const float *x, vise_err *err) {
  double squared, norm;
  VISE_TRY(vise_weight_matmul(w, y, w->m, x, w->k, 2, err));
  VISE_TRY(vise_weight_matmul_t(w, y, w->k, x, w->m, 2, err));
  VISE_TRY(vise_weight_dense_rows(w, 0, w->m, y, w->k, err));
  VISE_TRY(vise_weight_difference(&squared, &norm, w, w, x, err));
  assert_true(squared == 0.0);
  return vise_weight_check_finite(w, err);
}

static void every_question_survives_every_allocation_failure(void **state) {
  (void)state;
  enum { M = 6, K = 128 };
  float x[2 * K], y[M * K];
  for (int j = 0; j < 2 * K; j++) {
    x[j] = fabsf(gaussian(1, j));
  }
  for (uint32_t i = 0; i < 20; i++) {
    uint32_t seed = i + 1000;
    vise_weight *w = random_weight(&seed, 3, M, K);
    w = i % 4 == 3 ? input_of(w, (vise_input_format)(i / 4 % 2), 0.0f) : w;
    TRY_OK(every_question(w, y, x, &test_err)); /* threads are there */
    const size_t live = vise_mem_live_blocks();
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      vise_mem_fail_after(n);
      st = every_question(w, y, x, &test_err);
      vise_mem_fail_after(-1);
      assert_true(st == VISE_OK || st == VISE_ENOMEM);
      assert_int_equal(vise_mem_live_blocks(), live);
    }
    vise_weight_release(w);
  }
}

static void importance_weighs_columns(void **state) {
  (void)state;
  vise_weight *a = dense_f32(2, 2, zero), *b = dense_f32(2, 2, zero);
  memcpy(dense_data(a), (const float[]){1, 2, 3, 4}, 16);
  memcpy(dense_data(b), (const float[]){1, 0, 4, 5}, 16);
  double squared, norm;

  TRY_OK(vise_weight_difference(&squared, &norm, a, b, (const float[]){10, 0.5f}, &test_err));

  assert_true(squared == 10 * 1 + 0.5 * (4 + 1));
  assert_true(norm == 10 * (1 + 9) + 0.5 * (4 + 16));
  const float bad[] = {1, -1};
  assert_int_equal(vise_weight_difference(&squared, &norm, a, b, bad, &test_err), VISE_ENUMERIC);
  assert_string_equal(test_err.msg, "importance: of column 1 is -1, expected 0 or more");
  vise_weight_release(a);
  vise_weight_release(b);
}

static void shapes_that_do_not_fit_are_refused(void **state) {
  (void)state;
  vise_weight *a = dense_f32(4, 3, gaussian), *b = dense_f32(4, 5, gaussian), *w;
  vise_tensor *four = factors_of(VISE_DTYPE_F32, 4), *wide = factors_of(VISE_DTYPE_F64, 3);

  assert_int_equal(vise_weight_lowrank(&w, a, b, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg,
                      "lowrank: b is [4, 3] and a is [4, 5], expected as many columns "
                      "of b as rows of a");
  assert_int_equal(vise_weight_sum(&w, (vise_weight *const[]){a, b}, 2, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "sum: term 2 is [4, 5], expected [4, 3] as term 1");
  assert_int_equal(vise_weight_sum(&w, NULL, 0, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg, "sum: has 0 terms, expected 1 to 64");
  assert_int_equal(vise_weight_scaled(&w, a, NULL, four, NULL, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg, "scaled: right is [4], expected [3], contiguous");
  assert_int_equal(vise_weight_scaled(&w, a, NULL, wide, NULL, &test_err), VISE_EDTYPE);
  assert_string_equal(test_err.msg, "scaled: right is f64, expected f32, f16 or bf16");
  assert_int_equal(vise_weight_rotated(&w, a, 0, 2, &test_err), VISE_ESHAPE);
  assert_string_equal(test_err.msg,
                      "rotated: right is 2, expected 0 or an order that divides the 3 columns");
  assert_int_equal(vise_weight_rotated(&w, a, 8, 0, &test_err), VISE_ESHAPE);
  assert_int_equal(vise_weight_rotated(&w, a, 0, 3, &test_err), VISE_ESHAPE); /* no such matrix */
  ((float *)vise_tensor_data(four))[2] = NAN;
  assert_int_equal(vise_weight_scaled(&w, a, four, NULL, NULL, &test_err), VISE_ENUMERIC);
  assert_string_equal(test_err.msg, "scaled: left: factor 2 is nan, expected a finite number");
  vise_tensor_release(four);
  vise_tensor_release(wide);
  vise_weight_release(a);
  vise_weight_release(b);
}

/* Doubling a weight by adding it to itself: 16 levels are 65535 nodes, which no artifact keeps. */
static void nesting_ends_before_an_artifact_could_not_keep_it(void **state) {
  (void)state;
  vise_weight *w = dense_f32(1, 1, gaussian);
  for (int level = 2; level <= 12; level++) {
    w = sum_of(w, vise_weight_retain(w));
  }
  vise_weight *again;
  assert_int_equal(vise_weight_sum(&again, (vise_weight *const[]){w, w}, 2, &test_err), VISE_EARG);
  assert_string_equal(test_err.msg,
                      "sum: has 13 or more levels and 8191 or more nodes, expected at "
                      "most 16 and 4096");
  vise_weight_release(w);

  w = dense_f32(1, 1, gaussian);
  for (int level = 2; level <= VISE_TREE_DEPTH; level++) {
    w = scaled_of(w, 4, VISE_DTYPE_F32);
  }
  keeps_everything(w);
  assert_int_equal(vise_weight_times(&again, w, 2.0f, &test_err), VISE_EARG);
  vise_tree *t, *root;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  TRY_OK(vise_tree_create(&root, "sum", 1, 1, &test_err));
  TRY_OK(vise_tree_add_child(root, t, &test_err));
  assert_int_equal(vise_weight_load(&again, root, &test_err), VISE_EFORMAT);
  assert_string_equal(test_err.msg, "sum: is nested deeper than 16 levels");
  vise_tree_free(root);
  vise_weight_release(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_answers_as_its_tree_says),
      cmocka_unit_test(every_format_answers_as_its_tree_says),
      cmocka_unit_test(every_rounding_of_inputs_answers_as_its_tree_says),
      cmocka_unit_test(inputs_that_are_no_numbers_give_none),
      cmocka_unit_test(roundings_that_make_no_sense_are_refused),
      cmocka_unit_test(every_rotation_answers_as_its_tree_says),
      cmocka_unit_test(every_codebook_answers_as_its_tree_says),
      cmocka_unit_test(codebook_refuses_what_does_not_fit),
      cmocka_unit_test(every_layout_of_sparse_answers_as_its_tree_says),
      cmocka_unit_test(sparse_keeps_the_numbers_it_was_made_from),
      cmocka_unit_test(sparse_refuses_what_it_cannot_keep),
      cmocka_unit_test(damaged_positions_never_reach_beyond_the_weight),
      cmocka_unit_test(weights_nested_at_random_answer_as_their_trees_say),
      cmocka_unit_test(every_question_survives_every_allocation_failure),
      cmocka_unit_test(importance_weighs_columns),
      cmocka_unit_test(shapes_that_do_not_fit_are_refused),
      cmocka_unit_test(nesting_ends_before_an_artifact_could_not_keep_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
