/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/qdot.h"

#include "kernels/dispatch.h"
#include "kernels/qdot_levels.h"

#include <math.h>

int64_t vise_qdot_prepared(const vise_qdot_layout *layout, int64_t k) {
  const int64_t block = (int64_t)layout->fields * VISE_QDOT_LANES;
  return (k + block - 1) / block * (layout->fields + 1) * VISE_QDOT_LANES;
}

void vise_qdot_prepare(float *out, const vise_qdot_layout *layout, const float *x, int64_t k) {
  const int64_t block = (int64_t)layout->fields * VISE_QDOT_LANES;
  for (int64_t j = 0; j < k; j += block) {
    float sums[VISE_QDOT_LANES] = {0.0f};
    for (int f = 0; f < layout->fields; f++) {
      for (int l = 0; l < VISE_QDOT_LANES; l++) {
        const int64_t column = j + layout->column[f * VISE_QDOT_LANES + l];
        const float v = column < k ? x[column] : 0.0f;
        sums[l] += v;
        *out++ = v * layout->unit[f];
      }
    }
    for (int l = 0; l < VISE_QDOT_LANES; l++) {
      *out++ = sums[l] * layout->bias;
    }
  }
}

static int fields_of(int bits) {
  return bits == 3 ? 8 : bits == 6 ? 4 : 32 / bits;
}

void vise_qdot_stream(vise_qdot_layout *out, int bits, bool is_symmetric) {
  out->fields = fields_of(bits);
  out->bias = is_symmetric ? -(float)(1 << (bits - 1)) : 1.0f;
  for (int f = 0; f < out->fields; f++) {
    out->unit[f] = ldexpf(1.0f, -(f % (out->fields / 2)) * bits);
    for (int l = 0; l < VISE_QDOT_LANES; l++) {
      out->column[f * VISE_QDOT_LANES + l] = (int16_t)(l * out->fields + f);
    }
  }
}

void vise_qdot_pairs(vise_qdot_layout *out, bool is_high_first) {
  enum { FIELDS = 8 };
  out->fields = FIELDS;
  out->bias = 0.0f;
  for (int f = 0; f < FIELDS; f++) {
    out->unit[f] = 1.0f;
    for (int l = 0; l < VISE_QDOT_LANES; l++) {
      out->column[f * VISE_QDOT_LANES + l] = (int16_t)(l * FIELDS + (is_high_first ? f ^ 1 : f));
    }
  }
}

bool vise_qdot_takes(int bits, int64_t group, int64_t k) {
  if (bits == 5) {
    return false;
  }
  const int64_t fields = fields_of(bits), lanes = group / fields;
  return group >= k || (group % fields == 0 && (lanes % VISE_QDOT_LANES == 0 || lanes == 1 ||
                                                lanes == 2 || lanes == 4 || lanes == 8));
}

VISE_DISPATCH(vise_qdot_kernels, vise_qdot_init, vise_qdot_fill, vise_qdot)
