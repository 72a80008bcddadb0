/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block is a 64-byte header, aligned to a cache line, then the caller's bytes. The header holds
 * their number, so that free and resize count without being told, and what malloc gave: glibc's
 * aligned_alloc does not reuse the freed blocks of its own size, plain malloc does.
 */
#include "core/mem.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

enum { HEADER = 64 };

static atomic_long fail_after = -1;
static atomic_size_t live_blocks = 0, live_bytes = 0, peak_bytes = 0;

/*
 * glibc learns from freed blocks of up to 32 MiB to keep such memory for later, 64 MiB of it. Here
 * that is a model's largest matrices, and the peak is promised: 16 MiB and more go back at once. Of
 * smaller ones 48 MiB are used again without touching fresh pages: the activations of one layer.
 */
static void limit_kept_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 48 << 20);
#endif
}

static once_flag limit_once = ONCE_FLAG_INIT;

void vise_mem_keep_freed(bool is_kept) {
  call_once(&limit_once, limit_kept_memory);
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, is_kept ? 0 : 65536); /* else blocks above 32 MiB are always mapped anew */
  mallopt(M_TRIM_THRESHOLD, is_kept ? INT_MAX : 48 << 20);
#else
  (void)is_kept;
#endif
}

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

void vise_mem_peak_reset(void) {
  peak_bytes = live_bytes;
}

typedef struct header {
  size_t bytes; /* the caller's */
  void *start;  /* of the block, as malloc gave it */
} header;

static header *header_of(void *p) {
  return (header *)(void *)((char *)p - HEADER);
}

vise_status vise_mem_alloc(void **out, size_t bytes, vise_err *err) {
  call_once(&limit_once, limit_kept_memory);
  *out = NULL;
  if (fail_after >= 0 && fail_after-- == 0) {
    return vise_fail(err, VISE_ENOMEM, "out of memory allocating %zu bytes (injected)", bytes);
  }
  const size_t padded = bytes + HEADER + 63u;
  char *start = padded < bytes ? NULL : malloc(padded);
  if (start == NULL) {
    return vise_fail(err, VISE_ENOMEM, "out of memory allocating %zu bytes", bytes);
  }
  *out = (void *)(((uintptr_t)start + HEADER + 63u) & ~(uintptr_t)63u);
  *header_of(*out) = (header){bytes, start};
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
    const size_t old = header_of(*inout)->bytes;
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
    live_bytes -= header_of(p)->bytes;
    free(header_of(p)->start);
  }
}

void vise_mem_want_large_pages(void *p) {
#if defined(MADV_HUGEPAGE)
  const uintptr_t page = 4096;
  if (p != NULL && header_of(p)->bytes >= (size_t)4 << 20) {
    const uintptr_t begin = ((uintptr_t)p + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)p + header_of(p)->bytes) & ~(page - 1);
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
  }
#else
  (void)p;
#endif
}
