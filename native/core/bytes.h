/* SPDX-License-Identifier: Apache-2.0 */
/* core/bytes.h -- little-endian integers and streams of bits, at any alignment. */
#ifndef VISE_CORE_BYTES_H
#define VISE_CORE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* An integer of `bytes` bytes, 1 to 8. */
static inline uint64_t vise_load(const uint8_t *p, size_t bytes) {
  uint64_t v = 0;
  for (size_t i = bytes; i-- > 0;) {
    v = v << 8 | p[i];
  }
  return v;
}

static inline void vise_store(uint8_t *p, uint64_t v, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    p[i] = (uint8_t)(v >> (8 * i));
  }
}

static inline uint32_t vise_load_u32(const uint8_t *p) {
  return (uint32_t)vise_load(p, 4);
}
static inline uint64_t vise_load_u64(const uint8_t *p) {
  return vise_load(p, 8);
}
static inline void vise_store_u32(uint8_t *p, uint32_t v) {
  vise_store(p, v, 4);
}
static inline void vise_store_u64(uint8_t *p, uint64_t v) {
  vise_store(p, v, 8);
}

/* Bits [at, at + width) of a stream, bit i being bit i % 8 of byte i / 8; width is 1 to 24.
   Reads no byte that has none of them. */
static inline uint32_t vise_bits_at(const uint8_t *stream, int64_t at, int width) {
  const uint8_t *p = stream + at / 8;
  const int shift = (int)(at % 8);
  uint32_t bits = p[0];
  for (int i = 1; 8 * i < shift + width; i++) {
    bits |= (uint32_t)p[i] << (8 * i);
  }
  return bits >> shift & ((1u << width) - 1u);
}

#endif
