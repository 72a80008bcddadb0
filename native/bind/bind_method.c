/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_method.c -- method/method.h as native.method and the list of formats as native.format.
 */
#include "bind/bind_nn.h"
#include "format/format.h"
#include "method/method.h"
#include "method/regrid.h"

#include <string.h>

/* Word `i` of `choices` on the stack: an integer when it is written as one. */
static void push_choice(lua_State *L, const char *choices, int i) {
  char word[64];
  vise_param_choice(word, sizeof word, choices, i);
  if (lua_stringtonumber(L, word) == 0) {
    lua_pushstring(L, word);
  }
}

static void push_default(lua_State *L, const vise_param *p) {
  switch (p->kind) {
  case VISE_PARAM_INT: lua_pushinteger(L, (lua_Integer)p->def); break;
  case VISE_PARAM_REAL: lua_pushnumber(L, p->def); break;
  case VISE_PARAM_BOOL: lua_pushboolean(L, p->def != 0.0); break;
  case VISE_PARAM_CHOICE: push_choice(L, p->choices, (int)p->def); break;
  }
}

static void push_param(lua_State *L, const vise_param *p) {
  static const char *const kinds[] = {"int", "real", "bool", "choice"};
  lua_createtable(L, 0, 7);
  lua_pushstring(L, p->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kinds[p->kind]);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, p->doc);
  lua_setfield(L, -2, "doc");
  push_default(L, p);
  lua_setfield(L, -2, "default");
  if (p->kind == VISE_PARAM_INT || p->kind == VISE_PARAM_REAL) {
    const double bounds[] = {p->min, p->max};
    for (int i = 0; i < 2; i++) {
      if (p->kind == VISE_PARAM_INT) {
        lua_pushinteger(L, (lua_Integer)bounds[i]);
      } else {
        lua_pushnumber(L, bounds[i]);
      }
      lua_setfield(L, -2, i == 0 ? "min" : "max");
    }
  }
  if (p->kind == VISE_PARAM_CHOICE) {
    const int n = vise_param_choices(p->choices);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
      push_choice(L, p->choices, i);
      lua_seti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "choices");
  }
}

static void push_params(lua_State *L, const vise_param *params) {
  lua_newtable(L);
  for (int i = 0; params[i].name != NULL; i++) {
    push_param(L, &params[i]);
    lua_seti(L, -2, i + 1);
  }
}

static void set_text(lua_State *L, const char *field, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

/* The table of a row, with the fields that formats and methods both have. */
static void push_row(lua_State *L,
                     const char *name,
                     const char *summary,
                     const char *source,
                     int version,
                     const vise_param *params) {
  lua_createtable(L, 0, 8);
  set_text(L, "name", name);
  set_text(L, "summary", summary);
  set_text(L, "source", source);
  lua_pushinteger(L, version);
  lua_setfield(L, -2, "version");
  push_params(L, params);
  lua_setfield(L, -2, "params");
}

/* native.format.list() -> {{name, summary, source, version, params = {...}}, ...} */
static int format_list(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; vise_formats[i] != NULL; i++) {
    const vise_format *f = vise_formats[i];
    push_row(L, f->name, f->summary, f->source, f->version, f->params);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

static void push_needs(lua_State *L, unsigned needs) {
  static const struct {
    unsigned bit;
    const char *name;
  } names[] = {{VISE_NEEDS_MOMENTS, "moments"},
               {VISE_NEEDS_CROSS, "cross"},
               {VISE_NEEDS_GRADIENTS, "gradients"},
               {VISE_NEEDS_DATA, "data"}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if ((needs & names[i].bit) != 0) {
      lua_pushstring(L, names[i].name);
      lua_seti(L, -2, luaL_len(L, -2) + 1);
    }
  }
}

/* native.method.list() -> {{name, family, summary, source, version, needs, uses, is_exact, takes_format, takes_importance,
   params}, ...}; params: the method's own */
static int method_list(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; vise_methods[i] != NULL; i++) {
    const vise_method *method = vise_methods[i];
    push_row(L, method->name, method->summary, method->source, method->version, method->params);
    set_text(L, "family", method->family);
    push_needs(L, method->needs);
    lua_setfield(L, -2, "needs");
    push_needs(L, method->uses);
    lua_setfield(L, -2, "uses");
    lua_pushboolean(L, method->is_exact);
    lua_setfield(L, -2, "is_exact");
    lua_pushboolean(L, method->takes_format);
    lua_setfield(L, -2, "takes_format");
    lua_pushboolean(L, method->takes_importance);
    lua_setfield(L, -2, "takes_importance");
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

static const vise_method *check_method(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const vise_method *method = vise_method_find(name);
  if (method == NULL) {
    luaL_argerror(L, arg, lua_pushfstring(L, "unknown method '%s'", name));
  }
  return method;
}

/* The format named at `arg`, or NULL for nil: as `method` wants it. */
static const vise_format *check_format(lua_State *L, int arg, const vise_method *method) {
  if (!method->takes_format) {
    luaL_argexpected(L, lua_isnil(L, arg), arg, "nil");
    return NULL;
  }
  const char *name = luaL_checkstring(L, arg);
  const vise_format *format = vise_format_find(name);
  if (format == NULL) {
    luaL_argerror(L, arg, lua_pushfstring(L, "unknown format '%s'", name));
  }
  return format;
}

/* The list of numbers at `arg`, one per parameter; choices are indices from 0. */
static void check_values(lua_State *L,
                         int arg,
                         const vise_method *method,
                         const vise_format *format,
                         double values[VISE_PARAM_MAX]) {
  vise_param params[VISE_PARAM_MAX + 1];
  vise_method_params(params, method, format);
  luaL_checktype(L, arg, LUA_TTABLE);
  for (int i = 0; params[i].name != NULL; i++) {
    int is_number;
    lua_geti(L, arg, i + 1);
    values[i] = lua_tonumberx(L, -1, &is_number);
    if (!is_number) {
      luaL_argerror(L, arg, lua_pushfstring(L, "no number for '%s'", params[i].name));
    }
    lua_pop(L, 1);
  }
}

/* native.method.check(name, format|nil, m, k, values) -> true; raises what is wrong */
static int method_check(lua_State *L) {
  double values[VISE_PARAM_MAX];
  const vise_method *method = check_method(L, 1);
  const vise_format *format = check_format(L, 2, method);
  const lua_Integer m = luaL_checkinteger(L, 3), k = luaL_checkinteger(L, 4);
  check_values(L, 5, method, format, values);
  vise_err err;
  if (vise_method_check(method, format, m, k, values, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* native.method.uses_importance(name, format|nil, m, k, values) -> boolean: would run look at it? */
static int method_uses_importance(lua_State *L) {
  double values[VISE_PARAM_MAX];
  const vise_method *method = check_method(L, 1);
  const vise_format *format = check_format(L, 2, method);
  const lua_Integer m = luaL_checkinteger(L, 3), k = luaL_checkinteger(L, 4);
  check_values(L, 5, method, format, values);
  lua_pushboolean(L, vise_method_uses_importance(method, format, m, k, values));
  return 1;
}

/* native.method.run(name, format|nil, weight, values[, {importance = [k] f32, moments, name, seed}])
   -> weight, note: "" or one line on trouble that was got over */
static int method_run(lua_State *L) {
  double values[VISE_PARAM_MAX];
  lua_settop(L, 5);
  const vise_method *method = check_method(L, 1);
  const vise_format *format = check_format(L, 2, method);
  vise_method_input in = {.w = bind_check_weight(L, 3), .values = values, .name = ""};
  check_values(L, 4, method, format, values);
  if (!lua_isnil(L, 5)) {
    luaL_checktype(L, 5, LUA_TTABLE);
    const char *who = lua_pushfstring(L, "%s: importance", method->name);
    lua_getfield(L, 5, "importance");
    in.importance = bind_check_importance(L, lua_gettop(L), who, in.w->k);
    if (lua_getfield(L, 5, "moments") != LUA_TNIL) {
      in.moments = bind_check_moments(L, lua_gettop(L));
    }
    if (lua_getfield(L, 5, "name") != LUA_TNIL) {
      in.name = luaL_checkstring(L, lua_gettop(L));
    }
    in.seed = (uint64_t)bind_option_int(L, 5, "seed", 0);
  }
  vise_err err;
  int64_t bytes = 0;
  char note[VISE_NOTE_BYTES];
  vise_weight **slot = bind_new_weight(L);
  vise_status st = vise_method_run(slot, method, format, &in, note, &err);
  if (st == VISE_OK) {
    st = vise_weight_bytes(&bytes, *slot, &err);
  }
  if (st != VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, (size_t)bytes);
  lua_pushstring(L, note);
  return 2;
}

/* native.method.grid(weight) -> scales, zeros [m, groups] f32, {codes, group, dtype}; raises where the
   weight has no such grid */
static int method_grid(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_weight_grid g;
  vise_err err;
  if (vise_weight_grid_of(&g, w, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const int64_t shape[2] = {g.m, g.n_groups};
  vise_tensor *scales = bind_push_f32(L, 2, shape), *zeros = bind_push_f32(L, 2, shape);
  const vise_status st = vise_weight_grid_read(bind_f32(scales), bind_f32(zeros), w, &err);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, g.n_codes);
  lua_setfield(L, -2, "codes");
  lua_pushinteger(L, g.group);
  lua_setfield(L, -2, "group");
  set_text(L, "dtype", vise_dtype_name(g.dtype));
  return bind_finish(L, st, 3, &err);
}

/* native.method.offsets(weight, from [m, k] f32) -> [m, k]: see method/regrid.h */
static int method_offsets(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  const vise_tensor *from = bind_check_matrix_of(L, 2, w->m, w->k);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, from);
  return bind_finish(L, vise_weight_grid_offsets(bind_f32(out), w, bind_f32(from), &err), 1, &err);
}

/* native.method.regrid(weight, values [m, k] f32, scales [m, groups] f32) -> weight */
static int method_regrid(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_weight_grid g;
  vise_err err;
  if (vise_weight_grid_of(&g, w, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const float *values = bind_f32(bind_check_matrix_of(L, 2, w->m, w->k));
  const float *scales = bind_f32(bind_check_matrix_of(L, 3, g.m, g.n_groups));
  vise_weight **slot = bind_new_weight(L);
  return bind_finish(L, vise_weight_regrid(slot, w, values, scales, &err), 1, &err);
}

static const luaL_Reg format_functions[] = {{"list", format_list}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"list", method_list},
    {"check", method_check},
    {"uses_importance", method_uses_importance},
    {"run", method_run},
    {"grid", method_grid},
    {"offsets", method_offsets},
    {"regrid", method_regrid},
    {NULL, NULL},
};

int luaopen_vise_native_format(lua_State *L) {
  luaL_newlib(L, format_functions);
  return 1;
}

int luaopen_vise_native_method(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
