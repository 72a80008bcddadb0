/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/lapack.h -- the only way to OpenBLAS and the LAPACK inside it.
 *
 * OpenBLAS gives different bits with another core type or number of threads, so no result of vise
 * comes from its products: they are the rival of linalg/gemm.h in benches. Its LAPACK is used with
 * one thread, which is set when the library is loaded.
 */
#ifndef VISE_LINALG_LAPACK_H
#define VISE_LINALG_LAPACK_H

#include "core/status.h"

#include <stdint.h>

const char *vise_blas_core(void);   /* the core type its kernels are for: "Haswell"; static */
const char *vise_blas_config(void); /* version and options of the build; static */

int vise_blas_threads(void);           /* threads of one call; 1 unless set otherwise */
void vise_blas_threads_set(int count); /* for benches only; count >= 1 */

/*
 * Y [t, m] = X [t, k] W [m, k]' by sgemm; row strides ldy >= m, ldx >= k, ldw >= k.
 * Errors: VISE_ESHAPE (a dimension or stride above 2^31 - 1).
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

#endif
