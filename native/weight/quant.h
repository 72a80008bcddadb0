/* SPDX-License-Identifier: Apache-2.0 */
/* weight/quant.h -- the kind 'quant': parts in a number format. */
#ifndef VISE_WEIGHT_QUANT_H
#define VISE_WEIGHT_QUANT_H

#include "format/format.h"
#include "weight/weight.h"

/*
 * Encode `w` in the format of `spec` (its m and k are set here from w). Streams: decodes and
 * encodes a few rows at a time in parallel; a mapped dense `w` is read from its file.
 * importance: [k] or NULL.
 * Errors: EARG/ESHAPE from the format's check; ENUMERIC (NaN or infinity in w, row and column
 * named); EIO (its file cannot be read any more); ENOMEM; ECANCELLED.
 */
vise_status vise_weight_quantize(vise_weight **out,
                                 const vise_weight *w,
                                 const vise_format_spec *spec,
                                 const float *importance,
                                 vise_err *err) VISE_MUST_USE;

/* A part of `w`; NULL if there is none or `w` is of another kind; borrowed. */
vise_tensor *vise_weight_quant_part(const vise_weight *w, const char *name);

/* Its format and the data of its parts, borrowed; NULL if `w` is of another kind. */
const vise_format_spec *vise_weight_quant_spec(const vise_weight *w, const void *const **parts_out);

#endif
