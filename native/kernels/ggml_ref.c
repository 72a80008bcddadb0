/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/ggml_levels.h"

#define VECTOR 4 /* floats in one register of this level */
#include "kernels/ggml_lanes_body.h"

INLINE lanes choose(flags mask, lanes yes, lanes no) {
  return (lanes)((mask & (flags)yes) | (~mask & (flags)no));
}

INLINE lanes lesser(lanes a, lanes b) {
  return choose(a < b, a, b);
}

INLINE lanes greater(lanes a, lanes b) {
  return choose(a > b, a, b);
}

INLINE lanes root(lanes v) {
  for (int i = 0; i < VECTOR; i++) {
    v[i] = sqrtf(v[i]);
  }
  return v;
}

INLINE float half_to_float(uint16_t v) {
  return vise_f16_to_f32(v);
}

INLINE uint16_t float_to_half(float v) {
  return vise_f32_to_f16(v);
}

/* The code of the nearest value of the table. */
INLINE flags table_code(lanes t) {
  flags code = (flags){0};
  for (int i = 0; i < 15; i++) {
    code -= t >= all(IQ4_MIDPOINTS[i]);
  }
  return code;
}

INLINE lanes table_value(lanes t) {
  const flags code = table_code(t);
  lanes out;
  for (int i = 0; i < VECTOR; i++) {
    out[i] = IQ4_VALUES[code[i]];
  }
  return out;
}

#include "kernels/ggml_body.h"

void vise_ggml_fill_ref(vise_ggml_kernels *table) {
  fill(table);
}
