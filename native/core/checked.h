/* SPDX-License-Identifier: Apache-2.0 */
/* core/checked.h -- arithmetic on numbers that come from files. Each returns false on overflow. */
#ifndef VISE_CORE_CHECKED_H
#define VISE_CORE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool vise_add_u64(uint64_t *out, uint64_t a, uint64_t b) {
  return !__builtin_add_overflow(a, b, out);
}
static inline bool vise_mul_u64(uint64_t *out, uint64_t a, uint64_t b) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool vise_add_i64(int64_t *out, int64_t a, int64_t b) {
  return !__builtin_add_overflow(a, b, out);
}
static inline bool vise_mul_i64(int64_t *out, int64_t a, int64_t b) {
  return !__builtin_mul_overflow(a, b, out);
}

/* ceil(a / b) for a >= 0, b > 0; cannot overflow. */
static inline int64_t vise_ceil_div(int64_t a, int64_t b) {
  return a / b + (a % b != 0);
}

#endif
