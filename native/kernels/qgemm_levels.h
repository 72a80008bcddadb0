/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/qgemm_levels.h -- each level overwrites the entries it does better. For qgemm*.c only. */
#ifndef VISE_KERNELS_QGEMM_LEVELS_H
#define VISE_KERNELS_QGEMM_LEVELS_H

#include "kernels/qgemm.h"

void vise_qgemm_fill_ref(vise_qgemm_kernels *table);
void vise_qgemm_fill_avx2(vise_qgemm_kernels *table);
void vise_qgemm_fill_avx512(vise_qgemm_kernels *table);

#endif
