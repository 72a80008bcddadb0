/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/qdot_levels.h -- each level overwrites the entries it does better. For qdot*.c only. */
#ifndef VISE_KERNELS_QDOT_LEVELS_H
#define VISE_KERNELS_QDOT_LEVELS_H

#include "kernels/qdot.h"

/* How the groups of a row go on from block to block. */
typedef struct groups {
  int64_t columns; /* of a group; of all when there is one */
  int64_t step;    /* groups of a block; 0: a block lies in one group */
  int second;      /* the group of lane 8, from the first of the block */
  int order[8];    /* that of lane l % 8, from the first of its half */
} groups;

void vise_qdot_fill_ref(vise_qdot_kernels *table);
void vise_qdot_fill_avx2(vise_qdot_kernels *table);
void vise_qdot_fill_avx512(vise_qdot_kernels *table);

#endif
