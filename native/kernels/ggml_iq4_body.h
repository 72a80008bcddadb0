/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_iq4_body.h -- IQ4_NL and IQ4_XS: codes of a table of 16 values that lie closer
 * together around zero. The nearest value changes at the midpoints, which belong to the higher.
 */

/* IQ4_NL: blocks of 32 with an f16 scale; IQ4_XS: eight of them with a 6-bit scale each. */
enum { IQ4 = 32 };

static const grid iq4_grid = {true, -127.0f, 113.0f};

/* s = A / B and the reciprocal that found its codes, weights w; 0 where all is nothing. */
INLINE lanes their_table_search(const lanes *x, const lanes *w) {
  const lanes none = all(0.0f), m = extreme(x, IQ4);
  lanes best = none, gain = none;
  for (int k = -8; k <= 7; k++) { /* -8: the extreme at the positive end, kept whatever it is */
    const lanes factor = k == -8 ? 1.0f / (m / 127.0f) : ((float)k - 127.0f) / m;
    lanes a = none, b = none;
    for (int j = 0; j < IQ4; j++) {
      const lanes value = table_value(factor * x[j]);
      a += w[j] * value * x[j];
      b += w[j] * value * value;
    }
    const lanes scale = a / b;
    const flags is_better = k == -8 ? (m == m) : (b > none) & (a * a > gain * b);
    gain = choose(is_better, scale * a, gain);
    best = choose(is_better, scale, best);
  }
  return choose(greater(m, -m) < all(NOTHING), none, best);
}

/* power: per block, used with importance. */
INLINE void their_table_scales(float *s, const tile *t, const float *power, bool has_v) {
  for (int p = 0; p < PARTS; p++) {
    lanes w[IQ4], powers;
    memcpy(&powers, power + p * VECTOR, sizeof powers);
    if (has_v) {
      weigh(w, t->x + p * IQ4, t->v + p * IQ4, IQ4, &powers);
    } else {
      for (int j = 0; j < IQ4; j++) {
        w[j] = t->x[p * IQ4 + j] * t->x[p * IQ4 + j];
      }
    }
    const lanes scale = their_table_search(t->x + p * IQ4, w);
    memcpy(s + p * VECTOR, &scale, sizeof scale);
  }
}

/* The low four bits of 32 codes: byte j holds those of values j and j + 16. */
INLINE void pack_halves(uint8_t *out, const uint8_t *codes) {
  for (int j = 0; j < 16; j++) {
    out[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
  }
}

/* 32 codes nearest to factor x, as pack_halves. */
INLINE void pack_table_codes(uint8_t *out, const float *x, float factor) {
  uint8_t codes[IQ4];
  for (int j = 0; j < IQ4; j += VECTOR) {
    lanes t;
    memcpy(&t, x + j, sizeof t);
    const flags code = table_code(greater(lesser(t * factor, all(127.0f)), all(-128.0f)));
    for (int i = 0; i < VECTOR; i++) {
      codes[j + i] = (uint8_t)code[i];
    }
  }
  pack_halves(out, codes);
}

/* Scales of up to 16 blocks of the row a. */
INLINE void table_scales(float *s,
                         tile *t,
                         const float *x,
                         const importance *a,
                         int64_t at,
                         int count,
                         int together,
                         vise_ggml_search search) {
  static const span plain = {0}, ours = {-12.0f, 3.0f, 9, 2};
  const bool has_v = a->v != NULL;
  lay_out_values(t->x, x, IQ4, count);
  if (has_v) {
    lay_out_importance(t->v, a, at, IQ4, count);
  }
  if (search == VISE_GGML_THEIRS) {
    float power[TILE] = {0};
    for (int b = 0; b < count && has_v; b++) {
      power[b] = b % together > 0
                     ? power[b - 1]
                     : 2.0f * sum_of_squares(x + b * IQ4, together * IQ4) / (float)(together * IQ4);
    }
    if (has_v) {
      their_table_scales(s, t, power, true);
    } else {
      their_table_scales(s, t, power, false);
    }
    return;
  }
  for (int p = 0; p < PARTS; p++) {
    const lanes *values = t->x + p * IQ4, *v = t->v + p * IQ4;
    const lanes factor = search == VISE_GGML_NONE
                             ? our_factor(values, v, false, IQ4, &iq4_grid, &plain)
                         : has_v ? our_factor(values, v, true, IQ4, &iq4_grid, &ours)
                                 : our_factor(values, v, false, IQ4, &iq4_grid, &ours);
    t->scale[p] = choose(factor != all(0.0f), 1.0f / factor, all(0.0f));
  }
  memcpy(s, t->scale, sizeof t->scale);
}

static void
encode_iq4_nl(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  const importance a = importance_of(v, n * IQ4, search);
  tile t;
  float s[TILE];
  for (int64_t i = 0; i < n; i += TILE) {
    const int count = n - i < TILE ? (int)(n - i) : TILE;
    table_scales(s, &t, x + i * IQ4, &a, i * IQ4, count, 1, search);
    for (int b = 0; b < count; b++) {
      uint16_t bits;
      const float d = stored(&bits, s[b]);
      uint8_t *block = out + (i + b) * 18;
      memcpy(block, &bits, 2);
      pack_table_codes(block + 2, x + (i + b) * IQ4,
                       reciprocal_of(search == VISE_GGML_THEIRS ? s[b] : d));
    }
  }
}

/* d f16, scales_h u16, scales_l[4], codes; factors: what the values of a block are multiplied by */
INLINE void pack_iq4_xs(uint8_t *out, const scaled_super *u, const float *x, const float *factors) {
  unsigned high = 0;
  memset(out, 0, 8);
  memcpy(out, &u->d_bits, 2);
  for (int b = 0; b < 8; b++) {
    const unsigned sc = (unsigned)(u->sc[b] + 32);
    out[4 + b / 2] = (uint8_t)(out[4 + b / 2] | (sc & 15) << 4 * (b % 2));
    high |= sc >> 4 << 2 * b;
    pack_table_codes(out + 8 + 16 * b, x + b * IQ4, factors[b]);
  }
  out[2] = (uint8_t)high;
  out[3] = (uint8_t)(high >> 8);
}

static void
encode_iq4_xs(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const scaled_kind q = {IQ4, {true, -127.0f, 113.0f}, 32.0f, 1, {-12.0f, 3.0f, 9, 1}};
  const importance a = importance_of(v, n * SUPER, search);
  tile t;
  scaled_super u[2];
  for (int64_t i = 0; i < n; i += 2) {
    const int count = n - i < 2 ? 1 : 2;
    const float *values = x + i * SUPER;
    float s[TILE], factors[8];
    if (search == VISE_GGML_THEIRS) {
      table_scales(s, &t, values, &a, i * SUPER, count * 8, 8, search);
    } else {
      lay_out_values(t.x, values, IQ4, count * 8);
      if (v != NULL) {
        lay_out_importance(t.v, &a, i * SUPER, IQ4, count * 8);
      }
      our_scaled_search(u, &t, count, &q, search, v != NULL);
    }
    for (int j = 0; j < count; j++) {
      if (search == VISE_GGML_THEIRS) {
        const float d = -extreme_scale(s + j * 8, 8) / 32.0f, factor = reciprocal_of(d);
        u[j].d = stored(&u[j].d_bits, d);
        for (int b = 0; b < 8; b++) {
          u[j].sc[b] = (int8_t)nearest_one(clamp_one(factor * s[j * 8 + b], -32.0f, 31.0f));
          factors[b] = reciprocal_of(d * (float)u[j].sc[b]);
        }
      } else {
        for (int b = 0; b < 8; b++) {
          factors[b] = reciprocal_of(u[j].d * (float)u[j].sc[b]);
        }
      }
      pack_iq4_xs(out + (i + j) * 136, &u[j], values + j * SUPER, factors);
    }
  }
}
