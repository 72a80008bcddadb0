/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four lanes each take 8 bytes of every stripe of 32; the lanes are merged, the rest is mixed in
 * by 8, 4 and 1 bytes, and the avalanche spreads every bit.
 */
#include "artifact/xxh64.h"

#include "core/bytes.h"

static const uint64_t P1 = 0x9e3779b185ebca87, P2 = 0xc2b2ae3d27d4eb4f, P3 = 0x165667b19e3779f9,
                      P4 = 0x85ebca77c2b2ae63, P5 = 0x27d4eb2f165667c5;

static uint64_t rotate(uint64_t x, int by) {
  return x << by | x >> (64 - by);
}

static uint64_t round_of(uint64_t lane, uint64_t input) {
  return rotate(lane + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t h, uint64_t lane) {
  return (h ^ round_of(0, lane)) * P1 + P4;
}

uint64_t vise_xxh64(const void *data, size_t bytes) {
  const uint8_t *p = data;
  size_t left = bytes;
  uint64_t h = P5;
  if (left >= 32) {
    uint64_t a = P1 + P2, b = P2, c = 0, d = 0 - P1;
    for (; left >= 32; left -= 32, p += 32) {
      a = round_of(a, vise_load_u64(p));
      b = round_of(b, vise_load_u64(p + 8));
      c = round_of(c, vise_load_u64(p + 16));
      d = round_of(d, vise_load_u64(p + 24));
    }
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    h = merge(merge(merge(merge(h, a), b), c), d);
  }
  h += (uint64_t)bytes;
  for (; left >= 8; left -= 8, p += 8) {
    h = rotate(h ^ round_of(0, vise_load_u64(p)), 27) * P1 + P4;
  }
  if (left >= 4) {
    h = rotate(h ^ (uint64_t)vise_load_u32(p) * P1, 23) * P2 + P3;
    left -= 4;
    p += 4;
  }
  for (; left > 0; left--, p++) {
    h = rotate(h ^ *p * P5, 11) * P1;
  }
  h = (h ^ h >> 33) * P2;
  h = (h ^ h >> 29) * P3;
  return h ^ h >> 32;
}
