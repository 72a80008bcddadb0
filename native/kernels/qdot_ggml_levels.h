/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/qdot_ggml_levels.h -- what the levels share; each fills the whole table. For
   qdot_ggml*.c only. */
#ifndef VISE_KERNELS_QDOT_GGML_LEVELS_H
#define VISE_KERNELS_QDOT_GGML_LEVELS_H

#include "kernels/qdot_ggml.h"

/* The values of IQ4, plus 128. */
static const uint8_t QDOT_IQ4_CODES[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                           129, 141, 153, 166, 181, 197, 217, 241};

void vise_qdot_ggml_fill_ref(vise_qdot_ggml_kernels *table);
void vise_qdot_ggml_fill_avx2(vise_qdot_ggml_kernels *table);
void vise_qdot_ggml_fill_avx512(vise_qdot_ggml_kernels *table);

#endif
