/* SPDX-License-Identifier: Apache-2.0 */
/* weight/kind.h -- what the files of the kinds share. Only files in native/weight/ include it. */
#ifndef VISE_WEIGHT_KIND_H
#define VISE_WEIGHT_KIND_H

#include "weight/weight.h"

#include <stdbool.h>

/* Fill the head of a fresh struct that has no children. */
void vise_weight_init(vise_weight *w, const vise_weight_kind *kind, int64_t m, int64_t k);

/*
 * A struct of `bytes`, zero but for its head, and its children, which are retained.
 * Errors: VISE_EARG when it is nested deeper than VISE_TREE_DEPTH or has more than
 * VISE_TREE_NODES_MAX nodes, as an artifact could not keep it; VISE_ENOMEM.
 */
vise_status vise_weight_create(vise_weight **out,
                               size_t bytes,
                               const vise_weight_kind *kind,
                               int64_t m,
                               int64_t k,
                               vise_weight *const *children,
                               int n_children,
                               vise_err *err) VISE_MUST_USE;

/* EFORMAT unless `t` has n children. */
vise_status vise_weight_check_children(const vise_tree *t, int n, vise_err *err) VISE_MUST_USE;

/* Load the children of `t`, `n` of them or EFORMAT. On success each is owned by the caller. */
vise_status vise_weight_load_children(vise_weight **out, const vise_tree *t, int n, vise_err *err)
    VISE_MUST_USE;
void vise_weight_release_all(vise_weight *const *w, int n);

/* What the making of a weight from a tree failed with: its file is at fault, not the caller. */
vise_status vise_weight_load_status(vise_status st, vise_err *err);

/* The rows of a checked set: tiles of a kind that decodes, or the kind's own `rows`. */
vise_status vise_weight_rows(
    const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) VISE_MUST_USE;

/* vise_weight_matmul by decoded tiles, for kinds with a `matmul` that is not always better. */
vise_status vise_weight_matmul_tiles(const vise_weight *w,
                                     float *y,
                                     int64_t ldy,
                                     const float *x,
                                     int64_t ldx,
                                     int64_t t,
                                     vise_err *err) VISE_MUST_USE;

/* Run a fallible step of `save`: on failure the tree is freed and *tree is NULL. */
vise_status vise_weight_saved(vise_tree **tree, vise_status st);

/*
 * What a kind has on one side of its child: out [n_rows, n_cols] = x with it applied to each row, or
 * with its transpose. `side` is NULL where it is one: then the function is not called. x may be out.
 */
typedef vise_status vise_side_fn(const void *side,
                                 bool is_transposed,
                                 float *out,
                                 int64_t ldo,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t n_rows,
                                 int64_t n_cols,
                                 vise_err *err);

/* A kind W = L C R' with one child C. */
typedef struct vise_sides {
  const void *left, *right; /* NULL: one */
  vise_side_fn *apply;
} vise_sides;

/* Y = X W' = L (C (R' X')) row by row, and Y = X W = R (C' (L' X')): `matmul` and `matmul_t`. */
vise_status vise_weight_sides_matmul(const vise_weight *w,
                                     const vise_sides *sides,
                                     float *y,
                                     int64_t ldy,
                                     const float *x,
                                     int64_t ldx,
                                     int64_t t,
                                     vise_err *err) VISE_MUST_USE;
vise_status vise_weight_sides_matmul_t(const vise_weight *w,
                                       const vise_sides *sides,
                                       float *y,
                                       int64_t ldy,
                                       const float *x,
                                       int64_t ldx,
                                       int64_t t,
                                       vise_err *err) VISE_MUST_USE;

/* out[i * ldo + j] = x[i * ldx + j] * factors[j] / the sum of both; in parallel, in place is fine. */
vise_status vise_weight_scale_columns(float *out,
                                      int64_t ldo,
                                      const float *x,
                                      int64_t ldx,
                                      int64_t n_rows,
                                      int64_t n_cols,
                                      const float *factors,
                                      vise_err *err) VISE_MUST_USE;

#endif
