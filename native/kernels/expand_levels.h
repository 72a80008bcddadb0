/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/expand_levels.h -- each level overwrites the entries it does better. For expand*.c only. */
#ifndef VISE_KERNELS_EXPAND_LEVELS_H
#define VISE_KERNELS_EXPAND_LEVELS_H

#include "kernels/expand.h"

void vise_expand_fill_ref(vise_expand_kernels *table);
void vise_expand_fill_avx2(vise_expand_kernels *table);
void vise_expand_fill_avx512(vise_expand_kernels *table);

/* What the vector levels leave over. */
vise_expand_fn vise_expand_ref;

#endif
