/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/xxh64.h -- XXH64, the checksum of coded frames.
 *
 * It notices what chance does to stored bytes at ten times the speed of SHA-256, which guards the
 * content behind them. Source: github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
 */
#ifndef VISE_ARTIFACT_XXH64_H
#define VISE_ARTIFACT_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t vise_xxh64(const void *data, size_t bytes); /* with seed 0 */

#endif
