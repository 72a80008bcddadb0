/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/hadamard.h -- the inner loops of linalg/hadamard.h.
 *
 * All exact: the one body (hadamard_body.h) is compiled for every level without contraction, so
 * every level does the same IEEE operations on the same numbers. Any alignment.
 */
#ifndef VISE_KERNELS_HADAMARD_H
#define VISE_KERNELS_HADAMARD_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_HADAMARD_MIX_MAX = 256 };

/* x [n] becomes scale H x, n a power of two, H[i][j] = -1 where i & j has an odd number of bits,
   else 1. Butterflies of neighbours first, then of those 2, 4, ... apart. */
typedef void vise_hadamard_butterfly_fn(float *inout, int64_t n, float scale);

/* x [m, p] becomes h x, h [m, m] of 1 and -1; m <= VISE_HADAMARD_MIX_MAX a multiple of 4, p a power
   of two. Sums are chains over ascending columns of h. */
typedef void vise_hadamard_mix_fn(float *inout, const float *h, int64_t m, int64_t p);

typedef struct vise_hadamard_kernels {
  vise_hadamard_butterfly_fn *butterfly;
  vise_hadamard_mix_fn *mix;
} vise_hadamard_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_hadamard_kernels_init(vise_hadamard_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_hadamard_kernels *vise_hadamard_kernels_used(void);

#endif
