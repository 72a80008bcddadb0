/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/hadamard_body.h -- the bodies of hadamard_ref.c, hadamard_avx2.c and hadamard_avx512.c.
 *
 * Vectors are 8 floats at every level, the compiler's generic ones. Neighbours 1, 2 and 4 apart
 * meet inside a vector: a + b and a - b are (b, a) + (a, b) (1, -1), where the product is exact.
 * Then two levels of butterflies are done at each pass over memory; their order is that of
 * one level after the other.
 */
#include <string.h>

enum { LANES = 8 };

typedef float vec __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE void load(vec *out, const float *x) {
  memcpy(out, x, sizeof *out);
}

INLINE void store(float *out, const vec *x) {
  memcpy(out, x, sizeof *x);
}

INLINE void butterfly_lanes(float *inout) {
  const vec one = {1, -1, 1, -1, 1, -1, 1, -1}, two = {1, 1, -1, -1, 1, 1, -1, -1},
            four = {1, 1, 1, 1, -1, -1, -1, -1};
  vec x;
  load(&x, inout);
  x = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6) + x * one;
  x = __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5) + x * two;
  x = __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3) + x * four;
  store(inout, &x);
}

/* Partners h apart. */
INLINE void butterfly_two(float *x, int64_t h) {
  vec a, b;
  load(&a, x);
  load(&b, x + h);
  const vec sum = a + b, difference = a - b;
  store(x, &sum);
  store(x + h, &difference);
}

/* Partners h apart, then 2 h. */
INLINE void butterfly_four(float *x, int64_t h) {
  vec a, b, c, d;
  load(&a, x);
  load(&b, x + h);
  load(&c, x + 2 * h);
  load(&d, x + 3 * h);
  const vec s = a + b, t = a - b, u = c + d, v = c - d;
  a = s + u;
  b = t + v;
  c = s - u;
  d = t - v;
  store(x, &a);
  store(x + h, &b);
  store(x + 2 * h, &c);
  store(x + 3 * h, &d);
}

/* n < LANES */
static void butterfly_few(float *x, int64_t n) {
  for (int64_t h = 1; h < n; h *= 2) {
    for (int64_t i = 0; i < n; i++) {
      if ((i & h) == 0) {
        const float a = x[i], b = x[i + h];
        x[i] = a + b;
        x[i + h] = a - b;
      }
    }
  }
}

static void butterfly_many(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    butterfly_lanes(x + i);
  }
  int64_t h = LANES;
  for (; 4 * h <= n; h *= 4) {
    for (int64_t i = 0; i < n; i += 4 * h) {
      for (int64_t j = i; j < i + h; j += LANES) {
        butterfly_four(x + j, h);
      }
    }
  }
  for (int64_t j = 0; h < n && j < h; j += LANES) {
    butterfly_two(x + j, h);
  }
}

static void butterfly(float *inout, int64_t n, float scale) {
  if (n < LANES) {
    butterfly_few(inout, n);
  } else {
    butterfly_many(inout, n);
  }
  for (int64_t i = 0; i < n; i++) {
    inout[i] *= scale;
  }
}

/* p < LANES */
static void mix_few(float *x, const float *h, int64_t m, int64_t p) {
  float column[VISE_HADAMARD_MIX_MAX];
  for (int64_t j = 0; j < p; j++) {
    for (int64_t b = 0; b < m; b++) {
      column[b] = x[b * p + j];
    }
    for (int64_t a = 0; a < m; a++) {
      float sum = h[a * m] * column[0];
      for (int64_t b = 1; b < m; b++) {
        sum += h[a * m + b] * column[b];
      }
      x[a * p + j] = sum;
    }
  }
}

/* Four rows of h side by side: their chains hide each other's latency. */
static void mix(float *x, const float *h, int64_t m, int64_t p) {
  if (p < LANES) {
    mix_few(x, h, m, p);
    return;
  }
  vec columns[VISE_HADAMARD_MIX_MAX];
  for (int64_t j = 0; j < p; j += LANES) {
    for (int64_t b = 0; b < m; b++) {
      load(&columns[b], x + b * p + j);
    }
    for (int64_t a = 0; a < m; a += 4) {
      const float *row = h + a * m;
      vec s = columns[0] * row[0], t = columns[0] * row[m];
      vec u = columns[0] * row[2 * m], v = columns[0] * row[3 * m];
      for (int64_t b = 1; b < m; b++) {
        s += columns[b] * row[b];
        t += columns[b] * row[m + b];
        u += columns[b] * row[2 * m + b];
        v += columns[b] * row[3 * m + b];
      }
      store(x + a * p + j, &s);
      store(x + (a + 1) * p + j, &t);
      store(x + (a + 2) * p + j, &u);
      store(x + (a + 3) * p + j, &v);
    }
  }
}

static void fill(vise_hadamard_kernels *table) {
  table->butterfly = butterfly;
  table->mix = mix;
}
