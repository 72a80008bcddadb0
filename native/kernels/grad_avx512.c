/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/grad_body.h"

void vise_grad_fill_avx512(vise_grad_kernels *table) {
  fill(table);
}
