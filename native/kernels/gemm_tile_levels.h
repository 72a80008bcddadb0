/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/gemm_tile_levels.h -- each level overwrites what it does better. For gemm_tile*.c only.
 */
#ifndef VISE_KERNELS_GEMM_TILE_LEVELS_H
#define VISE_KERNELS_GEMM_TILE_LEVELS_H

#include "kernels/gemm_tile.h"

void vise_gemm_kernels_fill_ref(vise_gemm_kernels *table);
void vise_gemm_kernels_fill_avx2(vise_gemm_kernels *table);
void vise_gemm_kernels_fill_avx512(vise_gemm_kernels *table);

#endif
