/* SPDX-License-Identifier: Apache-2.0 */
#include "format/scale.h"

#include "kernels/convert.h"

#include <math.h>
#include <string.h>

static const float SMALLEST = 0x1p-127f;

static float largest(vise_intq_scale type) {
  return type == VISE_INTQ_F16 ? 65504.0f : 0x1p119f;
}

int64_t vise_scale_bytes(vise_intq_scale type) {
  return type == VISE_INTQ_F32 ? 4 : 2;
}

vise_dtype vise_scale_dtype(vise_intq_scale type) {
  static const vise_dtype types[] = {VISE_DTYPE_F16, VISE_DTYPE_BF16, VISE_DTYPE_F32};
  return types[type];
}

void vise_scale_read(float *out, const void *stored, int64_t n, vise_intq_scale type) {
  switch (type) {
  case VISE_INTQ_F16: vise_convert()->f16_decode(out, stored, n); break;
  case VISE_INTQ_BF16: vise_convert()->bf16_decode(out, stored, n); break;
  case VISE_INTQ_F32: memcpy(out, stored, (size_t)n * sizeof(float));
  }
}

void vise_scale_round(void *stored_out, float *inout, int64_t n, vise_intq_scale type) {
  const float top = largest(type);
  for (int64_t i = 0; i < n; i++) {
    const float below = inout[i] < top ? inout[i] : top;
    const float cut = below > -top ? below : -top;
    inout[i] = fabsf(cut) >= SMALLEST ? cut : 0.0f;
  }
  switch (type) {
  case VISE_INTQ_F16: vise_convert()->f16_encode(stored_out, inout, n); break;
  case VISE_INTQ_BF16: vise_convert()->bf16_encode(stored_out, inout, n); break;
  case VISE_INTQ_F32: memcpy(stored_out, inout, (size_t)n * sizeof(float));
  }
  vise_scale_read(inout, stored_out, n, type);
}

vise_status vise_scale_check(
    const void *stored, int64_t n, vise_intq_scale type, const char *who, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    float scale;
    vise_scale_read(&scale, (const char *)stored + i * vise_scale_bytes(type), 1, type);
    if (!(fabsf(scale) <= largest(type))) {
      return vise_fail(err, VISE_EFORMAT, "%s: scale %lld is %g, expected at most %g in magnitude",
                       who, (long long)i, (double)scale, (double)largest(type));
    }
  }
  return VISE_OK;
}
