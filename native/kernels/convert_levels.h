/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/convert_levels.h -- each level overwrites the entries it does better. For convert*.c
   only. */
#ifndef VISE_KERNELS_CONVERT_LEVELS_H
#define VISE_KERNELS_CONVERT_LEVELS_H

#include "kernels/convert.h"

void vise_convert_fill_ref(vise_convert_kernels *table);
void vise_convert_fill_avx2(vise_convert_kernels *table);
void vise_convert_fill_avx512(vise_convert_kernels *table);

#endif
