/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind/bind.h -- what the binding files share. Each bind_X.c makes the table native.X; the row in
 * bindings.def puts it into the module.
 */
#ifndef VISE_BIND_BIND_H
#define VISE_BIND_BIND_H

#include "core/status.h"
#include "stats/moments.h"
#include "tensor/tensor.h"
#include "weight/weight.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>

/*
 * Hand a failure to Lua. IO, FORMAT, UNSUPPORTED and CANCELLED are the world's refusals and return
 * nil, message, code; everything else is the caller's mistake and is raised. The message is data,
 * never a format.
 */
int bind_fail(lua_State *L, const vise_err *err);

/* Tell the collector about memory it cannot see. Call with the new handle on the stack. */
void bind_count_bytes(lua_State *L, size_t bytes);

/* Make the metatable `name` from `methods` and `metamethods`; "__index" becomes the methods. */
void bind_new_class(lua_State *L,
                    const char *name,
                    const luaL_Reg *methods,
                    const luaL_Reg *metamethods);

/* Put the methods of class `name` into the table on top of the stack as `methods`. */
void bind_expose_methods(lua_State *L, const char *name);

/*
 * A handle holds one retained pointer. Push an empty one first, fill *slot afterwards: an error in
 * between leaves nothing to leak. `check` raises on a closed handle; results are borrowed.
 */
vise_tensor **bind_new_tensor(lua_State *L);
vise_tensor *bind_check_tensor(lua_State *L, int arg);
vise_tensor *bind_test_tensor(lua_State *L, int arg); /* NULL if it is no open tensor */
vise_weight **bind_new_weight(lua_State *L);
vise_weight *bind_check_weight(lua_State *L, int arg);

/* Raises on what is no open userdata of stats/moments.h. */
vise_moments *bind_check_moments(lua_State *L, int arg);

/* A dtype by its name; a table of dimensions into `shape`, which returns the rank. */
vise_dtype bind_check_dtype(lua_State *L, int arg);
int bind_check_shape(lua_State *L, int arg, int64_t shape[VISE_RANK_MAX]);

/* Checks with messages of the house's grammar: dtype, rank and contiguity of an argument. */
vise_tensor *bind_check_matrix_f32(lua_State *L, int arg); /* rank 2, f32, contiguous */
vise_tensor *bind_check_vector_f32(lua_State *L, int arg); /* rank 1, f32, contiguous */
vise_tensor *bind_check_vector_i32(lua_State *L, int arg); /* rank 1, i32, contiguous */

/* What each of k columns counts, [k] f32; NULL for nil. `what` begins the message on its length. */
const float *bind_check_importance(lua_State *L, int arg, const char *what, int64_t k);

/*
 * Push a userdata after the list on top of the stack: its strings, borrowed from the list, NULL at
 * the end. Raises, beginning with `who`, for what is no string or holds a NUL byte.
 */
const char *const *bind_push_strings(lua_State *L, const char *who);

/* One field of the options table at `arg`, or the default when the table or the field is absent. */
lua_Integer bind_option_int(lua_State *L, int arg, const char *name, lua_Integer def);
lua_Number bind_option_real(lua_State *L, int arg, const char *name, lua_Number def);
bool bind_option_bool(lua_State *L, int arg, const char *name, bool def);

#define VISE_BINDING(name) int luaopen_vise_native_##name(lua_State *L);
#include "bind/bindings.def"
#undef VISE_BINDING

#endif
