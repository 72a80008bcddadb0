/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `sum`: W = W1 + W2 + ..., the children; every answer is the sum of theirs, in order. */
#include "core/mem.h"
#include "core/parallel.h"
#include "weight/compose.h"
#include "weight/kind.h"

#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_sum;

enum { CHUNK_WEIGHTS = 1 << 16 };

typedef struct addition {
  float *y;
  const float *z;
  int64_t ldy, n;
} addition;

static void add_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const addition *a = arg;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t j = 0; j < a->n; j++) {
      a->y[i * a->ldy + j] += a->z[i * a->n + j];
    }
  }
}

/* One answer of a child into `out`: its rows, X W' or X W. */
typedef vise_status
answer_fn(const vise_weight *w, const void *question, float *out, int64_t ld, vise_err *err);

/* out [n_rows, n_cols] = the answers of all terms. */
static vise_status add_answers(const vise_weight *w,
                               answer_fn *answer,
                               const void *question,
                               float *out,
                               int64_t ld,
                               int64_t n_rows,
                               int64_t n_cols,
                               vise_err *err) {
  VISE_TRY(answer(w->children[0], question, out, ld, err));
  if (w->n_children == 1) {
    return VISE_OK;
  }
  void *z;
  VISE_TRY(vise_mem_alloc_array(&z, n_rows * n_cols, sizeof(float), err));
  vise_status st = VISE_OK;
  for (int i = 1; i < w->n_children && st == VISE_OK; i++) {
    addition a = {out, z, ld, n_cols};
    st = answer(w->children[i], question, z, n_cols, err);
    if (st == VISE_OK) {
      st = vise_parallel_for(n_rows, 1 + CHUNK_WEIGHTS / (n_cols + 1), add_rows, &a, err);
    }
  }
  vise_mem_free(z);
  return st;
}

typedef struct tokens {
  const float *x;
  int64_t ldx, t;
} tokens;

static vise_status
answer_rows(const vise_weight *w, const void *question, float *out, int64_t ld, vise_err *err) {
  return vise_weight_rows(w, *(const vise_row_set *)question, out, ld, err);
}

static vise_status
answer_matmul(const vise_weight *w, const void *question, float *out, int64_t ld, vise_err *err) {
  const tokens *q = question;
  return vise_weight_matmul(w, out, ld, q->x, q->ldx, q->t, err);
}

static vise_status
answer_matmul_t(const vise_weight *w, const void *question, float *out, int64_t ld, vise_err *err) {
  const tokens *q = question;
  return vise_weight_matmul_t(w, out, ld, q->x, q->ldx, q->t, err);
}

static vise_status
sum_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  return add_answers(w, answer_rows, &rows, out, ld, rows.n, w->k, err);
}

static vise_status sum_matmul(const vise_weight *w,
                              float *y,
                              int64_t ldy,
                              const float *x,
                              int64_t ldx,
                              int64_t t,
                              vise_err *err) {
  return add_answers(w, answer_matmul, &(const tokens){x, ldx, t}, y, ldy, t, w->m, err);
}

static vise_status sum_matmul_t(const vise_weight *w,
                                float *y,
                                int64_t ldy,
                                const float *x,
                                int64_t ldx,
                                int64_t t,
                                vise_err *err) {
  return add_answers(w, answer_matmul_t, &(const tokens){x, ldx, t}, y, ldy, t, w->k, err);
}

static vise_status sum_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  return vise_tree_create(out, "sum", w->m, w->k, err);
}

static vise_status sum_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  vise_weight *terms[VISE_TREE_CHILDREN];
  VISE_TRY(vise_weight_load_children(terms, t, t->n_children, err));
  vise_status st = vise_weight_load_status(vise_weight_sum(out, terms, t->n_children, err), err);
  if (st == VISE_OK && (t->m != (*out)->m || t->k != (*out)->k)) {
    st = vise_fail(err, VISE_EFORMAT, "sum: shape is [%lld, %lld], expected [%lld, %lld]",
                   (long long)t->m, (long long)t->k, (long long)(*out)->m, (long long)(*out)->k);
    vise_weight_release(*out);
    *out = NULL;
  }
  vise_weight_release_all(terms, t->n_children);
  return st;
}

/* "sum(int3/g64, lowrank 8)" */
static vise_status sum_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  size_t at = 0;
  for (int i = 0; i < t->n_children && at < out_bytes; i++) {
    char term[VISE_WEIGHT_DESCRIPTION];
    VISE_TRY(vise_weight_describe_tree(t->children[i], term, sizeof term, err));
    at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i == 0 ? "sum(" : ", ", term);
  }
  if (at < out_bytes) {
    snprintf(out + at, out_bytes - at, ")");
  }
  return VISE_OK;
}

vise_status vise_weight_sum(vise_weight **out, vise_weight *const *terms, int n, vise_err *err) {
  *out = NULL;
  if (n < 1 || n > VISE_TREE_CHILDREN) {
    return vise_fail(err, VISE_EARG, "sum: has %d terms, expected 1 to %d", n, VISE_TREE_CHILDREN);
  }
  for (int i = 1; i < n; i++) {
    if (terms[i]->m != terms[0]->m || terms[i]->k != terms[0]->k) {
      return vise_fail(err, VISE_ESHAPE,
                       "sum: term %d is [%lld, %lld], expected [%lld, %lld] as term 1", i + 1,
                       (long long)terms[i]->m, (long long)terms[i]->k, (long long)terms[0]->m,
                       (long long)terms[0]->k);
    }
  }
  return vise_weight_create(out, sizeof(vise_weight), &vise_weight_kind_sum, terms[0]->m,
                            terms[0]->k, terms, n, err);
}

const vise_weight_kind vise_weight_kind_sum = {
    .name = "sum",
    .summary = "weights added: quantized + low rank + sparse outliers",
    .rows = sum_rows,
    .matmul = sum_matmul,
    .matmul_t = sum_matmul_t,
    .save = sum_save,
    .load = sum_load,
    .describe = sum_describe,
};
