/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/dot_levels.h"

#include <math.h>

static void
add_ref(float *inout, const float *w, const float *x, int64_t ldx, int64_t t, int64_t n) {
  for (int64_t s = 0; s < t; s++) {
    for (int64_t j = 0; j < n; j++) {
      float *lane = &inout[s * VISE_DOT_LANES + j % VISE_DOT_LANES];
      *lane = fmaf(x[s * ldx + j], w[j], *lane);
    }
  }
}

static float sum_ref(const float *lanes) {
  float sums[VISE_DOT_LANES / 2];
  for (int l = 0; l < VISE_DOT_LANES / 2; l++) {
    sums[l] = lanes[l] + lanes[l + VISE_DOT_LANES / 2];
  }
  for (int half = VISE_DOT_LANES / 4; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      sums[l] += sums[l + half];
    }
  }
  return sums[0];
}

static float one_f32_ref(const float *w, const float *x, int64_t n) {
  float lanes[VISE_DOT_LANES] = {0.0f};
  add_ref(lanes, w, x, n, 1, n);
  return sum_ref(lanes);
}

static float one_bf16_ref(const uint16_t *w, const float *x, int64_t n) {
  float lanes[VISE_DOT_LANES] = {0.0f};
  for (int64_t j = 0; j < n; j++) {
    lanes[j % VISE_DOT_LANES] = fmaf(x[j], vise_bf16_to_f32(w[j]), lanes[j % VISE_DOT_LANES]);
  }
  return sum_ref(lanes);
}

void vise_dot_fill_ref(vise_dot_kernels *table) {
  *table = (vise_dot_kernels){
      .add = add_ref, .sum = sum_ref, .one_f32 = one_f32_ref, .one_bf16 = one_bf16_ref};
}
