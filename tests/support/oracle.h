/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/oracle.h -- the values of a weight in f64, computed from its saved tree as
 * share/doc/weights.md says, by the most obvious loops; and how far f32 may be from them.
 *
 *   value  [m, k]  in f64
 *   size   [m, k]  the same with every number replaced by its magnitude: what cannot cancel
 *   steps          roundings on the way to a value: |f32 - value| <= steps 2^-24 size
 *
 * Tensors of floats and the kind quant are read by their own decoders: other tests prove those.
 */
#ifndef VISE_TESTS_SUPPORT_ORACLE_H
#define VISE_TESTS_SUPPORT_ORACLE_H

#include "linalg/hadamard.h"
#include "support/weights.h"

typedef struct oracle {
  int64_t m, k, steps;
  double *value, *size;
} oracle;

static inline double *new_doubles(int64_t n) {
  double *x = calloc((size_t)n + 1, sizeof(double));
  assert_non_null(x);
  return x;
}

static inline oracle new_oracle(int64_t m, int64_t k) {
  return (oracle){m, k, 0, new_doubles(m * k), new_doubles(m * k)};
}

static inline void free_oracle(oracle *o) {
  free(o->value);
  free(o->size);
}

static inline int64_t greater(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static inline vise_tensor *part_of(const vise_tree *t, const char *name) {
  for (int i = 0; i < t->n_parts; i++) {
    if (strcmp(t->parts[i].name, name) == 0) {
      return t->parts[i].tensor;
    }
  }
  return NULL;
}

static inline oracle oracle_of(const vise_tree *t);

static inline oracle oracle_of_leaf(const vise_tree *t) {
  oracle o = new_oracle(t->m, t->k);
  vise_weight *w;
  TRY_OK(vise_weight_load(&w, t, &test_err));
  float *values = values_of(w);
  for (int64_t i = 0; i < t->m * t->k; i++) {
    o.value[i] = (double)values[i];
    o.size[i] = fabs(o.value[i]);
  }
  vise_mem_free(values);
  vise_weight_release(w);
  return o;
}

static inline oracle oracle_of_lowrank(const vise_tree *t) {
  oracle b = oracle_of(t->children[0]), a = oracle_of(t->children[1]), o = new_oracle(t->m, t->k);
  for (int64_t i = 0; i < t->m; i++) {
    for (int64_t l = 0; l < b.k; l++) {
      for (int64_t j = 0; j < t->k; j++) {
        o.value[i * t->k + j] += b.value[i * b.k + l] * a.value[l * t->k + j];
        o.size[i * t->k + j] += b.size[i * b.k + l] * a.size[l * t->k + j];
      }
    }
  }
  o.steps = b.steps + a.steps + b.k + 6;
  free_oracle(&b);
  free_oracle(&a);
  return o;
}

static inline oracle oracle_of_sum(const vise_tree *t) {
  oracle o = new_oracle(t->m, t->k);
  for (int c = 0; c < t->n_children; c++) {
    oracle term = oracle_of(t->children[c]);
    for (int64_t i = 0; i < t->m * t->k; i++) {
      o.value[i] += term.value[i];
      o.size[i] += term.size[i];
    }
    o.steps = greater(o.steps, term.steps);
    free_oracle(&term);
  }
  o.steps += t->n_children;
  return o;
}

static inline oracle oracle_of_scaled(const vise_tree *t) {
  oracle o = oracle_of(t->children[0]);
  const vise_tensor *left = part_of(t, "left"), *right = part_of(t, "right");
  const vise_tensor *scale = part_of(t, "scale");
  for (int64_t i = 0; i < t->m; i++) {
    for (int64_t j = 0; j < t->k; j++) {
      double factor = scale == NULL ? 1.0 : vise_tensor_get(scale, 0);
      factor *= left == NULL ? 1.0 : vise_tensor_get(left, i);
      factor *= right == NULL ? 1.0 : vise_tensor_get(right, j);
      o.value[i * t->k + j] *= factor;
      o.size[i * t->k + j] *= fabs(factor);
    }
  }
  o.steps += 3;
  return o;
}

/* M [n, n]: blocks of the Hadamard matrix of that order, or one. Sylvester's are written out; of
   others, whose transform tests/c/test_linalg_hadamard.c proves, the columns are transforms of unit vectors. */
static inline double *hadamard_of(int64_t order, int64_t n) {
  double *matrix = new_doubles(n * n);
  if (order == 0) {
    for (int64_t i = 0; i < n; i++) {
      matrix[i * n + i] = 1.0;
    }
    return matrix;
  }
  vise_hadamard *h;
  TRY_OK(vise_hadamard_create(&h, order, &test_err));
  float *unit = calloc((size_t)order, sizeof(float));
  assert_non_null(unit);
  for (int64_t j = 0; j < order; j++) {
    memset(unit, 0, (size_t)order * sizeof(float));
    unit[j] = 1.0f;
    TRY_OK(vise_hadamard_apply(h, unit, 1, order, false, &test_err));
    for (int64_t i = 0; i < order; i++) {
      const bool is_odd =
          (order & (order - 1)) == 0 ? __builtin_parityll((uint64_t)(i & j)) != 0 : unit[i] < 0.0f;
      for (int64_t b = 0; b < n; b += order) {
        matrix[(b + i) * n + b + j] = (is_odd ? -1.0 : 1.0) / sqrt((double)order);
      }
    }
  }
  free(unit);
  vise_hadamard_free(h);
  return matrix;
}

/* out [m, k] += L [m, m] c [m, k] R' [k, k], or of magnitudes. */
static inline void
rotate(double *out, const double *l, const double *c, const double *r, oracle o, bool is_size) {
  double *half = new_doubles(o.m * o.k);
  for (int64_t i = 0; i < o.m; i++) {
    for (int64_t p = 0; p < o.m; p++) {
      const double x = is_size ? fabs(l[i * o.m + p]) : l[i * o.m + p];
      for (int64_t j = 0; j < o.k && x != 0.0; j++) {
        half[i * o.k + j] += x * c[p * o.k + j];
      }
    }
  }
  for (int64_t i = 0; i < o.m; i++) {
    for (int64_t j = 0; j < o.k; j++) {
      for (int64_t p = 0; p < o.k; p++) {
        const double x = is_size ? fabs(r[j * o.k + p]) : r[j * o.k + p];
        out[i * o.k + j] += x * half[i * o.k + p];
      }
    }
  }
  free(half);
}

static inline int64_t attribute_of(const vise_tree *t, const char *name) {
  int64_t i;
  TRY_OK(vise_tree_get_int(&i, t, name, &test_err));
  return i;
}

static inline bool bit_of(const uint8_t *bytes, int64_t i) {
  return (bytes[i / 8] >> (i % 8) & 1) != 0;
}

/* The mask of rank `code` among those with n of m bits: counted from the least. */
static inline uint32_t pattern_of_rank(int64_t n, int64_t m, int64_t code) {
  uint32_t mask = 0;
  while (mask < 1u << m && (__builtin_popcount(mask) != n || code-- > 0)) {
    mask++;
  }
  return mask;
}

/* Put the next value of the flat array where it belongs; what is beyond W is nowhere: it was zero
   before a format that has no zero may have taken it. */
static inline void put(oracle *o, const oracle *values, int64_t *at, int64_t i, int64_t j) {
  if (i < o->m && j < o->k) {
    o->value[i * o->k + j] = values->value[*at];
    o->size[i * o->k + j] = values->size[*at];
  }
  ++*at;
}

static inline void put_groups(oracle *o, const oracle *values, const vise_tree *t, int64_t *at) {
  const int64_t n = attribute_of(t, "n"), m = attribute_of(t, "m");
  const int64_t groups = (t->k + m - 1) / m;
  int64_t patterns = 0, width = 0;
  for (uint32_t mask = 0; mask < 1u << m; mask++) {
    patterns += __builtin_popcount(mask) == n;
  }
  while (((int64_t)1 << width) < patterns) {
    width++;
  }
  const uint8_t *codes = vise_tensor_data(part_of(t, "codes"));
  for (int64_t i = 0; i < t->m; i++) {
    for (int64_t g = 0; g < groups; g++) {
      int64_t code = 0;
      for (int64_t b = 0; b < width; b++) {
        const int64_t row_bits = (groups * width + 7) / 8 * 8;
        code |= (int64_t)bit_of(codes, i * row_bits + g * width + b) << b;
      }
      const uint32_t mask = pattern_of_rank(n, m, code);
      for (int64_t b = 0; b < m; b++) {
        if ((mask >> b & 1) != 0) {
          put(o, values, at, i, g * m + b);
        }
      }
    }
  }
}

static inline void
put_listed(oracle *o, const oracle *values, const vise_tree *t, int64_t r, int64_t c, int64_t *at) {
  const vise_tensor *offsets = part_of(t, "offsets"), *columns = part_of(t, "columns");
  for (int64_t u = 0; u < (t->m + r - 1) / r; u++) {
    for (int64_t i = u * r; i < (u + 1) * r; i++) {
      for (int64_t b = vise_tensor_get_i64(offsets, u); b < vise_tensor_get_i64(offsets, u + 1);
           b++) {
        for (int64_t j = 0; j < c; j++) {
          put(o, values, at, i, vise_tensor_get_i64(columns, b) * c + j);
        }
      }
    }
  }
}

static inline oracle oracle_of_sparse(const vise_tree *t) {
  oracle values = oracle_of(t->children[0]), o = new_oracle(t->m, t->k);
  const char *layout;
  int64_t at = 0;
  TRY_OK(vise_tree_get_text(&layout, t, "layout", &test_err));
  if (strcmp(layout, "nm") == 0) {
    put_groups(&o, &values, t, &at);
  } else if (strcmp(layout, "bitmask") == 0) {
    const int64_t row_bits = (t->k + 7) / 8 * 8;
    for (int64_t i = 0; i < t->m; i++) {
      for (int64_t j = 0; j < t->k; j++) {
        if (bit_of(vise_tensor_data(part_of(t, "mask")), i * row_bits + j)) {
          put(&o, &values, &at, i, j);
        }
      }
    }
  } else if (strcmp(layout, "csr") == 0) {
    put_listed(&o, &values, t, 1, 1, &at);
  } else {
    put_listed(&o, &values, t, attribute_of(t, "rows"), attribute_of(t, "columns"), &at);
  }
  assert_true((at + 255) / 256 == values.m);
  o.steps = values.steps;
  free_oracle(&values);
  return o;
}

static inline oracle oracle_of_codebook(const vise_tree *t) {
  oracle o = new_oracle(t->m, t->k);
  const vise_tensor *table = part_of(t, "table"), *codes = part_of(t, "codes");
  const int64_t entries = vise_tensor_dim(table, 1), d = vise_tensor_dim(table, 2);
  const int64_t group = attribute_of(t, "group"), row_bits = 8 * vise_tensor_dim(codes, 1);
  const char *per;
  int64_t bits = 0;
  TRY_OK(vise_tree_get_text(&per, t, "per", &test_err));
  while ((int64_t)1 << bits < entries) {
    bits++;
  }
  for (int64_t i = 0; i < t->m; i++) {
    for (int64_t j = 0; j < t->k; j++) {
      int64_t code = 0, which = 0;
      for (int64_t b = 0; b < bits; b++) {
        code |= (int64_t)bit_of(vise_tensor_data(codes), i * row_bits + j / d * bits + b) << b;
      }
      which = strcmp(per, "row") == 0      ? i
              : strcmp(per, "column") == 0 ? j / d
              : strcmp(per, "group") == 0  ? i * ((t->k + group - 1) / group) + j / group
                                           : 0;
      o.value[i * t->k + j] = vise_tensor_get(table, (which * entries + code) * d + j % d);
      o.size[i * t->k + j] = fabs(o.value[i * t->k + j]);
    }
  }
  return o;
}

static inline oracle oracle_of_rotated(const vise_tree *t) {
  oracle c = oracle_of(t->children[0]), o = new_oracle(t->m, t->k);
  const int64_t left = attribute_of(t, "left"), right = attribute_of(t, "right");
  double *l = hadamard_of(left, t->m), *r = hadamard_of(right, t->k);
  rotate(o.value, l, c.value, r, o, false);
  rotate(o.size, l, c.size, r, o, true);
  o.steps = c.steps + left + right + 4; /* the transforms take no more additions than the orders */
  free(l);
  free(r);
  free_oracle(&c);
  return o;
}

/* The E4M3 value nearest to x, of two as near that whose code is even; 448 at most. */
static inline double nearest_e4m3(double x) {
  int best = 0;
  double distance = INFINITY, value = 0.0;
  for (int code = 0; code < 127; code++) {
    const double v = code < 8 ? code * 0x1p-9 : ldexp(8 + code % 8, code / 8 - 10);
    const double d = fabs(v - fabs(x));
    if (d < distance || (d == distance && best % 2 != 0)) {
      best = code;
      distance = d;
      value = v;
    }
  }
  return copysign(value, x);
}

/* The kind `input`: X' in place of X [rows, k]. Others leave it as it is. */
static inline void round_inputs(const vise_tree *t, float *x, int64_t rows) {
  const char *format;
  if (strcmp(t->kind, "input") != 0) {
    return;
  }
  TRY_OK(vise_tree_get_text(&format, t, "format", &test_err));
  const bool is_int8 = strcmp(format, "int8") == 0;
  const vise_tensor *part = part_of(t, "scale");
  for (int64_t s = 0; s < rows; s++) {
    float greatest = 0.0f, *row = x + s * t->k;
    for (int64_t j = 0; j < t->k; j++) {
      greatest = fmaxf(greatest, fabsf(row[j]));
    }
    const float scale =
        part != NULL ? (float)vise_tensor_get(part, 0) : greatest / (is_int8 ? 127.0f : 448.0f);
    for (int64_t j = 0; j < t->k; j++) {
      const float q = scale < FLT_MIN ? 0.0f : row[j] * (1.0f / scale);
      const double rounded =
          is_int8 ? nearbyint(fmin(fmax((double)q, -127.0), 127.0)) : nearest_e4m3((double)q);
      row[j] = (float)((double)scale * rounded);
    }
  }
}

static inline oracle oracle_of(const vise_tree *t) {
  if (strcmp(t->kind, "input") == 0) {
    return oracle_of(t->children[0]);
  }
  if (strcmp(t->kind, "codebook") == 0) {
    return oracle_of_codebook(t);
  }
  if (strcmp(t->kind, "rotated") == 0) {
    return oracle_of_rotated(t);
  }
  if (strcmp(t->kind, "sparse") == 0) {
    return oracle_of_sparse(t);
  }
  if (strcmp(t->kind, "lowrank") == 0) {
    return oracle_of_lowrank(t);
  }
  if (strcmp(t->kind, "sum") == 0) {
    return oracle_of_sum(t);
  }
  if (strcmp(t->kind, "scaled") == 0) {
    return oracle_of_scaled(t);
  }
  return oracle_of_leaf(t);
}

static inline oracle oracle_of_weight(const vise_weight *w) {
  vise_tree *t;
  TRY_OK(vise_weight_save(w, &t, &test_err));
  const oracle o = oracle_of(t);
  vise_tree_free(t);
  return o;
}

/* The last term of each bound: numbers below the normal range lose bits of f32's own. */

static inline void values_are_of_the_oracle(const oracle *o, const float *values) {
  for (int64_t i = 0; i < o->m * o->k; i++) {
    const double bound = (double)o->steps * (0x1p-24 * 1.01 * o->size[i] + 0x1p-149);
    assert_true(fabs((double)values[i] - o->value[i]) <= bound);
  }
}

/* y [t, n_out] against x [t, n_in] times value (turned when is_turned), where W enters as stored:
   a chain of n_in steps, and six more for a tree of lanes. */
static inline void product_is_of_the_oracle(
    const oracle *o, const float *y, const float *x, int64_t t, bool is_turned) {
  const int64_t n_in = is_turned ? o->m : o->k, n_out = is_turned ? o->k : o->m;
  for (int64_t s = 0; s < t; s++) {
    for (int64_t i = 0; i < n_out; i++) {
      double sum = 0.0, size = 0.0;
      for (int64_t j = 0; j < n_in; j++) {
        const int64_t at = is_turned ? j * o->k + i : i * o->k + j;
        sum += (double)x[s * n_in + j] * o->value[at];
        size += fabs((double)x[s * n_in + j]) * o->size[at];
      }
      const double bound = (double)(n_in + o->steps + 6) * (0x1p-24 * 1.01 * size + 0x1p-149);
      if (!(fabs((double)y[s * n_out + i] - sum) <= bound)) {
        fail_msg("token %lld, output %lld is %.9g, expected %.9g within %.3g", (long long)s,
                 (long long)i, (double)y[s * n_out + i], sum, bound);
      }
    }
  }
}

#endif
