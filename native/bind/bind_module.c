/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_module.c -- the module vise.native: one table per row of bindings.def. */
#include "bind/bind.h"

__attribute__((visibility("default"))) int luaopen_vise_native(lua_State *L);

int luaopen_vise_native(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
#define VISE_BINDING(name)                                                                         \
  luaopen_vise_native_##name(L);                                                                   \
  lua_setfield(L, -2, #name);
#include "bind/bindings.def"
#undef VISE_BINDING
  return 1;
}
