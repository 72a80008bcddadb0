/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_tensor.c -- tensor/tensor.h as native.tensor. Indices are 1-based here, 0-based below.
 */
#include "bind/bind.h"
#include "core/file.h"

#include <stdio.h>
#include <string.h>

#define TENSOR "vise.tensor"

vise_tensor **bind_new_tensor(lua_State *L) {
  vise_tensor **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, TENSOR);
  return slot;
}

vise_tensor *bind_check_tensor(lua_State *L, int arg) {
  vise_tensor **slot = luaL_checkudata(L, arg, TENSOR);
  luaL_argcheck(L, *slot != NULL, arg, "tensor is closed");
  return *slot;
}

vise_tensor *bind_test_tensor(lua_State *L, int arg) {
  vise_tensor **slot = luaL_testudata(L, arg, TENSOR);
  return slot == NULL ? NULL : *slot;
}

vise_dtype bind_check_dtype(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  vise_dtype dtype;
  if (!vise_dtype_find(&dtype, name)) {
    luaL_argerror(L, arg, lua_pushfstring(L, "unknown dtype '%s'", name));
  }
  return dtype;
}

int bind_check_shape(lua_State *L, int arg, int64_t shape[VISE_RANK_MAX]) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer rank = luaL_len(L, arg);
  luaL_argcheck(L, rank <= VISE_RANK_MAX, arg, "more than 8 dimensions");
  for (lua_Integer i = 0; i < rank; i++) {
    int is_integer;
    lua_geti(L, arg, i + 1);
    shape[i] = lua_tointegerx(L, -1, &is_integer);
    luaL_argcheck(L, is_integer && shape[i] >= 0, arg, "dimensions are integers of 0 or more");
    lua_pop(L, 1);
  }
  return (int)rank;
}

static int finish(lua_State *L, vise_status st, vise_tensor **slot, const vise_err *err) {
  if (st != VISE_OK) {
    return bind_fail(L, err);
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return 1;
}

/* tensor.zeros(dtype, {d1, d2, ...}) -> tensor */
static int tensor_zeros(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  const vise_dtype dtype = bind_check_dtype(L, 1);
  const int rank = bind_check_shape(L, 2, shape);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  const vise_status st = vise_tensor_create(slot, dtype, rank, shape, &err);
  if (st == VISE_OK) {
    memset(vise_tensor_data(*slot), 0, vise_tensor_bytes(*slot));
  }
  return finish(L, st, slot, &err);
}

/* tensor.from(dtype, {d1, ...}, {v1, v2, ...}) -> tensor; values in row-major order, rounded to
   dtype */
static int tensor_from(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  const vise_dtype dtype = bind_check_dtype(L, 1);
  const int rank = bind_check_shape(L, 2, shape);
  luaL_checktype(L, 3, LUA_TTABLE);
  vise_err err;
  vise_tensor **wide = bind_new_tensor(L);
  vise_tensor **slot = bind_new_tensor(L);
  const bool is_64_bit = dtype == VISE_DTYPE_I64 || dtype == VISE_DTYPE_U64;
  const vise_dtype wide_dtype = is_64_bit ? VISE_DTYPE_I64 : VISE_DTYPE_F64;
  if (vise_tensor_create(wide, wide_dtype, rank, shape, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const int64_t n = vise_tensor_count(*wide);
  if (luaL_len(L, 3) != n) {
    return luaL_argerror(L, 3, lua_pushfstring(L, "%I values for %I elements", luaL_len(L, 3), n));
  }
  void *values = vise_tensor_data(*wide);
  for (int64_t i = 0; i < n; i++) {
    int is_right;
    lua_geti(L, 3, i + 1);
    if (is_64_bit) {
      ((int64_t *)values)[i] = lua_tointegerx(L, -1, &is_right);
    } else {
      ((double *)values)[i] = lua_tonumberx(L, -1, &is_right);
    }
    luaL_argcheck(L, is_right, 3, is_64_bit ? "values are integers" : "values are numbers");
    lua_pop(L, 1);
  }
  return finish(L, vise_tensor_convert(slot, *wide, dtype, &err), slot, &err);
}

/* tensor.from_bytes(dtype, {d1, ...}, string) -> tensor; the string holds the elements,
   little-endian */
static int tensor_from_bytes(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  size_t n;
  const vise_dtype dtype = bind_check_dtype(L, 1);
  const int rank = bind_check_shape(L, 2, shape);
  const char *data = luaL_checklstring(L, 3, &n);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  const vise_status st = vise_tensor_create(slot, dtype, rank, shape, &err);
  if (st == VISE_OK) {
    luaL_argcheck(L, n == vise_tensor_bytes(*slot), 3, "string has not the bytes of the shape");
    memcpy(vise_tensor_data(*slot), data, n);
  }
  return finish(L, st, slot, &err);
}

/* t:shape() -> {d1, d2, ...} */
static int tensor_shape(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  const int rank = vise_tensor_rank(t);
  lua_createtable(L, rank, 0);
  for (int i = 0; i < rank; i++) {
    lua_pushinteger(L, vise_tensor_dim(t, i));
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* t:dtype() -> "f32" */
static int tensor_dtype(lua_State *L) {
  lua_pushstring(L, vise_dtype_name(vise_tensor_dtype(bind_check_tensor(L, 1))));
  return 1;
}

/* t:count() -> number of elements */
static int tensor_count(lua_State *L) {
  lua_pushinteger(L, vise_tensor_count(bind_check_tensor(L, 1)));
  return 1;
}

/* t:bytes() -> bytes of all elements */
static int tensor_bytes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)vise_tensor_bytes(bind_check_tensor(L, 1)));
  return 1;
}

/* t:convert(dtype) -> new contiguous tensor */
static int tensor_convert(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  const vise_dtype dtype = bind_check_dtype(L, 2);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  return finish(L, vise_tensor_convert(slot, t, dtype, &err), slot, &err);
}

/* t:narrow(dim, start, n) -> view of indices start .. start + n - 1 of dimension dim */
static int tensor_narrow(lua_State *L) {
  vise_tensor *t = bind_check_tensor(L, 1);
  const lua_Integer dim = luaL_checkinteger(L, 2);
  const lua_Integer start = luaL_checkinteger(L, 3), n = luaL_checkinteger(L, 4);
  luaL_argcheck(L, dim >= 1 && dim <= vise_tensor_rank(t), 2, "no such dimension");
  luaL_argcheck(L, start >= 1, 3, "indices begin at 1");
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_narrow(slot, t, (int)dim - 1, start - 1, n, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* t:reshape({d1, ...}) -> view of a contiguous tensor */
static int tensor_reshape(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  vise_tensor *t = bind_check_tensor(L, 1);
  const int rank = bind_check_shape(L, 2, shape);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_reshape(slot, t, rank, shape, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* t:transpose([a, b]) -> view with two dimensions swapped; 1 and 2 if not said */
static int tensor_transpose(lua_State *L) {
  vise_tensor *t = bind_check_tensor(L, 1);
  const lua_Integer a = luaL_optinteger(L, 2, 1), b = luaL_optinteger(L, 3, 2);
  luaL_argcheck(L, a >= 1 && a <= vise_tensor_rank(t), 2, "no such dimension");
  luaL_argcheck(L, b >= 1 && b <= vise_tensor_rank(t), 3, "no such dimension");
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_transpose(slot, t, (int)a - 1, (int)b - 1, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

static void push_element(lua_State *L, const vise_tensor *t, int64_t index) {
  if (vise_dtype_is_float(vise_tensor_dtype(t))) {
    lua_pushnumber(L, vise_tensor_get(t, index));
  } else {
    lua_pushinteger(L, vise_tensor_get_i64(t, index));
  }
}

/* t:get(i, j, ...) -> number; raises out of range */
static int tensor_get(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  const int rank = vise_tensor_rank(t);
  luaL_argcheck(L, lua_gettop(L) == rank + 1, 2, "one index per dimension expected");
  int64_t index = 0;
  for (int i = 0; i < rank; i++) {
    const lua_Integer at = luaL_checkinteger(L, i + 2);
    luaL_argcheck(L, at >= 1 && at <= vise_tensor_dim(t, i), i + 2, "index out of range");
    index = index * vise_tensor_dim(t, i) + at - 1;
  }
  push_element(L, t, index);
  return 1;
}

/* t:table() -> {v1, v2, ...}, all elements in row-major order */
static int tensor_table(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  const int64_t n = vise_tensor_count(t);
  luaL_argcheck(L, n < 1 << 27, 1, "tensor is too large for a table");
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    push_element(L, t, i);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* t:string() -> the elements' bytes, little-endian, row-major */
static int tensor_string(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  vise_err err;
  vise_tensor **copy = bind_new_tensor(L);
  if (vise_tensor_convert(copy, t, vise_tensor_dtype(t), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushlstring(L, vise_tensor_data(*copy), vise_tensor_bytes(*copy));
  return 1;
}

/* tostring(t) -> vise.tensor [4096, 11008] f16 86.0 MiB */
static int tensor_tostring(lua_State *L) {
  vise_tensor **slot = luaL_checkudata(L, 1, TENSOR);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.tensor (closed)");
    return 1;
  }
  char shape[160], size[32];
  const double bytes = (double)vise_tensor_bytes(*slot);
  if (bytes < 1024) {
    snprintf(size, sizeof size, "%.0f B", bytes);
  } else if (bytes < 1024 * 1024) {
    snprintf(size, sizeof size, "%.1f KiB", bytes / 1024);
  } else {
    snprintf(size, sizeof size, "%.1f MiB", bytes / (1024 * 1024));
  }
  lua_pushfstring(L, "vise.tensor %s %s %s", vise_tensor_shape_text(shape, sizeof shape, *slot),
                  vise_dtype_name(vise_tensor_dtype(*slot)), size);
  return 1;
}

/* t:close(), __close, __gc: let go now. Safe to call twice. */
static int tensor_close(lua_State *L) {
  vise_tensor **slot = luaL_checkudata(L, 1, TENSOR);
  vise_tensor_release(*slot);
  *slot = NULL;
  return 0;
}

/* t:drop_pages(): a mapped tensor lets its memory go until it is read again; others keep theirs */
static int tensor_drop_pages(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  if (vise_tensor_is_mapped(t) && vise_tensor_is_contiguous(t)) {
    vise_file_drop_pages(vise_tensor_data(t), vise_tensor_bytes(t));
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"zeros", tensor_zeros},
    {"from", tensor_from},
    {"from_bytes", tensor_from_bytes},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"shape", tensor_shape},     {"dtype", tensor_dtype},
    {"count", tensor_count},     {"bytes", tensor_bytes},
    {"convert", tensor_convert}, {"narrow", tensor_narrow},
    {"reshape", tensor_reshape}, {"transpose", tensor_transpose},
    {"get", tensor_get},         {"table", tensor_table},
    {"string", tensor_string},   {"drop_pages", tensor_drop_pages},
    {"close", tensor_close},     {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", tensor_close}, {"__close", tensor_close}, {"__tostring", tensor_tostring},
    {NULL, NULL},
};

int luaopen_vise_native_tensor(lua_State *L) {
  bind_new_class(L, TENSOR, methods, metamethods);
  luaL_newlib(L, functions);
  bind_expose_methods(L, TENSOR);
  return 1;
}
