/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_stats.c -- stats/ as native.stats. */
#include "bind/bind.h"
#include "stats/moments.h"
#include "stats/output_error.h"

#include <string.h>

#define MOMENTS "vise.moments"

static vise_moments **new_moments(lua_State *L) {
  vise_moments **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, MOMENTS);
  return slot;
}

vise_moments *bind_check_moments(lua_State *L, int arg) {
  vise_moments **slot = luaL_checkudata(L, arg, MOMENTS);
  luaL_argcheck(L, *slot != NULL, arg, "the statistics are closed");
  return *slot;
}

static size_t bytes_of(const vise_moments *s) {
  return (size_t)s->n * (size_t)s->n * sizeof(double) * (s->cross != NULL ? 2 : 1);
}

static int finish(lua_State *L, vise_moments *const *slot, vise_status st, const vise_err *err) {
  if (st != VISE_OK) {
    return bind_fail(L, err);
  }
  bind_count_bytes(L, bytes_of(*slot));
  return 1;
}

/* stats.moments(n[, has_cross]) -> moments of no tokens */
static int stats_moments(lua_State *L) {
  const lua_Integer n = luaL_checkinteger(L, 1);
  const bool has_cross = lua_toboolean(L, 2);
  vise_err err;
  vise_moments **slot = new_moments(L);
  return finish(L, slot, vise_moments_create(slot, n, has_cross, &err), &err);
}

/* A contiguous f64 tensor of that shape at field `name` of the table at `arg`. */
static const double *check_part(lua_State *L, int arg, const char *name, int rank, int64_t n) {
  lua_getfield(L, arg, name);
  const vise_tensor *t = bind_check_tensor(L, lua_gettop(L));
  bool fits = vise_tensor_dtype(t) == VISE_DTYPE_F64 && vise_tensor_rank(t) == rank &&
              vise_tensor_is_contiguous(t);
  for (int i = 0; i < rank && fits; i++) {
    fits = vise_tensor_dim(t, i) == n;
  }
  if (!fits) {
    luaL_error(L, "moments: part '%s' is not f64 of the right shape", name);
  }
  lua_pop(L, 1);
  return vise_tensor_data(t);
}

/* stats.from_parts(count, {second, cross?, sum, sum_abs, max_abs}) -> moments: what moments:parts
   gave */
static int stats_from_parts(lua_State *L) {
  const lua_Integer count = luaL_checkinteger(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, count >= 0, 1, "0 or more expected");
  lua_getfield(L, 2, "sum");
  const vise_tensor *sum = bind_check_tensor(L, 3);
  const int64_t n = vise_tensor_rank(sum) == 1 ? vise_tensor_dim(sum, 0) : 0;
  const bool has_cross = lua_getfield(L, 2, "cross") != LUA_TNIL;
  vise_err err;
  vise_moments **slot = new_moments(L);
  if (vise_moments_create(slot, n, has_cross, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  vise_moments *s = *slot;
  const struct {
    const char *name;
    double *into;
    int rank;
  } parts[] = {{"second", s->second, 2},
               {"cross", s->cross, 2},
               {"sum", s->sum, 1},
               {"sum_abs", s->sum_abs, 1},
               {"max_abs", s->max_abs, 1}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (parts[i].into != NULL) {
      memcpy(parts[i].into, check_part(L, 2, parts[i].name, parts[i].rank, n),
             (size_t)(parts[i].rank == 2 ? n * n : n) * sizeof(double));
    }
  }
  s->count = count;
  bind_count_bytes(L, bytes_of(s));
  return 1;
}

/* moments:add(x [t, n][, original [t, n]]) -> moments; raises for NaN and infinity */
static int moments_add(lua_State *L) {
  vise_moments *s = bind_check_moments(L, 1);
  const vise_tensor *x = bind_check_matrix_f32(L, 2);
  const vise_tensor *original = lua_isnoneornil(L, 3) ? NULL : bind_check_matrix_f32(L, 3);
  const int64_t t = vise_tensor_dim(x, 0);
  if (vise_tensor_dim(x, 1) != s->n ||
      (original != NULL &&
       (vise_tensor_dim(original, 0) != t || vise_tensor_dim(original, 1) != s->n))) {
    return luaL_error(L, "moments: the input is not [t, %I]", (LUAI_UACINT)s->n);
  }
  vise_err err;
  if (vise_moments_add(s, vise_tensor_data(x), s->n,
                       original != NULL ? vise_tensor_data(original) : NULL, s->n, t,
                       &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_settop(L, 1);
  return 1;
}

/* moments:merge(other) -> moments, with the tokens of other */
static int moments_merge(lua_State *L) {
  vise_moments *s = bind_check_moments(L, 1);
  const vise_moments *other = bind_check_moments(L, 2);
  vise_err err;
  if (vise_moments_merge(s, other, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_settop(L, 1);
  return 1;
}

/* moments:scaled(factors [n] f32) -> new moments, of inputs times these */
static int moments_scaled(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  const vise_tensor *t = bind_check_tensor(L, 2);
  if (vise_tensor_dtype(t) != VISE_DTYPE_F32 || vise_tensor_rank(t) != 1 ||
      vise_tensor_dim(t, 0) != s->n || !vise_tensor_is_contiguous(t)) {
    return luaL_error(L, "moments: factors are not [%I] of f32", (LUAI_UACINT)s->n);
  }
  vise_err err;
  vise_moments **slot = new_moments(L);
  return finish(L, slot, vise_moments_scaled(slot, s, vise_tensor_data(t), &err), &err);
}

/* moments:count() -> tokens */
static int moments_count(lua_State *L) {
  lua_pushinteger(L, bind_check_moments(L, 1)->count);
  return 1;
}

/* moments:columns() -> n */
static int moments_columns(lua_State *L) {
  lua_pushinteger(L, bind_check_moments(L, 1)->n);
  return 1;
}

static void *push_numbers(lua_State *L, vise_dtype dtype, int rank, int64_t n) {
  const int64_t shape[2] = {n, n};
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, dtype, rank, shape, &err) != VISE_OK) {
    bind_fail(L, &err); /* raises: not of the codes that are returned */
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return vise_tensor_data(*slot);
}

/* moments:second() -> [n, n] f64, the mean of x x' */
static int moments_second(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  vise_moments_second(push_numbers(L, VISE_DTYPE_F64, 2, s->n), s);
  return 1;
}

/* moments:cross() -> [n, n] f64, the mean of o x', or nil without cross moments */
static int moments_cross(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  if (s->cross == NULL) {
    lua_pushnil(L);
    return 1;
  }
  vise_moments_cross(push_numbers(L, VISE_DTYPE_F64, 2, s->n), s);
  return 1;
}

/* moments:importance() -> [n] f32, the mean of x^2 */
static int moments_importance(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  vise_moments_importance(push_numbers(L, VISE_DTYPE_F32, 1, s->n), s);
  return 1;
}

static int push_vector(lua_State *L, const vise_moments *s, const double *from, double scale) {
  double *out = push_numbers(L, VISE_DTYPE_F64, 1, s->n);
  for (int64_t i = 0; i < s->n; i++) {
    out[i] = from[i] * scale;
  }
  return 1;
}

static double per_token(const vise_moments *s) {
  return s->count > 0 ? 1.0 / (double)s->count : 0.0;
}

/* moments:mean() -> [n] f64 */
static int moments_mean(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  return push_vector(L, s, s->sum, per_token(s));
}

/* moments:mean_abs() -> [n] f64 */
static int moments_mean_abs(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  return push_vector(L, s, s->sum_abs, per_token(s));
}

/* moments:max_abs() -> [n] f64 */
static int moments_max_abs(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  return push_vector(L, s, s->max_abs, 1.0);
}

/* moments:parts() -> {second, cross?, sum, sum_abs, max_abs}: f64 tensors of the sums, to be kept */
static int moments_parts(lua_State *L) {
  const vise_moments *s = bind_check_moments(L, 1);
  const struct {
    const char *name;
    const double *from;
    int rank;
  } parts[] = {{"second", s->second, 2},
               {"cross", s->cross, 2},
               {"sum", s->sum, 1},
               {"sum_abs", s->sum_abs, 1},
               {"max_abs", s->max_abs, 1}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (parts[i].from != NULL) {
      memcpy(push_numbers(L, VISE_DTYPE_F64, parts[i].rank, s->n), parts[i].from,
             (size_t)(parts[i].rank == 2 ? s->n * s->n : s->n) * sizeof(double));
      lua_setfield(L, -2, parts[i].name);
    }
  }
  return 1;
}

/* stats.output_error(a, b, moments) -> tr((a-b) H (a-b)'), tr(a H a') */
static int stats_output_error(lua_State *L) {
  const vise_weight *a = bind_check_weight(L, 1), *b = bind_check_weight(L, 2);
  const vise_moments *s = bind_check_moments(L, 3);
  double squared, norm;
  vise_err err;
  if (vise_output_error(&squared, &norm, a, b, s, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, squared);
  lua_pushnumber(L, norm);
  return 2;
}

/* stats.is_moments(value) -> boolean */
static int stats_is_moments(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, MOMENTS) != NULL);
  return 1;
}

/* moments:close(), __close, __gc. Safe to call twice. */
static int moments_close(lua_State *L) {
  vise_moments **slot = luaL_checkudata(L, 1, MOMENTS);
  vise_moments_free(*slot);
  *slot = NULL;
  return 0;
}

static int moments_tostring(lua_State *L) {
  vise_moments *const *slot = luaL_checkudata(L, 1, MOMENTS);
  const vise_moments *s = *slot;
  if (s == NULL) {
    lua_pushliteral(L, "vise.moments closed");
  } else {
    lua_pushfstring(L, "vise.moments [%I] of %I tokens%s", (LUAI_UACINT)s->n, (LUAI_UACINT)s->count,
                    s->cross != NULL ? ", cross" : "");
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"moments", stats_moments},
    {"from_parts", stats_from_parts},
    {"output_error", stats_output_error},
    {"is_moments", stats_is_moments},
    {NULL, NULL},
};
static const luaL_Reg methods[] = {
    {"add", moments_add},         {"merge", moments_merge},
    {"scaled", moments_scaled},   {"count", moments_count},
    {"columns", moments_columns}, {"second", moments_second},
    {"cross", moments_cross},     {"importance", moments_importance},
    {"mean", moments_mean},       {"mean_abs", moments_mean_abs},
    {"max_abs", moments_max_abs}, {"parts", moments_parts},
    {"close", moments_close},     {NULL, NULL},
};
static const luaL_Reg metamethods[] = {
    {"__gc", moments_close},
    {"__close", moments_close},
    {"__tostring", moments_tostring},
    {NULL, NULL},
};

int luaopen_vise_native_stats(lua_State *L) {
  bind_new_class(L, MOMENTS, methods, metamethods);
  luaL_newlib(L, functions);
  bind_expose_methods(L, MOMENTS);
  return 1;
}
