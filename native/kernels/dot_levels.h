/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/dot_levels.h -- each level overwrites the entries it does better. For dot*.c only. */
#ifndef VISE_KERNELS_DOT_LEVELS_H
#define VISE_KERNELS_DOT_LEVELS_H

#include "kernels/dot.h"

void vise_dot_fill_ref(vise_dot_kernels *table);
void vise_dot_fill_avx2(vise_dot_kernels *table);
void vise_dot_fill_avx512(vise_dot_kernels *table);

#endif
