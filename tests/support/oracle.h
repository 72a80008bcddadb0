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

static inline oracle oracle_of(const vise_tree *t) {
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
