/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/qdot_trits.h"

#include "kernels/dispatch.h"
#include "kernels/qdot_trits_levels.h"

enum { TRITS = 5, FIELDS = 4, LANES = 16 };

int64_t vise_qdot_trits_prepared(int64_t k) {
  return (k + VISE_TRITS_PIECE - 1) / VISE_TRITS_PIECE * (VISE_TRITS_PIECE + LANES);
}

static void prepare_piece(float *out, const float *x, int64_t columns) {
  static const float units[FIELDS] = {1.0f, 0x1p-8f, 0x1p-16f, 0x1p-24f};
  const int64_t bytes = (columns + TRITS - 1) / TRITS;
  float *sums = out + VISE_TRITS_PIECE;
  for (int l = 0; l < LANES; l++) {
    sums[l] = 0.0f;
  }
  for (int p = 0; p < TRITS; p++) {
    for (int f = 0; f < FIELDS; f++) {
      for (int l = 0; l < LANES; l++) {
        const int64_t byte = FIELDS * l + f, column = p * bytes + byte;
        const float value = byte < bytes && column < columns ? x[column] : 0.0f;
        *out++ = value * units[f];
        sums[l] -= value;
      }
    }
  }
}

void vise_qdot_trits_prepare(float *out, const float *x, int64_t k) {
  for (; k > 0; k -= VISE_TRITS_PIECE, x += VISE_TRITS_PIECE) {
    prepare_piece(out, x, k < VISE_TRITS_PIECE ? k : VISE_TRITS_PIECE);
    out += VISE_TRITS_PIECE + LANES;
  }
}

VISE_DISPATCH(vise_qdot_trits_kernels, vise_qdot_trits_init, vise_qdot_trits_fill, vise_qdot_trits)
