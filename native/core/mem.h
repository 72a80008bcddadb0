/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/mem.h -- the only place that calls malloc.
 *
 * Blocks are 64-byte aligned, counted, and can be made to fail by tests. Thread safe.
 */
#ifndef VISE_CORE_MEM_H
#define VISE_CORE_MEM_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *out: `bytes` uninitialised bytes, owned, freed by vise_mem_free; 0 bytes are fine. */
vise_status vise_mem_alloc(void **out, size_t bytes, vise_err *err) VISE_MUST_USE;

/* The same, all zero. */
vise_status vise_mem_zalloc(void **out, size_t bytes, vise_err *err) VISE_MUST_USE;

/* `n` elements of `size` bytes, the product checked. Uninitialised. */
vise_status vise_mem_alloc_array(void **out, int64_t n, size_t size, vise_err *err) VISE_MUST_USE;

/* Grow or shrink `*inout` to `bytes`, keeping its content; on failure it is unchanged. */
vise_status vise_mem_resize(void **inout, size_t bytes, vise_err *err) VISE_MUST_USE;

/* *out: an owned copy of `n` bytes of `s` and a NUL. */
vise_status vise_mem_strdup(char **out, const char *s, size_t n, vise_err *err) VISE_MUST_USE;

void vise_mem_free(void *p); /* accepts NULL */

/* A hint about a block, or NULL, that is read over and over: large pages spare the processor many
   address translations. Changes nothing else, and may do nothing. */
void vise_mem_want_large_pages(void *p);

/* Keep freed memory for the next blocks rather than give it back to the system, from now on or no
   longer: for work that allocates the same again and again. May do nothing. */
void vise_mem_keep_freed(bool is_kept);

size_t vise_mem_live_blocks(void);
size_t vise_mem_live_bytes(void);
size_t vise_mem_peak_bytes(void);
void vise_mem_peak_reset(void);   /* to what is live */
void vise_mem_fail_after(long n); /* tests: let n allocations succeed, fail the next; -1 = never */

#endif
