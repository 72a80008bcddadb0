/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/rans.h -- a frame by rANS: each of its planes as it is, as one value, or coded with a
 * table of how often each byte value occurs in it, or in each of up to 64 stretches of it. Internal
 * to this folder.
 */
#ifndef VISE_ARTIFACT_RANS_H
#define VISE_ARTIFACT_RANS_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Code `bytes` of `planes`, `n_planes` of them, into `out`, which has room for `bytes`.
 *
 * Gives the bytes in `out`; `bytes` when there is nothing to gain and `out` holds nothing. A plane
 * that would not lose a sixty-fourth is stored as it is, so that no time is spent on reading it.
 */
size_t vise_rans_encode_frame(uint8_t *out, const uint8_t *planes, size_t bytes, int n_planes);

/* The way back: exactly `bytes` into `out`. Errors: VISE_EFORMAT. */
vise_status vise_rans_decode_frame(uint8_t *out,
                                   size_t bytes,
                                   int n_planes,
                                   const uint8_t *stored,
                                   size_t stored_bytes,
                                   vise_err *err) VISE_MUST_USE;

#endif
