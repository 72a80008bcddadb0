/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/nn_body.h -- the bodies of nn_ref.c, nn_avx2.c and nn_avx512.c, which define VECTOR.
 *
 * Lane partials and tiles are LANES = 16 wide at every level; VECTOR says in how many registers
 * those 16 lie, which no result can see: all operations are lane by lane. Vectors are the
 * compiler's generic ones and are passed by pointer, because their calling convention depends on
 * the level.
 */
#include <math.h>
#include <string.h>

enum { LANES = VISE_NN_LANES, PARTS = LANES / VECTOR, TILE = 4 };

typedef float vec __attribute__((vector_size(4 * VECTOR)));
typedef int32_t ivec __attribute__((vector_size(4 * VECTOR)));

#define INLINE static inline __attribute__((always_inline))

INLINE void load(vec *out, const float *x) {
  memcpy(out, x, sizeof *out);
}

INLINE void store(float *out, const vec *x) {
  memcpy(out, x, sizeof *x);
}

INLINE void splat(vec *out, float x) {
  *out = x - (vec){0};
}

/* where mask is all ones, a; where it is zero, b */
INLINE void blend(vec *out, const ivec *mask, const vec *a, const vec *b) {
  *out = (vec)((*mask & (ivec)*a) | (~*mask & (ivec)*b));
}

/*
 * exp(x) = 2^n exp(r), n = x / ln 2 rounded, |r| <= ln 2 / 2. Adding 1.5 * 2^23 leaves n in the low
 * bits of the sum. n ln2_hi is exact (13 + 8 bits); Taylor's terms up to r^7 leave less than 6e-9.
 * 2^n is multiplied in two halves, so that subnormal results come out rounded and large ones
 * infinite.
 */
INLINE void exp_of(vec *inout) {
  const float magic = 0x1.8p23f, ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
  vec x = *inout, low, high;
  splat(&low, -104.0f);
  splat(&high, 89.0f);
  const ivec is_low = x<low, is_high = x> high; /* false for NaN, which passes */
  blend(&x, &is_low, &low, &x);
  blend(&x, &is_high, &high, &x);
  const vec shifted = x * 0x1.715476p+0f + magic;
  const vec n = shifted - magic;
  const vec r = (x - n * ln2_hi) - n * ln2_lo;
  vec p = r * (1.0f / 5040.0f) + (1.0f / 720.0f);
  p = p * r + (1.0f / 120.0f);
  p = p * r + (1.0f / 24.0f);
  p = p * r + (1.0f / 6.0f);
  p = p * r + 0.5f;
  p = r + r * r * p;
  p = p + 1.0f;
  const ivec exponent = (ivec)shifted - 0x4b400000; /* the bits of 1.5 * 2^23 */
  const ivec half = exponent >> 1;
  *inout = p * (vec)((half + 127) << 23) * (vec)((exponent - half + 127) << 23);
}

static void exp_n(float *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += VECTOR) {
    const int64_t count = n - i < VECTOR ? n - i : VECTOR;
    vec v = {0};
    memcpy(&v, x + i, (size_t)count * sizeof *x);
    exp_of(&v);
    memcpy(out + i, &v, (size_t)count * sizeof *x);
  }
}

static void swiglu(float *out, const float *gate, const float *up, int64_t n) {
  for (int64_t i = 0; i < n; i += VECTOR) {
    const size_t bytes = (size_t)(n - i < VECTOR ? n - i : VECTOR) * sizeof *gate;
    vec g = {0}, u = {0};
    memcpy(&g, gate + i, bytes);
    memcpy(&u, up + i, bytes);
    vec e = -g;
    exp_of(&e);
    const vec y = g / (1.0f + e) * u;
    memcpy(out + i, &y, bytes);
  }
}

static double tree_f64(double *s) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      s[l] += s[l + width];
    }
  }
  return s[0];
}

static float tree_f32(float *s) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      s[l] += s[l + width];
    }
  }
  return s[0];
}

static void rmsnorm(float *out, const float *x, const float *gain, int64_t n, double eps) {
  double s[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      s[l] += (double)x[i + l] * (double)x[i + l];
    }
  }
  for (int l = 0; i + l < n; l++) {
    s[l] += (double)x[i + l] * (double)x[i + l];
  }
  const float inv = (float)(1.0 / sqrt(tree_f64(s) / (double)n + eps));
  for (i = 0; i < n; i++) {
    out[i] = x[i] * inv * gain[i];
  }
}

static void add(float *out, const float *x, const float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = x[i] + y[i];
  }
}

static void rotate(float *restrict out,
                   const float *restrict x,
                   const float *restrict cosine,
                   const float *restrict sine,
                   int64_t n_heads,
                   int64_t n) {
  for (int64_t h = 0; h < n_heads; h++) {
    const float *a = x + h * 2 * n, *b = a + n;
    float *out_a = out + h * 2 * n, *out_b = out_a + n;
    for (int64_t i = 0; i < n; i++) {
      out_a[i] = a[i] * cosine[i] - b[i] * sine[i];
      out_b[i] = b[i] * cosine[i] + a[i] * sine[i];
    }
  }
}

/* `rows` is a constant where this is inlined, so the accumulators are registers. */
INLINE void score_tile(
    float *s, int64_t lds, const float *q, int64_t ldq, const float *panel, int rows, int64_t dim) {
  vec acc[TILE][PARTS];
  for (int i = 0; i < rows; i++) {
    for (int c = 0; c < PARTS; c++) {
      acc[i][c] = (vec){0};
    }
  }
  for (int64_t d = 0; d < dim; d++) {
    vec key[PARTS];
    for (int c = 0; c < PARTS; c++) {
      load(&key[c], panel + d * LANES + c * VECTOR);
    }
    for (int i = 0; i < rows; i++) {
      for (int c = 0; c < PARTS; c++) {
        acc[i][c] += q[i * ldq + d] * key[c];
      }
    }
  }
  for (int i = 0; i < rows; i++) {
    for (int c = 0; c < PARTS; c++) {
      store(s + i * lds + c * VECTOR, &acc[i][c]);
    }
  }
}

static void scores(float *s,
                   int64_t lds,
                   const float *q,
                   int64_t ldq,
                   const float *panels,
                   int64_t n_rows,
                   int64_t dim,
                   int64_t n_panels) {
  for (int64_t p = 0; p < n_panels; p++) {
    const float *panel = panels + p * dim * LANES;
    float *block = s + p * LANES;
    int64_t i = 0;
    for (; i + TILE <= n_rows; i += TILE) {
      score_tile(block + i * lds, lds, q + i * ldq, ldq, panel, TILE, dim);
    }
    for (; i < n_rows; i++) {
      score_tile(block + i * lds, lds, q + i * ldq, ldq, panel, 1, dim);
    }
  }
}

static void
soften(vise_softmax_state *inout, float *s, int64_t n, int64_t lo, int64_t hi, float scale) {
  float greatest = inout->greatest;
  for (int64_t j = lo; j < hi; j++) { /* a maximum is the same in any order */
    const float x = s[j] * scale;
    greatest = x > greatest ? x : greatest;
  }
  vec rescale;
  splat(&rescale, inout->greatest - greatest);
  exp_of(&rescale);
  float sum[LANES];
  vec acc[PARTS];
  ivec lane[PARTS];
  for (int c = 0; c < PARTS; c++) {
    acc[c] = (vec){0};
    for (int l = 0; l < VECTOR; l++) {
      lane[c][l] = c * VECTOR + l;
    }
  }
  for (int64_t j = 0; j < n; j += LANES) {
    const int32_t from = (int32_t)(lo - j), to = (int32_t)(hi - j);
    for (int c = 0; c < PARTS; c++) {
      vec x;
      load(&x, s + j + c * VECTOR);
      x = x * scale - greatest;
      exp_of(&x);
      x = (vec)((ivec)x & (lane[c] >= from) & (lane[c] < to));
      store(s + j + c * VECTOR, &x);
      acc[c] += x;
    }
  }
  memcpy(sum, acc, sizeof sum);
  inout->rescale = rescale[0];
  inout->sum = inout->sum * rescale[0] + tree_f32(sum);
  inout->greatest = greatest;
}

INLINE void mix_tile(float *o,
                     int64_t ldo,
                     const float *rescale,
                     const float *p,
                     int64_t ldp,
                     const float *v,
                     int64_t ldv,
                     int rows,
                     int64_t n_keys) {
  vec acc[TILE][PARTS];
  for (int i = 0; i < rows; i++) {
    for (int c = 0; c < PARTS; c++) {
      load(&acc[i][c], o + i * ldo + c * VECTOR);
      acc[i][c] *= rescale[i];
    }
  }
  for (int64_t j = 0; j < n_keys; j++) {
    vec value[PARTS];
    for (int c = 0; c < PARTS; c++) {
      load(&value[c], v + j * ldv + c * VECTOR);
    }
    for (int i = 0; i < rows; i++) {
      for (int c = 0; c < PARTS; c++) {
        acc[i][c] += p[i * ldp + j] * value[c];
      }
    }
  }
  for (int i = 0; i < rows; i++) {
    for (int c = 0; c < PARTS; c++) {
      store(o + i * ldo + c * VECTOR, &acc[i][c]);
    }
  }
}

static void mix(float *o,
                int64_t ldo,
                const float *rescale,
                const float *p,
                int64_t ldp,
                const float *v,
                int64_t ldv,
                int64_t n_rows,
                int64_t n_keys,
                int64_t dim) {
  for (int64_t c = 0; c < dim; c += LANES) {
    int64_t i = 0;
    for (; i + TILE <= n_rows; i += TILE) {
      mix_tile(o + i * ldo + c, ldo, rescale + i, p + i * ldp, ldp, v + c, ldv, TILE, n_keys);
    }
    for (; i < n_rows; i++) {
      mix_tile(o + i * ldo + c, ldo, rescale + i, p + i * ldp, ldp, v + c, ldv, 1, n_keys);
    }
  }
}

static void fill(vise_nn_kernels *table) {
  *table = (vise_nn_kernels){exp_n, rmsnorm, add, swiglu, rotate, scores, soften, mix};
}
