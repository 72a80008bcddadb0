/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/nn_levels.h -- each level fills the whole table from the same body. For nn*.c only. */
#ifndef VISE_KERNELS_NN_LEVELS_H
#define VISE_KERNELS_NN_LEVELS_H

#include "kernels/nn.h"

void vise_nn_fill_ref(vise_nn_kernels *table);
void vise_nn_fill_avx2(vise_nn_kernels *table);
void vise_nn_fill_avx512(vise_nn_kernels *table);

#endif
