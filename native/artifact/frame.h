/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/frame.h -- one frame: up to 1 MiB of content, as planes and coders see it. Internal.
 *
 * A frame that no coder can make smaller is stored as it is.
 */
#ifndef VISE_ARTIFACT_FRAME_H
#define VISE_ARTIFACT_FRAME_H

#include "artifact/artifact.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* What one thread needs to code frames; it is reused from frame to frame. */
typedef struct vise_frame_coder vise_frame_coder;

vise_status vise_frame_coder_create(vise_frame_coder **out, vise_err *err) VISE_MUST_USE;
void vise_frame_coder_free(vise_frame_coder *c); /* accepts NULL */

/* What a frame has become. */
typedef struct vise_frame_form {
  vise_artifact_coder coder; /* raw: it is stored as it is, and no coder's output holds it */
  size_t bytes;              /* those of the content if raw, fewer otherwise */
} vise_frame_form;

/*
 * Code `bytes` (1 to 1 MiB) of `content` into `out`, which has room for `bytes`, by whichever makes
 * it smallest of the coders up to `options->coder`. zstd codes a large frame only if it does better
 * than rANS on a thirty-second of it.
 *
 * width   of the elements to split into planes, 0 for none
 *
 * A pure function of its arguments and the version of zstd. Errors: VISE_ENOMEM.
 */
vise_status vise_frame_encode(vise_frame_form *form_out,
                              vise_frame_coder *c,
                              uint8_t *out,
                              const uint8_t *content,
                              size_t bytes,
                              int width,
                              const vise_artifact_options *options,
                              vise_err *err) VISE_MUST_USE;

/* The way back: exactly `bytes` into `out`. Errors: VISE_EFORMAT; VISE_ENOMEM. */
vise_status vise_frame_decode(vise_frame_coder *c,
                              uint8_t *out,
                              size_t bytes,
                              const uint8_t *stored,
                              vise_frame_form form,
                              int width,
                              vise_err *err) VISE_MUST_USE;

#endif
