/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/dtype.h"

#include <strings.h>

static const struct {
  const char *name;
  size_t bytes;
} dtypes[VISE_DTYPES] = {
    [VISE_DTYPE_F64] = {"f64", 8},         [VISE_DTYPE_F32] = {"f32", 4},
    [VISE_DTYPE_F16] = {"f16", 2},         [VISE_DTYPE_BF16] = {"bf16", 2},
    [VISE_DTYPE_F8_E4M3] = {"f8_e4m3", 1}, [VISE_DTYPE_F8_E5M2] = {"f8_e5m2", 1},
    [VISE_DTYPE_I64] = {"i64", 8},         [VISE_DTYPE_I32] = {"i32", 4},
    [VISE_DTYPE_I16] = {"i16", 2},         [VISE_DTYPE_I8] = {"i8", 1},
    [VISE_DTYPE_U64] = {"u64", 8},         [VISE_DTYPE_U32] = {"u32", 4},
    [VISE_DTYPE_U16] = {"u16", 2},         [VISE_DTYPE_U8] = {"u8", 1},
    [VISE_DTYPE_BOOL] = {"bool", 1},
};

size_t vise_dtype_bytes(vise_dtype d) {
  return dtypes[d].bytes;
}

const char *vise_dtype_name(vise_dtype d) {
  return dtypes[d].name;
}

bool vise_dtype_is_float(vise_dtype d) {
  return d <= VISE_DTYPE_F8_E5M2;
}

bool vise_dtype_find(vise_dtype *out, const char *name) {
  for (int i = 0; i < VISE_DTYPES; i++) {
    if (strcasecmp(name, dtypes[i].name) == 0) {
      *out = (vise_dtype)i;
      return true;
    }
  }
  return false;
}
