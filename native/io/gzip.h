/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/gzip.h -- what a .gz file holds (RFC 1952, 1951): data sets come as such files.
 *
 * One member or several, one after the other. Every length in the file is checked, the sum of what
 * comes out too; memory is what comes out, at most `limit`.
 */
#ifndef VISE_IO_GZIP_H
#define VISE_IO_GZIP_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Unpack.
 *
 * out     the bytes; owned by the caller, freed by vise_mem_free
 * n_out   how many
 * in      `n` bytes, borrowed
 * limit   the most that may come out
 *
 * Errors: VISE_EFORMAT no gzip file, cut short, altered, or more than `limit`; VISE_ENOMEM.
 */
vise_status vise_gzip_unpack(uint8_t **out,
                             size_t *n_out,
                             const uint8_t *in,
                             size_t n,
                             size_t limit,
                             vise_err *err) VISE_MUST_USE;

#endif
