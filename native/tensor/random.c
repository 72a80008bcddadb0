/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/random.h"

#include "core/parallel.h"
#include "core/rng.h"
#include "tensor/cast.h"

enum { PIECE = 1024 }; /* numbers made before they are encoded together */

typedef struct fill {
  vise_rng rng;
  double scale;
  vise_dtype dtype;
  char *data;
} fill;

static void fill_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const fill *f = arg;
  float values[PIECE];
  for (int64_t at = begin; at < end; at += PIECE) {
    const int64_t n = end - at < PIECE ? end - at : PIECE;
    for (int64_t i = 0; i < n; i++) {
      values[i] = (float)(f->scale * vise_rng_normal(&f->rng, (uint64_t)(at + i)));
    }
    vise_cast_from_f32(f->data + (size_t)at * vise_dtype_bytes(f->dtype), f->dtype, values, n);
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
