/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/frame.h -- one frame: up to 1 MiB of content, as planes and zstd see it. Internal.
 *
 * A frame that zstd cannot make smaller is stored as it is, and known by its length.
 */
#ifndef VISE_ARTIFACT_FRAME_H
#define VISE_ARTIFACT_FRAME_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* What one thread needs to code frames; it is reused from frame to frame. */
typedef struct vise_frame_coder vise_frame_coder;

vise_status vise_frame_coder_create(vise_frame_coder **out, vise_err *err) VISE_MUST_USE;
void vise_frame_coder_free(vise_frame_coder *c); /* accepts NULL */

/*
 * Code `bytes` (1 to 1 MiB) of `content` into `out`, which has room for `bytes`.
 *
 * stored_out   bytes in `out`; `bytes` when there is nothing to gain and `out` holds nothing
 * width        of the elements to split into planes, 0 for none
 *
 * A pure function of its arguments and the version of zstd. Errors: VISE_ENOMEM.
 */
vise_status vise_frame_encode(size_t *stored_out,
                              vise_frame_coder *c,
                              uint8_t *out,
                              const uint8_t *content,
                              size_t bytes,
                              int width,
                              int level,
                              vise_err *err) VISE_MUST_USE;

/* The way back: exactly `bytes` into `out`. Errors: VISE_EFORMAT; VISE_ENOMEM. */
vise_status vise_frame_decode(vise_frame_coder *c,
                              uint8_t *out,
                              size_t bytes,
                              const uint8_t *stored,
                              size_t stored_bytes,
                              int width,
                              vise_err *err) VISE_MUST_USE;

#endif
