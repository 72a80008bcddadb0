/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/entropy.h -- how many bytes an ideal coder of single bytes would take: the order-0
 * entropy of a part's content. Internal to this folder.
 */
#ifndef VISE_ARTIFACT_ENTROPY_H
#define VISE_ARTIFACT_ENTROPY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_byte_counts {
  atomic_uint_least64_t of[256];
} vise_byte_counts;

/* Add to `inout` how often each of 256 values is among `n` bytes, less than 2^32 of them. */
void vise_byte_histogram(uint32_t *inout, const uint8_t *data, size_t n);

/* Count `n` bytes, less than 2^32 of them. Thread safe. */
void vise_byte_counts_add(vise_byte_counts *counts, const uint8_t *data, size_t n);

/* Sum over byte values of c log2(n / c) / 8, to the nearest byte. */
uint64_t vise_byte_counts_entropy(const vise_byte_counts *counts);

#endif
