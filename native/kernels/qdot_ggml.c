/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/qdot_ggml.h"

#include "kernels/dispatch.h"
#include "kernels/qdot_ggml_levels.h"

enum { LANES = 16, FIELDS = 4, QUAD = LANES * FIELDS, SUPER = 256 };

/* How the codes of a type lie: columns decoded at a time, r and the bias of the header (0: with m),
   and what the codes of odd quads are seen multiplied by. */
typedef struct order {
  int span, run;
  float bias, odd;
} order;

static const order orders[VISE_GGML_TYPES] = {
    [VISE_GGML_Q4_0] = {128, 16, -8.0f, 16.0f},      [VISE_GGML_Q8_0] = {64, 64, -128.0f, 1.0f},
    [VISE_GGML_Q4_K] = {SUPER, 32, 0.0f, 16.0f},     [VISE_GGML_Q5_K] = {SUPER, 32, 0.0f, 1.0f},
    [VISE_GGML_Q6_K] = {SUPER, 64, -32.0f, 1.0f},    [VISE_GGML_IQ4_NL] = {128, 16, -128.0f, 1.0f},
    [VISE_GGML_IQ4_XS] = {SUPER, 16, -128.0f, 1.0f},
};

int64_t vise_qdot_ggml_prepared(vise_ggml_type type, int64_t k) {
  const order *o = &orders[type];
  if (o->span == 0) {
    return 0;
  }
  const int64_t spans = (k + o->span - 1) / o->span, quads = spans * o->span / QUAD;
  return quads * QUAD + (o->bias != 0.0f ? quads : spans) * LANES;
}

/* Sums of 16 columns each, as m meets them. */
static float *prepare_lows(float *out, const float *x) {
  for (int l = 0; l < LANES; l++) {
    const float *from = x + 32 * (l % 8) + 16 * (l / 8);
    float sum = 0.0f;
    for (int i = 0; i < 16; i++) {
      sum += from[i];
    }
    *out++ = sum;
  }
  return out;
}

void vise_qdot_ggml_prepare(float *out, vise_ggml_type type, const float *x, int64_t k) {
  const order *o = &orders[type];
  const int64_t spans = (k + o->span - 1) / o->span, quads = spans * o->span / QUAD;
  for (int64_t q = 0; q < quads; q++) {
    const float unit = q % 2 == 1 ? 1.0f / o->odd : 1.0f;
    for (int l = 0; l < LANES; l++) {
      float sum = 0.0f;
      for (int i = 0; i < FIELDS; i++) {
        const int b = l * FIELDS + i;
        const int64_t column = q / 2 * 128 + b / o->run * 2 * o->run + q % 2 * o->run + b % o->run;
        const float v = column < k ? x[column] : 0.0f;
        sum += v;
        out[i * LANES + l] = v * (i % 2 == 1 ? unit / 256.0f : unit);
      }
      if (o->bias != 0.0f) {
        out[QUAD + l] = sum * o->bias;
      }
    }
    out += o->bias != 0.0f ? QUAD + LANES : QUAD;
    if (o->bias == 0.0f && q % 4 == 3) {
      out = prepare_lows(out, x + q / 4 * SUPER);
    }
  }
}

VISE_DISPATCH(vise_qdot_ggml_kernels, vise_qdot_ggml_init, vise_qdot_ggml_fill, vise_qdot_ggml)
