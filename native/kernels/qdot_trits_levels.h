/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/qdot_trits_levels.h -- each level fills the table. For qdot_trits*.c only. */
#ifndef VISE_KERNELS_QDOT_TRITS_LEVELS_H
#define VISE_KERNELS_QDOT_TRITS_LEVELS_H

#include "kernels/qdot_trits.h"

void vise_qdot_trits_fill_ref(vise_qdot_trits_kernels *table);
void vise_qdot_trits_fill_avx2(vise_qdot_trits_kernels *table);
void vise_qdot_trits_fill_avx512(vise_qdot_trits_kernels *table);

#endif
