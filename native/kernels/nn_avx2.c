/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nn_levels.h"

#define VECTOR 8 /* floats in one register of this level */
#include "kernels/nn_body.h"

void vise_nn_fill_avx2(vise_nn_kernels *table) {
  fill(table);
}
