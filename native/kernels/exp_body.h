/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/exp_body.h -- e^x in f32 for the bodies of kernels: softmax, silu, log-sum-exp.
 *
 *   x = n ln 2 + r,  n an integer, |r| <= ln 2 / 2        e^x = 2^n e^r
 *   e^r ~ 1 + r + r^2 q(r)     q of degree 4, fitted to the least greatest relative error, 3.1e-9
 *
 * ln 2 is split into 355/512, whose products with n are exact, and a small rest. Adding 1.5 * 2^23
 * rounds x / ln 2 to n and leaves n in the low bits of the sum, so 2^n is one integer addition to
 * the exponent. Only multiplications and additions, each rounded once, so every level that includes
 * this gives the same bits and a compiler can turn a loop over it into vectors.
 *
 * Error: at most 0.99 ulp (all f32 were tried, check_loss tries some). e^0 = 1 exactly. 0 below -87
 * (where results would soon be subnormal) and at -infinity, infinity above 88.72; NaN stays NaN.
 *
 * For X_body.h files only: static, so that no level can be linked against the copy of another.
 */
#ifndef VISE_KERNELS_EXP_BODY_H
#define VISE_KERNELS_EXP_BODY_H

#include <stdint.h>
#include <string.h>

static inline float exp_body(float x) {
  const float shifted = x * 0x1.715476p+0f + 0x1.8p+23f;
  const float n = shifted - 0x1.8p+23f;
  const float r = (x - n * 0x1.63p-1f) - n * -0x1.bd0106p-13f;
  float q = 0x1.6a23cep-10f;
  q = q * r + 0x1.123a2p-7f;
  q = q * r + 0x1.5558f2p-5f;
  q = q * r + 0x1.555492p-3f;
  q = q * r + 0x1.fffffcp-2f;
  const float e = (q * (r * r) + r) + 1.0f;

  uint32_t bits, scale;
  memcpy(&bits, &e, sizeof bits);
  memcpy(&scale, &shifted, sizeof scale);
  bits += scale << 23;

  /* Masks, as gcc would make branches of selections, which stop it from using vectors. */
  const uint32_t in_low = 0u - (uint32_t)(x >= -87.0f);
  const uint32_t in_high = 0u - (uint32_t)(x <= 88.72f);
  const uint32_t is_nan = 0u - (uint32_t)(x != x);
  bits = (bits & in_low & in_high) | (~in_high & 0x7f800000u) | (is_nan & 0x7fc00000u);
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

#endif
