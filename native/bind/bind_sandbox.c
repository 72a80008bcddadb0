/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_sandbox.c -- core/sandbox.h as native.sandbox. */
#include "bind/bind.h"
#include "core/sandbox.h"

/* The list of paths in field `name` of the table at 1; it stays on the stack. */
static const char *const *get_paths(lua_State *L, const char *name) {
  if (lua_getfield(L, 1, name) != LUA_TTABLE) {
    luaL_error(L, "sandbox: %s is a %s, expected a list of paths", name, luaL_typename(L, -1));
  }
  return bind_push_strings(L, name);
}

/* A limit of the table at 1; absent: none. */
static uint64_t get_limit(lua_State *L, const char *name) {
  const lua_Integer limit = bind_option_int(L, 1, name, 0);
  if (limit < 0) {
    luaL_error(L, "sandbox: %s is %I, expected at least 0", name, limit);
  }
  return (uint64_t)limit;
}

/* sandbox.check() -> true if the kernel offers what it takes | nil, message, code */
static int sandbox_check(lua_State *L) {
  vise_err err;
  if (vise_sandbox_check(&err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* sandbox.enter{read = {path, ...}, trees = {...}, write = {...}, memory_bytes = integer,
   cpu_seconds = integer, file_bytes = integer, open_files = integer} -> true; for good */
static int sandbox_enter(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const vise_sandbox_options options = {
      .read = get_paths(L, "read"),
      .trees = get_paths(L, "trees"),
      .write = get_paths(L, "write"),
      .memory_bytes = get_limit(L, "memory_bytes"),
      .cpu_seconds = get_limit(L, "cpu_seconds"),
      .file_bytes = get_limit(L, "file_bytes"),
      .open_files = get_limit(L, "open_files"),
  };
  vise_err err;
  if (vise_sandbox_enter(&options, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, true);
  return 1;
}

static const luaL_Reg functions[] = {
    {"check", sandbox_check},
    {"enter", sandbox_enter},
    {NULL, NULL},
};

int luaopen_vise_native_sandbox(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
