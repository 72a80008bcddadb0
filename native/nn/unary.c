/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   tanh x         (1 - e) / (1 + e), e = e^(-2|x|), and its series below 1/4, where that cancels
 *   erf z          1 - (a1 t + ... + a5 t^5) e^(-z^2), t = 1 / (1 + p z), z >= 0, within 1.5e-7
 *                  (Abramowitz and Stegun 7.1.26)
 *   log sigmoid x  min(x, 0) - log(1 + e^-|x|); log(1 + e) = 2 atanh(e / (2 + e)) by its series
 */
#include "nn/unary.h"

#include "core/parallel.h"
#include "kernels/exp_body.h"

#include <math.h>

enum { GRAIN = 1 << 14 };

const char *const vise_unary_names[VISE_UNARY_COUNT + 1] = {
    "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "log_sigmoid", "round", NULL};

typedef struct job {
  float *out;
  const float *x, *y;
  vise_unary f;
  float factor;
  uint32_t least; /* dropout keeps what has this much */
  const vise_rng *rng;
} job;

static float sigmoid(float x) {
  return 1.0f / (1.0f + exp_body(-x));
}

static float tanh_of(float x) {
  const float a = fabsf(x);
  if (a < 0.25f) {
    const float z = x * x;
    const float series =
        1.0f + z * (-1.0f / 3 + z * (2.0f / 15 + z * (-17.0f / 315 + z * (62.0f / 2835))));
    return x * series;
  }
  const float e = exp_body(-2.0f * a);
  return copysignf((1.0f - e) / (1.0f + e), x);
}

/* The normal distribution function. */
static float normal_of(float x) {
  const float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
  const float series =
      t * (0.254829592f +
           t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float tail = 0.5f * series * exp_body(-z * z);
  return x < 0.0f ? tail : 1.0f - tail;
}

static float log_sigmoid(float x) {
  const float e = exp_body(-fabsf(x)), u = e / (2.0f + e), z = u * u;
  float series = 0.0f;
  for (int k = 7; k >= 1; k--) {
    series = (series + 1.0f / (float)(2 * k + 1)) * z;
  }
  return (x < 0.0f ? x : 0.0f) - 2.0f * (u + u * series);
}

/* What tanh is taken of in gelu_tanh, and its derivative. */
static float inner_of(float x) {
  return 0.79788456f * (x + 0.044715f * x * x * x);
}

static float d_inner_of(float x) {
  return 0.79788456f * (1.0f + 3.0f * 0.044715f * x * x);
}

static float value_of(vise_unary f, float x) {
  switch (f) {
  case VISE_UNARY_SIGMOID: return sigmoid(x);
  case VISE_UNARY_TANH: return tanh_of(x);
  case VISE_UNARY_SILU: return x * sigmoid(x);
  case VISE_UNARY_GELU: return x * normal_of(x);
  case VISE_UNARY_GELU_TANH: return 0.5f * x * (1.0f + tanh_of(inner_of(x)));
  case VISE_UNARY_LOG_SIGMOID: return log_sigmoid(x);
  default: return rintf(x);
  }
}

static float slope_of(vise_unary f, float x) {
  switch (f) {
  case VISE_UNARY_SIGMOID: {
    const float s = sigmoid(x);
    return s * (1.0f - s);
  }
  case VISE_UNARY_TANH: {
    const float t = tanh_of(x);
    return 1.0f - t * t;
  }
  case VISE_UNARY_SILU: {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
  case VISE_UNARY_GELU: return normal_of(x) + x * 0.39894228f * exp_body(-0.5f * x * x);
  case VISE_UNARY_GELU_TANH: {
    const float t = tanh_of(inner_of(x));
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * d_inner_of(x);
  }
  case VISE_UNARY_LOG_SIGMOID: return sigmoid(-x);
  default: return 1.0f;
  }
}

/* relu (y is x, and NaN stays) and its derivative, without a branch: signs are hard to foresee. */
static void step_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = j->y[i] * (j->x[i] > 0.0f ? 1.0f : 0.0f);
  }
}

static void run_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = value_of(j->f, j->x[i]);
  }
}

static void back_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = j->y[i] * slope_of(j->f, j->x[i]);
  }
}

static void multiply_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = j->x[i] * j->y[i];
  }
}

static void divide_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = j->x[i] / j->y[i];
  }
}

static void dropout_range(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    j->out[i] = vise_rng_u32(j->rng, (uint64_t)i) >= j->least ? j->x[i] * j->factor : 0.0f;
  }
}

vise_status vise_unary_run(float *out, const float *x, int64_t n, vise_unary f, vise_err *err) {
  job j = {.out = out, .x = x, .y = x, .f = f};
  return vise_parallel_for(n, GRAIN, f == VISE_UNARY_RELU ? step_range : run_range, &j, err);
}

vise_status vise_unary_backward(
    float *out, const float *d_y, const float *x, int64_t n, vise_unary f, vise_err *err) {
  job j = {.out = out, .x = x, .y = d_y, .f = f};
  return vise_parallel_for(n, GRAIN, f == VISE_UNARY_RELU ? step_range : back_range, &j, err);
}

vise_status
vise_multiply_run(float *out, const float *x, const float *y, int64_t n, vise_err *err) {
  job j = {.out = out, .x = x, .y = y};
  return vise_parallel_for(n, GRAIN, multiply_range, &j, err);
}

vise_status vise_divide_run(float *out, const float *x, const float *y, int64_t n, vise_err *err) {
  job j = {.out = out, .x = x, .y = y};
  return vise_parallel_for(n, GRAIN, divide_range, &j, err);
}

vise_status vise_dropout_run(
    float *out, const float *x, int64_t n, double share, const vise_rng *rng, vise_err *err) {
  job j = {.out = out,
           .x = x,
           .factor = (float)(1.0 / (1.0 - share)),
           .least = (uint32_t)(share * 0x1p32),
           .rng = rng};
  return vise_parallel_for(n, GRAIN, dropout_range, &j, err);
}
