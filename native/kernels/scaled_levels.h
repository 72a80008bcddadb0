/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/scaled_levels.h -- each level overwrites the entries it does better. For scaled*.c only.
 */
#ifndef VISE_KERNELS_SCALED_LEVELS_H
#define VISE_KERNELS_SCALED_LEVELS_H

#include "kernels/scaled.h"

/* The thresholds of NF4: f32 middles of neighbours in its table. */
extern const float vise_nf4_limits[VISE_SCALED_TABLE - 1];

void vise_scaled_fill_ref(vise_scaled_kernels *table);
void vise_scaled_fill_avx2(vise_scaled_kernels *table);
void vise_scaled_fill_avx512(vise_scaled_kernels *table);

#endif
