/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/rans.h -- bytes by range asymmetric numeral systems (Duda, arXiv:1311.2540), with a
 * static table. The stream is that of share/doc/artifact.md, "rANS".
 *
 * Byte i belongs to lane i % 32. A lane is a number in [2^15, 2^31); frequencies are of 4096. To
 * encode a byte of frequency f that c others precede, from the last byte to the first: if the lane
 * is f 2^19 or more, its low 16 bits go to the front of the words and it loses them; then it
 * becomes floor(lane / f) 4096 + lane mod f + c. Decoding is the way back, in order.
 *
 * Exact: every level agrees with ref byte for byte. Any alignment; n may be 0.
 */
#ifndef VISE_KERNELS_RANS_H
#define VISE_KERNELS_RANS_H

#include "core/cpu.h"

#include <stddef.h>
#include <stdint.h>

enum {
  VISE_RANS_LANES = 32,
  VISE_RANS_TOTAL = 4096,     /* of all frequencies */
  VISE_RANS_LOWEST = 1 << 15, /* where lanes begin, and where decoding leaves them */
};

/*
 * Encode `n` bytes of `data` into words that end at `end`.
 *
 * inout     the lanes: VISE_RANS_LOWEST each, or as encoding what comes after left them; then what
 *           they are when decoding begins
 * symbols   of each byte value f | c << 16; f in [1, 4095] for those that occur
 *
 * Gives the first byte of the words, or NULL if they do not fit after `begin`; bytes before the
 * words may have been written in either case.
 */
typedef uint8_t *vise_rans_encode_fn(uint32_t *inout,
                                     uint8_t *begin,
                                     uint8_t *end,
                                     const uint8_t *data,
                                     size_t n,
                                     const uint32_t *symbols);

/*
 * Decode `n` bytes from words that begin at `words` and end at `end` or before.
 *
 * inout   the lanes, each in [2^15, 2^31); afterwards too
 * slots   4096: of each number below 4096 the frequency of its byte value, in [1, 4095],
 *         | its place among them << 12 | the byte value << 24
 *
 * Gives the byte after the last word, or NULL if words are missing. Nothing outside `out` and the
 * words is touched, whatever they hold.
 */
typedef const uint8_t *vise_rans_decode_fn(uint8_t *out,
                                           size_t n,
                                           uint32_t *inout,
                                           const uint8_t *words,
                                           const uint8_t *end,
                                           const uint32_t *slots);

typedef struct vise_rans_kernels {
  vise_rans_encode_fn *encode;
  vise_rans_decode_fn *decode;
} vise_rans_kernels;

void vise_rans_init(vise_rans_kernels *table, vise_cpu_level level);
const vise_rans_kernels *vise_rans(void); /* the table of vise_cpu_used(), filled once */

#endif
