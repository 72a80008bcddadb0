/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/gram.h -- W W' of an f32 matrix in f64, and the truncated SVD that goes by it.
 *
 * For tall and wide matrices: the eigenvectors of the smaller Gram matrix span the singular
 * vectors of its side; the factors are then the best ones within that span (linalg/project.h), so
 * singular values are those of W itself and not roots of squares. Directions with s below about 1e-8 of
 * the greatest are orthonormal but mixed among themselves: their part of W is of that size.
 */
#ifndef VISE_LINALG_GRAM_H
#define VISE_LINALG_GRAM_H

#include "linalg/project.h"

/*
 * g_out [m, m] = W W', symmetric to the bit. (W' W is that of the transposed matrix: strides
 * exchanged.) Every element is a sum over strips of 1024 columns in order, each a chain of fused
 * multiply-adds: the bits do not depend on threads or CPU level. Scratch: 1024 columns of W and
 * 512 rows of G.
 * Errors: VISE_ENOMEM, VISE_ECANCELLED. NaN and infinity go through.
 */
vise_status vise_gram(double *g_out, const vise_matrix_f32 *w, vise_err *err) VISE_MUST_USE;

/*
 * W ~= U diag(s) V' of rank r, 1 <= r <= min(m, k): u [m, r], s [r], vt [r, k], owned by the caller,
 * signs as in linalg/svd.h. *error_out: |W - U diag(s) V'|, Frobenius, as vise_project_error.
 * Errors: VISE_EARG (r), VISE_ENUMERIC (NaN or infinity; no convergence), VISE_ESHAPE (a smaller
 * side above 20000), VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_gram_svd(double *u,
                          double *s,
                          double *vt,
                          double *error_out,
                          const vise_matrix_f32 *w,
                          int64_t r,
                          vise_err *err) VISE_MUST_USE;

#endif
