/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/random.h"

#include "core/parallel.h"
#include "core/rng.h"
#include "kernels/convert.h"

#include <string.h>

enum { PIECE = 1024 }; /* numbers made before they are encoded together */

typedef struct fill {
  vise_rng rng;
  double scale;
  vise_dtype dtype;
  char *data;
} fill;

static void encode(void *out, vise_dtype dtype, const float *x, int64_t n) {
  const vise_convert_kernels *k = vise_convert();
  switch (dtype) {
  case VISE_DTYPE_F16: k->f16_encode(out, x, n); break;
  case VISE_DTYPE_BF16: k->bf16_encode(out, x, n); break;
  case VISE_DTYPE_F8_E4M3: k->e4m3_encode(out, x, n); break;
  case VISE_DTYPE_F8_E5M2: k->e5m2_encode(out, x, n); break;
  case VISE_DTYPE_F64:
    for (int64_t i = 0; i < n; i++) {
      ((double *)out)[i] = (double)x[i];
    }
    break;
  default: memcpy(out, x, (size_t)n * sizeof *x);
  }
}

static void fill_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const fill *f = arg;
  float values[PIECE];
  for (int64_t at = begin; at < end; at += PIECE) {
    const int64_t n = end - at < PIECE ? end - at : PIECE;
    for (int64_t i = 0; i < n; i++) {
      values[i] = (float)(f->scale * vise_rng_normal(&f->rng, (uint64_t)(at + i)));
    }
    encode(f->data + (size_t)at * vise_dtype_bytes(f->dtype), f->dtype, values, n);
  }
}

vise_status vise_tensor_create_normal(vise_tensor **out,
                                      vise_dtype dtype,
                                      int rank,
                                      const int64_t *shape,
                                      uint64_t seed,
                                      const char *name,
                                      double scale,
                                      vise_err *err) {
  *out = NULL;
  if (!vise_dtype_is_float(dtype)) {
    return vise_fail(err, VISE_EDTYPE, "tensor: dtype is %s, expected a float",
                     vise_dtype_name(dtype));
  }
  VISE_TRY(vise_tensor_create(out, dtype, rank, shape, err));
  fill f = {vise_rng_named(seed, name), scale, dtype, vise_tensor_data(*out)};
  const vise_status st = vise_parallel_for(vise_tensor_count(*out), 1 << 16, fill_chunk, &f, err);
  if (st != VISE_OK) {
    vise_tensor_release(*out);
    *out = NULL;
  }
  return st;
}
