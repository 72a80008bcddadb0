/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/scaled_levels.h"

#define VECTOR 4 /* floats in one register of this level */
#include "kernels/scaled_body.h"

const float vise_nf4_table[VISE_SCALED_TABLE] = {
    -1.0f,          -0.696192801f, -0.525073051f, -0.394917488f, -0.284441382f, -0.18477343f,
    -0.0910500363f, 0.0f,          0.0795802996f, 0.160930201f,  0.246112302f,  0.337915242f,
    0.440709829f,   0.562617004f,  0.722956836f,  1.0f,
};

const float vise_nf4_limits[VISE_SCALED_TABLE - 1] = {
    -0.848096371f, -0.610632896f,  -0.45999527f,  -0.33967942f, -0.234607399f,
    -0.137911737f, -0.0455250181f, 0.0397901498f, 0.120255247f, 0.203521252f,
    0.292013764f,  0.389312536f,   0.501663446f,  0.64278692f,  0.861478448f,
};

INLINE void nf4_code(ivec *out, const vec *t) {
  const ivec none = {0};
  *out = none;
  for (int i = 0; i < VISE_SCALED_TABLE - 1; i++) {
    *out -= *t > vise_nf4_limits[i];
  }
}

INLINE void nf4_value(vec *out, const ivec *codes) {
  for (int l = 0; l < VECTOR; l++) {
    (*out)[l] = vise_nf4_table[(*codes)[l]];
  }
}

void vise_scaled_fill_ref(vise_scaled_kernels *table_out) {
  fill_from_body(table_out);
}
