/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/convert_body.h -- formats in plain C without branches, which the compiler vectorises for
 * the level that includes it. Integers do the rounding, so every level gives ref's bits.
 *
 * Decoding an 8-bit float of `m` mantissa bits and bias b: its magnitude, put where an f32 has its
 * exponent and mantissa, is the value times 2^(b - 127); the product is exact, subnormals included.
 *
 * Encoding: a normal drops 23 - m bits, half to even. A subnormal is added to the power of two
 * whose unit in the last place is the format's smallest step, so that the addition itself rounds
 * it.
 */
#include <stdbool.h>
#include <string.h>

static inline uint32_t body_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static inline float body_float(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* `a` if `is_a`, else `b`: without a branch, which would keep the compiler from vectorising. */
static inline uint32_t choose(bool is_a, uint32_t a, uint32_t b) {
  const uint32_t mask = 0u - (uint32_t)is_a;
  return (a & mask) | (b & ~mask);
}

static void bf16_encode(uint16_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t u = body_bits(x[i]);
    const uint32_t rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
    out[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16 | 0x40u) : rounded);
  }
}

static void e4m3_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t code = x[i] & 0x7fu, sign = (uint32_t)(x[i] & 0x80u) << 24;
    const uint32_t value = body_bits(body_float(code << 20) * 0x1p120f);
    out[i] = body_float(choose(code == 0x7fu, 0x7fc00000u, value) | sign);
  }
}

static void e5m2_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t code = x[i] & 0x7fu, sign = (uint32_t)(x[i] & 0x80u) << 24;
    const uint32_t value = body_bits(body_float(code << 21) * 0x1p112f);
    const uint32_t special = choose(code == 0x7cu, 0x7f800000u, 0x7fc00000u);
    out[i] = body_float(choose(code >= 0x7cu, special, value) | sign);
  }
}

static void e4m3_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]), u = bits & 0x7fffffffu;
    const uint32_t normal = ((u + 0x7ffffu + (u >> 20 & 1u)) >> 20) - (120u << 3);
    const uint32_t subnormal = body_bits(body_float(u) + 0x1p14f) - body_bits(0x1p14f);
    const uint32_t code = choose(u < 121u << 23, subnormal, normal);
    const uint32_t cut = choose(code > 0x7eu, 0x7eu, code);
    out[i] = (uint8_t)(choose(u > 0x7f800000u, 0x7fu, cut) | (bits >> 24 & 0x80u));
  }
}

static void e5m2_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]), u = bits & 0x7fffffffu;
    const uint32_t normal = ((u + 0xfffffu + (u >> 21 & 1u)) >> 21) - (112u << 2);
    const uint32_t subnormal = body_bits(body_float(u) + 0x1p7f) - body_bits(0x1p7f);
    const uint32_t code = choose(u < 113u << 23, subnormal, normal);
    const uint32_t cut = choose(code > 0x7bu, 0x7bu, code);
    out[i] = (uint8_t)(choose(u > 0x7f800000u, 0x7eu, cut) | (bits >> 24 & 0x80u));
  }
}

static void fill_from_body(vise_convert_kernels *table) {
  table->bf16_encode = bf16_encode;
  table->e4m3_decode = e4m3_decode;
  table->e5m2_decode = e5m2_decode;
  table->e4m3_encode = e4m3_encode;
  table->e5m2_encode = e5m2_encode;
}
