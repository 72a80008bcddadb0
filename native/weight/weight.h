/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/weight.h -- a matrix W [m, k] in any representation, behind one small table of functions.
 *
 * Weights are reference counted and never change. A kind is one file in native/weight/ and one row
 * in weights.def; a number format of the kind 'quant' is one file in native/format/.
 */
#ifndef VISE_WEIGHT_WEIGHT_H
#define VISE_WEIGHT_WEIGHT_H

#include "core/status.h"
#include "tensor/tensor.h"
#include "weight/tree.h"

#include <stddef.h>
#include <stdint.h>

/* Up to so many tokens a product is bound by memory: rows are decoded straight into dot products.
 */
enum { VISE_WEIGHT_FEW_TOKENS = 7 };

enum { VISE_WEIGHT_DESCRIPTION = 128 }; /* bytes that have room for one */

typedef struct vise_weight vise_weight;

/* Rows ids[0 .. n), or first .. first + n - 1 where ids is NULL; each in [0, m). */
typedef struct vise_row_set {
  const int32_t *ids;
  int64_t first, n;
} vise_row_set;

/* The product with a token straight from what is stored: x [k] is prepared once, for all rows. */
typedef struct vise_weight_dot {
  int64_t (*prepared)(const vise_weight *w); /* floats that it takes; 0: tiles are better for `w` */
  void (*prepare)(const vise_weight *w, float *out, const float *x);
  /* y[i] = W[row + i] x, 0 <= i < n_rows. Cannot fail, thread safe, exact. */
  void (*rows)(const vise_weight *w, int64_t row, int64_t n_rows, const float *prepared, float *y);
} vise_weight_dot;

/*
 * A kind either holds values of its own and decodes tiles of them (dense, quant, sparse, codebook),
 * or is made of other weights and answers by asking them (lowrank, sum, scaled, rotated): then
 * `decode` is NULL and `rows`, `matmul` and `matmul_t` are there.
 */
typedef struct vise_weight_kind {
  const char *name;    /* "quant" */
  const char *summary; /* one line for `vise explain` */

  /* out[i * ld + j] = W[row + i, col + j] as f32. Cannot fail, thread safe. Tiles begin at columns
     that are multiples of 256 and end at one or at k. */
  void (*decode)(const vise_weight *w,
                 int64_t row,
                 int64_t n_rows,
                 int64_t col,
                 int64_t n_cols,
                 float *out,
                 int64_t ld);

  /* For few tokens, where that beats decoded tiles; NULL: nowhere. */
  const vise_weight_dot *dot;

  /* out [rows.n, k], row stride ld. Only where `decode` is NULL. */
  vise_status (*rows)(
      const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err);

  /* Y [t, m] = X [t, k] W'. NULL: decoded tiles go through the GEMM (many tokens) or the dot kernel
     (few). Kinds whose product is cheaper than that say so here. */
  vise_status (*matmul)(const vise_weight *w,
                        float *y,
                        int64_t ldy,
                        const float *x,
                        int64_t ldx,
                        int64_t t,
                        vise_err *err);

  /* Y [t, k] = X [t, m] W. NULL: decoded tiles, turned, go through the GEMM. */
  vise_status (*matmul_t)(const vise_weight *w,
                          float *y,
                          int64_t ldy,
                          const float *x,
                          int64_t ldx,
                          int64_t t,
                          vise_err *err);

  /* Attributes and parts; vise_weight_save adds the children. */
  vise_status (*save)(const vise_weight *w, vise_tree **out, vise_err *err);
  /* Every number in `t` is hostile: check dtype, shape and range of everything. */
  vise_status (*load)(vise_weight **out, const vise_tree *t, vise_err *err);
  /* "int4/g64", by attributes, children and dtypes of parts: their shapes and content are not
     looked at. The tree may be hostile. */
  vise_status (*describe)(const vise_tree *t, char *out, size_t out_bytes, vise_err *err);
  void (*free)(vise_weight *w); /* what the kind owns; base and children are let go by release */
} vise_weight_kind;

/* The head of every kind's struct. */
struct vise_weight {
  const vise_weight_kind *kind;
  int refs; /* changed atomically */
  int64_t m, k;
  int depth, n_nodes; /* of its tree: 1 and 1 without children */
  int n_children;
  vise_weight **children; /* retained */
};

vise_weight *vise_weight_retain(vise_weight *w);
void vise_weight_release(vise_weight *w); /* accepts NULL */

/*
 * Y [t, m] = X [t, k] W', f32, row strides ldy and ldx. Picks the regime by t alone.
 * Deterministic for any number of threads and any CPU level. Errors: ENOMEM, ECANCELLED.
 */
vise_status vise_weight_matmul(const vise_weight *w,
                               float *y,
                               int64_t ldy,
                               const float *x,
                               int64_t ldx,
                               int64_t t,
                               vise_err *err) VISE_MUST_USE;

/* Y [t, k] = X [t, m] W: what a gradient with respect to X needs. The same promises. */
vise_status vise_weight_matmul_t(const vise_weight *w,
                                 float *y,
                                 int64_t ldy,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t t,
                                 vise_err *err) VISE_MUST_USE;

/* out [n_rows, k] = rows row .. row + n_rows - 1, in parallel. Errors: ESHAPE out of range. */
vise_status vise_weight_dense_rows(const vise_weight *w,
                                   int64_t row,
                                   int64_t n_rows,
                                   float *out,
                                   int64_t ld,
                                   vise_err *err) VISE_MUST_USE;

/* out [n, k] = rows ids[0..n), each in [0, m). Errors: ESHAPE naming the id. */
vise_status vise_weight_gather_rows(const vise_weight *w,
                                    const int32_t *ids,
                                    int64_t n,
                                    float *out,
                                    int64_t ld,
                                    vise_err *err) VISE_MUST_USE;

vise_status vise_weight_save(const vise_weight *w, vise_tree **out, vise_err *err) VISE_MUST_USE;
vise_status vise_weight_load(vise_weight **out, const vise_tree *t, vise_err *err) VISE_MUST_USE;

/* Exactly what is stored: the bytes of all parts of the saved tree. */
vise_status vise_weight_bytes(int64_t *out, const vise_weight *w, vise_err *err) VISE_MUST_USE;

/* "int4/g64". Errors: EFORMAT, the tree is not one of its kind's or the kind is unknown. */
vise_status vise_weight_describe(const vise_weight *w, char *out, size_t out_bytes, vise_err *err)
    VISE_MUST_USE;
vise_status vise_weight_describe_tree(const vise_tree *t,
                                      char *out,
                                      size_t out_bytes,
                                      vise_err *err) VISE_MUST_USE;

/* Sums over all elements of (A - B)^2 and A^2, each times its column's importance [k] where that is
   not NULL; f64, in row order: the parts of a relative error.
   Errors: ESHAPE; ENUMERIC (an importance that is negative, infinite or NaN). */
vise_status vise_weight_difference(double *squared_out,
                                   double *norm_out,
                                   const vise_weight *a,
                                   const vise_weight *b,
                                   const float *importance,
                                   vise_err *err) VISE_MUST_USE;
vise_status
vise_weight_check_importance(const float *importance, int64_t k, vise_err *err) VISE_MUST_USE;

/* out [k] = the greatest magnitude of each column, NaN left out; 0 without rows.
   Errors: ENOMEM, ECANCELLED. */
vise_status vise_weight_column_max(float *out, const vise_weight *w, vise_err *err) VISE_MUST_USE;

/* The kind `dense`: `t` [m, k] of a float dtype, contiguous, retained.
   Errors: ESHAPE (rank is not 2), EDTYPE. Values are not looked at: see vise_weight_check_finite.
 */
vise_status vise_weight_dense(vise_weight **out, vise_tensor *t, vise_err *err) VISE_MUST_USE;
vise_tensor *vise_weight_dense_tensor(const vise_weight *w); /* borrowed; NULL if another kind */

/* All values of `w` as a new weight of the kind dense, f32. Errors: ENOMEM, ECANCELLED. */
vise_status
vise_weight_expand(vise_weight **out, const vise_weight *w, vise_err *err) VISE_MUST_USE;

/* Errors: VISE_ENUMERIC naming row and column of the first NaN or infinity. */
vise_status vise_weight_check_finite(const vise_weight *w, vise_err *err) VISE_MUST_USE;

extern const vise_weight_kind *const vise_weight_kinds[];        /* ends with NULL */
const vise_weight_kind *vise_weight_kind_find(const char *name); /* NULL if none */

#endif
