/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/weights.h -- what the contract tests of formats, kinds and methods share: inputs
 * that hurt, settings made from parameter rows, and what must hold for every weight whatever made
 * it.
 *
 * Everything runs over the registries, so a new format, kind or method is tested by being there.
 */
#ifndef VISE_TESTS_SUPPORT_WEIGHTS_H
#define VISE_TESTS_SUPPORT_WEIGHTS_H

#include "core/mem.h"
#include "core/param.h"
#include "core/rng.h"
#include "support/test.h"
#include "weight/weight.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_OK(expr)                                                                               \
  do {                                                                                             \
    vise_err *e_ = &test_err;                                                                      \
    if ((expr) != VISE_OK) {                                                                       \
      fail_msg("%s: %s", #expr, e_->msg);                                                          \
    }                                                                                              \
  } while (0)

static vise_err test_err;

/* ---- inputs ---- */

typedef struct input_case {
  const char *name;
  int64_t m, k;
  float (*value)(int64_t i, int64_t j);
} input_case;

static inline float gaussian(int64_t i, int64_t j) {
  static vise_rng r;
  static bool is_named = false;
  if (!is_named) {
    r = vise_rng_named(7, "weights");
    is_named = true;
  }
  return (float)vise_rng_normal(&r, (uint64_t)(i * 65536 + j));
}
static inline float zero(int64_t i, int64_t j) {
  return 0.0f * (float)(i + j);
}
static inline float constant(int64_t i, int64_t j) {
  return -0.7f + 0.0f * (float)(i + j);
}
static inline float outlier(int64_t i, int64_t j) {
  return i == 1 && j % 50 == 3 ? 1e4f : gaussian(i, j);
}
static inline float tiny(int64_t i, int64_t j) {
  return gaussian(i, j) * 1e-37f;
}
static inline float huge(int64_t i, int64_t j) {
  return gaussian(i, j) * 1e37f;
}

static const input_case input_cases[] = {
    {"gaussian, short last group", 5, 172, gaussian},
    {"all zero", 3, 64, zero},
    {"constant", 4, 100, constant},
    {"one column", 7, 1, gaussian},
    {"one row", 1, 300, gaussian},
    {"outliers", 3, 256, outlier},
    {"no rows", 0, 64, gaussian},
    {"no columns", 5, 0, gaussian},
    {"odd", 3, 7, gaussian},
    {"tiny", 2, 70, tiny},
    {"huge", 2, 70, huge},
};
enum { N_INPUTS = sizeof input_cases / sizeof input_cases[0] };

static inline vise_weight *dense_f32(int64_t m, int64_t k, float (*value)(int64_t, int64_t)) {
  vise_tensor *t;
  vise_weight *w;
  const int64_t shape[] = {m, k};
  TRY_OK(vise_tensor_create(&t, VISE_DTYPE_F32, 2, shape, &test_err));
  float *x = vise_tensor_data(t);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < k; j++) {
      x[i * k + j] = value(i, j);
    }
  }
  TRY_OK(vise_weight_dense(&w, t, &test_err));
  vise_tensor_release(t);
  return w;
}

static inline float *dense_data(const vise_weight *w) {
  return vise_tensor_data(vise_weight_dense_tensor(w));
}

/* All values of `w` as f32; owned by the caller, free with vise_mem_free(). */
static inline float *values_of(const vise_weight *w) {
  void *out;
  TRY_OK(vise_mem_alloc_array(&out, w->m * w->k, sizeof(float), &test_err));
  TRY_OK(vise_weight_dense_rows(w, 0, w->m, out, w->k, &test_err));
  return out;
}

/* `k` columns made up to whole blocks, whatever a format's or method's blocks are. */
static inline int64_t whole_blocks(int64_t k) {
  return (k + 255) / 256 * 256;
}

/* ---- settings: the defaults, then every parameter at every choice, or at both ends of its range
   and a third of its default ---- */

static inline int settings_of(const vise_param *p) {
  return p->kind == VISE_PARAM_CHOICE ? vise_param_choices(p->choices)
         : p->kind == VISE_PARAM_BOOL ? 2
                                      : 3;
}

/* Fill `values` with setting `index`; false when there is none. `text` says what it is. */
static inline bool setting(double *values, char text[64], const vise_param *params, int index) {
  vise_param_defaults(params, values);
  strcpy(text, "defaults");
  if (index == 0) {
    return true;
  }
  index--;
  for (int i = 0; params[i].name != NULL; i++) {
    const vise_param *p = &params[i];
    if (index < settings_of(p)) {
      const bool is_range = p->kind == VISE_PARAM_INT || p->kind == VISE_PARAM_REAL;
      const double third = p->kind == VISE_PARAM_INT ? floor(p->def / 3.0) : p->def / 3.0;
      values[i] = !is_range    ? index
                  : index == 0 ? p->min
                  : index == 1 ? p->max
                               : fmax(third, p->min);
      snprintf(text, 64, "%s %g", p->name, values[i]);
      return true;
    }
    index -= settings_of(p);
  }
  return false;
}

/* Arrays of VISE_PARAM_MAX values are filled by the rows of a table. */
static inline void has_room_for_values(const vise_param *params) {
  int n = 0;
  while (params[n].name != NULL) {
    n++;
  }
  assert_true(n <= VISE_PARAM_MAX);
}

/* ---- what holds for every weight ---- */

static inline vise_weight *saved_and_loaded(const vise_weight *w) {
  vise_tree *t;
  vise_weight *again;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  TRY_OK(vise_weight_load(&again, t, &test_err));
  vise_tree_free(t);
  return again;
}

static inline void assert_same_tree(const vise_tree *a, const vise_tree *b) {
  assert_string_equal(a->kind, b->kind);
  assert_int_equal(a->n_parts, b->n_parts);
  assert_int_equal(a->n_attributes, b->n_attributes);
  assert_int_equal(a->n_children, b->n_children);
  assert_memory_equal(a->attributes, b->attributes,
                      (size_t)a->n_attributes * sizeof a->attributes[0]);
  for (int i = 0; i < a->n_parts; i++) {
    const vise_tensor *p = a->parts[i].tensor, *q = b->parts[i].tensor;
    assert_string_equal(a->parts[i].name, b->parts[i].name);
    assert_int_equal(vise_tensor_bytes(p), vise_tensor_bytes(q));
    assert_memory_equal(vise_tensor_data(p), vise_tensor_data(q), vise_tensor_bytes(p));
  }
  for (int i = 0; i < a->n_children; i++) {
    assert_same_tree(a->children[i], b->children[i]);
  }
}

static inline void assert_same_parts(const vise_weight *a, const vise_weight *b) {
  vise_tree *s, *t;
  TRY_OK(vise_weight_save(a, &s, &test_err));
  TRY_OK(vise_weight_save(b, &t, &test_err));
  assert_same_tree(s, t);
  vise_tree_free(s);
  vise_tree_free(t);
}

static inline void saving_keeps_everything(const vise_weight *w, const float *values) {
  int64_t bytes;
  vise_tree *t;
  TRY_OK(vise_weight_bytes(&bytes, w, &test_err));
  TRY_OK(vise_weight_save(w, &t, &test_err));
  assert_int_equal(bytes, vise_tree_bytes(t));
  assert_string_equal(t->kind, w->kind->name);
  vise_tree_free(t);

  vise_weight *again = saved_and_loaded(w);
  float *same = values_of(again);
  assert_memory_equal(same, values, (size_t)(w->m * w->k) * sizeof(float));
  assert_same_parts(w, again);
  char before[128], after[128];
  TRY_OK(vise_weight_describe(w, before, sizeof before, &test_err));
  TRY_OK(vise_weight_describe(again, after, sizeof after, &test_err));
  assert_string_equal(before, after);
  vise_mem_free(same);
  vise_weight_release(again);
}

/* Tiles, as the GEMM asks for them, are the whole rows cut up. */
static inline void tiles_agree_with_rows(const vise_weight *w, const float *values) {
  float tile[3 * 256];
  for (int64_t col = 0; col < w->k; col += 256) {
    const int64_t n = w->k - col < 256 ? w->k - col : 256, n_rows = w->m < 3 ? w->m : 3;
    w->kind->decode(w, w->m - n_rows, n_rows, col, n, tile, 256);
    for (int64_t i = 0; i < n_rows; i++) {
      assert_memory_equal(tile + i * 256, values + (w->m - n_rows + i) * w->k + col,
                          (size_t)n * sizeof(float));
    }
  }
}

/*
 * Against sums in f64. Each of k steps of a chain errs by half an ulp of a partial sum that is at
 * most sum |x w|; the tree of lanes adds five steps: (k + 6) 2^-24 sum |x w|. Where rows of codes are
 * multiplied as they are stored, a chain runs over codes whose zero is taken off apart: its sums are
 * of up to twice a grid's range, which is at most 2 times the greatest |w| of all (a grid may serve a
 * whole tensor), and a little more when a search has widened it.
 */
static inline void product_is_of_the_values(const vise_weight *w, const float *values) {
  enum { T = 9 };
  const int64_t m = w->m, k = w->k;
  void *memory;
  TRY_OK(vise_mem_alloc_array(&memory, T * k + 2 * T * m + 1, sizeof(float), &test_err));
  float *x = memory, *y = x + T * k, *one = y + T * m;
  for (int64_t s = 0; s < T; s++) {
    for (int64_t j = 0; j < k; j++) {
      x[s * k + j] = gaussian(s + 1000, j) * 0x1p-30f; /* so that huge weights do not overflow */
    }
  }
  double greatest = 0.0;
  for (int64_t j = 0; j < m * k; j++) {
    greatest = fmax(greatest, fabs((double)values[j]));
  }
  static const int64_t counts[] = {0, 1, VISE_WEIGHT_FEW_TOKENS, VISE_WEIGHT_FEW_TOKENS + 1, T};
  for (int c = 0; c < 5; c++) {
    const int64_t t = counts[c];
    const bool is_stored = strcmp(w->kind->name, "quant") == 0 && t <= VISE_WEIGHT_FEW_TOKENS &&
                           w->kind->dot->prepared(w) > 0;
    TRY_OK(vise_weight_matmul(w, y, m, x, k, t, &test_err));
    for (int64_t s = 0; s < t; s++) {
      for (int64_t i = 0; i < m; i++) {
        double sum = 0.0, size = 0.0, inputs = 0.0;
        for (int64_t j = 0; j < k; j++) {
          const double p = (double)x[s * k + j] * (double)values[i * k + j];
          sum += p;
          size += fabs(p);
          inputs += fabs((double)x[s * k + j]);
        }
        size += is_stored ? 5.0 * greatest * inputs : 0.0;
        /* the last term: sums of products below the normal range lose bits of f32's own */
        const double bound = (double)(k + 6) * (0x1p-24 * size + 0x1p-149);
        assert_true(fabs((double)y[s * m + i] - sum) <= bound);
      }
    }
    if (t > 0 && t <= VISE_WEIGHT_FEW_TOKENS) { /* a token's result does not depend on the others */
      TRY_OK(vise_weight_matmul(w, one, m, x + (t - 1) * k, k, 1, &test_err));
      assert_memory_equal(one, y + (t - 1) * m, (size_t)m * sizeof(float));
    }
  }
  vise_mem_free(memory);
}

static inline void keeps_the_contract_of_weights(const vise_weight *w) {
  float *values = values_of(w);
  for (int64_t i = 0; i < w->m * w->k; i++) {
    assert_true(isfinite(values[i]));
  }
  saving_keeps_everything(w, values);
  if (w->kind->decode != NULL) { /* others are made of weights: support/oracle.h */
    tiles_agree_with_rows(w, values);
    product_is_of_the_values(w, values);
  }
  vise_mem_free(values);
}

/* A weight is not loaded after `bytes` bytes of a part of `q`, which is released, have been altered. */
static inline void refuses_damaged_part(
    vise_weight *q, vise_tensor *part, const void *value, int bytes, const char *message) {
  vise_weight *again;
  vise_tree *t;
  memcpy(vise_tensor_data(part), value, (size_t)bytes);
  TRY_OK(vise_weight_save(q, &t, &test_err));

  const vise_status st = vise_weight_load(&again, t, &test_err);

  assert_int_equal(st, VISE_EFORMAT);
  assert_null(again);
  assert_string_equal(test_err.msg, message);
  vise_tree_free(t);
  vise_weight_release(q);
}

/* FNV-1a over the bytes of all parts: what must be the same at every level and thread count. */
static inline uint64_t digest_of_tree(const vise_tree *t, uint64_t hash) {
  for (int i = 0; i < t->n_parts; i++) {
    const uint8_t *p = vise_tensor_data(t->parts[i].tensor);
    for (size_t b = 0; b < vise_tensor_bytes(t->parts[i].tensor); b++) {
      hash = (hash ^ p[b]) * 0x100000001b3u;
    }
  }
  for (int i = 0; i < t->n_children; i++) {
    hash = digest_of_tree(t->children[i], hash);
  }
  return hash;
}

static inline uint64_t digest_of(const vise_weight *w, uint64_t hash) {
  vise_tree *t;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  hash = digest_of_tree(t, hash);
  vise_tree_free(t);
  return hash;
}

#endif
