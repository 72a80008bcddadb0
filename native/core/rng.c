/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libm chooses its own instructions (with and without fused multiply-adds) and changes its last
 * bits from release to release, so the two functions that normal numbers need are written out here:
 * the same additions, products and quotients on every machine.
 */
#include "core/rng.h"

#include <math.h>

void vise_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c0 = n0;
    c1 = (uint32_t)p1;
    c2 = n2;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* FNV-1a over the seed's bytes and the name: spreads names over keys, needs no secrecy. */
vise_rng vise_rng_named(uint64_t seed, const char *name) {
  uint64_t h = 0xcbf29ce484222325u;
  for (int i = 0; i < 8; i++) {
    h = (h ^ ((seed >> (8 * i)) & 0xff)) * 0x100000001b3u;
  }
  for (const char *p = name; *p != '\0'; p++) {
    h = (h ^ (unsigned char)*p) * 0x100000001b3u;
  }
  return (vise_rng){{(uint32_t)h, (uint32_t)(h >> 32)}};
}

static void block(uint32_t out[4], const vise_rng *r, uint64_t number) {
  const uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32), 0, 0};
  vise_philox(out, counter, r->key);
}

static double to_unit(uint32_t high, uint32_t low) {
  return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

uint32_t vise_rng_u32(const vise_rng *r, uint64_t i) {
  uint32_t b[4];
  block(b, r, i / 4);
  return b[i % 4];
}

double vise_rng_uniform(const vise_rng *r, uint64_t i) {
  uint32_t b[4];
  block(b, r, i / 2);
  return to_unit(b[2 * (i % 2)], b[2 * (i % 2) + 1]);
}

/*
 * ln u for u in (0, 1]. u = m 2^e with m in [1/sqrt 2, sqrt 2), s = (m - 1) / (m + 1), |s| < 0.172:
 * ln m = 2 atanh s = 2 (s + s^3/3 + s^5/5 + ...), cut after s^23, which leaves less than 2^-60 of
 * it.
 */
static double natural_log(double u) {
  int e;
  double m = frexp(u, &e);
  if (m < 0.70710678118654752) {
    m *= 2.0;
    e -= 1;
  }
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double sum = 1.0 / 23.0;
  for (int k = 21; k >= 1; k -= 2) {
    sum = sum * z + 1.0 / k;
  }
  return e * 0.69314718055994531 + 2.0 * s * sum;
}

/*
 * cos 2 pi v for v in [0, 1). The nearest quarter is taken off first, which is exact; for the rest,
 * |x| <= pi/4, the Taylor series end where the next term is below 2^-58.
 */
static double cosine_of_turn(double v) {
  const int quarter = (int)(4.0 * v + 0.5);
  const double x = 6.2831853071795865 * (v - 0.25 * quarter), z = x * x;
  double c = 1.0, s = 1.0;
  for (int k = 16; k >= 2; k -= 2) {
    c = 1.0 - c * z / (double)(k * (k - 1));
    s = 1.0 - s * z / (double)(k * (k + 1));
  }
  switch (quarter & 3) {
  case 0: return c;
  case 1: return -(s * x);
  case 2: return -c;
  default: return s * x;
  }
}

double vise_rng_normal(const vise_rng *r, uint64_t i) {
  uint32_t b[4];
  block(b, r, i);
  const double u = 1.0 - to_unit(b[0], b[1]); /* (0, 1]: its logarithm is finite */
  return sqrt(-2.0 * natural_log(u)) * cosine_of_turn(to_unit(b[2], b[3]));
}
