/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/hadamard_levels.h -- each level fills the whole table from the same body. For hadamard*.c
   only. */
#ifndef VISE_KERNELS_HADAMARD_LEVELS_H
#define VISE_KERNELS_HADAMARD_LEVELS_H

#include "kernels/hadamard.h"

void vise_hadamard_fill_ref(vise_hadamard_kernels *table);
void vise_hadamard_fill_avx2(vise_hadamard_kernels *table);
void vise_hadamard_fill_avx512(vise_hadamard_kernels *table);

#endif
