/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/hadamard.h"

#include "kernels/hadamard_levels.h"

#include <threads.h>

static once_flag once = ONCE_FLAG_INIT;
static vise_hadamard_kernels used;

void vise_hadamard_kernels_init(vise_hadamard_kernels *table, vise_cpu_level level) {
  (void)level;
  vise_hadamard_fill_ref(table);
#if defined(VISE_HAVE_AVX2)
  if (level >= VISE_CPU_AVX2) {
    vise_hadamard_fill_avx2(table);
  }
#endif
#if defined(VISE_HAVE_AVX512)
  if (level >= VISE_CPU_AVX512) {
    vise_hadamard_fill_avx512(table);
  }
#endif
}

static void fill_used(void) {
  vise_hadamard_kernels_init(&used, vise_cpu_used());
}

const vise_hadamard_kernels *vise_hadamard_kernels_used(void) {
  call_once(&once, fill_used);
  return &used;
}
