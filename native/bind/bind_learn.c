/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_learn.c -- nn/{unary,norm,fakequant,shape}.h as native.learn: what training has that a
   transformer's forward pass has not. */
#include "bind/bind_nn.h"
#include "nn/fakequant.h"
#include "nn/norm.h"
#include "nn/shape.h"
#include "nn/unary.h"

/* learn.unary(name, x) -> f(x); names in nn/unary.h */
static int learn_unary(lua_State *L) {
  const vise_unary f = (vise_unary)luaL_checkoption(L, 1, NULL, vise_unary_names);
  const vise_tensor *x = bind_check_f32(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L, vise_unary_run(bind_f32(out), bind_f32(x), vise_tensor_count(x), f, &err),
                     1, &err);
}

/* learn.unary_back(name, d_y, x) -> d_x */
static int learn_unary_back(lua_State *L) {
  const vise_unary f = (vise_unary)luaL_checkoption(L, 1, NULL, vise_unary_names);
  const vise_tensor *d_y = bind_check_f32(L, 2), *x = bind_check_f32_like(L, 3, d_y);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(
      L,
      vise_unary_backward(bind_f32(out), bind_f32(d_y), bind_f32(x), vise_tensor_count(x), f, &err),
      1, &err);
}

typedef vise_status pair_fn(float *, const float *, const float *, int64_t, vise_err *);

static int run_pair(lua_State *L, pair_fn *fn) {
  const vise_tensor *x = bind_check_f32(L, 1), *y = bind_check_f32_like(L, 2, x);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L, fn(bind_f32(out), bind_f32(x), bind_f32(y), vise_tensor_count(x), &err), 1,
                     &err);
}

/* learn.multiply(x, y) -> x y, of one shape */
static int learn_multiply(lua_State *L) {
  return run_pair(L, vise_multiply_run);
}

/* learn.divide(x, y) -> x / y, of one shape */
static int learn_divide(lua_State *L) {
  return run_pair(L, vise_divide_run);
}

/* learn.dropout(x, share, seed, name) -> y */
static int learn_dropout(lua_State *L) {
  const vise_tensor *x = bind_check_f32(L, 1);
  const lua_Number share = luaL_checknumber(L, 2);
  luaL_argcheck(L, share >= 0.0 && share < 1.0, 2, "a share in [0, 1) expected");
  const vise_rng rng = vise_rng_named((uint64_t)luaL_checkinteger(L, 3), luaL_checkstring(L, 4));
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(
      L, vise_dropout_run(bind_f32(out), bind_f32(x), vise_tensor_count(x), share, &rng, &err), 1,
      &err);
}

/* learn.filled(shape, value) -> tensor */
static int learn_filled(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  const int rank = bind_check_shape(L, 1, shape);
  const float value = (float)luaL_checknumber(L, 2);
  vise_tensor *out = bind_push_f32(L, rank, shape);
  for (int64_t i = 0; i < vise_tensor_count(out); i++) {
    bind_f32(out)[i] = value;
  }
  return 1;
}

/* learn.layernorm(x [t, d], gain [d], bias [d], eps) -> y */
static int learn_layernorm(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 2, d), *bias = bind_check_vector_of(L, 3, d);
  const lua_Number eps = luaL_checknumber(L, 4);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L,
                     vise_layernorm_run(bind_f32(out), bind_f32(x), bind_f32(gain), bind_f32(bias),
                                        t, d, eps, &err),
                     1, &err);
}

/* learn.layernorm_back(d_y, x, gain, eps) -> d_x, d_gain, d_bias */
static int learn_layernorm_back(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *x = bind_check_f32_like(L, 2, d_y);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 3, d);
  const lua_Number eps = luaL_checknumber(L, 4);
  vise_err err;
  vise_tensor *d_x = bind_push_f32_like(L, x), *d_gain = bind_push_f32(L, 1, &d);
  vise_tensor *d_bias = bind_push_f32(L, 1, &d);
  return bind_finish(L,
                     vise_layernorm_backward(bind_f32(d_x), bind_f32(d_gain), bind_f32(d_bias),
                                             bind_f32(d_y), bind_f32(x), bind_f32(gain), t, d, eps,
                                             &err),
                     3, &err);
}

/* learn.moments(x [t, d]) -> mean [d], variance [d] of the columns */
static int learn_moments(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  luaL_argcheck(L, t > 0, 1, "no rows");
  vise_err err;
  vise_tensor *mean = bind_push_f32(L, 1, &d), *variance = bind_push_f32(L, 1, &d);
  return bind_finish(
      L, vise_column_moments_run(bind_f32(mean), bind_f32(variance), bind_f32(x), t, d, &err), 2,
      &err);
}

/* learn.batchnorm(x [t, d], gain [d], bias [d], mean [d], variance [d], eps) -> y */
static int learn_batchnorm(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 2, d), *bias = bind_check_vector_of(L, 3, d);
  const vise_tensor *mean = bind_check_vector_of(L, 4, d);
  const vise_tensor *variance = bind_check_vector_of(L, 5, d);
  const lua_Number eps = luaL_checknumber(L, 6);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L,
                     vise_batchnorm_run(bind_f32(out), bind_f32(x), bind_f32(gain), bind_f32(bias),
                                        bind_f32(mean), bind_f32(variance), t, d, eps, &err),
                     1, &err);
}

/* learn.batchnorm_back(d_y, x, gain, mean, variance, eps, is_constant) -> d_x, d_gain, d_bias */
static int learn_batchnorm_back(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *x = bind_check_f32_like(L, 2, d_y);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 3, d), *mean = bind_check_vector_of(L, 4, d);
  const vise_tensor *variance = bind_check_vector_of(L, 5, d);
  const lua_Number eps = luaL_checknumber(L, 6);
  const bool is_constant = lua_toboolean(L, 7);
  vise_err err;
  vise_tensor *d_x = bind_push_f32_like(L, x), *d_gain = bind_push_f32(L, 1, &d);
  vise_tensor *d_bias = bind_push_f32(L, 1, &d);
  return bind_finish(L,
                     vise_batchnorm_backward(bind_f32(d_x), bind_f32(d_gain), bind_f32(d_bias),
                                             bind_f32(d_y), bind_f32(x), bind_f32(gain),
                                             bind_f32(mean), bind_f32(variance), t, d, eps,
                                             is_constant, &err),
                     3, &err);
}

/* w, s and z at `arg` and the two after it, {low, high, group} after them. */
static vise_fakequant check_fakequant(lua_State *L, int arg) {
  const vise_tensor *w = bind_check_matrix_f32(L, arg);
  const int64_t m = vise_tensor_dim(w, 0), k = vise_tensor_dim(w, 1);
  const lua_Integer group = bind_option_int(L, arg + 3, "group", k);
  luaL_argcheck(L, group >= 1, arg + 3, "a group above 0 expected");
  const int64_t n_groups = (k + group - 1) / group;
  const vise_tensor *s = bind_check_matrix_of(L, arg + 1, m, n_groups);
  const vise_tensor *z =
      lua_isnoneornil(L, arg + 2) ? NULL : bind_check_matrix_of(L, arg + 2, m, n_groups);
  const vise_tensor *v =
      lua_isnoneornil(L, arg + 4) ? NULL : bind_check_matrix_of(L, arg + 4, m, k);
  return (vise_fakequant){.m = m,
                          .k = k,
                          .g = group,
                          .low = (float)bind_option_real(L, arg + 3, "low", 0.0),
                          .high = (float)bind_option_real(L, arg + 3, "high", 0.0),
                          .w = bind_f32(w),
                          .s = bind_f32(s),
                          .z = z == NULL ? NULL : bind_f32(z),
                          .v = v == NULL ? NULL : bind_f32(v)};
}

/* learn.fakequant(w [m, k], s [m, groups], z or nil, {low, high, group}[, v [m, k]]) -> [m, k] */
static int learn_fakequant(lua_State *L) {
  const vise_fakequant q = check_fakequant(L, 1);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, bind_check_tensor(L, 1));
  return bind_finish(L, vise_fakequant_run(bind_f32(out), &q, &err), 1, &err);
}

/* learn.fakequant_back(d_out, w, s, z or nil, {low, high, group}[, v]) -> d_w, d_s, d_z[, d_v] */
static int learn_fakequant_back(lua_State *L) {
  const vise_fakequant q = check_fakequant(L, 2);
  const vise_tensor *s = bind_check_tensor(L, 3);
  const vise_tensor *d = bind_check_f32_like(L, 1, bind_check_tensor(L, 2));
  vise_err err;
  vise_fakequant_grads out = {.w = bind_f32(bind_push_f32_like(L, d))};
  out.s = bind_f32(bind_push_f32_like(L, s));
  out.z = bind_f32(bind_push_f32_like(L, s));
  out.v = q.v == NULL ? NULL : bind_f32(bind_push_f32_like(L, d));
  return bind_finish(L, vise_fakequant_backward(&out, bind_f32(d), &q, &err), q.v == NULL ? 3 : 4,
                     &err);
}

/* learn.group_range(w [m, k], group) -> least, greatest, mean magnitude, each [m, groups] */
static int learn_group_range(lua_State *L) {
  const vise_tensor *w = bind_check_matrix_f32(L, 1);
  const lua_Integer group = luaL_checkinteger(L, 2);
  luaL_argcheck(L, group >= 1, 2, "a group above 0 expected");
  const int64_t m = vise_tensor_dim(w, 0), k = vise_tensor_dim(w, 1);
  const int64_t shape[2] = {m, (k + group - 1) / group};
  vise_err err;
  vise_tensor *least = bind_push_f32(L, 2, shape), *greatest = bind_push_f32(L, 2, shape);
  vise_tensor *magnitude = bind_push_f32(L, 2, shape);
  return bind_finish(L,
                     vise_group_range_run(bind_f32(least), bind_f32(greatest), bind_f32(magnitude),
                                          bind_f32(w), m, k, group, &err),
                     3, &err);
}

/* learn.paste(to, part, dim, start) -> true; indices start .. of dimension dim of `to` become `part` */
static int learn_paste(lua_State *L) {
  const vise_tensor *to = bind_check_f32(L, 1), *part = bind_check_f32(L, 2);
  const lua_Integer dim = luaL_checkinteger(L, 3) - 1, start = luaL_checkinteger(L, 4) - 1;
  const int rank = vise_tensor_rank(to);
  luaL_argcheck(L, !vise_tensor_is_mapped(to), 1, "a tensor of its own memory expected");
  luaL_argcheck(L, dim >= 0 && dim < rank, 3, "no such dimension");
  luaL_argcheck(L, vise_tensor_rank(part) == rank, 2, "as many dimensions expected");
  vise_pasting p = {.outer = 1, .n_out = vise_tensor_dim(to, (int)dim), .inner = 1, .start = start};
  p.n = vise_tensor_dim(part, (int)dim);
  for (int i = 0; i < rank; i++) {
    if (i != dim) {
      *(i < dim ? &p.outer : &p.inner) *= vise_tensor_dim(to, i);
      luaL_argcheck(L, vise_tensor_dim(part, i) == vise_tensor_dim(to, i), 2,
                    "the same other dimensions expected");
    }
  }
  luaL_argcheck(L, start >= 0 && p.n <= p.n_out - start, 4, "the part does not fit there");
  vise_err err;
  const vise_status st = vise_paste_run(bind_f32(to), bind_f32(part), &p, &err);
  lua_pushboolean(L, 1);
  return bind_finish(L, st, 1, &err);
}

/* Column ids [t, n] of i32 at `arg`, each below v; their elements. */
static const int32_t *check_columns(lua_State *L, int arg, int64_t t, int64_t v, int64_t *n_out) {
  const vise_tensor *ids = bind_check_tensor(L, arg);
  luaL_argcheck(L,
                vise_tensor_dtype(ids) == VISE_DTYPE_I32 && vise_tensor_rank(ids) == 2 &&
                    vise_tensor_is_contiguous(ids) && vise_tensor_dim(ids, 0) == t,
                arg, "an i32 matrix with as many rows expected");
  const int32_t *values = vise_tensor_data(ids);
  for (int64_t i = 0; i < vise_tensor_count(ids); i++) {
    luaL_argcheck(L, values[i] >= 0 && values[i] < v, arg, "column out of range");
  }
  *n_out = vise_tensor_dim(ids, 1);
  return values;
}

/* learn.take(x [t, v], ids i32 [t, n]) -> [t, n] columns of each row, from 0 */
static int learn_take(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), v = vise_tensor_dim(x, 1);
  int64_t n;
  const int32_t *ids = check_columns(L, 2, t, v, &n);
  const int64_t shape[2] = {t, n};
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(L, vise_take_run(bind_f32(out), bind_f32(x), ids, t, v, n, &err), 1, &err);
}

/* learn.take_back(d_y [t, n], ids i32 [t, n], v) -> d_x [t, v] */
static int learn_take_back(lua_State *L) {
  const vise_tensor *d = bind_check_matrix_f32(L, 1);
  const lua_Integer v = luaL_checkinteger(L, 3);
  const int64_t t = vise_tensor_dim(d, 0), shape[2] = {t, v};
  int64_t n;
  const int32_t *ids = check_columns(L, 2, t, v, &n);
  bind_check_matrix_of(L, 1, t, n);
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(L, vise_take_backward(bind_f32(out), bind_f32(d), ids, t, v, n, &err), 1,
                     &err);
}

static const luaL_Reg functions[] = {
    {"unary", learn_unary},
    {"unary_back", learn_unary_back},
    {"multiply", learn_multiply},
    {"divide", learn_divide},
    {"dropout", learn_dropout},
    {"filled", learn_filled},
    {"layernorm", learn_layernorm},
    {"layernorm_back", learn_layernorm_back},
    {"moments", learn_moments},
    {"batchnorm", learn_batchnorm},
    {"batchnorm_back", learn_batchnorm_back},
    {"fakequant", learn_fakequant},
    {"fakequant_back", learn_fakequant_back},
    {"group_range", learn_group_range},
    {"paste", learn_paste},
    {"take", learn_take},
    {"take_back", learn_take_back},
    {NULL, NULL},
};

int luaopen_vise_native_learn(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
