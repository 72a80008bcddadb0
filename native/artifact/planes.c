/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/planes.h"

#include <string.h>

/* Only the order of bytes in memory depends on the machine: elements are read as little-endian. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE16(v) __builtin_bswap16(v)
#define LITTLE32(v) __builtin_bswap32(v)
#define LITTLE64(v) __builtin_bswap64(v)
#else
#define LITTLE16(v) (v)
#define LITTLE32(v) (v)
#define LITTLE64(v) (v)
#endif

static void split16(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint16_t u;
    memcpy(&u, in + 2 * i, sizeof u);
    u = LITTLE16(u);
    out[i] = (uint8_t)(u >> 7);
    out[n + i] = (uint8_t)((unsigned)u << 1 | u >> 15);
  }
}

static void join16(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const unsigned r = (unsigned)in[i] << 8 | in[n + i];
    const uint16_t u = LITTLE16((uint16_t)(r >> 1 | r << 15));
    memcpy(out + 2 * i, &u, sizeof u);
  }
}

static void split32(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, in + 4 * i, sizeof u);
    u = LITTLE32(u);
    const uint32_t r = u << 1 | u >> 31;
    out[i] = (uint8_t)(r >> 24);
    out[n + i] = (uint8_t)(r >> 16);
    out[2 * n + i] = (uint8_t)(r >> 8);
    out[3 * n + i] = (uint8_t)r;
  }
}

static void join32(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t r = (uint32_t)in[i] << 24 | (uint32_t)in[n + i] << 16 |
                       (uint32_t)in[2 * n + i] << 8 | in[3 * n + i];
    const uint32_t u = LITTLE32(r >> 1 | r << 31);
    memcpy(out + 4 * i, &u, sizeof u);
  }
}

static void split64(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint64_t u;
    memcpy(&u, in + 8 * i, sizeof u);
    u = LITTLE64(u);
    const uint64_t r = u << 1 | u >> 63;
    for (size_t p = 0; p < 8; p++) {
      out[p * n + i] = (uint8_t)(r >> (56 - 8 * p));
    }
  }
}

static void join64(uint8_t *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint64_t r = 0;
    for (size_t p = 0; p < 8; p++) {
      r = r << 8 | in[p * n + i];
    }
    const uint64_t u = LITTLE64(r >> 1 | r << 63);
    memcpy(out + 8 * i, &u, sizeof u);
  }
}

void vise_planes_split(uint8_t *out, const uint8_t *in, size_t bytes, int width) {
  switch (width) {
  case 2: split16(out, in, bytes / 2); break;
  case 4: split32(out, in, bytes / 4); break;
  default: split64(out, in, bytes / 8); break;
  }
}

void vise_planes_join(uint8_t *out, const uint8_t *in, size_t bytes, int width) {
  switch (width) {
  case 2: join16(out, in, bytes / 2); break;
  case 4: join32(out, in, bytes / 4); break;
  default: join64(out, in, bytes / 8); break;
  }
}
