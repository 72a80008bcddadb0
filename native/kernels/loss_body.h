/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/loss_body.h -- the passes of kernels/loss.h in plain C, compiled once for each level.
 *
 * Blocks of LANES elements are computed into an array and then added to the lanes: two loops of
 * constant length, which a compiler turns into vectors of any width without changing a bit. The
 * last, short block is filled up; what the filling gives is zero or set to zero.
 */
#ifndef VISE_KERNELS_LOSS_BODY_H
#define VISE_KERNELS_LOSS_BODY_H

#include "kernels/exp_body.h"
#include "kernels/loss_levels.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };

static double lanes_sum(double lanes[LANES]) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; l++) {
      lanes[l] += lanes[l + width];
    }
  }
  return lanes[0];
}

/* The last, short block of x, its end filled with `fill`; its length, 0 where x ends with a block.
 */
static int64_t tail_of(float tail[LANES], const float *x, int64_t n, float fill) {
  const int64_t whole = n - n % LANES;
  for (int64_t l = 0; l < LANES; l++) {
    tail[l] = whole + l < n ? x[whole + l] : fill;
  }
  return n > whole ? LANES : 0;
}

/* n is a multiple of LANES, here and in the other functions over blocks. */
static void max_blocks(float lanes[restrict LANES], const float *restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    }
  }
}

static float row_max(const float *x, int64_t n) {
  float lanes[LANES], tail[LANES];
  for (int l = 0; l < LANES; l++) {
    lanes[l] = -INFINITY;
  }
  max_blocks(lanes, x, n - n % LANES);
  max_blocks(lanes, tail, tail_of(tail, x, n, -INFINITY));
  float greatest = lanes[0];
  for (int l = 1; l < LANES; l++) {
    greatest = lanes[l] > greatest ? lanes[l] : greatest;
  }
  return greatest;
}

static void
sum_exp_blocks(double lanes[restrict LANES], const float *restrict x, int64_t n, float shift) {
  for (int64_t i = 0; i < n; i += LANES) {
    float e[LANES];
    for (int l = 0; l < LANES; l++) {
      e[l] = exp_body(x[i + l] - shift);
    }
    for (int l = 0; l < LANES; l++) {
      lanes[l] += (double)e[l];
    }
  }
}

static double row_sum_exp(const float *x, int64_t n, float shift) {
  double lanes[LANES] = {0};
  float tail[LANES];
  sum_exp_blocks(lanes, x, n - n % LANES, shift);
  sum_exp_blocks(lanes, tail, tail_of(tail, x, n, -INFINITY), shift); /* e^-infinity adds 0 */
  return lanes_sum(lanes);
}

/* One term of the divergence: a, b are log p, log q but for their constants, p and q the scales. */
static inline float kl_term(float a, float b, float scale_p, float scale_q, float log_ratio) {
  const float p = exp_body(a) * scale_p, q = exp_body(b) * scale_q;
  const float d = (b - a) + log_ratio;

  /* (e^d - 1 - d) / d^2 by its series; the first term left out is below 2e-7 of it at |d| = 1/2. */
  float s = 1.0f / 40320.0f;
  s = s * d + 1.0f / 5040.0f;
  s = s * d + 1.0f / 720.0f;
  s = s * d + 1.0f / 120.0f;
  s = s * d + 1.0f / 24.0f;
  s = s * d + 1.0f / 6.0f;
  s = s * d + 0.5f;
  const float near = p * (d * d) * s;
  const float far = (q - p) - p * d;

  uint32_t near_bits, far_bits;
  memcpy(&near_bits, &near, sizeof near_bits);
  memcpy(&far_bits, &far, sizeof far_bits);
  const uint32_t is_near = (0u - (uint32_t)(d > -0.5f)) & (0u - (uint32_t)(d < 0.5f));
  const uint32_t is_negative = 0u - (uint32_t)(far < 0.0f);
  const uint32_t bits = (near_bits & is_near) | (far_bits & ~is_near & ~is_negative);
  float term;
  memcpy(&term, &bits, sizeof term);
  return term;
}

static void kl_blocks(double lanes[restrict LANES],
                      const vise_softmax_row *p,
                      const vise_softmax_row *q,
                      int64_t n,
                      float log_ratio) {
  const float *restrict xp = p->x, *restrict xq = q->x;
  const float shift_p = p->shift, shift_q = q->shift, scale_p = p->scale, scale_q = q->scale;
  for (int64_t i = 0; i < n; i += LANES) {
    float term[LANES];
    for (int l = 0; l < LANES; l++) {
      term[l] = kl_term(xp[i + l] - shift_p, xq[i + l] - shift_q, scale_p, scale_q, log_ratio);
    }
    for (int l = 0; l < LANES; l++) {
      lanes[l] += (double)term[l];
    }
  }
}

static double
row_kl(const vise_softmax_row *p, const vise_softmax_row *q, int64_t n, float log_ratio) {
  double lanes[LANES] = {0}, last[LANES] = {0};
  float tail_p[LANES], tail_q[LANES];
  const vise_softmax_row end_p = {tail_p, p->shift, p->scale}, end_q = {tail_q, q->shift, q->scale};
  kl_blocks(lanes, p, q, n - n % LANES, log_ratio);
  tail_of(tail_p, p->x, n, p->shift);
  kl_blocks(last, &end_p, &end_q, tail_of(tail_q, q->x, n, q->shift), log_ratio);
  for (int64_t l = 0; l < n % LANES; l++) {
    lanes[l] += last[l];
  }
  return lanes_sum(lanes);
}

#endif
