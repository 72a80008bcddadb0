/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot_ggml_body.h -- rows of ggml's blocks times a token, over the 16 lanes of
 * kernels/lanes_*_body.h and the loads that the including file defines.
 */

enum {
  FIELDS = 4 * 16,     /* of a quad, as prepared */
  QUAD = FIELDS + 16,  /* with its sums */
  PREFETCH_GGML = 2048 /* bytes ahead: the blocks are read once and come from memory */
};

static const uint32_t LOW = 0x0f0f0f0f;

static inline void fetch_ahead(const uint8_t *p, int bytes) {
  for (int i = 0; i < bytes; i += 64) {
    __builtin_prefetch(p + PREFETCH_GGML + i);
  }
}

/* p of one quad: codes where `mask` lies in each byte. */
static inline floats quad(words v, uint32_t mask, const float *x, floats p) {
  const words upper = shifted_down(v, 16);
  p = fma16(floats_of(masked(v, mask)), load16(x), p);
  p = fma16(floats_of(masked(v, mask << 8)), load16(x + 16), p);
  p = fma16(floats_of(masked(upper, mask)), load16(x + 32), p);
  return fma16(floats_of(masked(upper, mask << 8)), load16(x + 48), p);
}

/* The same begun at the sums. */
static inline floats biased_quad(words v, uint32_t mask, const float *x) {
  return quad(v, mask, x, load16(x + FIELDS));
}

/* The last columns of a row: as whole blocks, zeros behind them. */
static inline const uint8_t *
rest_of(uint8_t *rest, const uint8_t *p, int64_t left, int64_t span, int block) {
  if (left >= span) {
    return p;
  }
  memcpy(rest, p, (size_t)(left / 32 * block));
  return rest;
}

static float row_q4_0(const uint8_t *p, int64_t k, const float *x) {
  uint8_t rest[4 * 18] = {0};
  floats total = none16();
  for (int64_t left = k; left > 0; left -= 128, p += 4 * 18, x += 2 * QUAD) {
    fetch_ahead(p, 64);
    const uint8_t *at = rest_of(rest, p, left, 128, 18);
    const words v = load_fours(at + 2, 18);
    const floats e = halves_by_four(at, 18);
    total = fma16(e, biased_quad(v, 0x0f, x), total);
    total = fma16(e, biased_quad(v, 0xf0, x + QUAD), total);
  }
  return sum16(total);
}

static float row_iq4_nl(const uint8_t *p, int64_t k, const float *x) {
  uint8_t rest[4 * 18] = {0};
  floats total = none16();
  for (int64_t left = k; left > 0; left -= 128, p += 4 * 18, x += 2 * QUAD) {
    fetch_ahead(p, 64);
    const uint8_t *at = rest_of(rest, p, left, 128, 18);
    const words v = load_fours(at + 2, 18), high = masked(shifted_down(v, 4), LOW);
    const floats e = halves_by_four(at, 18);
    total = fma16(e, biased_quad(looked_up(masked(v, LOW)), 0xff, x), total);
    total = fma16(e, biased_quad(looked_up(high), 0xff, x + QUAD), total);
  }
  return sum16(total);
}

static float row_q8_0(const uint8_t *p, int64_t k, const float *x) {
  uint8_t rest[2 * 34] = {0};
  floats total = none16();
  for (int64_t left = k; left > 0; left -= 64, p += 2 * 34, x += QUAD) {
    fetch_ahead(p, 64);
    const uint8_t *at = rest_of(rest, p, left, 64, 34);
    const words v = with_signs_flipped(load_eights(at + 2, 34));
    total = fma16(halves_by_eight(at, 34), biased_quad(v, 0xff, x), total);
  }
  return sum16(total);
}

/* e of the eight blocks of Q4_K and Q5_K, then -m. */
static inline void scales_and_lows(float out[16], const uint8_t *p) {
  const float scales[2] = {half_at(p), -half_at(p + 2)};
  uint32_t u[3], bytes[4];
  memcpy(u, p + 4, 12);
  bytes[0] = u[0] & 0x3f3f3f3f;
  bytes[1] = (u[2] & LOW) | (u[0] >> 2 & 0x30303030);
  bytes[2] = u[1] & 0x3f3f3f3f;
  bytes[3] = (u[2] >> 4 & LOW) | (u[1] >> 2 & 0x30303030);
  int8_t steps[16];
  memcpy(steps, bytes, 16);
  store16(out, mul16(by_eight(scales, 1), floats_of_bytes(steps)));
}

static float row_q4_k(const uint8_t *p, int64_t k, const float *x) {
  float e[16];
  floats total = none16();
  for (int64_t j = 0; j < k; j += 256, p += 144) {
    fetch_ahead(p, 144);
    scales_and_lows(e, p);
    for (int c = 0; c < 2; c++, x += 2 * FIELDS) {
      const words v = load_words(p + 16 + 64 * c);
      total = fma16(by_eight(e + 4 * c, 2), quad(v, 0x0f, x, none16()), total);
      total = fma16(by_eight(e + 4 * c + 1, 2), quad(v, 0xf0, x + FIELDS, none16()), total);
    }
    total = fma16(load_twice(e + 8), load16(x), total);
    x += 16;
  }
  return sum16(total);
}

static float row_q5_k(const uint8_t *p, int64_t k, const float *x) {
  const uint32_t fifth = 0x10101010;
  float e[16];
  floats total = none16();
  for (int64_t j = 0; j < k; j += 256, p += 176) {
    fetch_ahead(p, 176);
    scales_and_lows(e, p);
    const words bits = load_planes(p + 16), up = shifted_up(bits, 4);
    for (int c = 0; c < 2; c++, x += 2 * FIELDS) {
      const words v = load_words(p + 48 + 64 * c), h = c == 0 ? up : bits; /* 5th bits: 4, 5 */
      const words low = either(masked(v, LOW), masked(h, fifth));
      const words high = either(masked(shifted_down(v, 4), LOW), masked(shifted_down(h, 1), fifth));
      total = fma16(by_eight(e + 4 * c, 2), quad(low, 0xff, x, none16()), total);
      total = fma16(by_eight(e + 4 * c + 1, 2), quad(high, 0xff, x + FIELDS, none16()), total);
    }
    total = fma16(load_twice(e + 8), load16(x), total);
    x += 16;
  }
  return sum16(total);
}

static float row_q6_k(const uint8_t *p, int64_t k, const float *x) {
  const uint32_t upper = 0x30303030;
  floats total = none16();
  for (int64_t j = 0; j < k; j += 256, p += 210) {
    fetch_ahead(p, 210);
    const float d = half_at(p + 208), scales[2] = {d, d};
    int8_t steps[16];
    float e[16];
    memcpy(steps, p + 192, 16);
    store16(e, mul16(by_eight(scales, 1), floats_of_bytes(steps)));
    for (int c = 0; c < 2; c++, x += 2 * QUAD) {
      const words v = load_words(p + 64 * c), bits = load_planes(p + 128 + 32 * c);
      const words low = either(masked(v, LOW), masked(shifted_up(bits, 4), upper));
      const words high = either(masked(shifted_down(v, 4), LOW), masked(bits, upper));
      total = fma16(by_four(e + 8 * c), biased_quad(low, 0xff, x), total);
      total = fma16(by_four(e + 8 * c + 4), biased_quad(high, 0xff, x + QUAD), total);
    }
  }
  return sum16(total);
}

/* The eight integer scales of IQ4_XS: nibbles and pairs of bits, each moved to a byte, minus 32. */
static inline void iq4_xs_steps(int8_t *out, const uint8_t *p) {
  uint64_t low = (uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 32 | (uint64_t)p[7] << 40;
  uint64_t high = p[2] | (uint64_t)p[3] << 32;
  low = (low | low << 8) & 0x00ff00ff00ff00ffu;
  low = (low | low << 4) & 0x0f0f0f0f0f0f0f0fu;
  high = (high | high << 12) & 0x000f000f000f000fu;
  high = (high | high << 6) & 0x0303030303030303u;
  const uint64_t tops = 0x8080808080808080u, codes = low | high << 4;
  const uint64_t steps = ((codes | tops) - 0x2020202020202020u) ^ tops;
  memcpy(out, &steps, sizeof steps);
}

static float row_iq4_xs(const uint8_t *p, int64_t k, const float *x) {
  floats total = none16();
  for (int64_t j = 0; j < k; j += 256, p += 136) {
    fetch_ahead(p, 136);
    const float d = half_at(p), scales[2] = {d, d};
    float e[16];
    int8_t steps[16] = {0};
    iq4_xs_steps(steps, p);
    store16(e, mul16(by_eight(scales, 1), floats_of_bytes(steps)));
    for (int c = 0; c < 2; c++, x += 2 * QUAD) {
      const words v = load_words(p + 8 + 64 * c), high = masked(shifted_down(v, 4), LOW);
      const floats by = by_four(e + 4 * c);
      total = fma16(by, biased_quad(looked_up(masked(v, LOW)), 0xff, x), total);
      total = fma16(by, biased_quad(looked_up(high), 0xff, x + QUAD), total);
    }
  }
  return sum16(total);
}

static void fill(vise_qdot_ggml_kernels *table) {
  *table = (vise_qdot_ggml_kernels){.row = {[VISE_GGML_Q4_0] = row_q4_0,
                                            [VISE_GGML_Q8_0] = row_q8_0,
                                            [VISE_GGML_Q4_K] = row_q4_k,
                                            [VISE_GGML_Q5_K] = row_q5_k,
                                            [VISE_GGML_Q6_K] = row_q6_k,
                                            [VISE_GGML_IQ4_NL] = row_iq4_nl,
                                            [VISE_GGML_IQ4_XS] = row_iq4_xs}};
}
