/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `lowrank`: W = B A, children B [m, r] and A [r, k]. X W' = (X A') B' and X W = (X B) A,
 * so no product ever sees an m x k matrix. Rows of W are those of B, times A.
 */
#include "core/mem.h"
#include "weight/compose.h"
#include "weight/kind.h"

#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_lowrank;

static vise_status new_between(float **out, const vise_weight *w, int64_t n, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n * w->children[1]->m, sizeof(float), err));
  *out = memory;
  return VISE_OK;
}

static vise_status
lowrank_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  const vise_weight *b = w->children[0], *a = w->children[1];
  float *z;
  VISE_TRY(new_between(&z, w, rows.n, err));
  vise_status st = vise_weight_rows(b, rows, z, b->k, err);
  st = st == VISE_OK ? vise_weight_matmul_t(a, out, ld, z, b->k, rows.n, err) : st;
  vise_mem_free(z);
  return st;
}

static vise_status lowrank_matmul(const vise_weight *w,
                                  float *y,
                                  int64_t ldy,
                                  const float *x,
                                  int64_t ldx,
                                  int64_t t,
                                  vise_err *err) {
  const vise_weight *b = w->children[0], *a = w->children[1];
  float *z;
  VISE_TRY(new_between(&z, w, t, err));
  vise_status st = vise_weight_matmul(a, z, a->m, x, ldx, t, err);
  st = st == VISE_OK ? vise_weight_matmul(b, y, ldy, z, a->m, t, err) : st;
  vise_mem_free(z);
  return st;
}

static vise_status lowrank_matmul_t(const vise_weight *w,
                                    float *y,
                                    int64_t ldy,
                                    const float *x,
                                    int64_t ldx,
                                    int64_t t,
                                    vise_err *err) {
  const vise_weight *b = w->children[0], *a = w->children[1];
  float *z;
  VISE_TRY(new_between(&z, w, t, err));
  vise_status st = vise_weight_matmul_t(b, z, a->m, x, ldx, t, err);
  st = st == VISE_OK ? vise_weight_matmul_t(a, y, ldy, z, a->m, t, err) : st;
  vise_mem_free(z);
  return st;
}

static vise_status lowrank_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  return vise_tree_create(out, "lowrank", w->m, w->k, err);
}

static vise_status lowrank_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  vise_weight *children[2];
  VISE_TRY(vise_weight_load_children(children, t, 2, err));
  const vise_weight *b = children[0], *a = children[1];
  vise_status st = VISE_OK;
  if (b->m != t->m || a->k != t->k) {
    st = vise_fail(err, VISE_EFORMAT, "lowrank: shape is [%lld, %lld], expected [%lld, %lld]",
                   (long long)t->m, (long long)t->k, (long long)b->m, (long long)a->k);
  }
  if (st == VISE_OK) {
    st = vise_weight_load_status(vise_weight_lowrank(out, children[0], children[1], err), err);
  }
  vise_weight_release_all(children, 2);
  return st;
}

/* "lowrank 8", "lowrank 8 f16" or "lowrank 8 (int4/g64, f16)": factors of f32 go without saying. */
static vise_status
lowrank_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  char b[VISE_WEIGHT_DESCRIPTION], a[VISE_WEIGHT_DESCRIPTION];
  VISE_TRY(vise_weight_check_children(t, 2, err));
  VISE_TRY(vise_weight_describe_tree(t->children[0], b, sizeof b, err));
  VISE_TRY(vise_weight_describe_tree(t->children[1], a, sizeof a, err));
  const long long r = (long long)t->children[1]->m;
  if (strcmp(a, b) != 0) {
    snprintf(out, out_bytes, "lowrank %lld (%s, %s)", r, b, a);
  } else if (strcmp(a, "f32") != 0) {
    snprintf(out, out_bytes, "lowrank %lld %s", r, a);
  } else {
    snprintf(out, out_bytes, "lowrank %lld", r);
  }
  return VISE_OK;
}

vise_status vise_weight_lowrank(vise_weight **out, vise_weight *b, vise_weight *a, vise_err *err) {
  *out = NULL;
  if (b->k != a->m) {
    return vise_fail(
        err, VISE_ESHAPE,
        "lowrank: b is [%lld, %lld] and a is [%lld, %lld], expected as many columns of "
        "b as rows of a",
        (long long)b->m, (long long)b->k, (long long)a->m, (long long)a->k);
  }
  return vise_weight_create(out, sizeof(vise_weight), &vise_weight_kind_lowrank, b->m, a->k,
                            (vise_weight *const[]){b, a}, 2, err);
}

const vise_weight_kind vise_weight_kind_lowrank = {
    .name = "lowrank",
    .summary = "a product of two weights, B [m, r] A [r, k]",
    .rows = lowrank_rows,
    .matmul = lowrank_matmul,
    .matmul_t = lowrank_matmul_t,
    .save = lowrank_save,
    .load = lowrank_load,
    .describe = lowrank_describe,
};
