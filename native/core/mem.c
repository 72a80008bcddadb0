/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block is a 64-byte header that holds its size, then the caller's bytes. The header keeps the
 * caller's pointer aligned to a cache line and lets free and resize count without being told.
 */
#include "core/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 64 };

static atomic_long fail_after = -1;
static atomic_size_t live_blocks = 0, live_bytes = 0, peak_bytes = 0;

void vise_mem_fail_after(long n) {
  fail_after = n;
}

size_t vise_mem_live_blocks(void) {
  return live_blocks;
}

size_t vise_mem_live_bytes(void) {
  return live_bytes;
}

size_t vise_mem_peak_bytes(void) {
  return peak_bytes;
}

static size_t *size_of(void *p) {
  return (size_t *)(void *)((char *)p - HEADER);
}

vise_status vise_mem_alloc(void **out, size_t bytes, vise_err *err) {
  *out = NULL;
  if (fail_after >= 0 && fail_after-- == 0) {
    return vise_fail(err, VISE_ENOMEM, "out of memory allocating %zu bytes (injected)", bytes);
  }
  const size_t padded = ((bytes + 63u) & ~(size_t)63u) + HEADER;
  char *block = padded < bytes ? NULL : aligned_alloc(64, padded);
  if (block == NULL) {
    return vise_fail(err, VISE_ENOMEM, "out of memory allocating %zu bytes", bytes);
  }
  *out = block + HEADER;
  *size_of(*out) = bytes;
  live_blocks++;
  const size_t now = atomic_fetch_add(&live_bytes, bytes) + bytes;
  size_t peak = peak_bytes;
  while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
  }
  return VISE_OK;
}

vise_status vise_mem_zalloc(void **out, size_t bytes, vise_err *err) {
  VISE_TRY(vise_mem_alloc(out, bytes, err));
  memset(*out, 0, bytes);
  return VISE_OK;
}

vise_status vise_mem_alloc_array(void **out, int64_t n, size_t size, vise_err *err) {
  *out = NULL;
  size_t bytes;
  if (n < 0 || __builtin_mul_overflow((size_t)n, size, &bytes)) {
    return vise_fail(err, VISE_ENOMEM, "out of memory: %lld elements of %zu bytes", (long long)n,
                     size);
  }
  return vise_mem_alloc(out, bytes, err);
}

vise_status vise_mem_resize(void **inout, size_t bytes, vise_err *err) {
  void *grown;
  VISE_TRY(vise_mem_alloc(&grown, bytes, err));
  if (*inout != NULL) {
    const size_t old = *size_of(*inout);
    memcpy(grown, *inout, old < bytes ? old : bytes);
    vise_mem_free(*inout);
  }
  *inout = grown;
  return VISE_OK;
}

vise_status vise_mem_strdup(char **out, const char *s, size_t n, vise_err *err) {
  void *copy;
  *out = NULL;
  VISE_TRY(vise_mem_alloc(&copy, n + 1, err));
  memcpy(copy, s, n);
  *out = copy;
  (*out)[n] = '\0';
  return VISE_OK;
}

void vise_mem_free(void *p) {
  if (p != NULL) {
    live_blocks--;
    live_bytes -= *size_of(p);
    free((char *)p - HEADER);
  }
}
