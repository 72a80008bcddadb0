/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversion goes through a type that holds every value of its source, and rounds once:
 *
 *   f32 and narrower, to a float   through f32, by the kernels
 *   f64, to a narrower float       through f32 rounded to odd: the last bit says "there was more",
 *                                  so rounding again to at most 22 bits is rounding once (Boldo,
 *                                  Melquiond, IEEE Trans. Computers 57 (2008), 462-471)
 *   an integer, to an integer      through int64; u64 beyond it only fits u64
 *   anything else                  through f64
 */
#include "tensor/cast.h"

#include "kernels/convert.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

enum { PIECE = 1024 }; /* elements between two types */

void vise_cast_from_f32(void *out, vise_dtype dtype, const float *x, int64_t n) {
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

void vise_cast_cut(float *x, vise_dtype dtype, int64_t n) {
  const float greatest = dtype == VISE_DTYPE_F16    ? 65504.0f
                         : dtype == VISE_DTYPE_BF16 ? 0x1.fep127f
                                                    : 0x1.fffffep127f;
  for (int64_t i = 0; i < n; i++) {
    x[i] = fmaxf(-greatest, fminf(greatest, x[i]));
  }
}

void vise_cast_to_f32(float *out, const void *x, vise_dtype dtype, int64_t n) {
  const vise_convert_kernels *k = vise_convert();
  switch (dtype) {
  case VISE_DTYPE_F16: k->f16_decode(out, x, n); break;
  case VISE_DTYPE_BF16: k->bf16_decode(out, x, n); break;
  case VISE_DTYPE_F8_E4M3: k->e4m3_decode(out, x, n); break;
  case VISE_DTYPE_F8_E5M2: k->e5m2_decode(out, x, n); break;
  case VISE_DTYPE_F64:
    for (int64_t i = 0; i < n; i++) {
      out[i] = (float)((const double *)x)[i];
    }
    break;
  default: memcpy(out, x, (size_t)n * sizeof *out);
  }
}

/* The f32 next to `v` towards zero, its last bit set if `v` is none itself. */
static float round_to_odd(double v) {
  float x = (float)v;
  if ((double)x == v || isnan(v)) {
    return x;
  }
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits -= fabs((double)x) > fabs(v);
  bits |= 1u;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Does f32 hold every value of `dtype`? */
static bool fits_f32(vise_dtype dtype) {
  return dtype == VISE_DTYPE_F32 || vise_dtype_bytes(dtype) <= 2;
}

static void to_float(vise_tensor *out, const vise_tensor *t) {
  const vise_dtype dtype = vise_tensor_dtype(out);
  const bool is_narrow = dtype != VISE_DTYPE_F64 && dtype != VISE_DTYPE_F32;
  const int64_t n = vise_tensor_count(t);
  const bool is_direct = fits_f32(vise_tensor_dtype(t));
  char *p = vise_tensor_data(out);
  float values[PIECE];
  for (int64_t at = 0; at < n; at += PIECE) {
    const int64_t end = n - at < PIECE ? n : at + PIECE;
    char *to = p + (size_t)at * vise_dtype_bytes(dtype);
    if (is_direct || dtype == VISE_DTYPE_F32) {
      vise_tensor_to_f32(t, at, end, values);
      vise_cast_from_f32(to, dtype, values, end - at);
    } else if (is_narrow) {
      for (int64_t i = at; i < end; i++) {
        values[i - at] = round_to_odd(vise_tensor_get(t, i));
      }
      vise_cast_from_f32(to, dtype, values, end - at);
    } else {
      for (int64_t i = at; i < end; i++) {
        ((double *)(void *)to)[i - at] = vise_tensor_get(t, i);
      }
    }
  }
}

static void store_integer(void *p, vise_dtype dtype, int64_t v) {
  switch (vise_dtype_bytes(dtype)) {
  case 8: *(int64_t *)p = v; break;
  case 4: *(int32_t *)p = (int32_t)v; break;
  case 2: *(int16_t *)p = (int16_t)v; break;
  default: *(int8_t *)p = (int8_t)v; break;
  }
}

/* Is v one of the integers of `dtype`? U64 beyond int64 is not asked here. */
static bool fits(int64_t v, vise_dtype dtype) {
  switch (dtype) {
  case VISE_DTYPE_I64: return true;
  case VISE_DTYPE_I32: return v >= INT32_MIN && v <= INT32_MAX;
  case VISE_DTYPE_I16: return v >= INT16_MIN && v <= INT16_MAX;
  case VISE_DTYPE_I8: return v >= INT8_MIN && v <= INT8_MAX;
  case VISE_DTYPE_U64: return v >= 0;
  case VISE_DTYPE_U32: return v >= 0 && v <= UINT32_MAX;
  case VISE_DTYPE_U16: return v >= 0 && v <= UINT16_MAX;
  case VISE_DTYPE_U8: return v >= 0 && v <= UINT8_MAX;
  case VISE_DTYPE_BOOL: return v == 0 || v == 1;
  default: return false;
  }
}

/* Element `i` of `t` as an integer that `dtype` holds; false if it is none. */
static bool integer_at(int64_t *out, const vise_tensor *t, int64_t i, vise_dtype dtype) {
  if (!vise_dtype_is_float(vise_tensor_dtype(t))) {
    *out = vise_tensor_get_i64(t, i);
    const bool is_beyond = vise_tensor_dtype(t) == VISE_DTYPE_U64 && *out < 0;
    return !is_beyond && fits(*out, dtype);
  }
  const double v = vise_tensor_get(t, i);
  if (dtype == VISE_DTYPE_U64 && v >= 0x1p63 && v < 0x1p64) {
    *out = (int64_t)(uint64_t)v;
    return true;
  }
  if (!(v >= -0x1p63 && v < 0x1p63) || v != floor(v)) {
    return false;
  }
  *out = (int64_t)v;
  return fits(*out, dtype);
}

static vise_status to_integer(vise_tensor *out, const vise_tensor *t, vise_err *err) {
  const vise_dtype dtype = vise_tensor_dtype(out);
  const int64_t n = vise_tensor_count(t);
  char *p = vise_tensor_data(out);
  for (int64_t i = 0; i < n; i++) {
    int64_t v;
    if (!integer_at(&v, t, i, dtype)) {
      return vise_fail(err, VISE_ENUMERIC, "tensor: element %lld is %.17g, which %s cannot hold",
                       (long long)i, vise_tensor_get(t, i), vise_dtype_name(dtype));
    }
    store_integer(p + (size_t)i * vise_dtype_bytes(dtype), dtype, v);
  }
  return VISE_OK;
}

/* How many elements lie behind each other from every multiple of that number on; n > 0. */
static int64_t row_run(const vise_tensor *t) {
  int64_t run = 1;
  for (int d = vise_tensor_rank(t) - 1; d >= 0 && vise_tensor_stride(t, d) == run; d--) {
    run *= vise_tensor_dim(t, d);
  }
  return run;
}

/* The same elements in row-major order. */
static void copy(vise_tensor *out, const vise_tensor *t) {
  const vise_dtype dtype = vise_tensor_dtype(t);
  const size_t bytes = vise_dtype_bytes(dtype);
  char *p = vise_tensor_data(out);
  if (vise_tensor_is_contiguous(t)) {
    memcpy(p, vise_tensor_data(t), vise_tensor_bytes(t));
    return;
  }
  const int64_t n = vise_tensor_count(t), run = row_run(t);
  for (int64_t i = 0; i < n; i += run) {
    memcpy(p + (size_t)i * bytes, vise_tensor_element(t, i), (size_t)run * bytes);
  }
}

vise_status
vise_tensor_convert(vise_tensor **out, const vise_tensor *t, vise_dtype dtype, vise_err *err) {
  VISE_TRY(vise_tensor_create(out, dtype, vise_tensor_rank(t), vise_tensor_shape(t), err));
  if (dtype == vise_tensor_dtype(t)) {
    copy(*out, t);
    return VISE_OK;
  }
  if (vise_dtype_is_float(dtype)) {
    to_float(*out, t);
    return VISE_OK;
  }
  const vise_status st = to_integer(*out, t, err);
  if (st != VISE_OK) {
    vise_tensor_release(*out);
    *out = NULL;
  }
  return st;
}
