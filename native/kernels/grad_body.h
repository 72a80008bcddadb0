/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/grad_body.h -- the bodies of grad_ref.c, grad_avx2.c and grad_avx512.c.
 *
 * Plain loops that a compiler turns into vectors of any width; sums over a row add blocks of LANES
 * to an array of lanes, so that no width can change a bit.
 */
#include "kernels/exp_body.h"
#include "kernels/grad_levels.h"

#include <math.h>

enum { LANES = VISE_NN_LANES };

static double lanes_sum(double lanes[LANES]) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      lanes[l] += lanes[l + width];
    }
  }
  return lanes[0];
}

static double squares(const float *x, int64_t n) {
  double lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      lanes[l] += (double)x[i + l] * (double)x[i + l];
    }
  }
  for (int l = 0; i + l < n; l++) {
    lanes[l] += (double)x[i + l] * (double)x[i + l];
  }
  return lanes_sum(lanes);
}

static double dot2(const float *x, const float *y, int64_t n) {
  double lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      lanes[l] += (double)x[i + l] * (double)y[i + l];
    }
  }
  for (int l = 0; i + l < n; l++) {
    lanes[l] += (double)x[i + l] * (double)y[i + l];
  }
  return lanes_sum(lanes);
}

static double dot3(const float *x, const float *y, const float *z, int64_t n) {
  double lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      lanes[l] += (double)x[i + l] * (double)y[i + l] * (double)z[i + l];
    }
  }
  for (int l = 0; i + l < n; l++) {
    lanes[l] += (double)x[i + l] * (double)y[i + l] * (double)z[i + l];
  }
  return lanes_sum(lanes);
}

static void rmsnorm_back(float *restrict d_x,
                         float *restrict d_gain,
                         const float *restrict d_y,
                         const float *restrict x,
                         const float *restrict gain,
                         int64_t n,
                         double eps) {
  const double square = 1.0 / (squares(x, n) / (double)n + eps), inverse = sqrt(square);
  const float inv = (float)inverse;
  const float along = (float)(inverse * square * dot3(d_y, gain, x, n) / (double)n);
  for (int64_t i = 0; i < n; i++) {
    d_x[i] = inv * (d_y[i] * gain[i]) - along * x[i];
    d_gain[i] += d_y[i] * (x[i] * inv);
  }
}

static void swiglu_back(float *restrict d_gate,
                        float *restrict d_up,
                        const float *restrict d_y,
                        const float *restrict gate,
                        const float *restrict up,
                        int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const float s = 1.0f / (1.0f + exp_body(-gate[i]));
    d_up[i] = d_y[i] * (gate[i] * s);
    d_gate[i] = d_y[i] * up[i] * (s * (1.0f + gate[i] * (1.0f - s)));
  }
}

static void rotate_back(float *restrict out,
                        const float *restrict x,
                        const float *restrict cosine,
                        const float *restrict sine,
                        int64_t n_heads,
                        int64_t n) {
  for (int64_t h = 0; h < n_heads; h++) {
    const float *a = x + h * 2 * n, *b = a + n;
    float *out_a = out + h * 2 * n, *out_b = out_a + n;
    for (int64_t i = 0; i < n; i++) {
      out_a[i] = a[i] * cosine[i] + b[i] * sine[i];
      out_b[i] = b[i] * cosine[i] - a[i] * sine[i];
    }
  }
}

static void
soften_back(float *restrict inout_p, float *restrict inout_d, int64_t n, float sum, float scale) {
  for (int64_t i = 0; i < n; i++) {
    inout_p[i] /= sum;
  }
  const float mean = (float)dot2(inout_p, inout_d, n);
  for (int64_t i = 0; i < n; i++) {
    inout_d[i] = scale * (inout_p[i] * (inout_d[i] - mean));
  }
}

static void soft_row(float *out, const float *x, int64_t n, float shift, float scale) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = exp_body(x[i] - shift) * scale;
  }
}

static void accumulate(float *restrict sum, const float *restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    sum[i] += x[i];
  }
}

static void scale(float *out, const float *x, int64_t n, float a) {
  for (int64_t i = 0; i < n; i++) {
    out[i] = a * x[i];
  }
}

static void adamw(float *restrict p,
                  float *restrict m,
                  float *restrict v,
                  const float *restrict d,
                  int64_t n,
                  const vise_adamw_step *step) {
  const vise_adamw_step s = *step;
  for (int64_t i = 0; i < n; i++) {
    const float g = s.clip * d[i];
    m[i] = s.beta1 * m[i] + (1.0f - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * (g * g);
    const float move = m[i] * s.correct1 / (sqrtf(v[i] * s.correct2) + s.epsilon);
    p[i] -= s.rate * (move + s.decay * p[i]);
  }
}

static void sgd(float *restrict p,
                float *restrict m,
                const float *restrict d,
                int64_t n,
                float rate,
                float momentum,
                float decay,
                float clip) {
  for (int64_t i = 0; i < n; i++) {
    m[i] = momentum * m[i] + (clip * d[i] + decay * p[i]);
    p[i] -= rate * m[i];
  }
}

static void sign(float *restrict p, const float *restrict d, int64_t n, float rate, float decay) {
  for (int64_t i = 0; i < n; i++) {
    const float s = (float)(d[i] > 0.0f) - (float)(d[i] < 0.0f);
    p[i] -= rate * (s + decay * p[i]);
  }
}

static void fill(vise_grad_kernels *table) {
  *table = (vise_grad_kernels){
      .rmsnorm_back = rmsnorm_back,
      .swiglu_back = swiglu_back,
      .rotate_back = rotate_back,
      .soften_back = soften_back,
      .soft_row = soft_row,
      .accumulate = accumulate,
      .scale = scale,
      .squares = squares,
      .adamw = adamw,
      .sgd = sgd,
      .sign = sign,
  };
}
