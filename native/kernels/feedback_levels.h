/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/feedback_levels.h -- each level fills the whole table from the same body. For feedback*.c
   only. */
#ifndef VISE_KERNELS_FEEDBACK_LEVELS_H
#define VISE_KERNELS_FEEDBACK_LEVELS_H

#include "kernels/feedback.h"

void vise_feedback_fill_ref(vise_feedback_kernels *table);
void vise_feedback_fill_avx2(vise_feedback_kernels *table);
void vise_feedback_fill_avx512(vise_feedback_kernels *table);

#endif
