/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/rans_levels.h -- each level overwrites the entries it does better. For rans*.c only. */
#ifndef VISE_KERNELS_RANS_LEVELS_H
#define VISE_KERNELS_RANS_LEVELS_H

#include "kernels/rans.h"

void vise_rans_fill_ref(vise_rans_kernels *table);
void vise_rans_fill_avx2(vise_rans_kernels *table);
void vise_rans_fill_avx512(vise_rans_kernels *table);

#endif
