/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_linalg.c -- linalg/gemm.h, and OpenBLAS as its rival, as native.linalg. */
#include "bind/bind.h"
#include "linalg/gemm.h"
#include "linalg/lapack.h"

/* The operands at stack indices 1 and 2, and the result, which is pushed: argument 3, or new. */
typedef struct product {
  const vise_tensor *x, *w;
  vise_tensor *y;
  int64_t t, m, k;
} product;

static const vise_tensor *check_matrix(lua_State *L, int arg, vise_dtype dtype) {
  const vise_tensor *t = bind_check_tensor(L, arg);
  if (vise_tensor_dtype(t) != dtype || vise_tensor_rank(t) != 2 || !vise_tensor_is_contiguous(t)) {
    char shape[160];
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "tensor is %s %s%s, expected %s with 2 dimensions",
                                  vise_dtype_name(vise_tensor_dtype(t)),
                                  vise_tensor_shape_text(shape, sizeof shape, t),
                                  vise_tensor_is_contiguous(t) ? "" : " (not contiguous)",
                                  vise_dtype_name(dtype)));
  }
  return t;
}

static product check_product(lua_State *L, vise_dtype dtype) {
  const vise_tensor *x = check_matrix(L, 1, dtype), *w = check_matrix(L, 2, dtype);
  product p = {.x = x,
               .w = w,
               .t = vise_tensor_dim(x, 0),
               .m = vise_tensor_dim(w, 0),
               .k = vise_tensor_dim(x, 1)};
  if (vise_tensor_dim(w, 1) != p.k) {
    luaL_argerror(L, 2,
                  lua_pushfstring(L, "w has %I columns, expected the %I of x",
                                  (LUAI_UACINT)vise_tensor_dim(w, 1), (LUAI_UACINT)p.k));
  }
  const int64_t shape[2] = {p.t, p.m};
  if (lua_isnoneornil(L, 3)) {
    vise_err err;
    vise_tensor **slot = bind_new_tensor(L);
    if (vise_tensor_create(slot, dtype, 2, shape, &err) != VISE_OK) {
      bind_fail(L, &err); /* raises: not of the codes that are returned */
    }
    bind_count_bytes(L, vise_tensor_bytes(*slot));
    p.y = *slot;
    return p;
  }
  const vise_tensor *y = check_matrix(L, 3, dtype);
  if (vise_tensor_dim(y, 0) != p.t || vise_tensor_dim(y, 1) != p.m || vise_tensor_is_mapped(y)) {
    luaL_argerror(L, 3,
                  lua_pushfstring(L, "y is not a [%I, %I] tensor of its own memory",
                                  (LUAI_UACINT)p.t, (LUAI_UACINT)p.m));
  }
  lua_pushvalue(L, 3);
  p.y = bind_check_tensor(L, 3);
  return p;
}

/* linalg.gemm(x [t, k], w [m, k][, y [t, m]]) -> [t, m]; f32 or f64, y is overwritten and returned
 */
static int linalg_gemm(lua_State *L) {
  const bool is_f64 = vise_tensor_dtype(bind_check_tensor(L, 1)) == VISE_DTYPE_F64;
  const product p = check_product(L, is_f64 ? VISE_DTYPE_F64 : VISE_DTYPE_F32);
  vise_err err;
  vise_status st;
  if (is_f64) {
    st = vise_gemm_f64(vise_tensor_data(p.y), p.m, vise_tensor_data(p.x), p.k, p.t,
                       vise_tensor_data(p.w), p.k, p.m, p.k, &err);
  } else {
    vise_rows_dense dense;
    const vise_rows rows = vise_rows_f32(&dense, vise_tensor_data(p.w), p.m, p.k, p.k);
    st = vise_gemm_f32(vise_tensor_data(p.y), p.m, vise_tensor_data(p.x), p.k, p.t, &rows, &err);
  }
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* linalg.blas_gemm(x [t, k], w [m, k][, y [t, m]]) -> [t, m]; the same by OpenBLAS, f32 */
static int linalg_blas_gemm(lua_State *L) {
  const product p = check_product(L, VISE_DTYPE_F32);
  vise_err err;
  if (vise_blas_sgemm(vise_tensor_data(p.y), p.m, vise_tensor_data(p.x), p.k, p.t,
                      vise_tensor_data(p.w), p.k, p.m, p.k, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* linalg.blas_threads([n]) -> threads of an OpenBLAS call; n: use so many from now on */
static int linalg_blas_threads(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    const lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 1 && n <= 256, 1, "expected 1 to 256 threads");
    vise_blas_threads_set((int)n);
  }
  lua_pushinteger(L, vise_blas_threads());
  return 1;
}

static const luaL_Reg functions[] = {
    {"gemm", linalg_gemm},
    {"blas_gemm", linalg_blas_gemm},
    {"blas_threads", linalg_blas_threads},
    {NULL, NULL},
};

int luaopen_vise_native_linalg(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
