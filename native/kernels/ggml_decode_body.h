/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_decode_body.h -- blocks to values. Every product is exact in f32; the sum of the
 * formats with a low end rounds once.
 */

INLINE float half_at(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return half_to_float(bits);
}

/* out[j] = d (low nibble of byte j), out[j + n] of the high one, after adding base; n <= 32 */
INLINE void two_planes(float *out, const uint8_t *p, int n, float d, int base, float m) {
  for (int j = 0; j < n; j++) {
    out[j] = d * (float)((p[j] & 15) + base) + m;
    out[j + n] = d * (float)((p[j] >> 4) + base) + m;
  }
}

static void decode_q4_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 18, out += 32) {
    const float d = half_at(p);
    for (int j = 0; j < 16; j++) {
      out[j] = d * (float)((p[2 + j] & 15) - 8);
      out[j + 16] = d * (float)((p[2 + j] >> 4) - 8);
    }
  }
}

static void decode_q4_1(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 20, out += 32) {
    two_planes(out, p + 4, 16, half_at(p), 0, half_at(p + 2));
  }
}

/* The five-bit codes of 32 values: fifth bits u32, then nibbles. */
INLINE void five_bits(int *codes, const uint8_t *p) {
  uint32_t fifth;
  memcpy(&fifth, p, 4);
  for (int j = 0; j < 16; j++) {
    codes[j] = (p[4 + j] & 15) | (int)(fifth >> j & 1) << 4;
    codes[j + 16] = p[4 + j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4;
  }
}

static void decode_q5_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 22, out += 32) {
    const float d = half_at(p);
    int codes[32];
    five_bits(codes, p + 2);
    for (int j = 0; j < 32; j++) {
      out[j] = d * (float)(codes[j] - 16);
    }
  }
}

static void decode_q5_1(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 24, out += 32) {
    const float d = half_at(p), m = half_at(p + 2);
    int codes[32];
    five_bits(codes, p + 4);
    for (int j = 0; j < 32; j++) {
      out[j] = d * (float)codes[j] + m;
    }
  }
}

static void decode_q8_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 34, out += 32) {
    const float d = half_at(p);
    for (int j = 0; j < 32; j++) {
      out[j] = d * (float)(int8_t)p[2 + j];
    }
  }
}

static void decode_tq2_0(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 66, out += SUPER) {
    const float d = half_at(p + 64);
    for (int h = 0; h < 2; h++) {
      for (int plane = 0; plane < 4; plane++) {
        for (int l = 0; l < 32; l++) {
          out[128 * h + 32 * plane + l] = d * (float)((p[32 * h + l] >> 2 * plane & 3) - 1);
        }
      }
    }
  }
}

static void decode_q2_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 84, out += SUPER) {
    const float d = half_at(p + 80), dmin = half_at(p + 82);
    for (int b = 0; b < 16; b++) {
      const float e = d * (float)(p[b] & 15), m = dmin * (float)(p[b] >> 4);
      const uint8_t *codes = p + 16 + b / 8 * 32 + b % 2 * 16;
      for (int l = 0; l < 16; l++) {
        out[16 * b + l] = e * (float)(codes[l] >> b % 8 / 2 * 2 & 3) - m;
      }
    }
  }
}

/* The scale of block b of Q3_K, a six-bit number less 32. */
INLINE int q3_k_scale(const uint8_t *s, int b) {
  return ((s[b % 8] >> b / 8 * 4 & 15) | (s[8 + b % 4] >> b / 4 * 2 & 3) << 4) - 32;
}

static void decode_q3_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 110, out += SUPER) {
    const float d = half_at(p + 108);
    for (int b = 0; b < 16; b++) {
      const float e = d * (float)q3_k_scale(p + 96, b);
      const uint8_t *codes = p + 32 + b / 8 * 32 + b % 2 * 16, *third = p + b % 2 * 16;
      for (int l = 0; l < 16; l++) {
        const int code = (codes[l] >> b % 8 / 2 * 2 & 3) | (third[l] >> b / 2 & 1) << 2;
        out[16 * b + l] = e * (float)(code - 4);
      }
    }
  }
}

/* sc and mn of block b of Q4_K and Q5_K. */
INLINE void six_bits(int *sc, int *mn, const uint8_t *s, int b) {
  *sc = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | s[b - 4] >> 6 << 4;
  *mn = b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | s[b] >> 6 << 4;
}

static void decode_q4_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 144, out += SUPER) {
    const float d = half_at(p), dmin = half_at(p + 2);
    for (int b = 0; b < 8; b++) {
      int sc, mn;
      six_bits(&sc, &mn, p + 4, b);
      const float e = d * (float)sc, m = dmin * (float)mn;
      const uint8_t *codes = p + 16 + b / 2 * 32;
      for (int l = 0; l < 32; l++) {
        out[32 * b + l] = e * (float)(codes[l] >> b % 2 * 4 & 15) - m;
      }
    }
  }
}

static void decode_q5_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 176, out += SUPER) {
    const float d = half_at(p), dmin = half_at(p + 2);
    for (int b = 0; b < 8; b++) {
      int sc, mn;
      six_bits(&sc, &mn, p + 4, b);
      const float e = d * (float)sc, m = dmin * (float)mn;
      const uint8_t *codes = p + 48 + b / 2 * 32, *fifth = p + 16;
      for (int l = 0; l < 32; l++) {
        out[32 * b + l] = e * (float)((codes[l] >> b % 2 * 4 & 15) | (fifth[l] >> b & 1) << 4) - m;
      }
    }
  }
}

static void decode_q6_k(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 210, out += SUPER) {
    const float d = half_at(p + 208);
    for (int b = 0; b < 16; b++) {
      const int h = b / 8, plane = b % 8 / 2, at = b % 2 * 16; /* plane: 32 of 128 values */
      const float e = d * (float)(int8_t)p[192 + b];
      const uint8_t *low = p + 64 * h + plane % 2 * 32 + at, *high = p + 128 + 32 * h + at;
      for (int l = 0; l < 16; l++) {
        const int code = (low[l] >> plane / 2 * 4 & 15) | (high[l] >> plane * 2 & 3) << 4;
        out[16 * b + l] = e * (float)(code - 32);
      }
    }
  }
}

INLINE void decode_table(float *out, const uint8_t *p, float d) {
  for (int j = 0; j < 16; j++) {
    out[j] = d * IQ4_VALUES[p[j] & 15];
    out[j + 16] = d * IQ4_VALUES[p[j] >> 4];
  }
}

static void decode_iq4_nl(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 18, out += 32) {
    decode_table(out, p + 2, half_at(p));
  }
}

/* The scale of block b of the IQ4_XS block p, a six-bit number less 32. */
INLINE int iq4_xs_scale(const uint8_t *p, int b) {
  const int high = p[2] | p[3] << 8;
  return ((p[4 + b / 2] >> b % 2 * 4 & 15) | (high >> 2 * b & 3) << 4) - 32;
}

static void decode_iq4_xs(float *out, const uint8_t *p, int64_t n) {
  for (int64_t i = 0; i < n; i++, p += 136, out += SUPER) {
    const float d = half_at(p);
    for (int b = 0; b < 8; b++) {
      decode_table(out + 32 * b, p + 8 + 16 * b, d * (float)iq4_xs_scale(p, b));
    }
  }
}
