/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The element formats one value at a time. An f32 is rounded to a float of `e` exponent and `m`
 * mantissa bits in the integer domain:
 *
 *   normal      drop 23 - m bits with round-half-even; a carry walks into the exponent by itself
 *   subnormal   the same with the hidden bit made visible and more bits dropped
 *
 * so there is one rounding, straight from f32, and ties go to the even code.
 */
#include "kernels/convert_levels.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static float float_of(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* u >> n, rounded half to even; 0 < n < 32. */
static uint32_t shift_rne(uint32_t u, int n) {
  const uint32_t half = (1u << (n - 1)) - 1u + ((u >> n) & 1u);
  return (u + half) >> n;
}

/*
 * Magnitude code of |x| (no sign, x not NaN) in a format of `m` mantissa bits and exponent bias
 * `bias`; too large a value gives a code that is too large, for the caller to cut.
 */
static uint32_t round_magnitude(float x, int m, int bias) {
  const uint32_t u = bits_of(x) & 0x7fffffffu;
  const int exponent = (int)(u >> 23) - 127; /* of a normal f32 */
  if (exponent >= 1 - bias) {
    return shift_rne(u, 23 - m) - ((uint32_t)(127 - bias) << m);
  }
  const int drop = 23 - m + (1 - bias - exponent);
  if (u < 0x00800000u || drop > 25) {
    return 0; /* below half of the smallest subnormal of every format here */
  }
  const uint32_t mantissa = (u & 0x7fffffu) | 0x800000u;
  return drop == 25 ? 0u : shift_rne(mantissa, drop);
}

uint16_t vise_f32_to_f16(float x) {
  const uint16_t sign = (uint16_t)(bits_of(x) >> 16 & 0x8000u);
  if (isnan(x)) {
    return (uint16_t)(sign | 0x7e00u);
  }
  const uint32_t code = round_magnitude(x, 10, 15);
  return (uint16_t)(sign | (code > 0x7c00u ? 0x7c00u : code));
}

uint16_t vise_f32_to_bf16(float x) {
  const uint32_t u = bits_of(x);
  if (isnan(x)) {
    return (uint16_t)(u >> 16 | 0x40u);
  }
  return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

uint8_t vise_f32_to_e4m3(float x) {
  const uint8_t sign = (uint8_t)(bits_of(x) >> 24 & 0x80u);
  const uint32_t code = isnan(x) ? 0x7fu : round_magnitude(x, 3, 7);
  return (uint8_t)(sign | (isnan(x) ? 0x7fu : code > 0x7eu ? 0x7eu : code));
}

uint8_t vise_f32_to_e5m2(float x) {
  const uint8_t sign = (uint8_t)(bits_of(x) >> 24 & 0x80u);
  const uint32_t code = isnan(x) ? 0x7eu : round_magnitude(x, 2, 15);
  return (uint8_t)(sign | (isnan(x) ? 0x7eu : code > 0x7bu ? 0x7bu : code));
}

/* A float of 6 or fewer bits, whose largest magnitude `largest` has all bits set. */
static uint8_t round_small(float x, int m, int bias, uint32_t largest) {
  const uint32_t code = round_magnitude(x, m, bias);
  return (uint8_t)((code > largest ? largest : code) | (bits_of(x) >> 31) * (largest + 1));
}

uint8_t vise_f32_to_e2m3(float x) {
  return round_small(x, 3, 1, 0x1f);
}

uint8_t vise_f32_to_e3m2(float x) {
  return round_small(x, 2, 3, 0x1f);
}

uint8_t vise_f32_to_e2m1(float x) {
  return round_small(x, 1, 1, 0x7);
}

float vise_bf16_to_f32(uint16_t x) {
  return float_of((uint32_t)x << 16);
}

/* Value of a code with `m` mantissa bits and bias `bias` that is neither infinite nor NaN. */
static float magnitude_value(uint32_t code, int m, int bias) {
  const uint32_t exponent = code >> m, mantissa = code & ((1u << m) - 1u);
  if (exponent == 0) {
    return ldexpf((float)mantissa, 1 - bias - m);
  }
  return float_of((exponent + (uint32_t)(127 - bias)) << 23 | mantissa << (23 - m));
}

static float with_sign(float magnitude, uint32_t negative) {
  return float_of(bits_of(magnitude) | negative << 31);
}

float vise_f16_to_f32(uint16_t x) {
  const uint32_t code = x & 0x7fffu, negative = x >> 15;
  if (code >= 0x7c00u) { /* infinity, or a NaN with its payload made quiet, as F16C does */
    return float_of(negative << 31 | 0x7f800000u | (code & 0x3ffu) << 13 |
                    (code > 0x7c00u ? 0x400000u : 0u));
  }
  return with_sign(magnitude_value(code, 10, 15), negative);
}

float vise_e4m3_to_f32(uint8_t x) {
  const uint32_t code = x & 0x7fu, negative = x >> 7;
  return with_sign(code == 0x7fu ? float_of(0x7fc00000u) : magnitude_value(code, 3, 7), negative);
}

float vise_e5m2_to_f32(uint8_t x) {
  const uint32_t code = x & 0x7fu, negative = x >> 7;
  if (code >= 0x7cu) {
    return with_sign(float_of(code == 0x7cu ? 0x7f800000u : 0x7fc00000u), negative);
  }
  return with_sign(magnitude_value(code, 2, 15), negative);
}

float vise_e2m3_to_f32(uint8_t x) {
  return with_sign(magnitude_value(x & 0x1fu, 3, 1), x >> 5 & 1u);
}

float vise_e3m2_to_f32(uint8_t x) {
  return with_sign(magnitude_value(x & 0x1fu, 2, 3), x >> 5 & 1u);
}

float vise_e2m1_to_f32(uint8_t x) {
  return with_sign(magnitude_value(x & 0x7u, 1, 1), x >> 3 & 1u);
}

static void bf16_decode_ref(float *out, const uint16_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_bf16_to_f32(x[i]);
  }
}

static void f16_decode_ref(float *out, const uint16_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f16_to_f32(x[i]);
  }
}

static void bf16_encode_ref(uint16_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_bf16(x[i]);
  }
}

static void f16_encode_ref(uint16_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_f16(x[i]);
  }
}

static void e4m3_decode_ref(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_e4m3_to_f32(x[i]);
  }
}

static void e4m3_encode_ref(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_e4m3(x[i]);
  }
}

static void e5m2_decode_ref(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_e5m2_to_f32(x[i]);
  }
}

static void e5m2_encode_ref(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_e5m2(x[i]);
  }
}

static void e2m3_decode_ref(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_e2m3_to_f32(x[i]);
  }
}

static void e2m3_encode_ref(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_e2m3(x[i]);
  }
}

static void e3m2_decode_ref(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_e3m2_to_f32(x[i]);
  }
}

static void e3m2_encode_ref(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_e3m2(x[i]);
  }
}

static void e2m1_decode_ref(float *out, const uint8_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_e2m1_to_f32(x[i]);
  }
}

static void e2m1_encode_ref(uint8_t *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = vise_f32_to_e2m1(x[i]);
  }
}

static int has_nonfinite_ref(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if ((bits_of(x[i]) & 0x7f800000u) == 0x7f800000u) {
      return 1;
    }
  }
  return 0;
}

void vise_convert_fill_ref(vise_convert_kernels *table) {
  *table = (vise_convert_kernels){
      .bf16_decode = bf16_decode_ref,
      .f16_decode = f16_decode_ref,
      .bf16_encode = bf16_encode_ref,
      .f16_encode = f16_encode_ref,
      .e4m3_decode = e4m3_decode_ref,
      .e5m2_decode = e5m2_decode_ref,
      .e4m3_encode = e4m3_encode_ref,
      .e5m2_encode = e5m2_encode_ref,
      .e2m3_decode = e2m3_decode_ref,
      .e2m3_encode = e2m3_encode_ref,
      .e3m2_decode = e3m2_decode_ref,
      .e3m2_encode = e3m2_encode_ref,
      .e2m1_decode = e2m1_decode_ref,
      .e2m1_encode = e2m1_encode_ref,
      .has_nonfinite = has_nonfinite_ref,
  };
}
