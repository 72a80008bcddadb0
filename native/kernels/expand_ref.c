/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/expand_levels.h"

int64_t vise_expand_ref(
    float *out, const uint8_t *masks, int64_t n_masks, const float *values, int64_t n_values) {
  (void)n_values;
  int64_t taken = 0;
  for (int64_t i = 0; i < n_masks; i++) {
    for (int b = 0; b < 8; b++) {
      out[8 * i + b] = masks[i] >> b & 1 ? values[taken++] : 0.0f;
    }
  }
  return taken;
}

void vise_expand_fill_ref(vise_expand_kernels *table) {
  table->expand = vise_expand_ref;
}
