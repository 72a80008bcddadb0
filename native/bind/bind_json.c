/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind/bind_json.c -- JSON to and from Lua values: native.json.
 *
 * Integers stay integers and floats stay floats in both directions. Objects are written with their
 * keys in byte order, so equal values give equal texts.
 */
#include "bind/bind.h"
#include "core/mem.h"
#include "io/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT "vise.json_document"
#define TEXT     "vise.json_text"
#define NULLS    "vise.json_null"
#define ARRAY    "vise.json_array"

/* ---- decode ---- */

static int document_gc(lua_State *L) {
  json_t **slot = luaL_checkudata(L, 1, DOCUMENT);
  json_decref(*slot);
  *slot = NULL;
  return 0;
}

static void push_null(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, NULLS ".value");
}

static void push_value(lua_State *L, const json_t *value) {
  luaL_checkstack(L, 4, "json");
  switch (json_typeof(value)) {
  case JSON_OBJECT: {
    const char *key;
    json_t *child;
    lua_createtable(L, 0, (int)json_object_size(value));
    json_object_foreach((json_t *)(uintptr_t)value, key, child) {
      push_value(L, child);
      lua_setfield(L, -2, key);
    }
    break;
  }
  case JSON_ARRAY: {
    const size_t n = json_array_size(value);
    lua_createtable(L, (int)n, 0);
    luaL_setmetatable(L, ARRAY);
    for (size_t i = 0; i < n; i++) {
      push_value(L, json_array_get(value, i));
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    break;
  }
  case JSON_STRING: lua_pushlstring(L, json_string_value(value), json_string_length(value)); break;
  case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); break;
  case JSON_REAL: lua_pushnumber(L, json_real_value(value)); break;
  case JSON_TRUE: lua_pushboolean(L, 1); break;
  case JSON_FALSE: lua_pushboolean(L, 0); break;
  case JSON_NULL: push_null(L); break;
  }
}

/* json.decode(text) -> value; null is json.null, arrays remember that they are arrays */
static int json_decode(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  json_t **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, DOCUMENT);
  vise_err err;
  const vise_status st = vise_json_parse(slot, text, n, &err);
  if (st != VISE_OK) {
    (void)vise_fail_in(&err, st, "json");
    return bind_fail(L, &err);
  }
  push_value(L, *slot);
  json_decref(*slot);
  *slot = NULL;
  return 1;
}

/* ---- encode ---- */

typedef struct text {
  char *data; /* owned */
  size_t n, room;
  int indent; /* spaces a level; 0: one line */
} text;

static int text_gc(lua_State *L) {
  text *t = luaL_checkudata(L, 1, TEXT);
  vise_mem_free(t->data);
  t->data = NULL;
  return 0;
}

static void add(lua_State *L, text *t, const char *s, size_t n) {
  if (t->room - t->n < n) {
    vise_err err;
    void *grown = t->data;
    const size_t room = 2 * t->room + n + 256;
    if (vise_mem_resize(&grown, room, &err) != VISE_OK) {
      luaL_error(L, "%s", err.msg);
    }
    t->data = grown;
    t->room = room;
  }
  memcpy(t->data + t->n, s, n);
  t->n += n;
}

static void add_line(lua_State *L, text *t, int depth) {
  if (t->indent > 0) {
    add(L, t, "\n", 1);
    for (int i = 0; i < depth * t->indent; i++) {
      add(L, t, " ", 1);
    }
  }
}

/* Length of the valid UTF-8 character at s, or 0. Overlong forms and surrogates are not valid. */
static size_t character(const unsigned char *s, size_t n) {
  static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
  const size_t length = s[0] < 0x80                   ? 1
                        : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                        : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                        : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || length > n) {
    return 0;
  }
  unsigned code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((s[i] & 0xc0u) != 0x80u) {
      return 0;
    }
    code = code << 6 | (s[i] & 0x3fu);
  }
  const bool is_valid = code >= least[length] && code <= 0x10ffff && (code & ~0x7ffu) != 0xd800;
  return is_valid ? length : 0;
}

static void add_string(lua_State *L, text *t, const char *s, size_t n) {
  add(L, t, "\"", 1);
  for (size_t i = 0; i < n;) {
    const size_t length = character((const unsigned char *)s + i, n - i);
    const unsigned char c = (unsigned char)s[i];
    char escape[8];
    if (length == 0) {
      add(L, t, "\xef\xbf\xbd", 3); /* JSON has no way to say a stray byte: U+FFFD */
    } else if (c == '"' || c == '\\') {
      add(L, t, (const char[]){'\\', (char)c}, 2);
    } else if (c == '\n') {
      add(L, t, "\\n", 2);
    } else if (c == '\t') {
      add(L, t, "\\t", 2);
    } else if (c < 0x20) {
      add(L, t, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
    } else {
      add(L, t, s + i, length);
    }
    i += length == 0 ? 1 : length;
  }
  add(L, t, "\"", 1);
}

/* The shortest digits that read back as the same double; always with a mark of a float. */
static void add_number(lua_State *L, text *t, double v) {
  char digits[40];
  if (!isfinite(v)) {
    add(L, t, "null", 4);
    return;
  }
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, v);
    if (strtod(digits, NULL) == v) {
      break;
    }
  }
  add(L, t, digits, strlen(digits));
  if (strpbrk(digits, ".e") == NULL) {
    add(L, t, ".0", 2);
  }
}

typedef struct key {
  const char *s; /* borrowed from the table */
  size_t n;
} key;

static int compare_keys(const void *a, const void *b) {
  const key *x = a, *y = b;
  const size_t n = x->n < y->n ? x->n : y->n;
  const int order = memcmp(x->s, y->s, n);
  return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static void add_value(lua_State *L, text *t, int depth);

static void add_array(lua_State *L, text *t, int depth) {
  const lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  add(L, t, "[", 1);
  for (lua_Integer i = 1; i <= n; i++) {
    add(L, t, ",", i > 1);
    add_line(L, t, depth + 1);
    lua_rawgeti(L, -1, i);
    add_value(L, t, depth + 1);
    lua_pop(L, 1);
  }
  if (n > 0) {
    add_line(L, t, depth);
  }
  add(L, t, "]", 1);
}

static void add_object(lua_State *L, text *t, int depth) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_error(L, "json: key %s is a %s, expected a string", luaL_tolstring(L, -2, NULL),
                 luaL_typename(L, -2));
    }
    n++;
  }
  key *keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
  size_t i = 0;
  for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
    keys[i].s = lua_tolstring(L, -2, &keys[i].n);
    i++;
  }
  qsort(keys, n, sizeof *keys, compare_keys);
  add(L, t, "{", 1);
  for (i = 0; i < n; i++) {
    add(L, t, ",", i > 0);
    add_line(L, t, depth + 1);
    add_string(L, t, keys[i].s, keys[i].n);
    add(L, t, ": ", t->indent > 0 ? 2 : 1);
    lua_pushlstring(L, keys[i].s, keys[i].n);
    lua_rawget(L, -3);
    add_value(L, t, depth + 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (n > 0) {
    add_line(L, t, depth);
  }
  add(L, t, "}", 1);
}

static bool is_array(lua_State *L) {
  if (lua_getmetatable(L, -1)) {
    luaL_getmetatable(L, ARRAY);
    const bool is_marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (is_marked) {
      return true;
    }
  }
  const bool has_first = lua_rawgeti(L, -1, 1) != LUA_TNIL;
  lua_pop(L, 1);
  return has_first;
}

/* The value on top of the stack, which stays. */
static void add_value(lua_State *L, text *t, int depth) {
  size_t n;
  luaL_checkstack(L, 8, "json");
  switch (lua_type(L, -1)) {
  case LUA_TNIL: add(L, t, "null", 4); return;
  case LUA_TBOOLEAN:
    add(L, t, lua_toboolean(L, -1) ? "true" : "false", lua_toboolean(L, -1) ? 4 : 5);
    return;
  case LUA_TSTRING: {
    const char *s = lua_tolstring(L, -1, &n);
    add_string(L, t, s, n);
    return;
  }
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) {
      char digits[24];
      n = (size_t)snprintf(digits, sizeof digits, "%lld", lua_tointeger(L, -1));
      add(L, t, digits, n);
    } else {
      add_number(L, t, lua_tonumber(L, -1));
    }
    return;
  case LUA_TTABLE:
    if (depth >= VISE_JSON_DEPTH_MAX) {
      luaL_error(L, "json: nested deeper than %d levels", VISE_JSON_DEPTH_MAX);
    }
    (is_array(L) ? add_array : add_object)(L, t, depth);
    return;
  default:
    if (luaL_testudata(L, -1, NULLS) != NULL) {
      add(L, t, "null", 4);
      return;
    }
    luaL_error(L, "json: cannot write a %s", luaL_typename(L, -1));
  }
}

/* json.encode(value[, {indent = n}]) -> text; NaN and infinities are null */
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  const lua_Integer indent = bind_option_int(L, 2, "indent", 0);
  luaL_argcheck(L, indent >= 0 && indent <= 16, 2, "expected an indent of 0 to 16 spaces");
  text *t = lua_newuserdatauv(L, sizeof *t, 0);
  *t = (text){.indent = (int)indent};
  luaL_setmetatable(L, TEXT);
  lua_pushvalue(L, 1);
  add_value(L, t, 0);
  lua_pushlstring(L, t->n == 0 ? "" : t->data, t->n);
  vise_mem_free(t->data);
  t->data = NULL;
  return 1;
}

/* json.array(t) -> t, which is written as an array even when it is empty */
static int json_array_mark(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_setmetatable(L, ARRAY);
  return 1;
}

static int null_tostring(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

static const luaL_Reg functions[] = {
    {"decode", json_decode},
    {"encode", json_encode},
    {"array", json_array_mark},
    {NULL, NULL},
};

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg document_metamethods[] = {{"__gc", document_gc}, {NULL, NULL}};
static const luaL_Reg text_metamethods[] = {{"__gc", text_gc}, {NULL, NULL}};
static const luaL_Reg null_metamethods[] = {{"__tostring", null_tostring}, {NULL, NULL}};

int luaopen_vise_native_json(lua_State *L) {
  bind_new_class(L, DOCUMENT, no_methods, document_metamethods);
  bind_new_class(L, TEXT, no_methods, text_metamethods);
  bind_new_class(L, NULLS, no_methods, null_metamethods);
  luaL_newmetatable(L, ARRAY); /* only a mark: the table stays an ordinary one */
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_newuserdatauv(L, 1, 0);
  luaL_setmetatable(L, NULLS);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, NULLS ".value");
  lua_setfield(L, -2, "null");
  return 1;
}
