/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_lanes_body.h -- blocks side by side, one in each lane of a register.
 *
 * A search adds over the values of a block one after the other, as its definition does, and does
 * so for as many blocks at once as a register of the level has lanes (VECTOR). No result can see
 * how many those are.
 *
 * The including file defines VECTOR before this file, and after it lesser, greater, choose,
 * half_to_float, float_to_half, and the table lookups of ggml_iq4_body.h.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(4 * VECTOR)));
typedef int32_t flags __attribute__((vector_size(4 * VECTOR))); /* all bits or none */

/* Blocks of a tile, the registers their scales take, and the values of a super-block. */
enum { TILE = 16, PARTS = TILE / VECTOR, SUPER = 256 };

static const float LARGEST_HALF = 65504.0f;
static const float LARGEST_VALUE = 0x1p30f; /* no format goes so far */
static const float NOTHING = 1e-15f;        /* ggml: a block without greater values is all zero */

INLINE lanes all(float v) {
  return v - (lanes){0};
}

/* RNE of |v| < 2^22. */
INLINE lanes nearest(lanes v) {
  return (v + 12582912.0f) - 12582912.0f;
}

INLINE float nearest_one(float v) {
  return (v + 12582912.0f) - 12582912.0f;
}

INLINE float clamp_one(float v, float low, float high) {
  const float above = v > low ? v : low;
  return above < high ? above : high;
}

/* The table of IQ4_NL and IQ4_XS, and the midpoints, from which on the higher value is the nearest
   (the 16th is never looked at). */
static const float IQ4_VALUES[16] = {-127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f,
                                     -22.0f,  -10.0f,  1.0f,   13.0f,  25.0f,  38.0f,
                                     53.0f,   69.0f,   89.0f,  113.0f};
static const float IQ4_MIDPOINTS[16] = {-115.5f, -93.5f, -74.0f, -57.0f, -42.0f, -28.5f,
                                        -16.0f,  -4.5f,  7.0f,   19.0f,  31.5f,  45.5f,
                                        61.0f,   79.0f,  101.0f, 0.0f};
