/* SPDX-License-Identifier: Apache-2.0 */
/* Products of a weight with something on either side of its child: scaled.c, rotated.c. */
#include "core/mem.h"
#include "weight/kind.h"

typedef vise_status product_fn(const vise_weight *w,
                               float *y,
                               int64_t ldy,
                               const float *x,
                               int64_t ldx,
                               int64_t t,
                               vise_err *err);

/* Y [t, n_out] = ((X [t, n_in] before) times the child) after. */
static vise_status multiply(const vise_weight *w,
                            vise_side_fn *apply,
                            product_fn *product,
                            const void *before,
                            int64_t n_in,
                            const void *after,
                            int64_t n_out,
                            float *y,
                            int64_t ldy,
                            const float *x,
                            int64_t ldx,
                            int64_t t,
                            vise_err *err) {
  void *z = NULL;
  vise_status st = VISE_OK;
  if (before != NULL) {
    VISE_TRY(vise_mem_alloc_array(&z, t * n_in, sizeof(float), err));
    st = apply(before, true, z, n_in, x, ldx, t, n_in, err);
    x = z;
    ldx = n_in;
  }
  st = st == VISE_OK ? product(w->children[0], y, ldy, x, ldx, t, err) : st;
  if (st == VISE_OK && after != NULL) {
    st = apply(after, false, y, ldy, y, ldy, t, n_out, err);
  }
  vise_mem_free(z);
  return st;
}

vise_status vise_weight_sides_matmul(const vise_weight *w,
                                     const vise_sides *s,
                                     float *y,
                                     int64_t ldy,
                                     const float *x,
                                     int64_t ldx,
                                     int64_t t,
                                     vise_err *err) {
  return multiply(w, s->apply, vise_weight_matmul, s->right, w->k, s->left, w->m, y, ldy, x, ldx, t,
                  err);
}

vise_status vise_weight_sides_matmul_t(const vise_weight *w,
                                       const vise_sides *s,
                                       float *y,
                                       int64_t ldy,
                                       const float *x,
                                       int64_t ldx,
                                       int64_t t,
                                       vise_err *err) {
  return multiply(w, s->apply, vise_weight_matmul_t, s->left, w->m, s->right, w->k, y, ldy, x, ldx,
                  t, err);
}
