/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/scaled_body.h -- the bodies of scaled_ref.c, scaled_avx2.c and scaled_avx512.c, plain C
 * that the compiler vectorises for the level that includes it. VECTOR is the floats in a register that
 * holds lanes of a trial, which no result can see; vectors are the compiler's generic
 * ones and are passed by pointer, because their calling convention depends on the level.
 *
 * Rounding a value of magnitude a to a small float of m mantissa bits without its code: with p the
 * power of two at or below a (not below the smallest normal), the format's step at a is p 2^-m, and
 * that is the unit in the last place of p 2^(23 - m); adding and taking away that number rounds a
 * to a multiple of the step, ties to the even one, which is the even code.
 */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = VISE_SCALED_LANES, RUN = 256 };

INLINE uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

INLINE float float_of(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

INLINE int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

typedef float vec __attribute__((vector_size(4 * VECTOR)));
typedef int32_t ivec __attribute__((vector_size(4 * VECTOR)));

enum { PARTS = LANES / VECTOR };

INLINE void load(vec *out, const float *x) {
  memcpy(out, x, sizeof *out);
}

/* How many thresholds of NF4 are below each t, and the entries of the table; the including file
   defines them after this one. */
INLINE void nf4_code(ivec *out, const vec *t);
INLINE void nf4_value(vec *out, const ivec *codes);

/* ---- groups: each loop is compiled once more for the usual lengths ---- */

#define FOR_USUAL_GROUPS(group, call)                                                              \
  switch (group) {                                                                                 \
  case 16: call(16); break;                                                                        \
  case 32: call(32); break;                                                                        \
  case 64: call(64); break;                                                                        \
  default: call(group);                                                                            \
  }

INLINE float extreme(const float *x, int64_t n) {
  int32_t u = 0;
  for (int64_t j = 0; j < n; j++) {
    const int32_t a = (int32_t)(bits_of(x[j]) & 0x7fffffffu);
    u = a > u ? a : u;
  }
  return float_of((uint32_t)u);
}

INLINE void extremes_of(float *out, const float *x, int64_t n, int64_t group) {
  int64_t j = 0;
  for (; j + group <= n; j += group) {
    *out++ = extreme(x + j, group);
  }
  if (j < n) {
    *out = extreme(x + j, n - j);
  }
}

static void extremes(float *out, const float *x, int64_t n, int64_t group){
#define CALL(g) extremes_of(out, x, n, g)
    FOR_USUAL_GROUPS(group, CALL)
#undef CALL
}

INLINE void divide_by(float *out, const float *x, int64_t n, float scale) {
  const float by = scale == 0.0f ? 1.0f : scale;
  const uint32_t keep = scale == 0.0f ? 0u : ~0u;
  for (int64_t j = 0; j < n; j++) {
    out[j] = float_of(bits_of(x[j] / by) & keep);
  }
}

INLINE void divide_of(float *restrict out,
                      const float *restrict x,
                      int64_t n,
                      int64_t group,
                      const float *restrict scales) {
  int64_t j = 0;
  for (; j + group <= n; j += group) {
    divide_by(out + j, x + j, group, *scales++);
  }
  if (j < n) {
    divide_by(out + j, x + j, n - j, *scales);
  }
}

static void divide(float *out, const float *x, int64_t n, int64_t group, const float *scales) {
#define CALL(g) divide_of(out, x, n, g, scales)
  FOR_USUAL_GROUPS(group, CALL)
#undef CALL
}

static void multiply(float *inout, int64_t n, int64_t phase, int64_t group, const float *scales) {
  int64_t stop = group - phase;
  for (int64_t j = 0; j < n; stop += group, scales++) {
    for (const int64_t end = least(stop, n); j < end; j++) {
      inout[j] *= *scales;
    }
  }
}

/* ---- NF4 ---- */

INLINE void nf4_by(uint8_t *restrict out, const float *restrict x, int64_t n, float r) {
  int32_t wide[64];
  for (int64_t j = 0; j < n; j += 64) {
    const int64_t length = least(64, n - j);
    for (int64_t l = 0; l < length; l += VECTOR) {
      vec t = {0};
      if (l + VECTOR <= length) {
        load(&t, x + j + l);
      } else {
        memcpy(&t, x + j + l, (size_t)(length - l) * sizeof *x);
      }
      t *= r;
      ivec codes;
      nf4_code(&codes, &t);
      memcpy(wide + l, &codes, sizeof codes);
    }
    for (int64_t l = 0; l < length; l++) {
      out[j + l] = (uint8_t)wide[l];
    }
  }
}

INLINE void nf4_of(uint8_t *restrict out,
                   const float *restrict x,
                   int64_t n,
                   int64_t group,
                   const float *restrict scales) {
  for (int64_t j = 0; j < n; j += group, scales++) {
    const float r = *scales == 0.0f ? 0.0f : 1.0f / *scales;
    if (j + group <= n) {
      nf4_by(out + j, x + j, group, r);
    } else {
      nf4_by(out + j, x + j, n - j, r);
    }
  }
}

static void nf4(uint8_t *out, const float *x, int64_t n, int64_t group, const float *scales) {
#define CALL(g) nf4_of(out, x, n, g, scales)
  FOR_USUAL_GROUPS(group, CALL)
#undef CALL
}

/* ---- packing ---- */

static void table(float *out,
                  const uint8_t *packed,
                  int64_t n,
                  bool is_high_first,
                  const float *values,
                  int64_t phase,
                  int64_t group,
                  const float *scales) {
  const int first = is_high_first ? 4 : 0;
  int64_t j = 0;
  for (; j + 2 <= n; j += 2) {
    out[j] = values[packed[j / 2] >> first & 15];
    out[j + 1] = values[packed[j / 2] >> (4 - first) & 15];
  }
  if (j < n) {
    out[j] = values[packed[j / 2] >> first & 15];
  }
  multiply(out, n, phase, group, scales);
}

static void pack_high(uint8_t *restrict out, const uint8_t *restrict codes, int64_t n) {
  int64_t i = 0;
  for (; i < n / 2; i++) {
    out[i] = (uint8_t)(codes[2 * i] << 4 | codes[2 * i + 1]);
  }
  if (n % 2 != 0) {
    out[i] = (uint8_t)(codes[n - 1] << 4);
  }
}

static void unpack6(uint8_t *restrict out, const uint8_t *restrict packed, int64_t n) {
  int64_t j = 0;
  for (; j + 4 <= n; j += 4, packed += 3) {
    const uint32_t u = (uint32_t)packed[0] | (uint32_t)packed[1] << 8 | (uint32_t)packed[2] << 16;
    out[j] = (uint8_t)(u & 63);
    out[j + 1] = (uint8_t)(u >> 6 & 63);
    out[j + 2] = (uint8_t)(u >> 12 & 63);
    out[j + 3] = (uint8_t)(u >> 18);
  }
  uint32_t u = 0;
  for (int64_t i = 0; i < ((n - j) * 6 + 7) / 8; i++) {
    u |= (uint32_t)packed[i] << (8 * i);
  }
  for (; j < n; j++, u >>= 6) {
    out[j] = (uint8_t)(u & 63);
  }
}

/* ---- trits ---- */

static void trits(uint8_t *out, const float *x, int64_t n, int64_t group, const float *limits) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t end = begin + least(group, n - begin);
    const float limit = *limits++;
    for (int64_t j = begin; j < end; j++) {
      out[j] = (uint8_t)(1 + (x[j] > limit) - (x[j] < -limit));
    }
  }
}

static void pack_trits(uint8_t *restrict out, const uint8_t *restrict trits_in, int64_t n) {
  const uint8_t *a = trits_in, *b = a + n, *c = b + n, *d = c + n, *e = d + n;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t v = ((((uint32_t)a[i] * 3 + b[i]) * 3 + c[i]) * 3 + d[i]) * 3 + e[i];
    out[i] = (uint8_t)((v * 256 + 242) / 243);
  }
}

/* byte 256^-1 is v 243^-1 and less than 2^-8 more, so its digits in base 3 are the trits. */
static void
unpack_trits(float *restrict out, const uint8_t *restrict packed, int64_t n, int place) {
  static const uint32_t powers[] = {1, 3, 9, 27, 81};
  const uint32_t power = powers[place];
  for (int64_t i = 0; i < n; i++) {
    const uint32_t rest = packed[i] * power & 255u;
    out[i] = (float)((int32_t)(rest * 3 >> 8) - 1);
  }
}

/* ---- trials ---- */

/* inout = a where the mask is set. */
INLINE void put(ivec *inout, const ivec *mask, const ivec *a) {
  *inout = (*a & *mask) | (*inout & ~*mask);
}

INLINE void nearest_float(vec *out, const vec *t, int m, float smallest_normal, float largest) {
  const ivec none = {0}, u = (ivec)*t;
  const ivec top = none + (int32_t)bits_of(largest), low = none + (int32_t)bits_of(smallest_normal);
  ivec a = u & 0x7fffffff; /* magnitudes are ordered as their bits */
  const ivec is_large = a > top;
  put(&a, &is_large, &top);
  ivec p = a & 0x7f800000;
  const ivec is_small = p < low;
  put(&p, &is_small, &low);
  const vec magic = (vec)p * (float)(1 << (23 - m));
  const vec rounded = ((vec)a + magic) - magic;
  *out = (vec)((ivec)rounded | (u ^ (u & 0x7fffffff)));
}

INLINE void nearest(vec *out, const vec *t, vise_element element) {
  switch (element) {
  case VISE_E4M3: nearest_float(out, t, 3, 0x1p-6f, 448.0f); break;
  case VISE_E5M2: nearest_float(out, t, 2, 0x1p-14f, 57344.0f); break;
  case VISE_E2M3: nearest_float(out, t, 3, 1.0f, 7.5f); break;
  case VISE_E3M2: nearest_float(out, t, 2, 0x1p-2f, 28.0f); break;
  case VISE_E2M1: nearest_float(out, t, 1, 1.0f, 6.0f); break;
  case VISE_NF4: {
    ivec codes;
    nf4_code(&codes, t);
    nf4_value(out, &codes);
  }
  }
}

typedef struct sums {
  vec error[PARTS], slope[PARTS], mass[PARTS];
} sums;

INLINE void add_lanes(sums *inout,
                      const float *x,
                      const float *v,
                      bool has_v,
                      bool has_fit,
                      float scale,
                      float r,
                      vise_element element) {
  for (int c = 0; c < PARTS; c++) {
    vec t, q;
    load(&t, x + c * VECTOR);
    t = element == VISE_NF4 ? t * r : t / scale;
    nearest(&q, &t, element);
    const vec e = t - q;
    vec ve = e, vq = q;
    if (has_v) {
      vec weight;
      load(&weight, v + c * VECTOR);
      ve = weight * e;
      vq = weight * q;
    }
    inout->error[c] += ve * e;
    if (has_fit) {
      inout->slope[c] += ve * q;
      inout->mass[c] += vq * q;
    }
  }
}

static float tree(const vec *parts) {
  float s[LANES];
  memcpy(s, parts, sizeof s);
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      s[l] += s[l + width];
    }
  }
  return s[0];
}

INLINE void run_trial(vise_scaled_trial *inout,
                      const float *x,
                      const float *v,
                      bool has_v,
                      bool has_fit,
                      int64_t n,
                      vise_element element) {
  const float scale = inout->scale, r = 1.0f / scale;
  sums s = {0};
  int64_t j = 0;
  for (; j + LANES <= n; j += LANES) {
    add_lanes(&s, x + j, v + j, has_v, has_fit, scale, r, element);
  }
  if (j < n) { /* zeros have the element 0 and add nothing */
    float rest_x[LANES] = {0}, rest_v[LANES] = {0};
    memcpy(rest_x, x + j, (size_t)(n - j) * sizeof *x);
    if (has_v) {
      memcpy(rest_v, v + j, (size_t)(n - j) * sizeof *v);
    }
    add_lanes(&s, rest_x, rest_v, has_v, has_fit, scale, r, element);
  }
  inout->error += (double)tree(s.error);
  if (has_fit) {
    inout->slope += (double)tree(s.slope);
    inout->mass += (double)tree(s.mass);
  }
}

INLINE void trials_of(vise_scaled_trial *inout,
                      int n_trials,
                      const float *x,
                      const float *v,
                      int64_t n,
                      vise_element element,
                      bool has_fit) {
  for (int64_t j = 0; j < n; j += RUN) {
    const int64_t length = least(RUN, n - j);
    for (int i = 0; i < n_trials; i++) {
      if (v == NULL) {
        run_trial(&inout[i], x + j, x + j, false, has_fit, length, element);
      } else {
        run_trial(&inout[i], x + j, v + j, true, has_fit, length, element);
      }
    }
  }
}

#define FOR_ELEMENTS(element, call)                                                                \
  switch (element) { /* one copy for each, with its constants folded in */                         \
  case VISE_E4M3: call(VISE_E4M3); break;                                                          \
  case VISE_E5M2: call(VISE_E5M2); break;                                                          \
  case VISE_E2M3: call(VISE_E2M3); break;                                                          \
  case VISE_E3M2: call(VISE_E3M2); break;                                                          \
  case VISE_E2M1: call(VISE_E2M1); break;                                                          \
  case VISE_NF4: call(VISE_NF4); break;                                                            \
  }

static void trials(vise_scaled_trial *inout,
                   int n_trials,
                   const float *x,
                   const float *v,
                   int64_t n,
                   vise_element element) {
#define CALL(e) trials_of(inout, n_trials, x, v, n, e, true)
  FOR_ELEMENTS(element, CALL)
#undef CALL
}

static void errors(vise_scaled_trial *inout,
                   int n_trials,
                   const float *x,
                   const float *v,
                   int64_t n,
                   vise_element element) {
#define CALL(e) trials_of(inout, n_trials, x, v, n, e, false)
  FOR_ELEMENTS(element, CALL)
#undef CALL
}

static void fill_from_body(vise_scaled_kernels *out) {
  *out = (vise_scaled_kernels){
      .extremes = extremes,
      .divide = divide,
      .multiply = multiply,
      .nf4 = nf4,
      .table = table,
      .pack_high = pack_high,
      .unpack6 = unpack6,
      .trits = trits,
      .pack_trits = pack_trits,
      .unpack_trits = unpack_trits,
      .trials = trials,
      .errors = errors,
  };
}
