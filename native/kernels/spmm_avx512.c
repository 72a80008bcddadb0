/* SPDX-License-Identifier: Apache-2.0 */
#define VECTOR    __m512
#define LANES     16
#define LOAD      _mm512_load_ps
#define STORE     _mm512_store_ps
#define BROADCAST _mm512_set1_ps
#define FMA       _mm512_fmadd_ps
#include "kernels/spmm_body.h"

void vise_spmm_fill_avx512(vise_spmm_kernels *table) {
  *table = (vise_spmm_kernels){.row = multiply_row, .rows = multiply_rows};
}
