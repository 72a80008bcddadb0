/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/loss_levels.h -- each level overwrites the entries it does better. For loss*.c only. */
#ifndef VISE_KERNELS_LOSS_LEVELS_H
#define VISE_KERNELS_LOSS_LEVELS_H

#include "kernels/loss.h"

void vise_loss_fill_ref(vise_loss_kernels *table);
void vise_loss_fill_avx2(vise_loss_kernels *table);
void vise_loss_fill_avx512(vise_loss_kernels *table);

#endif
