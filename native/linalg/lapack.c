/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/lapack.h"

#include <cblas.h>
#include <limits.h>

__attribute__((constructor)) static void start_with_one_thread(void) {
  openblas_set_num_threads(1);
}

const char *vise_blas_core(void) {
  return openblas_get_corename();
}

const char *vise_blas_config(void) {
  return openblas_get_config();
}

int vise_blas_threads(void) {
  return openblas_get_num_threads();
}

void vise_blas_threads_set(int count) {
  openblas_set_num_threads(count);
}

vise_status vise_blas_sgemm(float *y,
                            int64_t ldy,
                            const float *x,
                            int64_t ldx,
                            int64_t t,
                            const float *w,
                            int64_t ldw,
                            int64_t m,
                            int64_t k,
                            vise_err *err) {
  if (ldy > INT_MAX || ldx > INT_MAX || ldw > INT_MAX || t > INT_MAX) {
    return vise_fail(err, VISE_ESHAPE,
                     "sgemm: x [%lld, %lld], w [%lld, %lld], expected at most "
                     "2147483647 rows and columns",
                     (long long)t, (long long)k, (long long)m, (long long)k);
  }
  if (t > 0 && m > 0) { /* it refuses strides of 0 */
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)t, (int)m, (int)k, 1.0f, x,
                ldx < 1 ? 1 : (int)ldx, w, ldw < 1 ? 1 : (int)ldw, 0.0f, y, (int)ldy);
  }
  return VISE_OK;
}
