/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of small integer codes to values: the same operations as kernels/ggml_decode_body.h, which
 * the compiler leaves one by one because bytes might be the floats that are written.
 */
#include "kernels/ggml_levels.h"

#include <immintrin.h>
#include <string.h>

#define INLINE __attribute__((always_inline)) static inline

INLINE float half_at(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return _cvtsh_ss(bits);
}

INLINE __m256i load32(const uint8_t *p) {
  return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE __m256i masked(__m256i v, int bits) {
  return _mm256_and_si256(v, _mm256_set1_epi8((char)bits));
}

/* The low nibbles of 16 bytes, then the high ones. */
INLINE __m256i nibbles(const uint8_t *p) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
  return masked(_mm256_set_m128i(_mm_srli_epi16(v, 4), v), 15);
}

/* The five-bit codes of 32 values: fifth bits u32, then nibbles. */
INLINE __m256i five_bits(const uint8_t *p) {
  const __m256i places =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201);
  int32_t fifth;
  memcpy(&fifth, p, 4);
  const __m256i byte_of = _mm256_shuffle_epi8(_mm256_set1_epi32(fifth), places);
  const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(byte_of, bits), bits);
  return _mm256_or_si256(nibbles(p + 4), masked(is_set, 16));
}

/* out[j] = d code[j] of eight signed bytes. */
INLINE __m256 product8(__m128i codes, __m256 d) {
  return _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)));
}

/* 16 values d code, and + m where has_m. */
INLINE void store16(float *out, __m128i codes, float d, int has_m, float m) {
  const __m256 scale = _mm256_set1_ps(d), low = _mm256_set1_ps(m);
  const __m256 a = product8(codes, scale), b = product8(_mm_unpackhi_epi64(codes, codes), scale);
  _mm256_storeu_ps(out, has_m ? _mm256_add_ps(a, low) : a);
  _mm256_storeu_ps(out + 8, has_m ? _mm256_add_ps(b, low) : b);
}

INLINE void store32(float *out, __m256i codes, float d, int has_m, float m) {
  store16(out, _mm256_castsi256_si128(codes), d, has_m, m);
  store16(out + 16, _mm256_extracti128_si256(codes, 1), d, has_m, m);
}

INLINE __m256i less(__m256i codes, int zero) {
  return _mm256_sub_epi8(codes, _mm256_set1_epi8((char)zero));
}

static void decode_q4_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 18, out += 32) {
    store32(out, less(nibbles(p + 2), 8), half_at(p), 0, 0.0f);
  }
}

static void decode_q4_1(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 20, out += 32) {
    store32(out, nibbles(p + 4), half_at(p), 1, half_at(p + 2));
  }
}

static void decode_q5_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 22, out += 32) {
    store32(out, less(five_bits(p + 2), 16), half_at(p), 0, 0.0f);
  }
}

static void decode_q5_1(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 24, out += 32) {
    store32(out, five_bits(p + 4), half_at(p), 1, half_at(p + 2));
  }
}

static void decode_q8_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 34, out += 32) {
    store32(out, load32(p + 2), half_at(p), 0, 0.0f);
  }
}

/* Two blocks of 16, each with a scale and a low end. */
INLINE void store_two(float *out, __m256i codes, const float d[2], int has_m, const float m[2]) {
  store16(out, _mm256_castsi256_si128(codes), d[0], has_m, m[0]);
  store16(out + 16, _mm256_extracti128_si256(codes, 1), d[1], has_m, m[1]);
}

/* Bits of each byte from `at` on. */
INLINE __m256i bits_at(__m256i v, int at, int mask) {
  return masked(_mm256_srl_epi16(v, _mm_cvtsi32_si128(at)), mask);
}

static void decode_q2_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 84, out += 256) {
    const float d = half_at(p + 80), dmin = half_at(p + 82);
    for (int b = 0; b < 16; b += 2) {
      const float scales[2] = {d * (float)(p[b] & 15), d * (float)(p[b + 1] & 15)};
      const float lows[2] = {-(dmin * (float)(p[b] >> 4)), -(dmin * (float)(p[b + 1] >> 4))};
      const __m256i codes = bits_at(load32(p + 16 + b / 8 * 32), b % 8, 3);
      store_two(out + 16 * b, codes, scales, 1, lows);
    }
  }
}

/* The scale of block b of Q3_K. */
INLINE int six_bits_less_32(const uint8_t *s, int b) {
  return ((s[b % 8] >> b / 8 * 4 & 15) | (s[8 + b % 4] >> b / 4 * 2 & 3) << 4) - 32;
}

static void decode_q3_k(float *out, const uint8_t *p, int64_t n) {
  static const float none[2] = {0.0f, 0.0f};
  for (int64_t i = 0; i < n; i++, p += 110, out += 256) {
    const float d = half_at(p + 108);
    const __m256i third = load32(p);
    for (int b = 0; b < 16; b += 2) {
      const float scales[2] = {d * (float)six_bits_less_32(p + 96, b),
                               d * (float)six_bits_less_32(p + 96, b + 1)};
      const __m256i two = bits_at(load32(p + 32 + b / 8 * 32), b % 8, 3);
      const __m256i high = _mm256_slli_epi16(bits_at(third, b / 2, 1), 2);
      store_two(out + 16 * b, less(_mm256_or_si256(two, high), 4), scales, 0, none);
    }
  }
}

/* The 6-bit scale and low end of the b-th 32 columns of Q4_K and Q5_K. */
INLINE void six_bits(int *scale, int *low, const uint8_t *s, int b) {
  *scale = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | s[b - 4] >> 6 << 4;
  *low = b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | s[b] >> 6 << 4;
}

static void decode_q4_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 144, out += 256) {
    const float d = half_at(p), dmin = half_at(p + 2);
    for (int b = 0; b < 8; b++) {
      int scale, low;
      six_bits(&scale, &low, p + 4, b);
      const __m256i codes = bits_at(load32(p + 16 + b / 2 * 32), b % 2 * 4, 15);
      store32(out + 32 * b, codes, d * (float)scale, 1, -(dmin * (float)low));
    }
  }
}

static void decode_q5_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 176, out += 256) {
    const float d = half_at(p), dmin = half_at(p + 2);
    const __m256i fifth = load32(p + 16);
    for (int b = 0; b < 8; b++) {
      int scale, low;
      six_bits(&scale, &low, p + 4, b);
      const __m256i four = bits_at(load32(p + 48 + b / 2 * 32), b % 2 * 4, 15);
      const __m256i codes = _mm256_or_si256(four, _mm256_slli_epi16(bits_at(fifth, b, 1), 4));
      store32(out + 32 * b, codes, d * (float)scale, 1, -(dmin * (float)low));
    }
  }
}

static void decode_q6_k(float *out, const uint8_t *p, int64_t n) {
  static const float none[2] = {0.0f, 0.0f};
  for (int64_t i = 0; i < n; i++, p += 210, out += 256) {
    const float d = half_at(p + 208);
    for (int b = 0; b < 8; b++) { /* 32 values: four planes in each half */
      const int half = b / 4, plane = b % 4;
      const float scales[2] = {d * (float)(int8_t)p[192 + 2 * b],
                               d * (float)(int8_t)p[193 + 2 * b]};
      const __m256i four = bits_at(load32(p + 64 * half + plane % 2 * 32), plane / 2 * 4, 15);
      const __m256i two = bits_at(load32(p + 128 + 32 * half), 2 * plane, 3);
      const __m256i codes = _mm256_or_si256(four, _mm256_slli_epi16(two, 4));
      store_two(out + 32 * b, less(codes, 32), scales, 0, none);
    }
  }
}

INLINE __m256i table_values(const uint8_t *p) {
  const __m128i table =
      _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles(p));
}

static void decode_iq4_nl(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 18, out += 32) {
    store32(out, table_values(p + 2), half_at(p), 0, 0.0f);
  }
}

static void decode_iq4_xs(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 136, out += 256) {
    const float d = half_at(p);
    const int high = p[2] | p[3] << 8;
    for (int b = 0; b < 8; b++) {
      const int scale = (p[4 + b / 2] >> b % 2 * 4 & 15) | (high >> 2 * b & 3) << 4;
      store32(out + 32 * b, table_values(p + 8 + 16 * b), d * (float)(scale - 32), 0, 0.0f);
    }
  }
}

void vise_ggml_decode_fill_avx2(vise_ggml_kernels *table) {
  table->decode[VISE_GGML_Q4_0] = decode_q4_0;
  table->decode[VISE_GGML_Q4_1] = decode_q4_1;
  table->decode[VISE_GGML_Q5_0] = decode_q5_0;
  table->decode[VISE_GGML_Q5_1] = decode_q5_1;
  table->decode[VISE_GGML_Q8_0] = decode_q8_0;
  table->decode[VISE_GGML_Q2_K] = decode_q2_k;
  table->decode[VISE_GGML_Q3_K] = decode_q3_k;
  table->decode[VISE_GGML_Q4_K] = decode_q4_k;
  table->decode[VISE_GGML_Q5_K] = decode_q5_k;
  table->decode[VISE_GGML_Q6_K] = decode_q6_k;
  table->decode[VISE_GGML_IQ4_NL] = decode_iq4_nl;
  table->decode[VISE_GGML_IQ4_XS] = decode_iq4_xs;
}
