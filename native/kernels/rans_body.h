/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/rans_body.h -- one byte at a time: all of level ref, and in the others the bytes that
 * are no full group of lanes or lie where the words may end. For rans_*.c only.
 */
#ifndef VISE_KERNELS_RANS_BODY_H
#define VISE_KERNELS_RANS_BODY_H

#include "kernels/rans.h"

/* Bytes `n - 1` down to `first`. */
static uint8_t *encode_bytes(uint32_t *lanes,
                             uint8_t *begin,
                             uint8_t *words,
                             const uint8_t *data,
                             size_t first,
                             size_t n,
                             const uint32_t *symbols) {
  for (size_t i = n; i-- > first;) {
    uint32_t x = lanes[i % VISE_RANS_LANES];
    const uint32_t f = symbols[data[i]] & 0xffff, c = symbols[data[i]] >> 16;
    if (x >= f << 19) {
      if (words - begin < 2) {
        return NULL;
      }
      *--words = (uint8_t)(x >> 8);
      *--words = (uint8_t)x;
      x >>= 16;
    }
    lanes[i % VISE_RANS_LANES] = x / f * VISE_RANS_TOTAL + x % f + c;
  }
  return words;
}

/* Bytes `first` to `n - 1`. */
static const uint8_t *decode_bytes(uint8_t *out,
                                   size_t first,
                                   size_t n,
                                   uint32_t *lanes,
                                   const uint8_t *words,
                                   const uint8_t *end,
                                   const uint32_t *slots) {
  for (size_t i = first; i < n; i++) {
    uint32_t x = lanes[i % VISE_RANS_LANES];
    const uint32_t slot = slots[x % VISE_RANS_TOTAL];
    x = (slot & 0xfff) * (x / VISE_RANS_TOTAL) + (slot >> 12 & 0xfff);
    if (x < VISE_RANS_LOWEST) {
      if (end - words < 2) {
        return NULL;
      }
      x = x << 16 | (uint32_t)words[1] << 8 | words[0];
      words += 2;
    }
    lanes[i % VISE_RANS_LANES] = x;
    out[i] = (uint8_t)(slot >> 24);
  }
  return words;
}

#endif
