/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_util.c -- what every binding file needs. */
#include "bind/bind.h"

#include <limits.h>
#include <string.h>

int bind_fail(lua_State *L, const vise_err *err) {
  switch (err->code) {
  case VISE_EIO:
  case VISE_EFORMAT:
  case VISE_EUNSUPPORTED:
  case VISE_ECANCELLED:
    luaL_pushfail(L);
    lua_pushstring(L, err->msg);
    lua_pushstring(L, vise_status_name(err->code));
    return 3;
  default: return luaL_error(L, "%s", err->msg);
  }
}

void bind_count_bytes(lua_State *L, size_t bytes) {
  const size_t kib = bytes / 1024 + 1;
  lua_gc(L, LUA_GCSTEP, kib > INT_MAX ? INT_MAX : (int)kib);
}

void bind_new_class(lua_State *L,
                    const char *name,
                    const luaL_Reg *methods,
                    const luaL_Reg *metamethods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable"); /* recipes must not reach __gc and friends */
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void bind_expose_methods(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "methods");
  lua_pop(L, 1);
}

static vise_tensor *check_array(lua_State *L, int arg, vise_dtype dtype, int rank) {
  vise_tensor *t = bind_check_tensor(L, arg);
  if (vise_tensor_dtype(t) != dtype || vise_tensor_rank(t) != rank ||
      !vise_tensor_is_contiguous(t)) {
    char shape[160];
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "tensor is %s %s%s, expected %s with %d dimensions",
                                  vise_dtype_name(vise_tensor_dtype(t)),
                                  vise_tensor_shape_text(shape, sizeof shape, t),
                                  vise_tensor_is_contiguous(t) ? "" : " (not contiguous)",
                                  vise_dtype_name(dtype), rank));
  }
  return t;
}

vise_tensor *bind_check_matrix_f32(lua_State *L, int arg) {
  return check_array(L, arg, VISE_DTYPE_F32, 2);
}

vise_tensor *bind_check_vector_f32(lua_State *L, int arg) {
  return check_array(L, arg, VISE_DTYPE_F32, 1);
}

vise_tensor *bind_check_vector_i32(lua_State *L, int arg) {
  return check_array(L, arg, VISE_DTYPE_I32, 1);
}

const float *bind_check_importance(lua_State *L, int arg, const char *what, int64_t k) {
  if (lua_isnoneornil(L, arg)) {
    return NULL;
  }
  const vise_tensor *t = bind_check_vector_f32(L, arg);
  if (vise_tensor_dim(t, 0) != k) {
    luaL_error(L, "%s is [%I], expected [%I] (columns of w)", what,
               (LUAI_UACINT)vise_tensor_dim(t, 0), (LUAI_UACINT)k);
  }
  return vise_tensor_data(t);
}

/* Push field `name` of the table at `arg`; false, with nothing pushed, when it is absent. */
static bool push_option(lua_State *L, int arg, const char *name) {
  if (lua_isnoneornil(L, arg)) {
    return false;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  if (lua_getfield(L, arg, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  return true;
}

static void option_error(lua_State *L, const char *name, const char *expected) {
  luaL_error(L, "%s is %s, expected %s", name, luaL_tolstring(L, -1, NULL), expected);
}

lua_Integer bind_option_int(lua_State *L, int arg, const char *name, lua_Integer def) {
  if (!push_option(L, arg, name)) {
    return def;
  }
  int is_integer;
  const lua_Integer v = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer) {
    option_error(L, name, "an integer");
  }
  lua_pop(L, 1);
  return v;
}

lua_Number bind_option_real(lua_State *L, int arg, const char *name, lua_Number def) {
  if (!push_option(L, arg, name)) {
    return def;
  }
  int is_number;
  const lua_Number v = lua_tonumberx(L, -1, &is_number);
  if (!is_number) {
    option_error(L, name, "a number");
  }
  lua_pop(L, 1);
  return v;
}

bool bind_option_bool(lua_State *L, int arg, const char *name, bool def) {
  if (!push_option(L, arg, name)) {
    return def;
  }
  if (!lua_isboolean(L, -1)) {
    option_error(L, name, "true or false");
  }
  const bool v = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return v;
}

const char *const *bind_push_strings(lua_State *L, const char *who) {
  const lua_Integer n = luaL_len(L, -1);
  const char **list = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *list, 0);
  for (lua_Integer i = 0; i < n; i++) {
    if (lua_geti(L, -2, i + 1) != LUA_TSTRING) {
      luaL_error(L, "%s[%I] is a %s, expected a string", who, i + 1, luaL_typename(L, -1));
    }
    list[i] = lua_tostring(L, -1);
    if (strlen(list[i]) != lua_rawlen(L, -1)) {
      luaL_error(L, "%s[%I] holds a NUL byte", who, i + 1);
    }
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}
