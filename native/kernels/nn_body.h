/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/nn_body.h -- the bodies of nn_ref.c, nn_avx2.c and nn_avx512.c, which define VECTOR.
 *
 * Lane partials and tiles are LANES = 16 wide at every level; VECTOR says in how many registers
 * those 16 lie, which no result can see: all operations are lane by lane. Vectors are the
 * compiler's generic ones and are passed by pointer, because their calling convention depends on
 * the level.
 */
#include "kernels/exp_body.h"

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

static void exp_n(float *out, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = exp_body(x[i]);
  }
}

static void swiglu(float *out, const float *gate, const float *up, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = gate[i] / (1.0f + exp_body(-gate[i])) * up[i];
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

static float greatest_of(const float *s, int64_t n, float first) {
  vec acc[PARTS];
  float lanes[LANES];
  for (int c = 0; c < PARTS; c++) {
    acc[c] = first - (vec){0};
  }
  for (int64_t j = 0; j < n; j += LANES) {
    for (int c = 0; c < PARTS; c++) {
      vec x;
      load(&x, s + j + c * VECTOR);
      const ivec is_greater = x > acc[c];
      acc[c] = (vec)((is_greater & (ivec)x) | (~is_greater & (ivec)acc[c]));
    }
  }
  memcpy(lanes, acc, sizeof lanes);
  for (int l = 0; l < LANES; l++) {
    first = lanes[l] > first ? lanes[l] : first;
  }
  return first;
}

/* What is not seen becomes -infinity, whose exponential is zero. */
static void
soften(vise_softmax_state *inout, float *s, int64_t n, int64_t lo, int64_t hi, float scale) {
  for (int64_t j = 0; j < n; j++) {
    s[j] *= scale;
  }
  for (int64_t j = 0; j < lo; j++) {
    s[j] = -INFINITY;
  }
  for (int64_t j = hi; j < n; j++) {
    s[j] = -INFINITY;
  }
  const float greatest = greatest_of(s, n, inout->greatest);
  for (int64_t j = 0; j < n; j++) {
    s[j] = exp_body(s[j] - greatest);
  }
  float sum[LANES] = {0};
  for (int64_t j = 0; j < n; j += LANES) {
    for (int l = 0; l < LANES; l++) {
      sum[l] += s[j + l];
    }
  }
  inout->rescale = exp_body(inout->greatest - greatest);
  inout->sum = inout->sum * inout->rescale + tree_f32(sum);
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
