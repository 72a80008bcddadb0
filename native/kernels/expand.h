/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/expand.h -- packed values put where bits are set.
 *
 * Exact: values are moved, and every level agrees with ref bit for bit. Any alignment.
 */
#ifndef VISE_KERNELS_EXPAND_H
#define VISE_KERNELS_EXPAND_H

#include "core/cpu.h"

#include <stdint.h>

/* out[8 i + b] = the next of `values` where bit b of masks[i] is set, else +0, 0 <= i < n_masks.
   n_values: at least as many as bits are set; none beyond is read. Returns how many were taken. */
typedef int64_t vise_expand_fn(
    float *out, const uint8_t *masks, int64_t n_masks, const float *values, int64_t n_values);

typedef struct vise_expand_kernels {
  vise_expand_fn *expand;
} vise_expand_kernels;

void vise_expand_init(vise_expand_kernels *table, vise_cpu_level level);
const vise_expand_kernels *vise_expand(void); /* the table of vise_cpu_used(), filled once */

#endif
