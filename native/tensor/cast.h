/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/cast.h -- numbers from one dtype to another. vise_tensor_convert is implemented here. */
#ifndef VISE_TENSOR_CAST_H
#define VISE_TENSOR_CAST_H

#include "tensor/dtype.h"

#include <stdint.h>

/* `n` values of `x` rounded once into `out`, elements of `dtype`, which is a float. No overlap. */
void vise_cast_from_f32(void *out, vise_dtype dtype, const float *x, int64_t n);

/* Cut `n` numbers to those that are finite in `dtype`: f32, f16 or bf16. */
void vise_cast_cut(float *x, vise_dtype dtype, int64_t n);

/* `n` values of `x`, elements of `dtype`, which is a float, as f32. No overlap. */
void vise_cast_to_f32(float *out, const void *x, vise_dtype dtype, int64_t n);

#endif
