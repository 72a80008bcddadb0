/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/intq_levels.h"

void vise_intq_fill_avx512(vise_intq_kernels *table) {
  (void)table;
}
