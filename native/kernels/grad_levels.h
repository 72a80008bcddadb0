/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/grad_levels.h -- each level fills the whole table from the same body. For grad*.c only. */
#ifndef VISE_KERNELS_GRAD_LEVELS_H
#define VISE_KERNELS_GRAD_LEVELS_H

#include "kernels/grad.h"

void vise_grad_fill_ref(vise_grad_kernels *table);
void vise_grad_fill_avx2(vise_grad_kernels *table);
void vise_grad_fill_avx512(vise_grad_kernels *table);

#endif
