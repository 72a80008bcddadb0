/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/kernels/check.h -- what the programs check_*.c share: proof that each level of a kernel
 * table agrees with ref.
 *
 * A program is run for the levels of this CPU (`check_X`), and once more with the *_avx512.c files
 * compiled for AVX2 through SIMDe (`check_X_simde`, cmake/simde.cmake), so that level avx512 is
 * proved on machines without it; it is the only level that program runs. Fused multiply-adds
 * stay fused there. The same is done for the tests named in simde_tests: the whole library
 * then works at level avx512. Without libsimde-dev those programs are not built, and cmake says so.
 *
 *   static void multiply_agrees_with_ref(void **state) {
 *     for (vise_cpu_level level = check_first(); level <= check_last(); level++) { ... }
 *   }
 */
#ifndef VISE_TESTS_KERNELS_CHECK_H
#define VISE_TESTS_KERNELS_CHECK_H

#include "core/cpu.h"
#include "support/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_GUARD = 64 }; /* bytes either side of a buffer that must not change */

#if defined(VISE_HAVE_SIMDE)
enum { HAVE_SIMDE = 1 };
#else
enum { HAVE_SIMDE = 0 };
#endif

#if defined(VISE_SIMDE)
static inline vise_cpu_level check_first(void) {
  return VISE_CPU_AVX512;
}
static inline vise_cpu_level check_last(void) {
  return VISE_CPU_AVX512;
}
#else
static inline vise_cpu_level check_first(void) {
  return VISE_CPU_REF;
}
static inline vise_cpu_level check_last(void) {
  static int is_said = 0;
  const vise_cpu_level last = vise_cpu_detect();
  for (vise_cpu_level i = last + 1; i < VISE_CPU_LEVELS && !is_said; i++) {
    printf("level %s: not on this CPU%s\n", vise_cpu_name(i),
           HAVE_SIMDE ? "; the program with _simde has it" : ", and no libsimde: NOT RUN");
  }
  is_said = 1;
  return last;
}
#endif

/* Numbers that are the same in every run. */
static inline uint32_t check_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/* In [-1, 1), with a full fraction. *state is not 0. */
static inline float check_number(uint32_t *state) {
  return (float)(int32_t)check_random(state) * 0x1p-31f;
}

/*
 * A buffer of `bytes` that begins `misalign` bytes after a multiple of 64, between two guards that
 * hold 0xA5. The content is 0xA5 too.
 */
typedef struct check_buffer {
  unsigned char *block; /* owned */
  void *data;
  size_t bytes, misalign;
} check_buffer;

static inline check_buffer check_create(size_t bytes, size_t misalign) {
  check_buffer b = {.bytes = bytes, .misalign = misalign};
  const size_t total = (CHECK_GUARD + misalign + bytes + CHECK_GUARD + 63u) & ~(size_t)63u;
  b.block = aligned_alloc(64, total);
  assert_non_null(b.block);
  memset(b.block, 0xA5, total);
  b.data = b.block + CHECK_GUARD + misalign;
  return b;
}

/* Fails, naming `what`, if a byte of a guard was written. */
static inline void check_free(check_buffer *b, const char *what) {
  for (size_t i = 0; i < CHECK_GUARD + b->misalign; i++) {
    if (b->block[i] != 0xA5) {
      fail_msg("%s: wrote %zu bytes before its output", what, CHECK_GUARD + b->misalign - i);
    }
  }
  const unsigned char *end = (unsigned char *)b->data + b->bytes;
  for (size_t i = 0; i < CHECK_GUARD; i++) {
    if (end[i] != 0xA5) {
      fail_msg("%s: wrote byte %zu after its output", what, i);
    }
  }
  free(b->block);
}

#endif
