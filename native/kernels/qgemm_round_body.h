/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qgemm_round_body.h -- activations to integers, in plain C that the compiler vectorises
 * for the level that includes it. RNE of |t| <= 127 is (t + 1.5 2^23) - 1.5 2^23.
 */
#include <string.h>

static uint32_t greatest(const float *x, int64_t n) {
  uint32_t most = 0;
  for (int64_t j = 0; j < n; j++) {
    uint32_t u;
    memcpy(&u, x + j, sizeof u);
    u &= 0x7fffffffu;
    most = u > most ? u : most;
  }
  return most;
}

static void round_row(int8_t *out, const float *x, int64_t n, float r) {
  const float magic = 12582912.0f;
  for (int64_t j = 0; j < n; j++) {
    float t = x[j] * r;
    t = t > -127.0f ? t : -127.0f;
    t = t < 127.0f ? t : 127.0f;
    out[j] = (int8_t)(int32_t)((t + magic) - magic);
  }
}
