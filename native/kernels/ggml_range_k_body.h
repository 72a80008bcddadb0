/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_range_k_body.h -- Q2_K, Q4_K and Q5_K: super-blocks of 256 values in blocks of n,
 *
 *   value = (d sc) code - (dmin mn)     sc, mn integers of the block, d, dmin f16
 *
 * Ours: the best scale and low end of each block; d and dmin from the greatest of them; then for
 * each block the sc (of three) and mn of least error; then d and dmin refitted to all the codes.
 */

typedef struct range_kind {
  int n;           /* values of a block */
  float top;       /* greatest code */
  float scale_top; /* greatest sc and mn */
  float first, step;
  int n_steps; /* ggml's trials without importance */
  bool is_absolute;
  span ours;
} range_kind;

typedef struct range_super {
  uint16_t d_bits, dmin_bits;
  float d, dmin;
  uint8_t sc[TILE], mn[TILE], codes[SUPER];
} range_super;

/* ---- ggml's ---- */

INLINE void their_range_weights(
    lanes *w, const tile *t, const range_kind *q, int p, bool has_v, const lanes *power) {
  const lanes *x = t->x + p * q->n;
  if (has_v) {
    weigh(w, x, t->v + p * q->n, q->n, power);
    return;
  }
  lanes mean = all(0.0f);
  if (!q->is_absolute) {
    for (int j = 0; j < q->n; j++) {
      mean += x[j] * x[j];
    }
    mean = root(mean / (float)q->n);
  }
  for (int j = 0; j < q->n; j++) {
    w[j] = mean + greater(x[j], -x[j]);
  }
}

/* sc and mn by ggml's weighted fit, scales in lane 0 and low ends in lane 1. */
static void their_weighted_scales(
    range_super *u, const float *s, const float *m, const float *w, int n, float top) {
  lanes x[TILE], weight[TILE], l[TILE];
  for (int j = 0; j < n; j++) {
    x[j] = all(0.0f);
    x[j][0] = s[j];
    x[j][1] = m[j];
    weight[j] = all(w[j]);
  }
  const lanes scale = their_positive(l, x, weight, n, top);
  u->d = stored(&u->d_bits, scale[0]);
  u->dmin = stored(&u->dmin_bits, scale[1]);
  for (int j = 0; j < n; j++) {
    u->sc[j] = (uint8_t)l[j][0];
    u->mn[j] = (uint8_t)l[j][1];
  }
}

static uint16_t
their_plain_scales(uint8_t *out, float *stored_out, const float *s, int n, float top) {
  uint16_t bits;
  float greatest = 0.0f;
  for (int j = 0; j < n; j++) {
    greatest = s[j] > greatest ? s[j] : greatest;
  }
  const float factor = greatest > 0.0f ? top / greatest : 0.0f;
  for (int j = 0; j < n; j++) {
    out[j] = (uint8_t)nearest_one(clamp_one(factor * s[j], 0.0f, top));
  }
  *stored_out = stored(&bits, greatest / top);
  return bits;
}

INLINE void their_supers(
    range_super *out, tile *t, const float *x, int count, const range_kind *q, bool has_v) {
  const int n = q->n, n_blocks = SUPER / n;
  float power[TILE], weight[TILE], s[TILE], m[TILE];
  for (int i = 0; i < TILE; i++) {
    const int u = i / n_blocks;
    power[i] = !has_v || u >= count ? 0.0f
               : i % n_blocks > 0
                   ? power[i - 1]
                   : (n == 16 ? 1.0f : 2.0f) * sum_of_squares(x + u * SUPER, SUPER) / (float)SUPER;
  }
  for (int p = 0; p < PARTS; p++) {
    lanes w[WIDEST], powers, total = all(0.0f);
    memcpy(&powers, power + p * VECTOR, sizeof powers);
    their_range_weights(w, t, q, p, has_v, &powers);
    const found f =
        has_v ? their_range(t->l + p * n, t->x + p * n, w, n, q->top, -0.9f, 0.05f, 36, false)
              : their_range(t->l + p * n, t->x + p * n, w, n, q->top, q->first, q->step, q->n_steps,
                            q->is_absolute);
    for (int j = 0; j < n; j++) {
      total += w[j];
    }
    const lanes minus_low = -f.low;
    memcpy(s + p * VECTOR, &f.scale, sizeof f.scale);
    memcpy(m + p * VECTOR, &minus_low, sizeof minus_low);
    memcpy(weight + p * VECTOR, &total, sizeof total);
  }
  for (int u = 0; u < count; u++) {
    const int at = u * n_blocks;
    if (has_v) {
      their_weighted_scales(&out[u], s + at, m + at, weight + at, n_blocks, q->scale_top);
    } else {
      out[u].d_bits = their_plain_scales(out[u].sc, &out[u].d, s + at, n_blocks, q->scale_top);
      out[u].dmin_bits =
          their_plain_scales(out[u].mn, &out[u].dmin, m + at, n_blocks, q->scale_top);
    }
  }
}

/* ---- ours ---- */

/* What the blocks of a tile add up with their codes, for the fit of d and dmin. */
typedef struct range_totals {
  lanes v[PARTS], x[PARTS];
  lanes l[PARTS], ll[PARTS], lx[PARTS];
  lanes sc[PARTS], mn[PARTS];
} range_totals;

/* The sc next to the best scale, with its best mn, of least error. */
INLINE void choose_scales(
    range_totals *a, const tile *t, int p, lanes d, lanes dmin, const range_kind *q, bool has_v) {
  const int n = q->n;
  const lanes none = all(0.0f), top = all(q->scale_top);
  const lanes *x = t->x + p * n, *v = t->v + p * n;
  const lanes per_d = choose(d > none, 1.0f / d, none),
              per_dmin = choose(dmin > none, 1.0f / dmin, none);
  const lanes wanted = code_of(t->scale[p] * per_d, none, top);
  const lanes low = -dmin * code_of(-t->low[p] * per_dmin, none, top);
  lanes least = all(INFINITY);
  moments(&a->v[p], &a->x[p], x, v, has_v, n);
  a->sc[p] = a->mn[p] = none;
  for (int k = -1; k <= 1; k++) {
    const lanes sc = greater(lesser(wanted + (float)k, top), none), e = sc * d;
    const range_sums s = try_range(x, v, has_v, n, q->top, choose(e > none, 1.0f / e, none), low);
    const lanes mn = code_of((e * s.l - a->x[p]) / a->v[p] * per_dmin, none, top), m = dmin * mn;
    const lanes error =
        e * e * s.ll + m * m * a->v[p] + 2.0f * (m * a->x[p] - e * s.lx - e * m * s.l);
    const flags is_better = error < least;
    least = choose(is_better, error, least);
    a->sc[p] = choose(is_better, sc, a->sc[p]);
    a->mn[p] = choose(is_better, mn, a->mn[p]);
  }
  const lanes e = a->sc[p] * d;
  const range_sums s =
      try_range(x, v, has_v, n, q->top, choose(e > none, 1.0f / e, none), -dmin * a->mn[p]);
  a->l[p] = s.l;
  a->ll[p] = s.ll;
  a->lx[p] = s.lx;
}

/* d and dmin of least error for the codes found, if their stored form is better. */
INLINE void refit_supers(range_super *u, const range_totals *a, int first, int n_blocks) {
  double dd = 0, dm = 0, mm = 0, dx = 0, mx = 0;
  for (int j = 0; j < n_blocks; j++) {
    const int i = first + j;
    const double sc = (double)lane_of(a->sc, i), mn = (double)lane_of(a->mn, i);
    dd += sc * sc * (double)lane_of(a->ll, i);
    dm += sc * mn * (double)lane_of(a->l, i);
    mm += mn * mn * (double)lane_of(a->v, i);
    dx += sc * (double)lane_of(a->lx, i);
    mx += mn * (double)lane_of(a->x, i);
    u->sc[j] = (uint8_t)sc;
    u->mn[j] = (uint8_t)mn;
  }
  /* error(d, m) = d d dd - 2 d m dm + m m mm - 2 d dx + 2 m mx + constant */
  const double det = dd * mm - dm * dm;
  double d = 0, m = 0;
  if (det > 1e-9 * dd * mm) {
    d = (dx * mm - mx * dm) / det;
    m = (dx * dm - mx * dd) / det;
  } else if (dd > 0 && mm == 0) {
    d = dx / dd;
  }
  uint16_t d_bits, m_bits;
  const double d_new = (double)stored(&d_bits, (float)d), m_new = (double)stored(&m_bits, (float)m);
  const double d_old = (double)u->d, m_old = (double)u->dmin;
  const double now = d_new * d_new * dd - 2 * d_new * m_new * dm + m_new * m_new * mm -
                     2 * d_new * dx + 2 * m_new * mx;
  const double before = d_old * d_old * dd - 2 * d_old * m_old * dm + m_old * m_old * mm -
                        2 * d_old * dx + 2 * m_old * mx;
  if (d_new > 0 && m_new >= 0 && now < before) {
    u->d = (float)d_new;
    u->dmin = (float)m_new;
    u->d_bits = d_bits;
    u->dmin_bits = m_bits;
  }
}

INLINE void
our_supers(range_super *out, tile *t, int count, const range_kind *q, const span *a, bool has_v) {
  const int n = q->n, n_blocks = SUPER / n;
  for (int p = 0; p < PARTS; p++) {
    const found f = our_range(t->x + p * n, t->v + p * n, has_v, n, q->top, a);
    t->scale[p] = f.scale;
    t->low[p] = f.low;
  }
  float d[TILE] = {0}, dmin[TILE] = {0};
  for (int u = 0; u < count; u++) {
    float scale = 0.0f, low = 0.0f;
    for (int j = u * n_blocks; j < (u + 1) * n_blocks; j++) {
      const float s = lane_of(t->scale, j), l = lane_of(t->low, j);
      scale = s > scale ? s : scale;
      low = l < low ? l : low;
    }
    out[u].d = stored(&out[u].d_bits, scale / q->scale_top);
    out[u].dmin = stored(&out[u].dmin_bits, low / -q->scale_top);
    for (int j = u * n_blocks; j < (u + 1) * n_blocks; j++) {
      d[j] = out[u].d;
      dmin[j] = out[u].dmin;
    }
  }
  if (a->n_steps == 0) {
    for (int i = 0; i < count * n_blocks; i++) {
      range_super *u = &out[i / n_blocks];
      const float sc = d[i] > 0.0f ? lane_of(t->scale, i) / d[i] : 0.0f;
      const float mn = dmin[i] > 0.0f ? -lane_of(t->low, i) / dmin[i] : 0.0f;
      u->sc[i % n_blocks] = (uint8_t)nearest_one(clamp_one(sc, 0.0f, q->scale_top));
      u->mn[i % n_blocks] = (uint8_t)nearest_one(clamp_one(mn, 0.0f, q->scale_top));
    }
    return;
  }
  range_totals totals;
  for (int p = 0; p < PARTS; p++) {
    lanes ds, dmins;
    memcpy(&ds, d + p * VECTOR, sizeof ds);
    memcpy(&dmins, dmin + p * VECTOR, sizeof dmins);
    choose_scales(&totals, t, p, ds, dmins, q, has_v);
  }
  for (int u = 0; u < count; u++) {
    refit_supers(&out[u], &totals, u * n_blocks, n_blocks);
  }
}

/* ---- codes with the stored scales, and the row ---- */

INLINE void
range_codes(range_super *u, const float *x, const lanes *l, int first, int n, float top) {
  for (int b = 0; b < SUPER / n; b++) {
    const float e = u->d * (float)u->sc[b], m = u->dmin * (float)u->mn[b];
    uint8_t *codes = u->codes + b * n;
    if (e == 0.0f) { /* every code stands for the same value; ggml keeps what its search found */
      for (int j = 0; j < n; j++) {
        codes[j] = l == NULL
                       ? 0
                       : (uint8_t)lane_of(l + (first + b) / VECTOR * n + j, (first + b) % VECTOR);
      }
      continue;
    }
    write_codes(codes, x + b * n, n, m, e, 0.0f, top, 0.0f);
  }
}

typedef void pack_range_fn(uint8_t *out, const range_super *u);

INLINE void encode_ranges(uint8_t *out,
                          const float *x,
                          const float *v,
                          int64_t n_supers,
                          vise_ggml_search search,
                          const range_kind *q,
                          int bytes,
                          pack_range_fn *pack) {
  const importance a = importance_of(v, n_supers * SUPER, search);
  const int n_blocks = SUPER / q->n, n_together = TILE / n_blocks;
  const span plain = {0};
  tile t;
  range_super u[2];
  for (int64_t i = 0; i < n_supers; i += n_together) {
    const int count = n_supers - i < n_together ? (int)(n_supers - i) : n_together;
    const float *values = x + i * SUPER;
    lay_out_values(t.x, values, q->n, count * n_blocks);
    if (v != NULL) {
      lay_out_importance(t.v, &a, i * SUPER, q->n, count * n_blocks);
    }
    if (search == VISE_GGML_THEIRS) {
      if (v == NULL) {
        their_supers(u, &t, values, count, q, false);
      } else {
        their_supers(u, &t, values, count, q, true);
      }
    } else if (search == VISE_GGML_NONE) {
      our_supers(u, &t, count, q, &plain, false);
    } else if (v == NULL) {
      our_supers(u, &t, count, q, &q->ours, false);
    } else {
      our_supers(u, &t, count, q, &q->ours, true);
    }
    for (int j = 0; j < count; j++) {
      range_codes(&u[j], values + j * SUPER, search == VISE_GGML_THEIRS ? t.l : NULL, j * n_blocks,
                  q->n, q->top);
      pack(out + (i + j) * bytes, &u[j]);
    }
  }
}

/* ---- layouts ---- */

static void pack_two_bits(uint8_t *out, const uint8_t *codes) {
  for (int h = 0; h < 2; h++) {
    for (int l = 0; l < 32; l++) {
      const uint8_t *c = codes + 128 * h + l;
      out[32 * h + l] =
          (uint8_t)((c[0] & 3) | (c[32] & 3) << 2 | (c[64] & 3) << 4 | (c[96] & 3) << 6);
    }
  }
}

static void pack_nibbles(uint8_t *out, const uint8_t *codes) {
  for (int h = 0; h < 4; h++) {
    for (int l = 0; l < 32; l++) {
      out[32 * h + l] = (uint8_t)((codes[64 * h + l] & 15) | (codes[64 * h + l + 32] & 15) << 4);
    }
  }
}

/* Bit `shift`, the highest, of 256 codes: bit b of byte l is that of code 32 b + l. */
static void pack_high_bits(uint8_t *out, const uint8_t *codes, int shift) {
  memset(out, 0, 32);
  for (int b = 0; b < 8; b++) {
    for (int l = 0; l < 32; l++) {
      out[l] = (uint8_t)(out[l] | codes[32 * b + l] >> shift << b);
    }
  }
}

static void pack_six_bits(uint8_t *out, const range_super *u) {
  for (int j = 0; j < 4; j++) {
    out[j] = (uint8_t)(u->sc[j] | u->sc[j + 4] >> 4 << 6);
    out[j + 4] = (uint8_t)(u->mn[j] | u->mn[j + 4] >> 4 << 6);
    out[j + 8] = (uint8_t)((u->sc[j + 4] & 15) | (u->mn[j + 4] & 15) << 4);
  }
}

INLINE void pack_q2_k(uint8_t *out, const range_super *u) {
  for (int j = 0; j < 16; j++) {
    out[j] = (uint8_t)(u->sc[j] | u->mn[j] << 4);
  }
  pack_two_bits(out + 16, u->codes);
  memcpy(out + 80, &u->d_bits, 2);
  memcpy(out + 82, &u->dmin_bits, 2);
}

INLINE void pack_q4_k(uint8_t *out, const range_super *u) {
  memcpy(out, &u->d_bits, 2);
  memcpy(out + 2, &u->dmin_bits, 2);
  pack_six_bits(out + 4, u);
  pack_nibbles(out + 16, u->codes);
}

INLINE void pack_q5_k(uint8_t *out, const range_super *u) {
  memcpy(out, &u->d_bits, 2);
  memcpy(out + 2, &u->dmin_bits, 2);
  pack_six_bits(out + 4, u);
  pack_high_bits(out + 16, u->codes, 4);
  pack_nibbles(out + 48, u->codes);
}

static void
encode_q2_k(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const range_kind q = {16, 3.0f, 15.0f, -0.5f, 0.1f, 15, true, {-0.6f, 0.15f, 12, 2}};
  encode_ranges(out, x, v, n, search, &q, 84, pack_q2_k);
}

static void
encode_q4_k(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const range_kind q = {32, 15.0f, 63.0f, -1.0f, 0.1f, 20, false, {-1.0f, 0.2f, 10, 2}};
  encode_ranges(out, x, v, n, search, &q, 144, pack_q4_k);
}

static void
encode_q5_k(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  static const range_kind q = {32, 31.0f, 63.0f, -0.5f, 0.1f, 15, false, {-0.8f, 0.15f, 12, 2}};
  encode_ranges(out, x, v, n, search, &q, 176, pack_q5_k);
}
