/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rans.h"

#include "kernels/rans_levels.h"

#include <threads.h>

static once_flag once = ONCE_FLAG_INIT;
static vise_rans_kernels used;

void vise_rans_init(vise_rans_kernels *table, vise_cpu_level level) {
  (void)level;
  vise_rans_fill_ref(table);
#if defined(VISE_HAVE_AVX2)
  if (level >= VISE_CPU_AVX2) {
    vise_rans_fill_avx2(table);
  }
#endif
#if defined(VISE_HAVE_AVX512)
  if (level >= VISE_CPU_AVX512) {
    vise_rans_fill_avx512(table);
  }
#endif
}

static void fill_used(void) {
  vise_rans_init(&used, vise_cpu_used());
}

const vise_rans_kernels *vise_rans(void) {
  call_once(&once, fill_used);
  return &used;
}
