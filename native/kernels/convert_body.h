/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/convert_body.h -- formats in plain C without branches, which the compiler vectorises for
 * the level that includes it. Integers do the rounding, so every level gives ref's bits.
 *
 * Decoding a small float of `m` mantissa bits and bias b: its magnitude, put where an f32 has its
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

/* The magnitude `code` of a float of m mantissa bits and bias b, times 2^(127 - b). */
static inline float body_magnitude(uint32_t code, int m) {
  return body_float(code << (23 - m));
}

static void e4m3_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t code = x[i] & 0x7fu, sign = (uint32_t)(x[i] & 0x80u) << 24;
    const uint32_t value = body_bits(body_magnitude(code, 3) * 0x1p120f);
    out[i] = body_float(choose(code == 0x7fu, 0x7fc00000u, value) | sign);
  }
}

static void e5m2_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t code = x[i] & 0x7fu, sign = (uint32_t)(x[i] & 0x80u) << 24;
    const uint32_t value = body_bits(body_magnitude(code, 2) * 0x1p112f);
    const uint32_t special = choose(code == 0x7cu, 0x7f800000u, 0x7fc00000u);
    out[i] = body_float(choose(code >= 0x7cu, special, value) | sign);
  }
}

static void e2m3_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t value = body_bits(body_magnitude(x[i] & 0x1fu, 3) * 0x1p126f);
    out[i] = body_float(value | (uint32_t)(x[i] & 0x20u) << 26);
  }
}

static void e3m2_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t value = body_bits(body_magnitude(x[i] & 0x1fu, 2) * 0x1p124f);
    out[i] = body_float(value | (uint32_t)(x[i] & 0x20u) << 26);
  }
}

static void e2m1_decode(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t value = body_bits(body_magnitude(x[i] & 0x7u, 1) * 0x1p126f);
    out[i] = body_float(value | (uint32_t)(x[i] & 0x8u) << 28);
  }
}

/* The code of the magnitude u, the bits of a positive f32, in a format of m mantissa bits and bias
   b; NaN gives some code. */
static inline uint32_t body_round(uint32_t u, int m, int b, uint32_t largest) {
  const uint32_t half = (1u << (22 - m)) - 1u, step = (uint32_t)(127 + 23 + 1 - b - m) << 23;
  const uint32_t normal =
      ((u + half + (u >> (23 - m) & 1u)) >> (23 - m)) - ((uint32_t)(127 - b) << m);
  const uint32_t subnormal = body_bits(body_float(u) + body_float(step)) - step;
  const uint32_t code = choose(u < (uint32_t)(128 - b) << 23, subnormal, normal);
  return choose(code > largest, largest, code);
}

static void e4m3_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]), u = bits & 0x7fffffffu;
    const uint32_t code = choose(u > 0x7f800000u, 0x7fu, body_round(u, 3, 7, 0x7eu));
    out[i] = (uint8_t)(code | (bits >> 24 & 0x80u));
  }
}

static void e5m2_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]), u = bits & 0x7fffffffu;
    const uint32_t code = choose(u > 0x7f800000u, 0x7eu, body_round(u, 2, 15, 0x7bu));
    out[i] = (uint8_t)(code | (bits >> 24 & 0x80u));
  }
}

static void e2m3_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]);
    out[i] = (uint8_t)(body_round(bits & 0x7fffffffu, 3, 1, 0x1fu) | (bits >> 26 & 0x20u));
  }
}

static void e3m2_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]);
    out[i] = (uint8_t)(body_round(bits & 0x7fffffffu, 2, 3, 0x1fu) | (bits >> 26 & 0x20u));
  }
}

static void e2m1_encode(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = body_bits(x[i]);
    out[i] = (uint8_t)(body_round(bits & 0x7fffffffu, 1, 1, 0x7u) | (bits >> 28 & 0x8u));
  }
}

static void fill_from_body(vise_convert_kernels *table) {
  table->bf16_encode = bf16_encode;
  table->e2m3_decode = e2m3_decode;
  table->e2m3_encode = e2m3_encode;
  table->e3m2_decode = e3m2_decode;
  table->e3m2_encode = e3m2_encode;
  table->e2m1_decode = e2m1_decode;
  table->e2m1_encode = e2m1_encode;
  table->e4m3_decode = e4m3_decode;
  table->e5m2_decode = e5m2_decode;
  table->e4m3_encode = e4m3_encode;
  table->e5m2_encode = e5m2_encode;
}
