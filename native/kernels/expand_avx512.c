/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2's form stays: SIMDe has no vexpandps to prove another one with. */
#include "kernels/expand_levels.h"

void vise_expand_fill_avx512(vise_expand_kernels *table) {
  (void)table;
}
