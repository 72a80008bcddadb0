/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/scale.h -- scales of groups as they are stored: f16, bf16 or f32.
 *
 * Stored scales are cut to the largest (65504 for f16; 2^119, so that 255 times it is finite, for
 * the others); what is below 2^-127, whose reciprocal may be infinite, is 0.
 */
#ifndef VISE_FORMAT_SCALE_H
#define VISE_FORMAT_SCALE_H

#include "core/status.h"
#include "kernels/intq.h"
#include "tensor/dtype.h"

#include <stdint.h>

int64_t vise_scale_bytes(vise_intq_scale type);
vise_dtype vise_scale_dtype(vise_intq_scale type);

/* n scales into their stored type and back: what a reader will see. */
void vise_scale_round(void *stored_out, float *inout, int64_t n, vise_intq_scale type);

void vise_scale_read(float *out, const void *stored, int64_t n, vise_intq_scale type);

/* Refuses scales that are NaN, infinite or too large. `who` begins the message. */
vise_status vise_scale_check(const void *stored,
                             int64_t n,
                             vise_intq_scale type,
                             const char *who,
                             vise_err *err) VISE_MUST_USE;

#endif
