/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const names[VISE_CPU_LEVELS] = {"ref", "avx2", "avx512"};

#if defined(__x86_64__)
/* clang 14 has no __builtin_cpu_supports("f16c"). */
static int has_f16c(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}
#endif

vise_cpu_level vise_cpu_detect(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c() &&
        __builtin_cpu_supports("bmi2"))) {
    return VISE_CPU_REF;
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    return VISE_CPU_AVX512;
  }
  return VISE_CPU_AVX2;
#else
  return VISE_CPU_REF;
#endif
}

static int find_level(const char *name) {
  for (int i = 0; i < VISE_CPU_LEVELS; i++) {
    if (strcmp(name, names[i]) == 0) {
      return i;
    }
  }
  return VISE_CPU_LEVELS;
}

static once_flag once = ONCE_FLAG_INIT;
static vise_cpu_level used;
static const char *ignored_wish;

static void choose(void) {
  const char *wish = getenv("VISE_CPU");
  used = vise_cpu_detect();
  if (wish == NULL || *wish == '\0') {
    return;
  }
  const int level = find_level(wish);
  if (level <= (int)used) {
    used = (vise_cpu_level)level;
  } else {
    ignored_wish = wish;
  }
}

vise_cpu_level vise_cpu_used(void) {
  call_once(&once, choose);
  return used;
}

const char *vise_cpu_name(vise_cpu_level level) {
  return names[level];
}

bool vise_cpu_wish_ignored(const char **out_wish) {
  call_once(&once, choose);
  *out_wish = ignored_wish;
  return ignored_wish != NULL;
}

const char *vise_cpu_model(void) {
#if defined(__x86_64__)
  static char brand[49];
  if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) {
    return "unknown";
  }
  for (unsigned i = 0; i < 3; i++) {
    unsigned regs[4];
    __get_cpuid(0x80000002u + i, &regs[0], &regs[1], &regs[2], &regs[3]);
    memcpy(brand + 16 * i, regs, 16);
  }
  const char *start = brand;
  while (*start == ' ') {
    start++;
  }
  return start;
#else
  return "unknown";
#endif
}
