/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_small_body.h -- blocks with an f16 scale of their own: Q4_0, Q5_0 and Q8_0 (value =
 * d code), Q4_1 and Q5_1 (d code + m) of 32 values, TQ2_0 (d code, -1 <= code <= 1) of 256.
 *
 * Plain codes are ggml's: with the scale before it is rounded to f16, cut or rounded half away.
 */

enum { BLOCK = 32 };

typedef struct small_kind {
  int bits; /* 4 or 5 */
  bool is_range;
  int bytes;
  span ours;
} small_kind;

/* Codes 0 .. 2^bits - 1 after the scales: the fifth bits, then two codes a byte. */
INLINE void pack_small(uint8_t *out, const uint8_t *codes, int bits) {
  if (bits == 5) {
    uint32_t fifth = 0;
    for (int j = 0; j < BLOCK; j++) {
      fifth |= (uint32_t)(codes[j] >> 4) << j;
    }
    memcpy(out, &fifth, 4);
    out += 4;
  }
  pack_halves(out, codes);
}

/* Least and greatest value, and the first one of greatest magnitude. */
INLINE void extremes(float *low_out, float *high_out, float *extreme_out, const float *x) {
  lanes low, high;
  memcpy(&low, x, sizeof low);
  high = low;
  for (int j = VECTOR; j < BLOCK; j += VECTOR) {
    lanes t;
    memcpy(&t, x + j, sizeof t);
    low = lesser(t, low);
    high = greater(t, high);
  }
  float least = low[0], greatest = high[0];
  for (int i = 1; i < VECTOR; i++) {
    least = low[i] < least ? low[i] : least;
    greatest = high[i] > greatest ? high[i] : greatest;
  }
  *low_out = least;
  *high_out = greatest;
  *extreme_out = greatest > -least ? greatest : least;
  if (greatest == -least) {
    int j = 0;
    while (fabsf(x[j]) != greatest) {
      j++;
    }
    *extreme_out = x[j];
  }
}

INLINE void plain_small(uint8_t *out, const float *x, const small_kind *q) {
  const int top = (1 << q->bits) - 1, half = 1 << (q->bits - 1);
  float low, high, extreme;
  uint16_t bits;
  uint8_t codes[BLOCK];
  extremes(&low, &high, &extreme, x);
  const float d = q->is_range ? (high - low) / (float)top : extreme / -(float)half;
  const float factor = reciprocal_of(d), shift = q->is_range ? 0.5f : (float)half + 0.5f;
  const float base = q->is_range ? low : 0.0f;
  for (int j = 0; j < BLOCK; j++) {
    codes[j] = (uint8_t)(int)clamp_one((x[j] - base) * factor + shift, 0.0f, (float)top);
  }
  (void)stored(&bits, d);
  memcpy(out, &bits, 2);
  if (q->is_range) {
    (void)stored(&bits, low);
    memcpy(out + 2, &bits, 2);
  }
  pack_small(out + (q->is_range ? 4 : 2), codes, q->bits);
}

/* One block of a tile with ggml's scales and codes. */
INLINE void
their_small(uint8_t *out, float scale, float low, const lanes *l, int b, const small_kind *q) {
  const int half = 1 << (q->bits - 1);
  uint16_t bits;
  uint8_t codes[BLOCK];
  for (int j = 0; j < BLOCK; j++) {
    const int code = (int)lane_of(l + b / VECTOR * BLOCK + j, b % VECTOR);
    codes[j] = (uint8_t)(q->is_range ? code : code + half);
  }
  (void)stored(&bits, scale);
  memcpy(out, &bits, 2);
  if (q->is_range) {
    (void)stored(&bits, low);
    memcpy(out + 2, &bits, 2);
  }
  pack_small(out + (q->is_range ? 4 : 2), codes, q->bits);
}

/* One block with the stored form of our scales. */
INLINE void our_small(uint8_t *out, const float *x, float scale, float low, const small_kind *q) {
  const float top = (float)((1 << q->bits) - 1), half = (float)(1 << (q->bits - 1));
  uint16_t bits;
  uint8_t codes[BLOCK];
  const float factor = reciprocal_of(stored(&bits, scale));
  memcpy(out, &bits, 2);
  float base = 0.0f, shift = half;
  if (q->is_range) {
    base = stored(&bits, low);
    shift = 0.0f;
    memcpy(out + 2, &bits, 2);
  }
  for (int j = 0; j < BLOCK; j++) {
    const float code = nearest_one(clamp_one((x[j] - base) * factor, -shift, top - shift));
    codes[j] = (uint8_t)(int)(code + shift);
  }
  pack_small(out + (q->is_range ? 4 : 2), codes, q->bits);
}

INLINE void
search_small(tile *t, const small_kind *q, bool has_v, vise_ggml_search search, float power) {
  const float top = (float)((1 << q->bits) - 1), half = (float)(1 << (q->bits - 1));
  const lanes none = all(0.0f), powers = all(power);
  const grid g = {false, -half, half - 1.0f};
  for (int p = 0; p < PARTS; p++) {
    const lanes *x = t->x + p * BLOCK, *v = t->v + p * BLOCK;
    lanes *l = t->l + p * BLOCK, w[BLOCK];
    found f = {none, none};
    if (search == VISE_GGML_THEIRS) {
      weigh(w, x, v, BLOCK, &powers);
      if (q->is_range) {
        f = their_range(l, x, w, BLOCK, top, -0.9f, 0.05f, 36, false);
      } else {
        f.scale = their_symmetric(l, x, w, BLOCK, half);
      }
    } else if (q->is_range) {
      f = our_range(x, v, has_v, BLOCK, top, &q->ours);
    } else {
      const lanes factor = our_factor(x, v, has_v, BLOCK, &g, &q->ours);
      f.scale = choose(factor != none, 1.0f / factor, none);
    }
    t->scale[p] = f.scale;
    t->low[p] = f.low;
  }
}

INLINE void encode_small(uint8_t *out,
                         const float *x,
                         const float *v,
                         int64_t n,
                         vise_ggml_search search,
                         const small_kind *q) {
  if (search == VISE_GGML_NONE || (search == VISE_GGML_THEIRS && v == NULL)) {
    for (int64_t i = 0; i < n; i++) {
      plain_small(out + i * q->bytes, x + i * BLOCK, q);
    }
    return;
  }
  const importance a = importance_of(v, n * BLOCK, search);
  const float power =
      search == VISE_GGML_THEIRS ? sum_of_squares(x, n * BLOCK) / (float)(n * BLOCK) : 0.0f;
  tile t;
  for (int64_t i = 0; i < n; i += TILE) {
    const int count = n - i < TILE ? (int)(n - i) : TILE;
    lay_out_values(t.x, x + i * BLOCK, BLOCK, count);
    if (v != NULL) {
      lay_out_importance(t.v, &a, i * BLOCK, BLOCK, count);
    }
    if (search == VISE_GGML_THEIRS) {
      search_small(&t, q, true, VISE_GGML_THEIRS, power);
    } else if (v != NULL) {
      search_small(&t, q, true, VISE_GGML_MSE, 0.0f);
    } else {
      search_small(&t, q, false, VISE_GGML_MSE, 0.0f);
    }
    for (int b = 0; b < count; b++) {
      uint8_t *to = out + (i + b) * q->bytes;
      const float scale = lane_of(t.scale, b), low = lane_of(t.low, b);
      if (search == VISE_GGML_THEIRS) {
        their_small(to, scale, low, t.l, b, q);
      } else {
        our_small(to, x + (i + b) * BLOCK, scale, low, q);
      }
    }
  }
}

static void
encode_q4_0(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const small_kind q = {4, false, 18, {-0.9f, 0.2f, 10, 2}};
  encode_small(out, x, v, n, search, &q);
}

static void
encode_q4_1(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const small_kind q = {4, true, 20, {-1.0f, 0.15f, 14, 2}};
  encode_small(out, x, v, n, search, &q);
}

static void
encode_q5_0(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const small_kind q = {5, false, 22, {-0.9f, 0.2f, 10, 2}};
  encode_small(out, x, v, n, search, &q);
}

static void
encode_q5_1(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const small_kind q = {5, true, 24, {-0.9f, 0.15f, 13, 2}};
  encode_small(out, x, v, n, search, &q);
}

/* Half away from zero, as roundf. */
INLINE float round_away(float v) {
  const float whole = truncf(v), rest = v - whole;
  return whole + (rest >= 0.5f ? 1.0f : rest <= -0.5f ? -1.0f : 0.0f);
}

static void
encode_q8_0(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const grid g = {false, -127.0f, 127.0f};
  static const span ours = {-0.6f, 0.2f, 6, 1};
  const importance a = importance_of(v, n * BLOCK, search);
  tile t;
  for (int64_t i = 0; i < n; i += TILE) {
    const int count = n - i < TILE ? (int)(n - i) : TILE;
    if (search == VISE_GGML_MSE) {
      lay_out_values(t.x, x + i * BLOCK, BLOCK, count);
      if (v != NULL) {
        lay_out_importance(t.v, &a, i * BLOCK, BLOCK, count);
      }
      for (int p = 0; p < PARTS; p++) {
        const lanes *values = t.x + p * BLOCK, *w = t.v + p * BLOCK;
        const lanes factor = v != NULL ? our_factor(values, w, true, BLOCK, &g, &ours)
                                       : our_factor(values, w, false, BLOCK, &g, &ours);
        t.scale[p] = choose(factor != all(0.0f), 1.0f / factor, all(0.0f));
      }
    }
    for (int b = 0; b < count; b++) {
      const float *values = x + (i + b) * BLOCK;
      uint8_t *block = out + (i + b) * 34;
      int8_t codes[BLOCK];
      uint16_t bits;
      float low, high, extreme;
      extremes(&low, &high, &extreme, values);
      if (search == VISE_GGML_MSE) {
        const float factor = reciprocal_of(stored(&bits, lane_of(t.scale, b)));
        for (int j = 0; j < BLOCK; j++) {
          codes[j] = (int8_t)nearest_one(clamp_one(values[j] * factor, -127.0f, 127.0f));
        }
      } else {
        const float d = fabsf(extreme) / 127.0f, factor = reciprocal_of(d);
        (void)stored(&bits, d);
        for (int j = 0; j < BLOCK; j++) {
          codes[j] = (int8_t)round_away(clamp_one(values[j] * factor, -127.0f, 127.0f));
        }
      }
      memcpy(block, &bits, 2);
      memcpy(block + 2, codes, BLOCK);
    }
  }
}
