/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/intq_levels.h -- each level overwrites the entries it does better. For intq*.c only. */
#ifndef VISE_KERNELS_INTQ_LEVELS_H
#define VISE_KERNELS_INTQ_LEVELS_H

#include "kernels/intq.h"

void vise_intq_fill_ref(vise_intq_kernels *table);
void vise_intq_fill_avx2(vise_intq_kernels *table);
void vise_intq_fill_avx512(vise_intq_kernels *table);

#endif
