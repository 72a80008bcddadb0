/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/spmm_levels.h -- each level overwrites the entries it does better. For spmm*.c only. */
#ifndef VISE_KERNELS_SPMM_LEVELS_H
#define VISE_KERNELS_SPMM_LEVELS_H

#include "kernels/spmm.h"

void vise_spmm_fill_ref(vise_spmm_kernels *table);
void vise_spmm_fill_avx2(vise_spmm_kernels *table);
void vise_spmm_fill_avx512(vise_spmm_kernels *table);

#endif
