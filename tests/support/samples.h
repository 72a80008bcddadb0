/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/samples.h -- one weight of each kind, and weights nested at random. */
#ifndef VISE_TESTS_SUPPORT_SAMPLES_H
#define VISE_TESTS_SUPPORT_SAMPLES_H

#include "format/format.h"
#include "support/oracle.h"
#include "weight/codebook.h"
#include "weight/compose.h"
#include "weight/integers.h"
#include "weight/quant.h"
#include "weight/sparse.h"

static const vise_dtype floats[] = {VISE_DTYPE_F64,  VISE_DTYPE_F32,     VISE_DTYPE_F16,
                                    VISE_DTYPE_BF16, VISE_DTYPE_F8_E4M3, VISE_DTYPE_F8_E5M2};
enum { N_FLOATS = sizeof floats / sizeof floats[0] };

static inline vise_weight *dense_of(vise_dtype dtype, int64_t m, int64_t k) {
  vise_weight *w = dense_f32(m, k, gaussian), *out;
  vise_tensor *t;
  TRY_OK(vise_tensor_convert(&t, vise_weight_dense_tensor(w), dtype, &test_err));
  TRY_OK(vise_weight_dense(&out, t, &test_err));
  vise_tensor_release(t);
  vise_weight_release(w);
  return out;
}

/* Gaussian weights in a setting of a format; NULL if it refuses the shape or the setting. */
static inline vise_weight *quant_of(const vise_format *format, int index, int64_t m, int64_t k) {
  char text[64];
  vise_format_spec spec = {.format = format};
  if (!setting(spec.values, text, format->params, index)) {
    return NULL;
  }
  vise_weight *w = dense_f32(m, k, gaussian), *out;
  const vise_status st = vise_weight_quantize(&out, w, &spec, NULL, &test_err);
  vise_weight_release(w);
  assert_true(st == VISE_OK || st == VISE_EARG || st == VISE_ESHAPE);
  return out;
}

/* A vector of factors around one. */
static inline vise_tensor *factors_of(vise_dtype dtype, int64_t n) {
  vise_tensor *t, *out;
  TRY_OK(vise_tensor_create(&t, VISE_DTYPE_F32, 1, &n, &test_err));
  float *x = vise_tensor_data(t);
  for (int64_t i = 0; i < n; i++) {
    x[i] = 1.0f + 0.3f * gaussian(77, i);
  }
  TRY_OK(vise_tensor_convert(&out, t, dtype, &test_err));
  vise_tensor_release(t);
  return out;
}

/* The kind made of `children`, which are released; shapes fit. */
static inline vise_weight *lowrank_of(vise_weight *b, vise_weight *a) {
  vise_weight *w;
  TRY_OK(vise_weight_lowrank(&w, b, a, &test_err));
  vise_weight_release(b);
  vise_weight_release(a);
  return w;
}

static inline vise_weight *sum_of(vise_weight *a, vise_weight *b) {
  vise_weight *w;
  TRY_OK(vise_weight_sum(&w, (vise_weight *const[]){a, b}, 2, &test_err));
  vise_weight_release(a);
  vise_weight_release(b);
  return w;
}

static inline vise_weight *rotated_of(vise_weight *c, int64_t left, int64_t right) {
  vise_weight *w;
  TRY_OK(vise_weight_rotated(&w, c, left, right, &test_err));
  vise_weight_release(c);
  return w;
}

static inline vise_weight *input_of(vise_weight *c, vise_input_format format, float scale) {
  vise_weight *w;
  TRY_OK(vise_weight_input(&w, c, format, scale, &test_err));
  vise_weight_release(c);
  return w;
}

/* An order that divides n, 0 where nothing does. */
static inline int64_t order_for(int64_t n) {
  return n == 0 ? 0 : vise_hadamard_block(n);
}

/* which: bit 0 left, bit 1 right, bit 2 scale. */
static inline vise_weight *scaled_of(vise_weight *c, int which, vise_dtype dtype) {
  vise_weight *w;
  vise_tensor *left = (which & 1) != 0 ? factors_of(dtype, c->m) : NULL;
  vise_tensor *right = (which & 2) != 0 ? factors_of(dtype, c->k) : NULL;
  vise_tensor *scale = (which & 4) != 0 ? factors_of(dtype, 1) : NULL;
  TRY_OK(vise_weight_scaled(&w, c, left, right, scale, &test_err));
  vise_tensor_release(left);
  vise_tensor_release(right);
  vise_tensor_release(scale);
  vise_weight_release(c);
  return w;
}

/* Gaussian numbers, most of them zero, so that no group of `m` in a row has more than `n`. */
static inline vise_weight *pruned(int64_t rows, int64_t k, int n, int m) {
  vise_weight *w = dense_f32(rows, k, gaussian);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < k; j++) {
      float *x = dense_data(w) + i * k + j;
      const int64_t kept =
          (i * 7 + j / m * 3 + j % m * 5) % m; /* each of 0 .. m - 1, if 5 and m allow */
      *x = kept < n && (i + j / 16) % 5 != 0 ? *x : 0.0f;
    }
  }
  return w;
}

static inline vise_weight *sparse_of(vise_weight *w, const vise_sparse_options *o) {
  vise_weight *out;
  TRY_OK(vise_weight_sparse(&out, w, o, &test_err));
  vise_weight_release(w);
  return out;
}

/* Each layout in a few forms; values of a float type or, if there is one, of a format. */
static inline vise_weight *
sparse_sample(int64_t index, int64_t m, int64_t k, vise_dtype values, const vise_format *format) {
  static const vise_sparse_options forms[] = {
      {.layout = VISE_SPARSE_CSR},
      {.layout = VISE_SPARSE_BITMASK},
      {.layout = VISE_SPARSE_NM, .n = 2, .m = 4},
      {.layout = VISE_SPARSE_NM, .n = 1, .m = 16},
      {.layout = VISE_SPARSE_NM, .n = 5, .m = 9},
      {.layout = VISE_SPARSE_NM, .n = 3, .m = 3},
      {.layout = VISE_SPARSE_NM, .n = 8, .m = 16},
      {.layout = VISE_SPARSE_BLOCK, .rows = 16, .columns = 4},
      {.layout = VISE_SPARSE_BLOCK, .rows = 3, .columns = 5},
      {.layout = VISE_SPARSE_BLOCK, .rows = 1, .columns = 256},
  };
  vise_sparse_options o = forms[index % 10];
  o.values = format == NULL ? values : VISE_DTYPE_F32;
  const bool is_nm = o.layout == VISE_SPARSE_NM;
  vise_weight *w = sparse_of(pruned(m, k, is_nm ? o.n : 4, is_nm ? o.m : 13), &o);
  if (format == NULL) {
    return w;
  }
  vise_weight *q, *out;
  vise_format_spec spec = {.format = format};
  vise_param_defaults(format->params, spec.values);
  TRY_OK(vise_weight_quantize(&q, vise_weight_sparse_values(w), &spec, NULL, &test_err));
  TRY_OK(vise_weight_sparse_with(&out, w, q, &test_err));
  vise_weight_release(q);
  vise_weight_release(w);
  return out;
}

static inline vise_weight *codebook_of(vise_codebook_per per,
                                       int bits,
                                       int64_t d,
                                       int64_t group,
                                       vise_dtype dtype,
                                       int64_t m,
                                       int64_t k) {
  const int64_t n = (k + d - 1) / d, groups = group == 0 ? 0 : (k + group - 1) / group;
  const int64_t tables = per == VISE_CODEBOOK_TENSOR  ? 1
                         : per == VISE_CODEBOOK_ROW   ? m
                         : per == VISE_CODEBOOK_GROUP ? m * groups
                                                      : n;
  const int64_t shape[] = {tables, (int64_t)1 << bits, d};
  vise_tensor *indices, *table, *stored;
  vise_weight *w;
  TRY_OK(vise_tensor_create(&indices, VISE_DTYPE_U16, 2, (const int64_t[]){m, n}, &test_err));
  TRY_OK(vise_tensor_create(&table, VISE_DTYPE_F32, 3, shape, &test_err));
  for (int64_t i = 0; i < m * n; i++) {
    ((uint16_t *)vise_tensor_data(indices))[i] = (uint16_t)(i * 40503 % ((int64_t)1 << bits));
  }
  for (int64_t i = 0; i < vise_tensor_count(table); i++) {
    ((float *)vise_tensor_data(table))[i] = gaussian(i % 50, i);
  }
  TRY_OK(vise_tensor_convert(&stored, table, dtype, &test_err));
  TRY_OK(vise_weight_codebook(&w, indices, stored, k, per, group, &test_err));
  vise_tensor_release(indices);
  vise_tensor_release(table);
  vise_tensor_release(stored);
  return w;
}

/* Integers of all sizes, those of each column of another one. */
static inline vise_weight *integers_of(int64_t m, int64_t k) {
  void *codes, *columns, *row_steps;
  vise_weight *w;
  TRY_OK(vise_mem_alloc(&codes, (size_t)(m * k), &test_err));
  TRY_OK(vise_mem_alloc(&columns, (size_t)k * sizeof(double), &test_err));
  TRY_OK(vise_mem_alloc(&row_steps, (size_t)m, &test_err));
  for (int64_t i = 0; i < m * k; i++) {
    const double size = exp2((double)(i % k % 7) + 0.3 * (double)gaussian(i / k, 3));
    const double z = rint(size * (double)gaussian(i / k, i % k));
    ((uint8_t *)codes)[i] = (uint8_t)(VISE_INTEGERS_ZERO + fmin(fmax(z, -127.0), 127.0));
  }
  for (int64_t j = 0; j < k; j++) {
    ((double *)columns)[j] = exp2(-(double)(j % 7)) * (1.0 + 0.1 * (double)gaussian(j, 5));
  }
  for (int64_t i = 0; i < m; i++) {
    ((uint8_t *)row_steps)[i] = (uint8_t)(VISE_INTEGERS_ZERO + i % 5 - 2);
  }
  TRY_OK(vise_weight_integers(&w, m, k, codes, columns, row_steps, &test_err));
  vise_mem_free(codes);
  vise_mem_free(columns);
  vise_mem_free(row_steps);
  return w;
}

/* One weight of each kind; a new kind adds its line here. No part or attribute may be left out. */
static inline vise_weight *sample(const char *kind, int64_t m, int64_t k) {
  if (strcmp(kind, "dense") == 0) {
    return dense_of(VISE_DTYPE_BF16, m, k);
  }
  if (strcmp(kind, "quant") == 0) {
    return quant_of(vise_format_find("int"), 0, m, k);
  }
  if (strcmp(kind, "lowrank") == 0) {
    return lowrank_of(dense_of(VISE_DTYPE_F16, m, 3), dense_of(VISE_DTYPE_F32, 3, k));
  }
  if (strcmp(kind, "sum") == 0) {
    return sum_of(dense_of(VISE_DTYPE_BF16, m, k), sample("quant", m, k));
  }
  if (strcmp(kind, "sparse") == 0) {
    return sparse_sample(0, m, k, VISE_DTYPE_BF16, NULL);
  }
  if (strcmp(kind, "codebook") == 0) {
    return codebook_of(VISE_CODEBOOK_ROW, 3, 1, 0, VISE_DTYPE_F16, m, k);
  }
  if (strcmp(kind, "integers") == 0) {
    return integers_of(m, k);
  }
  if (strcmp(kind, "input") == 0) {
    return input_of(sample("quant", m, k), VISE_INPUT_INT8, 0.0f);
  }
  if (strcmp(kind, "rotated") == 0) {
    return rotated_of(sample("quant", m, k), order_for(m), order_for(k));
  }
  if (strcmp(kind, "scaled") == 0) {
    return scaled_of(sample("quant", m, k), 2, VISE_DTYPE_F32);
  }
  fail_msg("kind '%s' has no sample in tests/support/samples.h", kind);
  return NULL;
}

/* ---- at random ---- */

static inline int64_t draw(uint32_t *seed, int64_t n) {
  *seed = *seed * 1664525u + 1013904223u;
  return (int64_t)(*seed >> 8) % n;
}

/* A kind that decodes, in any format that takes the shape. */
static inline vise_weight *random_leaf(uint32_t *seed, int64_t m, int64_t k) {
  int n = 0;
  while (vise_formats[n] != NULL) {
    n++;
  }
  vise_weight *w = NULL;
  if (draw(seed, 3) == 0) {
    const vise_format *format = draw(seed, 2) == 0 ? NULL : vise_formats[draw(seed, n)];
    const int64_t index = draw(seed, 10);
    return sparse_sample(index, m, k, floats[1 + draw(seed, 3)], format);
  }
  if (draw(seed, 7) == 0) {
    return integers_of(m, k);
  }
  if (draw(seed, 5) == 0) {
    const vise_codebook_per per = (vise_codebook_per)draw(seed, VISE_CODEBOOK_PERS);
    const int64_t d = 1 + draw(seed, 5), group = per == VISE_CODEBOOK_GROUP ? 7 * d : 0;
    return codebook_of(per, 1 + (int)draw(seed, 9), d, group, floats[1 + draw(seed, 3)], m, k);
  }
  if (draw(seed, 4) != 0) {
    const int64_t index = draw(seed, 6);
    w = quant_of(vise_formats[draw(seed, n)], (int)index, m, k);
  }
  return w != NULL ? w : dense_of(floats[1 + draw(seed, N_FLOATS - 1)], m, k);
}

/* At most `depth` levels of weights made of weights over a leaf. */
static inline vise_weight *random_weight(uint32_t *seed, int depth, int64_t m, int64_t k) {
  const int64_t kind = depth == 0 ? 0 : draw(seed, 8);
  if (kind <= 1) {
    return random_leaf(seed, m, k);
  }
  if (kind <= 3) {
    const int64_t r = draw(seed, 40);
    vise_weight *b = random_weight(seed, depth - 1, m, r);
    return lowrank_of(b, random_weight(seed, depth - 1, r, k));
  }
  if (kind == 4) {
    vise_weight *a = random_weight(seed, depth - 1, m, k);
    return sum_of(a, random_weight(seed, depth - 1, m, k));
  }
  if (kind == 5) {
    const int64_t left = draw(seed, 2) == 0 ? 0 : order_for(m);
    const int64_t right = draw(seed, 3) == 0 ? 0 : order_for(k);
    return rotated_of(random_weight(seed, depth - 1, m, k), left, right);
  }
  const vise_dtype dtype = floats[1 + draw(seed, 3)];
  return scaled_of(random_weight(seed, depth - 1, m, k), 1 + (int)draw(seed, 7), dtype);
}

#endif
