/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot_ggml.h -- one token times a row of ggml's blocks, straight from the blocks.
 *
 * Columns go in quads: 16 lanes of 4 consecutive columns, those that lie in one 32-bit word (two
 * quads share it where codes are nibbles). With r the stored bytes from one change of nibble to the
 * next (16: Q4_0, IQ4; 32: Q4_K, Q5_K; 64: Q6_K, Q8_0), field i of lane l of quad q is column
 *
 *   128 (q / 2) + 2 r (b / r) + r (q % 2) + b % r,   b = 4 l + i
 *
 * A code c >= 0 stands for e (c + bias) or e c - m, with e and m the products of the block's f16 and
 * integer scales, which are exact. Lane l of a row:
 *
 *   p     = fma chain over ascending i of c times x, begun at bias times the sum of the x, or at +0
 *   total = fma(e, p, total), quads in order, begun at +0
 *
 * and with m, after 256 columns, total = fma(-m, sum, total) with m and the sum of the x of columns
 * 32 (l % 8) + 16 (l / 8) and the 15 after it. Lanes are added by halves: l and l + 8, then + 4,
 * + 2, + 1. Sums are over ascending columns, begun at +0.
 *
 * Exact: every level agrees with ref bit for bit. Any alignment.
 */
#ifndef VISE_KERNELS_QDOT_GGML_H
#define VISE_KERNELS_QDOT_GGML_H

#include "core/cpu.h"
#include "kernels/ggml.h"

#include <stdint.h>

/* Floats that prepared x [k] takes; 0: no row function for this type. */
int64_t vise_qdot_ggml_prepared(vise_ggml_type type, int64_t k);

/* x [k]: quads of fields times 16 lanes, over the power of two that their code is seen multiplied
   by, with their sums; columns beyond k count as 0. */
void vise_qdot_ggml_prepare(float *out, vise_ggml_type type, const float *x, int64_t k);

/* The sum over j of W[j] x[j] of a row of k weights, whole blocks. */
typedef float vise_qdot_ggml_fn(const uint8_t *row, int64_t k, const float *prepared);

typedef struct vise_qdot_ggml_kernels {
  vise_qdot_ggml_fn *row[VISE_GGML_TYPES];
} vise_qdot_ggml_kernels;

void vise_qdot_ggml_init(vise_qdot_ggml_kernels *table, vise_cpu_level level);
const vise_qdot_ggml_kernels *vise_qdot_ggml(void); /* that of vise_cpu_used(), filled once */

#endif
