/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/dispatch.h -- what every table of kernels has: filled by the forms of a level, those it
 * lacks coming from the level below, and filled once for the level that is used. For X.c only,
 * which includes X_levels.h.
 */
#ifndef VISE_KERNELS_DISPATCH_H
#define VISE_KERNELS_DISPATCH_H

#include "core/cpu.h"

#include <threads.h>

#if defined(VISE_HAVE_AVX2)
#define VISE_FILL_AVX2(fill, table, level) ((level) >= VISE_CPU_AVX2 ? fill##_avx2(table) : (void)0)
#else
#define VISE_FILL_AVX2(fill, table, level) ((void)0)
#endif
#if defined(VISE_HAVE_AVX512)
#define VISE_FILL_AVX512(fill, table, level)                                                       \
  ((level) >= VISE_CPU_AVX512 ? fill##_avx512(table) : (void)0)
#else
#define VISE_FILL_AVX512(fill, table, level) ((void)0)
#endif

/* Defines init(table, level) and used(), from fill_ref, fill_avx2 and fill_avx512. */
#define VISE_DISPATCH(type, init, fill, used)                                                      \
  void init(type *table, vise_cpu_level level) {                                                   \
    (void)level;                                                                                   \
    fill##_ref(table);                                                                             \
    VISE_FILL_AVX2(fill, table, level);                                                            \
    VISE_FILL_AVX512(fill, table, level);                                                          \
  }                                                                                                \
  static once_flag table_once = ONCE_FLAG_INIT;                                                    \
  static type table_used;                                                                          \
  static void fill_table_used(void) {                                                              \
    init(&table_used, vise_cpu_used());                                                            \
  }                                                                                                \
  const type *used(void) {                                                                         \
    call_once(&table_once, fill_table_used);                                                       \
    return &table_used;                                                                            \
  }

#endif
