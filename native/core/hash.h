/* SPDX-License-Identifier: Apache-2.0 */
/* core/hash.h -- SHA-256 by libcrypto, which uses the CPU's instructions. */
#ifndef VISE_CORE_HASH_H
#define VISE_CORE_HASH_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { VISE_SHA256_BYTES = 32, VISE_SHA256_HEX = 65, VISE_LEAF_BYTES = 1 << 20 };

void vise_sha256(uint8_t out[VISE_SHA256_BYTES], const void *data, size_t n);

/* The digests of two messages, side by side: in little more than half of the time if they are of
   about one length. */
void vise_sha256_pair(uint8_t out_a[VISE_SHA256_BYTES],
                      const void *a,
                      size_t n_a,
                      uint8_t out_b[VISE_SHA256_BYTES],
                      const void *b,
                      size_t n_b);

void vise_sha256_hex(char out[VISE_SHA256_HEX], const uint8_t digest[VISE_SHA256_BYTES]);

/*
 * The tree hash of `n` bytes: SHA-256 over the digests of its leaves of 1 MiB (the last may be
 * short; no bytes have no leaves) followed by n as 8 little-endian bytes. Leaves run in parallel.
 * Errors: VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_sha256_tree(uint8_t out[VISE_SHA256_BYTES],
                             const void *data,
                             size_t n,
                             vise_err *err) VISE_MUST_USE;

/*
 * The tree hash of a file's content. The pages read are let go as it proceeds, so that a file of
 * any size costs little memory. Errors: as above; VISE_EIO.
 */
vise_status
vise_sha256_file(uint8_t out[VISE_SHA256_BYTES], const char *path, vise_err *err) VISE_MUST_USE;

#endif
