/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `rotated`: W = L C R', one child C; L and R are block-diagonal, each block the
 * orthonormal Hadamard matrix of linalg/hadamard.h of an order that divides m or k, or one.
 *
 *   a row of W    = R (the row of C); with L, its block of rows first, turned, L applied to columns
 *   X W'          = L applied to the rows of (R' applied to the rows of X) C'
 *   X W           = R applied to the rows of (L' applied to the rows of X) C
 */
#include "core/mem.h"
#include "kernels/gemm_tile.h"
#include "linalg/hadamard.h"
#include "weight/compose.h"
#include "weight/kind.h"

#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_rotated;

typedef struct rotated {
  vise_weight base;
  vise_hadamard *left, *right; /* owned; NULL: one */
} rotated;

static rotated *as_rotated(const vise_weight *w) {
  return (rotated *)(uintptr_t)w;
}

static void rotated_free(vise_weight *w) {
  vise_hadamard_free(as_rotated(w)->left);
  vise_hadamard_free(as_rotated(w)->right);
}

static int64_t order_of(const vise_hadamard *h) {
  return h == NULL ? 0 : vise_hadamard_order(h);
}

static void
copy_rows(float *out, int64_t ldo, const float *x, int64_t ldx, int64_t n_rows, int64_t n_cols) {
  for (int64_t i = 0; i < n_rows; i++) {
    memcpy(out + i * ldo, x + i * ldx, (size_t)n_cols * sizeof(float));
  }
}

/* A new contiguous matrix. */
static vise_status new_matrix(float **out, int64_t n_rows, int64_t n_cols, vise_err *err) {
  void *memory;
  *out = NULL;
  VISE_TRY(vise_mem_alloc_array(&memory, n_rows * n_cols, sizeof(float), err));
  *out = memory;
  return VISE_OK;
}

/* A Hadamard transform of the rows of x, which may lie apart. */
static vise_status apply(const void *side,
                         bool is_transposed,
                         float *out,
                         int64_t ldo,
                         const float *x,
                         int64_t ldx,
                         int64_t n_rows,
                         int64_t n,
                         vise_err *err) {
  float *z = out;
  if (ldo != n) {
    VISE_TRY(new_matrix(&z, n_rows, n, err));
  }
  if (z != x) {
    copy_rows(z, n, x, ldx, n_rows, n);
  }
  const vise_status st = vise_hadamard_apply(side, z, n_rows, n, is_transposed, err);
  if (z != out) {
    if (st == VISE_OK) {
      copy_rows(out, ldo, z, n, n_rows, n);
    }
    vise_mem_free(z);
  }
  return st;
}

/* ---- products ---- */

static vise_sides sides_of(const vise_weight *w) {
  return (vise_sides){as_rotated(w)->left, as_rotated(w)->right, apply};
}

static vise_status rotated_matmul(const vise_weight *w,
                                  float *y,
                                  int64_t ldy,
                                  const float *x,
                                  int64_t ldx,
                                  int64_t t,
                                  vise_err *err) {
  const vise_sides s = sides_of(w);
  return vise_weight_sides_matmul(w, &s, y, ldy, x, ldx, t, err);
}

static vise_status rotated_matmul_t(const vise_weight *w,
                                    float *y,
                                    int64_t ldy,
                                    const float *x,
                                    int64_t ldx,
                                    int64_t t,
                                    vise_err *err) {
  const vise_sides s = sides_of(w);
  return vise_weight_sides_matmul_t(w, &s, y, ldy, x, ldx, t, err);
}

/* ---- rows ---- */

static int64_t row_at(vise_row_set rows, int64_t i) {
  return rows.ids != NULL ? rows.ids[i] : rows.first + i;
}

/* A block of rows of C with L applied: `block` [n, k] holds it, `turned` [k, n] is scratch. */
static vise_status rotate_block(const vise_weight *w,
                                const vise_hadamard *left,
                                int64_t first,
                                float *block,
                                float *turned,
                                vise_err *err) {
  const int64_t n = vise_hadamard_order(left), k = w->k;
  const vise_gemm_tile *kernel = &vise_gemm_kernels_used()->f32;
  VISE_TRY(vise_weight_rows(w->children[0], (vise_row_set){NULL, first, n}, block, k, err));
  kernel->transpose(turned, n, block, k, n, k);
  VISE_TRY(vise_hadamard_apply(left, turned, k, n, false, err));
  kernel->transpose(block, k, turned, n, k, n);
  return VISE_OK;
}

/* The rows of L C: each block that has some of them is made once for a stretch of them. */
static vise_status
left_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  const vise_hadamard *left = as_rotated(w)->left;
  const int64_t n = vise_hadamard_order(left), k = w->k;
  float *block, *turned;
  int64_t held = -1;
  VISE_TRY(new_matrix(&block, n, k, err));
  vise_status st = new_matrix(&turned, k, n, err);
  for (int64_t i = 0; i < rows.n && st == VISE_OK; i++) {
    const int64_t row = row_at(rows, i);
    if (row / n != held) {
      held = row / n;
      st = rotate_block(w, left, held * n, block, turned, err);
    }
    if (st == VISE_OK) {
      copy_rows(out + i * ld, ld, block + row % n * k, k, 1, k);
    }
  }
  vise_mem_free(turned);
  vise_mem_free(block);
  return st;
}

static vise_status
rotated_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  const rotated *r = as_rotated(w);
  if (r->left == NULL) {
    VISE_TRY(vise_weight_rows(w->children[0], rows, out, ld, err));
  } else {
    VISE_TRY(left_rows(w, rows, out, ld, err));
  }
  return r->right == NULL ? VISE_OK : apply(r->right, false, out, ld, out, ld, rows.n, w->k, err);
}

/* ---- trees ---- */

static vise_status rotated_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  const rotated *r = as_rotated(w);
  VISE_TRY(vise_tree_create(out, "rotated", w->m, w->k, err));
  vise_status st = vise_tree_add_int(*out, "left", order_of(r->left), err);
  st = st == VISE_OK ? vise_tree_add_int(*out, "right", order_of(r->right), err) : st;
  return vise_weight_saved(out, st);
}

static vise_status rotated_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  int64_t left, right;
  vise_weight *child;
  VISE_TRY(vise_tree_get_int(&left, t, "left", err));
  VISE_TRY(vise_tree_get_int(&right, t, "right", err));
  VISE_TRY(vise_weight_load_children(&child, t, 1, err));
  vise_status st = VISE_OK;
  if (child->m != t->m || child->k != t->k) {
    st = vise_fail(err, VISE_EFORMAT, "rotated: shape is [%lld, %lld], expected [%lld, %lld]",
                   (long long)t->m, (long long)t->k, (long long)child->m, (long long)child->k);
  }
  if (st == VISE_OK) {
    st = vise_weight_load_status(vise_weight_rotated(out, child, left, right, err), err);
  }
  vise_weight_release(child);
  return st;
}

/* "rotated(int4/g64, right 128)" */
static vise_status
rotated_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  char child[VISE_WEIGHT_DESCRIPTION], sides[2][40] = {"", ""};
  static const char *const names[] = {"left", "right"};
  VISE_TRY(vise_weight_check_children(t, 1, err));
  VISE_TRY(vise_weight_describe_tree(t->children[0], child, sizeof child, err));
  for (int i = 0; i < 2; i++) {
    int64_t order;
    VISE_TRY(vise_tree_get_int(&order, t, names[i], err));
    if (order != 0) {
      snprintf(sides[i], sizeof sides[i], ", %s %lld", names[i], (long long)order);
    }
  }
  snprintf(out, out_bytes, "rotated(%s%s%s)", child, sides[0], sides[1]);
  return VISE_OK;
}

/* ---- making ---- */

static vise_status
new_side(vise_hadamard **out, const char *side, int64_t order, int64_t n, vise_err *err) {
  if (order == 0) {
    return VISE_OK;
  }
  if (order < 0 || order > n || n % order != 0) {
    return vise_fail(err, VISE_ESHAPE,
                     "rotated: %s is %lld, expected 0 or an order that divides the %lld %s", side,
                     (long long)order, (long long)n, *side == 'l' ? "rows" : "columns");
  }
  return vise_hadamard_create(out, order, err);
}

vise_status
vise_weight_rotated(vise_weight **out, vise_weight *c, int64_t left, int64_t right, vise_err *err) {
  vise_weight *w;
  *out = NULL;
  VISE_TRY(
      vise_weight_create(&w, sizeof(rotated), &vise_weight_kind_rotated, c->m, c->k, &c, 1, err));
  vise_status st = new_side(&as_rotated(w)->left, "left", left, c->m, err);
  st = st == VISE_OK ? new_side(&as_rotated(w)->right, "right", right, c->k, err) : st;
  if (st != VISE_OK) {
    vise_weight_release(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}

const vise_weight_kind vise_weight_kind_rotated = {
    .name = "rotated",
    .summary = "Hadamard transforms of the rows and columns of a weight",
    .rows = rotated_rows,
    .matmul = rotated_matmul,
    .matmul_t = rotated_matmul_t,
    .save = rotated_save,
    .load = rotated_load,
    .describe = rotated_describe,
    .free = rotated_free,
};
