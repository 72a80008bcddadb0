/* SPDX-License-Identifier: Apache-2.0 */
#define VECTOR    __m256
#define LANES     8
#define LOAD      _mm256_load_ps
#define STORE     _mm256_store_ps
#define BROADCAST _mm256_set1_ps
#define FMA       _mm256_fmadd_ps
#include "kernels/spmm_body.h"

void vise_spmm_fill_avx2(vise_spmm_kernels *table) {
  *table = (vise_spmm_kernels){.row = multiply_row, .rows = multiply_rows};
}
