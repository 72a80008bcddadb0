/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/hadamard_levels.h"

#include "kernels/hadamard_body.h"

void vise_hadamard_fill_ref(vise_hadamard_kernels *table) {
  fill(table);
}
