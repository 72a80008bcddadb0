/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot_trits.h -- one token times a row of trits, five to a byte, straight from the bytes.
 *
 * Columns go in pieces of 320, each of 64 bytes (the last: b = ceil(its columns / 5)); trit p of byte
 * i, from the most significant, is column i + p b, and q = byte 3^p mod 256 gives it as 3 q / 256.
 * Byte 4 l + f belongs to lane l of 16. Lane l of a row:
 *
 *   piece = fma chain over ascending p, then f, of trit times x, begun at minus the sum of the x
 *   total = total + piece, pieces in order, begun at +0
 *
 * and lanes are added by halves: l and l + 8, then + 4, + 2, + 1.
 *
 * Exact: every level agrees with ref bit for bit. Any alignment.
 */
#ifndef VISE_KERNELS_QDOT_TRITS_H
#define VISE_KERNELS_QDOT_TRITS_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_TRITS_BYTES = 64, VISE_TRITS_PIECE = 5 * VISE_TRITS_BYTES };

/* Floats that prepared x [k] takes: per piece, 320 for its columns and 16 for their sums. */
int64_t vise_qdot_trits_prepared(int64_t k);

/* x [k], over the power of two that its trit is seen multiplied by; columns beyond k count as 0. */
void vise_qdot_trits_prepare(float *out, const float *x, int64_t k);

/* The sum over j of (trit[j] - 1) x[j]. */
typedef float vise_qdot_trits_fn(const uint8_t *row, int64_t k, const float *prepared);

typedef struct vise_qdot_trits_kernels {
  vise_qdot_trits_fn *row;
} vise_qdot_trits_kernels;

void vise_qdot_trits_init(vise_qdot_trits_kernels *table, vise_cpu_level level);
const vise_qdot_trits_kernels *vise_qdot_trits(void); /* that of vise_cpu_used(), filled once */

#endif
