/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include "core/mem.h"

#include <assert.h>

vise_status vise_arena_create(vise_arena *out, size_t bytes, vise_err *err) {
  void *base;
  *out = (vise_arena){0};
  VISE_TRY(vise_mem_alloc(&base, bytes, err));
  *out = (vise_arena){.base = base, .size = bytes};
  return VISE_OK;
}

void *vise_arena_take(vise_arena *a, size_t bytes) {
  const size_t need = vise_arena_need(bytes);
  assert(need >= bytes && a->size - a->used >= need);
  void *piece = a->base + a->used;
  a->used += need;
  return piece;
}

void vise_arena_free(vise_arena *a) {
  vise_mem_free(a->base);
  *a = (vise_arena){0};
}
