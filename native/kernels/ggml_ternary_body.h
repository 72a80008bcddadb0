/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_ternary_body.h -- TQ2_0: 256 values d code, -1 <= code <= 1.
 *
 * Ours: if the values above a threshold are kept, the best d is their weighted mean magnitude A / B
 * and the error falls by A A / B. Sixteen thresholds a round, one in each lane: from the extreme
 * down to a sixteenth of it, then between the neighbours of the best.
 */

enum { ROUNDS = 2 };

static float our_ternary_scale(const float *x, const importance *a, int64_t at) {
  float size[SUPER], v[SUPER], extreme = 0.0f;
  for (int j = 0; j < SUPER; j++) {
    const float cut = clamp_one(x[j], -LARGEST_VALUE, LARGEST_VALUE);
    size[j] = cut < 0.0f ? -cut : cut;
    v[j] = a->v == NULL ? 1.0f : a->v[at + j] * a->unit + a->floor;
    extreme = size[j] > extreme ? size[j] : extreme;
  }
  float middle = extreme * 0.25f, ratio = 1.189207115f /* 2^(1/4) */, scale = 0.0f, gain = 0.0f;
  for (int round = 0; round < ROUNDS; round++) {
    float thresholds[TILE], added[2][TILE];
    thresholds[0] = middle / (ratio * ratio * ratio * ratio * ratio * ratio * ratio * ratio);
    for (int i = 1; i < TILE; i++) {
      thresholds[i] = thresholds[i - 1] * ratio;
    }
    for (int p = 0; p < PARTS; p++) {
      lanes threshold, kept = all(0.0f), mass = kept;
      memcpy(&threshold, thresholds + p * VECTOR, sizeof threshold);
      for (int j = 0; j < SUPER; j++) {
        const lanes weight = choose(all(size[j]) > threshold, all(v[j]), all(0.0f));
        mass += weight;
        kept += weight * size[j];
      }
      memcpy(added[0] + p * VECTOR, &kept, sizeof kept);
      memcpy(added[1] + p * VECTOR, &mass, sizeof mass);
    }
    for (int i = 0; i < TILE; i++) {
      if (added[0][i] * added[0][i] > gain * added[1][i]) {
        scale = added[0][i] / added[1][i];
        gain = added[0][i] * scale;
        middle = thresholds[i];
      }
    }
    ratio = 1.0219f; /* about an eighth of the first step */
  }
  return scale;
}

static void
encode_tq2_0(uint8_t *out, const float *x, const float *v, int64_t n, vise_ggml_search search) {
  const importance a = importance_of(v, n * SUPER, search);
  for (int64_t i = 0; i < n; i++) {
    const float *values = x + i * SUPER;
    uint8_t codes[SUPER], *block = out + i * 66;
    uint16_t bits;
    float d = 0.0f;
    if (search == VISE_GGML_MSE) {
      d = stored(&bits, our_ternary_scale(values, &a, i * SUPER));
    } else {
      for (int j = 0; j < SUPER; j++) {
        d = fabsf(values[j]) > d ? fabsf(values[j]) : d;
      }
      (void)stored(&bits, d);
    }
    const float factor = reciprocal_of(d);
    for (int j = 0; j < SUPER; j++) {
      codes[j] = (uint8_t)(int)(round_away(clamp_one(values[j] * factor, -1.0f, 1.0f)) + 1.0f);
    }
    pack_two_bits(block, codes);
    memcpy(block + 64, &bits, 2);
  }
}
