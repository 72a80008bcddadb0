/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_scaled_k_body.h -- Q3_K, Q6_K and IQ4_XS: super-blocks of 256 values in blocks of n,
 *
 *   value = (d sc) code     sc a signed integer of the block, d f16, code an integer or of a table
 *
 * Ours: the best scale of each block; d from the extreme one, which takes the far end of sc; then
 * for each block the sc next to it of least error; then d refitted to all the codes.
 */

typedef struct scaled_kind {
  int n;
  grid codes;
  float scale_half; /* sc is in -scale_half .. scale_half - 1 */
  int reach;        /* how far from the best scale sc is tried */
  span ours;
} scaled_kind;

typedef struct scaled_super {
  uint16_t d_bits;
  float d;
  int8_t sc[TILE];
  uint8_t codes[SUPER]; /* from 0 */
} scaled_super;

/* ---- ours ---- */

/* sums of a block with its codes, in units of its e = d sc */
typedef struct scaled_totals {
  lanes sc[PARTS], ee[PARTS], el[PARTS], ll[PARTS];
} scaled_totals;

INLINE lanes power_of(const lanes *x, const lanes *v, bool has_v, int n) {
  lanes sum = all(0.0f);
  for (int j = 0; j < n; j++) {
    sum += has_v ? v[j] * x[j] * x[j] : x[j] * x[j];
  }
  return sum;
}

INLINE void
choose_scale(scaled_totals *a, const tile *t, int p, lanes d, const scaled_kind *q, bool has_v) {
  const lanes none = all(0.0f), bottom = all(-q->scale_half), top = all(q->scale_half - 1.0f);
  const lanes *x = t->x + p * q->n, *v = t->v + p * q->n;
  const lanes wanted = code_of(choose(d != none, t->scale[p] / d, none), bottom, top);
  lanes least = power_of(x, v, has_v, q->n);
  a->sc[p] = a->ee[p] = a->el[p] = a->ll[p] = none;
  for (int k = -q->reach; k <= q->reach; k++) {
    const lanes sc = greater(lesser(wanted + (float)k, top), bottom), e = sc * d;
    const flags is_something = e != none;
    const sums s = try_factor(x, v, has_v, q->n, &q->codes, choose(is_something, 1.0f / e, none));
    const lanes error = s.ee * (e * e);
    const flags is_better = is_something & (error < least);
    least = choose(is_better, error, least);
    a->sc[p] = choose(is_better, sc, a->sc[p]);
    a->ee[p] = choose(is_better, s.ee, a->ee[p]);
    a->el[p] = choose(is_better, s.el, a->el[p]);
    a->ll[p] = choose(is_better, s.ll, a->ll[p]);
  }
}

/* With d (1 + c) a block loses e^2 (ee - 2 c el + c^2 ll): the best c, if its stored form helps. */
INLINE void refit_super(scaled_super *u, const scaled_totals *a, int first, int n_blocks) {
  double el = 0, ll = 0;
  for (int j = 0; j < n_blocks; j++) {
    const double sc = (double)lane_of(a->sc, first + j);
    el += sc * sc * (double)lane_of(a->el, first + j);
    ll += sc * sc * (double)lane_of(a->ll, first + j);
    u->sc[j] = (int8_t)sc;
  }
  if (ll > 0) {
    uint16_t bits;
    const float d = stored(&bits, (float)((double)u->d * (1.0 + el / ll)));
    const double c = (double)d / (double)u->d - 1.0;
    if (c * c * ll < 2.0 * c * el) {
      u->d = d;
      u->d_bits = bits;
    }
  }
}

INLINE float extreme_scale(const float *s, int n) {
  float extreme = 0.0f;
  for (int j = 0; j < n; j++) {
    extreme = fabsf(s[j]) > fabsf(extreme) ? s[j] : extreme;
  }
  return extreme;
}

INLINE void
our_scaled(scaled_super *out, tile *t, int count, const scaled_kind *q, const span *a, bool has_v) {
  const int n = q->n, n_blocks = SUPER / n;
  float scale[TILE], d[TILE] = {0};
  for (int p = 0; p < PARTS; p++) {
    const lanes none = all(0.0f);
    const lanes factor = our_factor(t->x + p * n, t->v + p * n, has_v, n, &q->codes, a);
    t->scale[p] = choose(factor != none, 1.0f / factor, none);
  }
  memcpy(scale, t->scale, sizeof scale);
  for (int u = 0; u < count; u++) {
    const float extreme = extreme_scale(scale + u * n_blocks, n_blocks);
    out[u].d = stored(&out[u].d_bits, extreme / -q->scale_half);
    for (int j = 0; j < n_blocks; j++) {
      d[u * n_blocks + j] = out[u].d;
      const float sc = out[u].d != 0.0f ? scale[u * n_blocks + j] / out[u].d : 0.0f;
      out[u].sc[j] = (int8_t)nearest_one(clamp_one(sc, -q->scale_half, q->scale_half - 1.0f));
    }
  }
  if (a->n_steps > 0) {
    scaled_totals totals;
    for (int p = 0; p < PARTS; p++) {
      lanes ds;
      memcpy(&ds, d + p * VECTOR, sizeof ds);
      choose_scale(&totals, t, p, ds, q, has_v);
    }
    for (int u = 0; u < count; u++) {
      refit_super(&out[u], &totals, u * n_blocks, n_blocks);
    }
  }
}

/* ---- ggml's ---- */

/* power: 2 sum x^2 / 256, or a negative number: the weight is v alone. */
INLINE void their_weights(
    lanes *w, const tile *t, int n, int p, bool has_v, float factor, const float *x, int count) {
  const lanes *values = t->x + p * n, *v = t->v + p * n;
  if (!has_v) {
    for (int j = 0; j < n; j++) {
      w[j] = values[j] * values[j];
    }
  } else if (factor == 0.0f) {
    memcpy(w, v, (size_t)n * sizeof *w);
  } else {
    float power[VECTOR];
    for (int i = 0; i < VECTOR; i++) {
      const int u = (p * VECTOR + i) * n / SUPER;
      power[i] = u < count ? factor * sum_of_squares(x + u * SUPER, SUPER) / (float)SUPER : 0.0f;
    }
    lanes powers;
    memcpy(&powers, power, sizeof powers);
    weigh(w, values, v, n, &powers);
  }
}

/* Q3_K: sc and d from the scales s, each block weighing w; or, without w, from the extreme. */
INLINE void their_q3_scales(scaled_super *u, const float *s, const float *w) {
  if (w != NULL) {
    lanes x[TILE], weight[TILE], l[TILE];
    for (int j = 0; j < TILE; j++) {
      x[j] = all(s[j]);
      weight[j] = all(w[j]);
    }
    const lanes scale = their_symmetric(l, x, weight, TILE, 32.0f);
    u->d = stored(&u->d_bits, scale[0]);
    for (int j = 0; j < TILE; j++) {
      u->sc[j] = (int8_t)l[j][0];
    }
    return;
  }
  const float extreme = extreme_scale(s, TILE),
              factor = -32.0f / (extreme != 0.0f ? extreme : 1.0f);
  u->d = stored(&u->d_bits, extreme != 0.0f ? 1.0f / factor : 0.0f);
  for (int j = 0; j < TILE; j++) {
    u->sc[j] = extreme != 0.0f ? (int8_t)nearest_one(clamp_one(factor * s[j], -32.0f, 31.0f)) : -32;
  }
}

INLINE void their_q3(scaled_super *out, tile *t, const float *x, bool has_v) {
  float s[TILE], weight[TILE];
  for (int p = 0; p < PARTS; p++) {
    lanes w[16], scale, total = all(0.0f);
    if (has_v) {
      their_weights(w, t, 16, p, true, 2.0f, x, 1);
      scale = their_symmetric(t->l + p * 16, t->x + p * 16, w, 16, 4.0f);
      for (int j = 0; j < 16; j++) {
        total += w[j];
      }
    } else {
      scale = their_three_bits(t->l + p * 16, t->x + p * 16, 16);
    }
    memcpy(s + p * VECTOR, &scale, sizeof scale);
    memcpy(weight + p * VECTOR, &total, sizeof total);
  }
  their_q3_scales(out, s, has_v ? weight : NULL);
}

/* Returns false where all is zero. */
INLINE bool their_q6(scaled_super *out, tile *t, const float *x, bool has_v) {
  float s[TILE];
  for (int p = 0; p < PARTS; p++) {
    lanes w[16];
    their_weights(w, t, 16, p, has_v, 0.0f, x, 1);
    const lanes scale = their_symmetric(t->l + p * 16, t->x + p * 16, w, 16, 32.0f);
    memcpy(s + p * VECTOR, &scale, sizeof scale);
  }
  const float extreme = extreme_scale(s, TILE);
  if (fabsf(extreme) < NOTHING) {
    return false;
  }
  const float factor = -128.0f / extreme;
  out->d = stored(&out->d_bits, 1.0f / factor);
  for (int j = 0; j < TILE; j++) {
    out->sc[j] = (int8_t)nearest_one(clamp_one(factor * s[j], -128.0f, 127.0f));
  }
  return true;
}

/* ---- the row ---- */

/* l: codes that ggml's search found, kept where e = 0; or NULL. */
INLINE void integer_codes(scaled_super *u, const float *x, const lanes *l, float half) {
  for (int b = 0; b < TILE; b++) {
    const float e = u->d * (float)u->sc[b];
    uint8_t *codes = u->codes + b * 16;
    if (e == 0.0f) {
      for (int j = 0; j < 16; j++) {
        const float code = l == NULL ? 0.0f : lane_of(l + b / VECTOR * 16 + j, b % VECTOR);
        codes[j] = (uint8_t)(int)(code + half);
      }
      continue;
    }
    write_codes(codes, x + b * 16, 16, 0.0f, e, -half, half - 1.0f, half);
  }
}

INLINE void our_scaled_search(scaled_super *u,
                              tile *t,
                              int count,
                              const scaled_kind *q,
                              vise_ggml_search search,
                              bool has_v) {
  static const span plain = {0};
  if (search == VISE_GGML_NONE) {
    our_scaled(u, t, count, q, &plain, false);
  } else if (has_v) {
    our_scaled(u, t, count, q, &q->ours, true);
  } else {
    our_scaled(u, t, count, q, &q->ours, false);
  }
}

static void pack_q3_k(uint8_t *out, const scaled_super *u) {
  memset(out + 96, 0, 12);
  pack_high_bits(out, u->codes, 2);
  pack_two_bits(out + 32, u->codes);
  for (int k = 0; k < 16; k++) {
    const int sc = u->sc[k] + 32;
    out[96 + k % 8] = (uint8_t)(out[96 + k % 8] | (sc & 15) << 4 * (k / 8));
    out[104 + k % 4] = (uint8_t)(out[104 + k % 4] | sc >> 4 << 2 * (k / 4));
  }
  memcpy(out + 108, &u->d_bits, 2);
}

/* Codes of six bits: the low four, then the others. */
static void pack_four_and_two(uint8_t *out, const uint8_t *codes) {
  for (int h = 0; h < 2; h++) {
    for (int l = 0; l < 32; l++) {
      const uint8_t *c = codes + 128 * h + l;
      out[64 * h + l] = (uint8_t)((c[0] & 15) | (c[64] & 15) << 4);
      out[64 * h + l + 32] = (uint8_t)((c[32] & 15) | (c[96] & 15) << 4);
      out[128 + 32 * h + l] =
          (uint8_t)(c[0] >> 4 | c[32] >> 4 << 2 | c[64] >> 4 << 4 | c[96] >> 4 << 6);
    }
  }
}

static void pack_q6_k(uint8_t *out, const scaled_super *u) {
  pack_four_and_two(out, u->codes);
  memcpy(out + 192, u->sc, 16);
  memcpy(out + 208, &u->d_bits, 2);
}

static void
encode_q3_k(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const scaled_kind q = {16, {false, -4.0f, 3.0f}, 32.0f, 1, {-0.4f, 0.25f, 8, 2}};
  const importance a = importance_of(v, n * SUPER, search);
  tile t;
  scaled_super u;
  for (int64_t i = 0; i < n; i++) {
    lay_out_values(t.x, x + i * SUPER, 16, TILE);
    if (v != NULL) {
      lay_out_importance(t.v, &a, i * SUPER, 16, TILE);
    }
    if (search != VISE_GGML_THEIRS) {
      our_scaled_search(&u, &t, 1, &q, search, v != NULL);
    } else if (v != NULL) {
      their_q3(&u, &t, x + i * SUPER, true);
    } else {
      their_q3(&u, &t, x + i * SUPER, false);
    }
    integer_codes(&u, x + i * SUPER, search == VISE_GGML_THEIRS ? t.l : NULL, 4.0f);
    pack_q3_k(out + i * 110, &u);
  }
}

static void
encode_q6_k(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const scaled_kind q = {16, {false, -32.0f, 31.0f}, 128.0f, 0, {-0.9f, 0.45f, 5, 1}};
  const importance a = importance_of(v, n * SUPER, search);
  tile t;
  scaled_super u;
  for (int64_t i = 0; i < n; i++) {
    lay_out_values(t.x, x + i * SUPER, 16, TILE);
    if (v != NULL) {
      lay_out_importance(t.v, &a, i * SUPER, 16, TILE);
    }
    bool is_something = true;
    if (search != VISE_GGML_THEIRS) {
      our_scaled_search(&u, &t, 1, &q, search, v != NULL);
    } else if (v != NULL) {
      is_something = their_q6(&u, &t, x + i * SUPER, true);
    } else {
      is_something = their_q6(&u, &t, x + i * SUPER, false);
    }
    if (is_something) {
      integer_codes(&u, x + i * SUPER, search == VISE_GGML_THEIRS ? t.l : NULL, 32.0f);
      pack_q6_k(out + i * 210, &u);
    } else {
      memset(out + i * 210, 0, 210);
    }
  }
}
