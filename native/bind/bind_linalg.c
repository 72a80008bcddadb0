/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_linalg.c -- products and factors of linalg/, and OpenBLAS as their rival, as
   native.linalg. */
#include "bind/bind.h"
#include "linalg/cholesky.h"
#include "linalg/columns.h"
#include "linalg/eigh.h"
#include "linalg/gemm.h"
#include "linalg/gram.h"
#include "linalg/hadamard.h"
#include "linalg/lapack.h"
#include "linalg/qr.h"
#include "linalg/rsvd.h"
#include "linalg/svd.h"
#include "linalg/triangular.h"

#include <string.h>

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

/* linalg.blas_load() -> boolean: is OpenBLAS there? From now on without opening a file. */
static int linalg_blas_load(lua_State *L) {
  lua_pushboolean(L, vise_blas_load());
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

/* Push a new tensor [m, k], or [m] where k < 0, to be filled; its elements. */
static void *push_result(lua_State *L, vise_dtype dtype, int64_t m, int64_t k) {
  const int64_t shape[2] = {m, k};
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, dtype, k < 0 ? 1 : 2, shape, &err) != VISE_OK) {
    bind_fail(L, &err); /* raises: not of the codes that are returned */
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return vise_tensor_data(*slot);
}

/* A result that begins as a copy of matrix `t`. */
static double *push_copy(lua_State *L, const vise_tensor *t) {
  double *out = push_result(L, VISE_DTYPE_F64, vise_tensor_dim(t, 0), vise_tensor_dim(t, 1));
  memcpy(out, vise_tensor_data(t), vise_tensor_bytes(t));
  return out;
}

static const vise_tensor *check_square(lua_State *L, int arg) {
  const vise_tensor *t = check_matrix(L, arg, VISE_DTYPE_F64);
  const lua_Integer m = vise_tensor_dim(t, 0), k = vise_tensor_dim(t, 1);
  if (m != k) {
    luaL_argerror(L, arg, lua_pushfstring(L, "tensor is [%I, %I], expected a square", m, k));
  }
  return t;
}

static vise_matrix_f32 check_strided(lua_State *L, int arg) {
  const vise_tensor *t = check_matrix(L, arg, VISE_DTYPE_F32);
  const int64_t m = vise_tensor_dim(t, 0), k = vise_tensor_dim(t, 1);
  return (vise_matrix_f32){vise_tensor_data(t), m, k, k, 1};
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* linalg.svd(a [m, k] f64) -> u [m, r], s [r], vt [r, k] */
static int linalg_svd(lua_State *L) {
  const vise_tensor *a = check_matrix(L, 1, VISE_DTYPE_F64);
  const int64_t m = vise_tensor_dim(a, 0), k = vise_tensor_dim(a, 1), r = smaller(m, k);
  double *u = push_result(L, VISE_DTYPE_F64, m, r);
  double *s = push_result(L, VISE_DTYPE_F64, r, -1);
  double *vt = push_result(L, VISE_DTYPE_F64, r, k);
  vise_err err;
  if (vise_svd(u, s, vt, vise_tensor_data(a), k, m, k, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 3;
}

/* linalg.eigh(a [n, n] f64) -> values [n], vt [n, n]: eigenvectors are rows */
static int linalg_eigh(lua_State *L) {
  const vise_tensor *a = check_square(L, 1);
  const int64_t n = vise_tensor_dim(a, 0);
  double *values = push_result(L, VISE_DTYPE_F64, n, -1);
  double *vt = push_copy(L, a);
  vise_err err;
  return vise_eigh(values, vt, n, &err) == VISE_OK ? 2 : bind_fail(L, &err);
}

/* linalg.qr(a [m, n] f64) -> q [m, s], r [s, n] */
static int linalg_qr(lua_State *L) {
  const vise_tensor *a = check_matrix(L, 1, VISE_DTYPE_F64);
  const int64_t m = vise_tensor_dim(a, 0), n = vise_tensor_dim(a, 1), least = smaller(m, n);
  double *q = push_result(L, VISE_DTYPE_F64, m, least);
  double *r = push_result(L, VISE_DTYPE_F64, least, n);
  vise_err err;
  if (vise_qr_reduced(q, r, vise_tensor_data(a), n, m, n, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 2;
}

/* linalg.cholesky(a [n, n] f64[, damping]) -> l [n, n], damping used or nil */
static int linalg_cholesky(lua_State *L) {
  const vise_tensor *a = check_square(L, 1);
  const int64_t n = vise_tensor_dim(a, 0);
  const bool is_damped = !lua_isnoneornil(L, 2);
  double damping = is_damped ? luaL_checknumber(L, 2) : 0.0;
  double *l = push_copy(L, a);
  vise_err err;
  const vise_status st =
      is_damped ? vise_cholesky_damped(l, &damping, vise_tensor_data(a), n, n, damping, &err)
                : vise_cholesky(l, n, n, &err);
  if (st != VISE_OK) {
    return bind_fail(L, &err);
  }
  if (!is_damped) {
    return 1;
  }
  lua_pushnumber(L, damping);
  return 2;
}

/* linalg.solve_triangular(l [n, n] f64, b [t, n] f64[, is_transposed]) -> x [t, n] */
static int linalg_solve_triangular(lua_State *L) {
  const vise_tensor *l = check_square(L, 1), *b = check_matrix(L, 2, VISE_DTYPE_F64);
  const lua_Integer n = vise_tensor_dim(l, 0), columns = vise_tensor_dim(b, 1);
  if (columns != n) {
    luaL_argerror(L, 2, lua_pushfstring(L, "b has %I columns, expected the %I of l", columns, n));
  }
  const bool is_transposed = lua_toboolean(L, 3);
  double *x = push_copy(L, b);
  vise_err err;
  if (vise_triangular_solve(x, n, vise_tensor_dim(b, 0), vise_tensor_data(l), n, n, is_transposed,
                            &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* linalg.gram(w [m, k] f32[, is_of_columns]) -> [m, m] f64 W W', or [k, k] W' W */
static int linalg_gram(lua_State *L) {
  vise_matrix_f32 w = check_strided(L, 1);
  if (lua_toboolean(L, 2)) {
    w = (vise_matrix_f32){w.w, w.k, w.m, w.col_stride, w.row_stride};
  }
  double *g = push_result(L, VISE_DTYPE_F64, w.m, w.m);
  vise_err err;
  return vise_gram(g, &w, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* The results of a factorization of rank r, pushed; r is argument 2. */
typedef struct factors {
  double *u, *s, *vt;
} factors;

static factors push_factors(lua_State *L, const vise_matrix_f32 *w, int64_t r) {
  vise_err err;
  if (vise_project_check_rank("svd", r, w, &err) != VISE_OK) {
    luaL_argerror(L, 2, err.msg);
  }
  factors f;
  f.u = push_result(L, VISE_DTYPE_F64, w->m, r);
  f.s = push_result(L, VISE_DTYPE_F64, r, -1);
  f.vt = push_result(L, VISE_DTYPE_F64, r, w->k);
  return f;
}

/* linalg.gram_svd(w [m, k] f32, r) -> u [m, r], s [r], vt [r, k] f64, error */
static int linalg_gram_svd(lua_State *L) {
  const vise_matrix_f32 w = check_strided(L, 1);
  const lua_Integer r = luaL_checkinteger(L, 2);
  const factors f = push_factors(L, &w, r);
  double error;
  vise_err err;
  if (vise_gram_svd(f.u, f.s, f.vt, &error, &w, r, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, error);
  return 4;
}

/* linalg.randomized_svd(w [m, k] f32, r, {oversample, passes, seed, name}) -> u [m, r], s [r],
   vt [r, k] f64, error, spectral bound */
static int linalg_randomized_svd(lua_State *L) {
  const vise_matrix_f32 w = check_strided(L, 1);
  const lua_Integer r = luaL_checkinteger(L, 2);
  lua_settop(L, 3);
  vise_rsvd_opts opts = {
      .oversample = bind_option_int(L, 3, "oversample", VISE_RSVD_OVERSAMPLE),
      .passes = bind_option_int(L, 3, "passes", VISE_RSVD_PASSES),
      .seed = (uint64_t)bind_option_int(L, 3, "seed", 0),
      .name = "",
  };
  if (lua_istable(L, 3) && lua_getfield(L, 3, "name") != LUA_TNIL) {
    opts.name = luaL_checkstring(L, -1); /* stays on the stack */
  }
  const factors f = push_factors(L, &w, r);
  vise_rsvd_error error;
  vise_err err;
  if (vise_rsvd(f.u, f.s, f.vt, &error, &w, r, &opts, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, error.frobenius);
  lua_pushnumber(L, error.spectral);
  return 5;
}

/* Arguments w [m, k] f32, h [k, k] f64, group, damping. */
static vise_columns check_columns(lua_State *L) {
  const vise_tensor *w = check_matrix(L, 1, VISE_DTYPE_F32), *h = check_square(L, 2);
  const vise_columns c = {.w = vise_tensor_data(w),
                          .h = vise_tensor_data(h),
                          .m = vise_tensor_dim(w, 0),
                          .k = vise_tensor_dim(w, 1),
                          .group = luaL_checkinteger(L, 3),
                          .damping = luaL_checknumber(L, 4)};
  luaL_argcheck(L, vise_tensor_dim(h, 0) == c.k, 2, "one row for each column of w expected");
  luaL_argcheck(L, c.group >= 1 && c.k % c.group == 0, 3, "a divisor of the columns of w expected");
  luaL_argcheck(L, c.damping > 0.0, 4, "expected more than 0");
  return c;
}

/* linalg.column_losses(w [m, k] f32, h [k, k] f64, group, damping) -> losses [k / group], tr(W H W') */
static int linalg_column_losses(lua_State *L) {
  const vise_columns c = check_columns(L);
  double norm;
  vise_err err;
  double *losses = push_result(L, VISE_DTYPE_F64, c.k / c.group, -1);
  if (vise_columns_losses(losses, &norm, &c, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, norm);
  return 2;
}

/* linalg.drop_columns(w [m, k] f32, h [k, k] f64, group, damping, n) -> kept groups i32, from 0,
   the new w [m, k] f32, 0 where it is not kept; what each cost when it went [n] f64, ascending */
static int linalg_drop_columns(lua_State *L) {
  const vise_columns c = check_columns(L);
  const lua_Integer n = luaL_checkinteger(L, 5), left = c.k / c.group - n;
  luaL_argcheck(L, n >= 0 && left >= 1, 5, "expected fewer than all groups");
  vise_err err;
  int32_t *kept = push_result(L, VISE_DTYPE_I32, left, -1);
  float *v = push_result(L, VISE_DTYPE_F32, c.m, c.k);
  double *losses = push_result(L, VISE_DTYPE_F64, n, -1);
  return vise_columns_drop(kept, v, losses, &c, n, &err) == VISE_OK ? 3 : bind_fail(L, &err);
}

/* linalg.hadamard(x [rows, k] f32, order[, is_inverse]) -> [rows, k], each run of `order` transformed */
static int linalg_hadamard(lua_State *L) {
  const vise_tensor *x = check_matrix(L, 1, VISE_DTYPE_F32);
  const lua_Integer order = luaL_checkinteger(L, 2);
  const int64_t rows = vise_tensor_dim(x, 0), k = vise_tensor_dim(x, 1);
  float *out = push_result(L, VISE_DTYPE_F32, rows, k);
  memcpy(out, vise_tensor_data(x), vise_tensor_bytes(x));
  vise_err err;
  vise_hadamard *h;
  vise_status st = vise_hadamard_create(&h, order, &err);
  if (st == VISE_OK) {
    st = vise_hadamard_apply(h, out, rows, k, lua_toboolean(L, 3), &err);
    vise_hadamard_free(h);
  }
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* linalg.hadamard_block(n) -> n if there is a transform of that order, or a power of two */
static int linalg_hadamard_block(lua_State *L) {
  const lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 1, 1, "expected at least 1");
  lua_pushinteger(L, vise_hadamard_block(n));
  return 1;
}

/* linalg.blas_svd(a [m, k] f32) -> u, s, vt; by sgesdd, whose bits depend on threads */
static int linalg_blas_svd(lua_State *L) {
  const vise_tensor *a = check_matrix(L, 1, VISE_DTYPE_F32);
  const int64_t m = vise_tensor_dim(a, 0), k = vise_tensor_dim(a, 1), r = smaller(m, k);
  float *copy = push_result(L, VISE_DTYPE_F32, m, k);
  memcpy(copy, vise_tensor_data(a), vise_tensor_bytes(a));
  float *u = push_result(L, VISE_DTYPE_F32, m, r);
  float *s = push_result(L, VISE_DTYPE_F32, r, -1);
  float *vt = push_result(L, VISE_DTYPE_F32, r, k);
  vise_err err;
  return vise_lapack_svd_f32(u, s, vt, copy, m, k, &err) == VISE_OK ? 3 : bind_fail(L, &err);
}

static const luaL_Reg functions[] = {
    {"gemm", linalg_gemm},
    {"blas_gemm", linalg_blas_gemm},
    {"blas_load", linalg_blas_load},
    {"blas_svd", linalg_blas_svd},
    {"blas_threads", linalg_blas_threads},
    {"cholesky", linalg_cholesky},
    {"column_losses", linalg_column_losses},
    {"drop_columns", linalg_drop_columns},
    {"eigh", linalg_eigh},
    {"gram", linalg_gram},
    {"gram_svd", linalg_gram_svd},
    {"hadamard", linalg_hadamard},
    {"hadamard_block", linalg_hadamard_block},
    {"qr", linalg_qr},
    {"randomized_svd", linalg_randomized_svd},
    {"solve_triangular", linalg_solve_triangular},
    {"svd", linalg_svd},
    {NULL, NULL},
};

int luaopen_vise_native_linalg(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
