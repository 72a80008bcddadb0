/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/dtype.h -- element types. Names are those of safetensors in lower case. */
#ifndef VISE_TENSOR_DTYPE_H
#define VISE_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum vise_dtype {
  VISE_DTYPE_F64,
  VISE_DTYPE_F32,
  VISE_DTYPE_F16,
  VISE_DTYPE_BF16,
  VISE_DTYPE_F8_E4M3, /* OCP E4M3FN */
  VISE_DTYPE_F8_E5M2,
  VISE_DTYPE_I64,
  VISE_DTYPE_I32,
  VISE_DTYPE_I16,
  VISE_DTYPE_I8,
  VISE_DTYPE_U64,
  VISE_DTYPE_U32,
  VISE_DTYPE_U16,
  VISE_DTYPE_U8,
  VISE_DTYPE_BOOL,
  VISE_DTYPES
} vise_dtype;

size_t vise_dtype_bytes(vise_dtype d);     /* of one element */
const char *vise_dtype_name(vise_dtype d); /* "f32", "bf16", "f8_e4m3", "bool" */
bool vise_dtype_is_float(vise_dtype d);
bool vise_dtype_find(vise_dtype *out, const char *name); /* by name, either case */

#endif
