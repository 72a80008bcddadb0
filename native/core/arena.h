/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/arena.h -- one allocation, carved into aligned pieces that are freed together.
 *
 * A function adds up what it needs with vise_arena_need, creates the arena once, and takes the
 * pieces in the same order; taking cannot fail when the sum was right.
 */
#ifndef VISE_CORE_ARENA_H
#define VISE_CORE_ARENA_H

#include "core/status.h"

#include <stddef.h>

typedef struct vise_arena {
  char *base; /* owned */
  size_t used, size;
} vise_arena;

/* Bytes that a piece of `bytes` occupies: rounded up to 64. */
static inline size_t vise_arena_need(size_t bytes) {
  return (bytes + 63u) & ~(size_t)63u;
}

vise_status vise_arena_create(vise_arena *out, size_t bytes, vise_err *err) VISE_MUST_USE;
void *vise_arena_take(vise_arena *a, size_t bytes); /* 64-byte aligned, borrowed from the arena */
void vise_arena_free(vise_arena *a);                /* safe on a zeroed or freed arena */

#endif
