/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integer codes one value at a time.
 *
 * RNE of |t| <= 2^22 is (t + 1.5 2^23) - 1.5 2^23: the sum has no bits after the point, so the
 * hardware's rounding is the one wanted. Clamping comes first and to whole numbers, which gives the
 * same code as clamping after.
 */
#include "core/bytes.h"
#include "kernels/convert.h"
#include "kernels/intq_levels.h"

#include <string.h>

static const float MAGIC = 12582912.0f; /* 1.5 2^23 */

static float clamp(float t, float low, float high) {
  t = t > low ? t : low;
  return t < high ? t : high;
}

static void ranges_ref(float *low_out, float *high_out, const float *x, int64_t n, int64_t group) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t end = n - begin < group ? n : begin + group;
    float low = 0.0f, high = 0.0f;
    for (int64_t j = begin; j < end; j++) {
      low = x[j] < low ? x[j] : low;
      high = x[j] > high ? x[j] : high;
    }
    *low_out++ = low;
    *high_out++ = high;
  }
}

static void codes_ref(uint8_t *out,
                      const float *x,
                      int64_t n,
                      int64_t group,
                      int bits,
                      const float *r,
                      const uint8_t *zeros) {
  for (int64_t begin = 0, i = 0; begin < n; begin += group, i++) {
    const int64_t end = n - begin < group ? n : begin + group;
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    const float low = (float)-zero, high = (float)((1 << bits) - 1 - zero);
    for (int64_t j = begin; j < end; j++) {
      const float rounded = (clamp(x[j] * r[i], low, high) + MAGIC) - MAGIC;
      out[j] = (uint8_t)((int)rounded + zero);
    }
  }
}

static int
ranges_bf16_ref(float *low_out, float *high_out, const uint16_t *x, int64_t n, int64_t group) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t end = n - begin < group ? n : begin + group;
    float low = 0.0f, high = 0.0f;
    for (int64_t j = begin; j < end; j++) {
      const float v = vise_bf16_to_f32(x[j]);
      if (!(v - v == 0.0f)) {
        return 1;
      }
      low = v < low ? v : low;
      high = v > high ? v : high;
    }
    *low_out++ = low;
    *high_out++ = high;
  }
  return 0;
}

static void codes_bf16_ref(uint8_t *out,
                           const uint16_t *x,
                           int64_t n,
                           int64_t group,
                           int bits,
                           const float *r,
                           const uint8_t *zeros) {
  for (int64_t j = 0; j < n; j++) {
    const float v = vise_bf16_to_f32(x[j]);
    codes_ref(out + j, &v, 1, 1, bits, r + j / group, zeros == NULL ? NULL : zeros + j / group);
  }
}

static void pack_ref(uint8_t *out, const uint8_t *codes, int64_t n, int bits) {
  uint32_t held = 0;
  int n_held = 0;
  for (int64_t j = 0; j < n; j++) {
    held |= (uint32_t)codes[j] << n_held;
    for (n_held += bits; n_held >= 8; n_held -= 8) {
      *out++ = (uint8_t)held;
      held >>= 8;
    }
  }
  if (n_held > 0) {
    *out = (uint8_t)held;
  }
}

static float scale_at(const void *scales, vise_intq_scale type, int64_t i) {
  switch (type) {
  case VISE_INTQ_F16: return vise_f16_to_f32(((const uint16_t *)scales)[i]);
  case VISE_INTQ_BF16: return vise_bf16_to_f32(((const uint16_t *)scales)[i]);
  case VISE_INTQ_F32: break;
  }
  return ((const float *)scales)[i];
}

static void decode_ref(float *out,
                       const uint8_t *packed,
                       int64_t n,
                       int bits,
                       int64_t phase,
                       int64_t group,
                       const void *scales,
                       vise_intq_scale type,
                       const uint8_t *zeros) {
  int64_t end = group - phase;
  for (int64_t j = 0, i = 0; j < n; i++, end += group) {
    const float scale = scale_at(scales, type, i);
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    for (; j < n && j < end; j++) {
      out[j] = (float)((int)vise_bits_at(packed, j * bits, bits) - zero) * scale;
    }
  }
}

static float add_lanes(float *lanes) {
  for (int half = VISE_INTQ_LANES / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      lanes[l] += lanes[l + half];
    }
  }
  return lanes[0];
}

static void try_block(vise_intq_trial *trial, const float *x, const float *v, int64_t n) {
  float error[VISE_INTQ_LANES] = {0}, slope[VISE_INTQ_LANES] = {0}, mass[VISE_INTQ_LANES] = {0};
  for (int64_t j = 0; j < n; j++) {
    const int lane = (int)(j % VISE_INTQ_LANES);
    const float t = x[j] * trial->r;
    const float l = (clamp(t, trial->low, trial->high) + MAGIC) - MAGIC;
    const float e = t - l;
    const float ve = v == NULL ? e : v[j] * e;
    const float vl = v == NULL ? l : v[j] * l;
    error[lane] += ve * e;
    slope[lane] += ve * l;
    mass[lane] += vl * l;
  }
  trial->error += (double)add_lanes(error);
  trial->slope += (double)add_lanes(slope);
  trial->mass += (double)add_lanes(mass);
}

static void
trials_ref(vise_intq_trial *inout, int n_trials, const float *x, const float *v, int64_t n) {
  for (int i = 0; i < n_trials; i++) {
    for (int64_t j = 0; j < n; j += VISE_INTQ_BLOCK) {
      const int64_t length = n - j < VISE_INTQ_BLOCK ? n - j : VISE_INTQ_BLOCK;
      try_block(&inout[i], x + j, v == NULL ? NULL : v + j, length);
    }
  }
}

void vise_intq_fill_ref(vise_intq_kernels *table) {
  *table = (vise_intq_kernels){
      .ranges = ranges_ref,
      .codes = codes_ref,
      .ranges_bf16 = ranges_bf16_ref,
      .codes_bf16 = codes_bf16_ref,
      .pack = pack_ref,
      .decode = decode_ref,
      .trials = trials_ref,
  };
}
