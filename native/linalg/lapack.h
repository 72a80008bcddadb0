/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/lapack.h -- the only way to OpenBLAS and the LAPACK inside it.
 *
 * OpenBLAS gives different bits with another core type or number of threads, so no result of vise
 * comes from its products: they are the rival of linalg/gemm.h in benches. Its LAPACK is used with
 * one thread, which is set when the library is loaded: at the first call of any function here.
 */
#ifndef VISE_LINALG_LAPACK_H
#define VISE_LINALG_LAPACK_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Load it now: what shuts itself off from files does so before. False if it is not there. */
bool vise_blas_load(void);

const char *vise_blas_core(void);   /* what its kernels are for: "Haswell"; static */
const char *vise_blas_config(void); /* version and options of the build; static */

int vise_blas_threads(void);           /* threads of one call; 1 unless set otherwise */
void vise_blas_threads_set(int count); /* for benches only; count >= 1 */

/*
 * Y [t, m] = X [t, k] W [m, k]' by sgemm; row strides ldy >= m, ldx >= k, ldw >= k.
 * Errors: VISE_ESHAPE (a dimension or stride above 2^31 - 1), VISE_EUNSUPPORTED (no OpenBLAS).
 */
vise_status vise_blas_sgemm(float *y,
                            int64_t ldy,
                            const float *x,
                            int64_t ldx,
                            int64_t t,
                            const float *w,
                            int64_t ldw,
                            int64_t m,
                            int64_t k,
                            vise_err *err) VISE_MUST_USE;

/*
 * LAPACK with one BLAS thread whatever is set, so that its bits depend on the build and the core
 * type only. Matrices are row-major, contiguous and of finite numbers.
 *
 * svd    a [m, k] = U diag(s) V', r = min(m, k): u [m, r], s [r] descending, vt [r, k]; a is
 *        destroyed. dgesdd.
 * eigh   a [n, n] symmetric, read on and below the diagonal, becomes its eigenvectors, one a row;
 *        values_out [n] ascending. dsyevd.
 *
 * Errors: VISE_ESHAPE (a smaller side above VISE_LAPACK_SIDE_MAX, another above 2^31 - 1),
 * VISE_ENUMERIC (no convergence), VISE_ENOMEM, VISE_EUNSUPPORTED (no OpenBLAS).
 */
enum { VISE_LAPACK_SIDE_MAX = 20000 }; /* its workspaces are counted in 32 bits */

vise_status vise_lapack_svd(
    double *u, double *s, double *vt, double *a, int64_t m, int64_t k, vise_err *err) VISE_MUST_USE;

vise_status vise_lapack_eigh(double *values_out, double *a, int64_t n, vise_err *err) VISE_MUST_USE;

/* The same in f32 by sgesdd with as many threads as vise_blas_threads says: the rival in benches.
   a is destroyed. */
vise_status vise_lapack_svd_f32(
    float *u, float *s, float *vt, float *a, int64_t m, int64_t k, vise_err *err) VISE_MUST_USE;

#endif
