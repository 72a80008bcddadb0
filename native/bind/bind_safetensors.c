/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_safetensors.c -- io/safetensors.h as native.safetensors. */
#include "bind/bind.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define SAFETENSORS "vise.safetensors"

static vise_safetensors *check_file(lua_State *L, int arg) {
  vise_safetensors **slot = luaL_checkudata(L, arg, SAFETENSORS);
  luaL_argcheck(L, *slot != NULL, arg, "file is closed");
  return *slot;
}

/* safetensors.open(path) -> file | nil, message, code */
static int safetensors_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  vise_err err;
  vise_safetensors **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, SAFETENSORS);
  return vise_safetensors_open(slot, path, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* The tensors and metadata of a call of write, in memory that Lua frees. */
static vise_safetensors_item *check_items(lua_State *L, int arg, int64_t *n_out) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, arg);
  vise_safetensors_item *items = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *items, 0);
  for (lua_Integer i = 0; i < n; i++) {
    luaL_argcheck(L, lua_geti(L, arg, i + 1) == LUA_TTABLE, arg, "entries are {name, tensor}");
    luaL_argcheck(L, lua_geti(L, -1, 1) == LUA_TSTRING, arg, "entries are {name, tensor}");
    lua_geti(L, -2, 2);
    items[i].name = lua_tostring(L, -2); /* kept alive by the table */
    items[i].tensor = bind_test_tensor(L, -1);
    luaL_argcheck(L, items[i].tensor != NULL, arg, "entries are {name, tensor}");
    lua_pop(L, 3);
  }
  *n_out = n;
  return items;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const char *const *)a)[0], ((const char *const *)b)[0]);
}

/* Keys and values in the order of the keys, so that the file does not depend on Lua's hashes. */
static const char **check_metadata(lua_State *L, int arg, int64_t *n_out) {
  int64_t n = 0, at = 0;
  if (!lua_isnoneornil(L, arg)) {
    luaL_checktype(L, arg, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, arg) != 0; lua_pop(L, 1)) {
      luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, arg,
                    "metadata maps strings to strings");
      n++;
    }
  }
  const char **pairs = lua_newuserdatauv(L, ((size_t)n + 1) * 2 * sizeof *pairs, 0);
  if (n > 0) {
    for (lua_pushnil(L); lua_next(L, arg) != 0; lua_pop(L, 1)) {
      pairs[at++] = lua_tostring(L, -2); /* both kept alive by the table */
      pairs[at++] = lua_tostring(L, -1);
    }
    qsort(pairs, (size_t)n, 2 * sizeof *pairs, compare_keys);
  }
  *n_out = n;
  return pairs;
}

/* safetensors.write(path, {{name, tensor}, ...}[, {key = value}]) -> true | nil, message, code */
static int safetensors_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 3);
  int64_t n, n_metadata;
  const vise_safetensors_item *items = check_items(L, 2, &n);
  const char *const *metadata = check_metadata(L, 3, &n_metadata);
  vise_err err;
  if (vise_safetensors_write(path, items, n, metadata, n_metadata, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* f:names() -> {name, ...} in the order of their bytes */
static int safetensors_names(lua_State *L) {
  const vise_safetensors *f = check_file(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_safetensors_count(f); i++) {
    lua_pushstring(L, vise_safetensors_entry_at(f, i)->name);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* The entry named at `arg`; NULL after pushing nil, message, "format". */
static const vise_safetensors_entry *find_entry(lua_State *L, const vise_safetensors *f, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const vise_safetensors_entry *entry = vise_safetensors_find(f, name);
  if (entry == NULL) {
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: has no tensor '%s'", vise_safetensors_path(f), name);
    lua_pushstring(L, vise_status_name(VISE_EFORMAT));
  }
  return entry;
}

/* f:info(name) -> dtype, {d1, ...} | nil, message, code */
static int safetensors_info(lua_State *L) {
  const vise_safetensors_entry *e = find_entry(L, check_file(L, 1), 2);
  if (e == NULL) {
    return 3;
  }
  lua_pushstring(L, vise_dtype_name(e->dtype));
  lua_createtable(L, e->rank, 0);
  for (int i = 0; i < e->rank; i++) {
    lua_pushinteger(L, e->shape[i]);
    lua_seti(L, -2, i + 1);
  }
  return 2;
}

/* f:tensor(name) -> tensor, a view of the mapped file | nil, message, code */
static int safetensors_tensor(lua_State *L) {
  const vise_safetensors *f = check_file(L, 1);
  const vise_safetensors_entry *e = find_entry(L, f, 2);
  if (e == NULL) {
    return 3;
  }
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  return vise_safetensors_tensor(slot, f, e, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* f:metadata() -> {key = value}; empty if the file has none */
static int safetensors_metadata(lua_State *L) {
  const vise_safetensors *f = check_file(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_safetensors_metadata_count(f); i++) {
    lua_pushstring(L, vise_safetensors_metadata_value(f, i));
    lua_setfield(L, -2, vise_safetensors_metadata_key(f, i));
  }
  return 1;
}

/* tostring(f) -> vise.safetensors model.safetensors, 47 tensors */
static int safetensors_tostring(lua_State *L) {
  vise_safetensors **slot = luaL_checkudata(L, 1, SAFETENSORS);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.safetensors (closed)");
  } else {
    lua_pushfstring(L, "vise.safetensors %s, %I tensors", vise_safetensors_path(*slot),
                    (lua_Integer)vise_safetensors_count(*slot));
  }
  return 1;
}

/* f:close(), __close, __gc: tensors taken before stay valid. Safe to call twice. */
static int safetensors_close(lua_State *L) {
  vise_safetensors **slot = luaL_checkudata(L, 1, SAFETENSORS);
  vise_safetensors_close(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"open", safetensors_open}, {"write", safetensors_write}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"names", safetensors_names},   {"info", safetensors_info},
    {"tensor", safetensors_tensor}, {"metadata", safetensors_metadata},
    {"close", safetensors_close},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", safetensors_close},
    {"__close", safetensors_close},
    {"__tostring", safetensors_tostring},
    {NULL, NULL},
};

int luaopen_vise_native_safetensors(lua_State *L) {
  bind_new_class(L, SAFETENSORS, methods, metamethods);
  luaL_newlib(L, functions);
  return 1;
}
