/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/intq.h -- affine integer codes of 2, 3, 4, 5, 6 or 8 bits: ranges, codes, bits, trials.
 *
 *   value = scale (code - zero)        0 <= code <= top = 2^bits - 1
 *   code  = RNE(clamp(x r, -zero, top - zero)) + zero,   r = f32(1 / scale)
 *
 * A row is cut into groups of `group` values, the last of which may be short. Packed codes are one
 * little-endian stream of bits: code j is bits [j b, j b + b), bit i being bit i % 8 of byte i / 8.
 *
 * All exact: every level agrees with ref bit for bit, and nothing is contracted to FMA. Any
 * alignment, no overlap, n may be 0.
 */
#ifndef VISE_KERNELS_INTQ_H
#define VISE_KERNELS_INTQ_H

#include "core/cpu.h"

#include <stdint.h>

enum { VISE_INTQ_LANES = 16, VISE_INTQ_BLOCK = 256 };

typedef enum vise_intq_scale { VISE_INTQ_F16, VISE_INTQ_BF16, VISE_INTQ_F32 } vise_intq_scale;

/* low_out[i], high_out[i]: least and greatest of group i and 0. x: finite. */
typedef void
vise_intq_ranges_fn(float *low_out, float *high_out, const float *x, int64_t n, int64_t group);

/* One code a byte. r: one per group, 0 where all codes are to be `zero`. zeros: one per group, or
   NULL: 2^(bits - 1) everywhere. */
typedef void vise_intq_codes_fn(uint8_t *out,
                                const float *x,
                                int64_t n,
                                int64_t group,
                                int bits,
                                const float *r,
                                const uint8_t *zeros);

/* The same of bf16 rows, which are not checked yet: ranges returns 1 if some value is NaN or infinite
   (what it wrote is then nothing), else 0. */
typedef int vise_intq_ranges_bf16_fn(
    float *low_out, float *high_out, const uint16_t *x, int64_t n, int64_t group);
typedef void vise_intq_codes_bf16_fn(uint8_t *out,
                                     const uint16_t *x,
                                     int64_t n,
                                     int64_t group,
                                     int bits,
                                     const float *r,
                                     const uint8_t *zeros);

/* ceil(n bits / 8) bytes; the bits after the last code are 0. */
typedef void vise_intq_pack_fn(uint8_t *out, const uint8_t *codes, int64_t n, int bits);

/*
 * out[j] = scale (code - zero), one rounding. `packed` begins at a byte, with value `phase` of the
 * first group (0 <= phase < group), whose scale and zero are scales[0] and zeros[0].
 */
typedef void vise_intq_decode_fn(float *out,
                                 const uint8_t *packed,
                                 int64_t n,
                                 int bits,
                                 int64_t phase,
                                 int64_t group,
                                 const void *scales,
                                 vise_intq_scale type,
                                 const uint8_t *zeros);

/*
 * What one group loses with reciprocal scale r, in units of a code:
 *
 *   t = x r    l = RNE(clamp(t, low, high))    e = t - l
 *   error = sum v e e    slope = sum v e l    mass = sum v l l        v: importance
 *
 * In f32 by VISE_INTQ_LANES lanes (value j goes to lane j % 16) over blocks of VISE_INTQ_BLOCK
 * values; lanes are added by halves (l and l + 8, then + 4, + 2, + 1), blocks in order in f64.
 */
typedef struct vise_intq_trial {
  float r, low, high;
  double error, slope, mass; /* added to, so that a group may be many rows */
} vise_intq_trial;

/* v: [n] >= 0, or NULL: all ones. */
typedef void vise_intq_trials_fn(
    vise_intq_trial *inout, int n_trials, const float *x, const float *v, int64_t n);

typedef struct vise_intq_kernels {
  vise_intq_ranges_fn *ranges;
  vise_intq_codes_fn *codes;
  vise_intq_ranges_bf16_fn *ranges_bf16;
  vise_intq_codes_bf16_fn *codes_bf16;
  vise_intq_pack_fn *pack;
  vise_intq_decode_fn *decode;
  vise_intq_trials_fn *trials;
} vise_intq_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_intq_init(vise_intq_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_intq_kernels *vise_intq(void);

#endif
