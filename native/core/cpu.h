/* SPDX-License-Identifier: Apache-2.0 */
/* core/cpu.h -- which instruction sets the kernels may use. */
#ifndef VISE_CORE_CPU_H
#define VISE_CORE_CPU_H

#include <stdbool.h>

/*
 * A level is a named bundle: every feature its kernels are compiled with, checked together and
 * usable by the operating system. Levels are ordered; a higher one includes the lower.
 */
typedef enum vise_cpu_level {
  VISE_CPU_REF = 0, /* portable C; defines the right answer */
  VISE_CPU_AVX2,    /* AVX2 + FMA + F16C + BMI2 */
  VISE_CPU_AVX512,  /* the above + AVX-512 F, BW, DQ, VL, VNNI */
  VISE_CPU_LEVELS
} vise_cpu_level;

vise_cpu_level vise_cpu_detect(void);            /* what this machine can run */
vise_cpu_level vise_cpu_used(void);              /* detect(), lowered by VISE_CPU; read once */
const char *vise_cpu_name(vise_cpu_level level); /* "ref", "avx2", "avx512" */
const char *vise_cpu_model(void);                /* the processor's own name, or "unknown" */

/* True, and *out_wish its value, if VISE_CPU names no level or one above detect(). */
bool vise_cpu_wish_ignored(const char **out_wish);

#endif
