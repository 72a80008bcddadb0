/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_tile_body.h -- up to sixteen blocks turned so that each is one lane, and what is
 * common to all encoders.
 */

enum { WIDEST = 32 }; /* values of a block in a tile */

/* Register p n + j holds value j of blocks p VECTOR to p VECTOR + VECTOR - 1. */
typedef struct tile {
  lanes x[PARTS * WIDEST], v[PARTS * WIDEST], l[PARTS * WIDEST];
  lanes scale[PARTS], low[PARTS];
} tile;

/* Importance v as it is used: unit v + floor. unit is a power of two, so ggml's search sees no
   difference; ours gets a floor that keeps blocks of no importance well-defined. */
typedef struct importance {
  const float *v; /* of the row; NULL: none */
  float unit, floor;
} importance;

static importance importance_of(const float *v, int64_t n, vise_ggml_search search) {
  importance a = {v, 1.0f, search == VISE_GGML_THEIRS ? 0.0f : 0x1p-24f};
  float greatest = 0.0f;
  for (int64_t j = 0; v != NULL && j < n; j++) {
    greatest = v[j] > greatest ? v[j] : greatest;
  }
  if (greatest > 0.0f) {
    int exponent;
    (void)frexpf(greatest, &exponent);
    a.unit = ldexpf(1.0f, exponent > 120 ? -120 : -exponent);
  }
  return a;
}

/* Value j of block l. */
INLINE void set_lane(lanes *out, int l, int j, int n, float value) {
  memcpy((char *)(out + l / VECTOR * n + j) + (size_t)(l % VECTOR) * sizeof value, &value,
         sizeof value);
}

/* Lanes beyond n_blocks are zero; values no format can store are cut. */
INLINE void lay_out_values(lanes *out, const float *x, int n, int n_blocks) {
  float cut[TILE * WIDEST];
  for (int j = 0; j < TILE * n; j += VECTOR) {
    lanes t = all(0.0f);
    if (j < n_blocks * n) {
      memcpy(&t, x + j, sizeof t);
    }
    t = greater(lesser(t, all(LARGEST_VALUE)), all(-LARGEST_VALUE));
    memcpy(cut + j, &t, sizeof t);
  }
  for (int l = 0; l < TILE; l++) {
    for (int j = 0; j < n; j++) {
      set_lane(out, l, j, n, cut[l * n + j]);
    }
  }
}

INLINE void lay_out_importance(lanes *out, const importance *a, int64_t at, int n, int n_blocks) {
  for (int l = 0; l < TILE; l++) {
    for (int j = 0; j < n; j++) {
      set_lane(out, l, j, n, l < n_blocks ? a->v[at + l * n + j] * a->unit + a->floor : 1.0f);
    }
  }
}

INLINE float lane_of(const lanes *v, int i) {
  return v[i / VECTOR][i % VECTOR];
}

/* A scale as a reader will see it. */
INLINE float stored(uint16_t *bits_out, float scale) {
  const float finite = isfinite(scale) ? scale : 0.0f;
  *bits_out = float_to_half(clamp_one(finite, -LARGEST_HALF, LARGEST_HALF));
  return half_to_float(*bits_out);
}

/* Sum of squares in the order of the values, as ggml's weights need it. */
static float sum_of_squares(const float *x, int64_t n) {
  float sum = 0.0f;
  for (int64_t j = 0; j < n; j++) {
    const float cut = clamp_one(x[j], -LARGEST_VALUE, LARGEST_VALUE);
    sum += cut * cut;
  }
  return sum;
}

/* ggml's weights with importance: w = v sqrt(power + x x), power per lane. */
INLINE void weigh(lanes *w, const lanes *x, const lanes *v, int n, const lanes *power) {
  for (int j = 0; j < n; j++) {
    const lanes square = power[0] + x[j] * x[j];
    w[j] = v[j] * root(square);
  }
}

typedef struct found {
  lanes scale, low; /* value = scale code + low */
} found;

/* The first value of greatest magnitude. */
INLINE lanes extreme(const lanes *x, int n) {
  lanes greatest = all(0.0f), value = greatest;
  for (int j = 0; j < n; j++) {
    const lanes size = greater(x[j], -x[j]);
    const flags is_more = size > greatest;
    greatest = choose(is_more, size, greatest);
    value = choose(is_more, x[j], value);
  }
  return value;
}

INLINE lanes code_of(lanes t, lanes low, lanes high) {
  return nearest(greater(lesser(t, high), low));
}

INLINE float reciprocal_of(float v) {
  return v != 0.0f && isfinite(1.0f / v) ? 1.0f / v : 0.0f;
}

/* Codes clip(RNE((x + m) / e)) + shift of n values, a multiple of VECTOR, at most WIDEST. */
INLINE void write_codes(
    uint8_t *out, const float *x, int n, float m, float e, float low, float high, float shift) {
  int32_t codes[WIDEST];
  for (int j = 0; j < n; j += VECTOR) {
    lanes t;
    memcpy(&t, x + j, sizeof t);
    const flags code =
        __builtin_convertvector(code_of((t + m) / e, all(low), all(high)) + shift, flags);
    memcpy(codes + j, &code, sizeof code);
  }
  for (int j = 0; j < n; j++) {
    out[j] = (uint8_t)codes[j];
  }
}
