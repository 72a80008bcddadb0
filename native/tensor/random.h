/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/random.h -- tensors of random numbers, the same on every machine. */
#ifndef VISE_TENSOR_RANDOM_H
#define VISE_TENSOR_RANDOM_H

#include "tensor/tensor.h"

/*
 * A new tensor whose element i (row-major) is normal number i of the stream (seed, name), times
 * `scale`, rounded to f32 and then to `dtype`.
 * Errors: as vise_tensor_create; VISE_EDTYPE unless `dtype` is a float; VISE_ECANCELLED.
 */
vise_status vise_tensor_create_normal(vise_tensor **out,
                                      vise_dtype dtype,
                                      int rank,
                                      const int64_t *shape,
                                      uint64_t seed,
                                      const char *name,
                                      double scale,
                                      vise_err *err) VISE_MUST_USE;

#endif
