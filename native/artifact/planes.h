/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/planes.h -- floats taken apart byte by byte, which lets an entropy coder see exponents.
 *
 *   element u of `width` bytes, as a little-endian integer;  r = u rotated left by one bit;
 *   plane 0 holds the most significant byte of every r, the last plane the least significant.
 *
 * The rotation puts the sign last, so that plane 0 of bf16 and f32 is the whole exponent and
 * nothing else (2.5 of 8 bits for Gaussian weights; the rest does not compress).
 */
#ifndef VISE_ARTIFACT_PLANES_H
#define VISE_ARTIFACT_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* `bytes` is a multiple of `width`, which is 2, 4 or 8. In and out do not overlap; any alignment.
 */
void vise_planes_split(uint8_t *out, const uint8_t *in, size_t bytes, int width);
void vise_planes_join(uint8_t *out, const uint8_t *in, size_t bytes, int width);

#endif
