/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/ggml_levels.h -- each level overwrites the entries it does better. For ggml*.c only. */
#ifndef VISE_KERNELS_GGML_LEVELS_H
#define VISE_KERNELS_GGML_LEVELS_H

#include "kernels/ggml.h"

void vise_ggml_fill_ref(vise_ggml_kernels *table);
void vise_ggml_fill_avx2(vise_ggml_kernels *table);
void vise_ggml_decode_fill_avx2(vise_ggml_kernels *table); /* and of avx512 */
void vise_ggml_fill_avx512(vise_ggml_kernels *table);

#endif
