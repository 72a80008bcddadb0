/* SPDX-License-Identifier: Apache-2.0 */
/* tests/kernels/simde_level.c -- linked with --wrap=vise_cpu_used: every table takes level avx512.
 */
#include "core/cpu.h"

vise_cpu_level __wrap_vise_cpu_used(void);

vise_cpu_level __wrap_vise_cpu_used(void) {
  return VISE_CPU_AVX512;
}
