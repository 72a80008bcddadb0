/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_gguf.c -- io/gguf.h and io/gguf_writer.h as native.gguf. */
#include "bind/bind.h"
#include "io/gguf_writer.h"

#include <string.h>

#define GGUF   "vise.gguf"
#define WRITER "vise.gguf.writer"

static vise_gguf *check_file(lua_State *L, int arg) {
  vise_gguf **slot = luaL_checkudata(L, arg, GGUF);
  luaL_argcheck(L, *slot != NULL, arg, "file is closed");
  return *slot;
}

/* gguf.open(path) -> file | nil, message, code */
static int gguf_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  vise_err err;
  vise_gguf **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, GGUF);
  return vise_gguf_open(slot, path, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* f:names() -> {name, ...} in the file's order */
static int gguf_names(lua_State *L) {
  const vise_gguf *f = check_file(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_gguf_count(f); i++) {
    const vise_gguf_text *name = &vise_gguf_entry_at(f, i)->name;
    lua_pushlstring(L, name->text, name->bytes);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* The entry named at `arg`; NULL after pushing nil, message, "format". */
static const vise_gguf_entry *find_entry(lua_State *L, const vise_gguf *f, int arg) {
  size_t bytes;
  const char *name = luaL_checklstring(L, arg, &bytes);
  const vise_gguf_entry *entry = vise_gguf_find(f, name, bytes);
  if (entry == NULL) {
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: has no tensor '%s'", vise_gguf_path(f), name);
    lua_pushstring(L, vise_status_name(VISE_EFORMAT));
  }
  return entry;
}

/* f:info(name) -> type, {d1, ...}, bytes | nil, message, code */
static int gguf_info(lua_State *L) {
  const vise_gguf_entry *e = find_entry(L, check_file(L, 1), 2);
  if (e == NULL) {
    return 3;
  }
  lua_pushstring(L, e->type->name);
  lua_createtable(L, e->rank, 0);
  for (int i = 0; i < e->rank; i++) {
    lua_pushinteger(L, e->shape[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_pushinteger(L, (lua_Integer)(e->end - e->begin));
  return 3;
}

/* f:tensor(name) -> tensor, a view of the mapped file; u8 [..., bytes of a row] if in blocks | nil,
 * message, code */
static int gguf_tensor(lua_State *L) {
  const vise_gguf *f = check_file(L, 1);
  const vise_gguf_entry *e = find_entry(L, f, 2);
  if (e == NULL) {
    return 3;
  }
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  return vise_gguf_tensor(slot, f, e, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* gguf.weight(type, tensor [m, k], or its blocks) -> weight | nil, message, code */
static int gguf_weight(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const vise_gguf_type *type = vise_gguf_type_find(name);
  if (type == NULL) {
    return luaL_error(L, "gguf: unknown type '%s'", name);
  }
  vise_tensor *t = bind_check_tensor(L, 2);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_gguf_weight(slot, type, t, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* f:keys() -> {name, ...} in the file's order */
static int gguf_keys(lua_State *L) {
  const vise_gguf *f = check_file(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_gguf_keys(f); i++) {
    const vise_gguf_text *name = &vise_gguf_key_at(f, i)->name;
    lua_pushlstring(L, name->text, name->bytes);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

static void push_value(lua_State *L, const vise_gguf_value *v) {
  switch (v->kind) {
  case VISE_GGUF_STRING: lua_pushlstring(L, v->text, (size_t)v->n); return;
  case VISE_GGUF_BOOL: lua_pushboolean(L, v->u != 0); return;
  case VISE_GGUF_F32:
  case VISE_GGUF_F64: lua_pushnumber(L, v->r); return;
  case VISE_GGUF_U8:
  case VISE_GGUF_U16:
  case VISE_GGUF_U32: lua_pushinteger(L, (lua_Integer)v->u); return;
  case VISE_GGUF_U64:
    if (v->u > INT64_MAX) {
      lua_pushnumber(L, (lua_Number)v->u);
    } else {
      lua_pushinteger(L, (lua_Integer)v->u);
    }
    return;
  case VISE_GGUF_ARRAY: break;
  default: lua_pushinteger(L, v->i); return;
  }
  luaL_checkstack(L, 4, "array in an array");
  const uint8_t *at = v->first;
  lua_newtable(L);
  for (uint64_t i = 0; i < v->n; i++) {
    vise_gguf_value element;
    vise_gguf_next(&element, &at, v->of);
    push_value(L, &element);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
}

/* f:value(key) -> value, "u32" or "[string]"; nil where the file has no such key */
static int gguf_value(lua_State *L) {
  size_t bytes;
  const vise_gguf *f = check_file(L, 1);
  const char *name = luaL_checklstring(L, 2, &bytes);
  const vise_gguf_key *key = vise_gguf_key_find(f, name, bytes);
  if (key == NULL) {
    luaL_pushfail(L);
    return 1;
  }
  push_value(L, &key->value);
  if (key->value.kind == VISE_GGUF_ARRAY) {
    lua_pushfstring(L, "[%s]", vise_gguf_kind_name(key->value.of));
  } else {
    lua_pushstring(L, vise_gguf_kind_name(key->value.kind));
  }
  return 2;
}

/* tostring(f) -> vise.gguf model.gguf, version 3, 47 tensors */
static int gguf_tostring(lua_State *L) {
  vise_gguf **slot = luaL_checkudata(L, 1, GGUF);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.gguf (closed)");
  } else {
    lua_pushfstring(L, "vise.gguf %s, version %d, %I tensors", vise_gguf_path(*slot),
                    (int)vise_gguf_version(*slot), (lua_Integer)vise_gguf_count(*slot));
  }
  return 1;
}

/* f:close(), __close, __gc: tensors taken before stay valid. Safe to call twice. */
static int gguf_close(lua_State *L) {
  vise_gguf **slot = luaL_checkudata(L, 1, GGUF);
  vise_gguf_close(*slot);
  *slot = NULL;
  return 0;
}

/* ---- writing ---- */

static void add_little(luaL_Buffer *b, uint64_t v, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    luaL_addchar(b, (char)(v >> 8 * i));
  }
}

static void add_string(lua_State *L, luaL_Buffer *b, int index, const char *key) {
  size_t n;
  if (lua_type(L, index) != LUA_TSTRING) {
    luaL_error(L, "gguf: key '%s' is %s, expected a string", key, luaL_typename(L, index));
  }
  const char *text = lua_tolstring(L, index, &n);
  add_little(b, n, 8);
  luaL_addlstring(b, text, n);
}

/* An integer that fits the kind. */
static uint64_t check_integer(lua_State *L, int index, vise_gguf_kind kind, const char *key) {
  const unsigned bits = 8 * (unsigned)vise_gguf_kind_bytes(kind);
  const bool is_signed = kind == VISE_GGUF_I8 || kind == VISE_GGUF_I16 || kind == VISE_GGUF_I32 ||
                         kind == VISE_GGUF_I64;
  int is_integer;
  const lua_Integer v = lua_tointegerx(L, index, &is_integer);
  const lua_Integer most = bits == 64 ? INT64_MAX : (1LL << (bits - is_signed)) - 1;
  if (!is_integer || v > most || v < (is_signed ? -most - 1 : 0)) {
    luaL_error(L, "gguf: key '%s' is %s, expected an integer of type %s", key,
               luaL_tolstring(L, index, NULL), vise_gguf_kind_name(kind));
  }
  return (uint64_t)v;
}

/* Append the value at absolute `index` as the file has it. Nothing else is pushed meanwhile, as a
   buffer may live on the stack. */
static void
add_value(lua_State *L, luaL_Buffer *b, int index, vise_gguf_kind kind, const char *key) {
  double r;
  float f;
  uint32_t bits;
  uint64_t wide;
  switch (kind) {
  case VISE_GGUF_STRING: add_string(L, b, index, key); return;
  case VISE_GGUF_BOOL:
    if (!lua_isboolean(L, index)) {
      luaL_error(L, "gguf: key '%s' is %s, expected true or false", key, luaL_typename(L, index));
    }
    add_little(b, (uint64_t)lua_toboolean(L, index), 1);
    return;
  case VISE_GGUF_F32:
  case VISE_GGUF_F64:
    if (lua_type(L, index) != LUA_TNUMBER) {
      luaL_error(L, "gguf: key '%s' is %s, expected a number", key, luaL_typename(L, index));
    }
    r = lua_tonumber(L, index);
    f = (float)r;
    memcpy(&bits, &f, sizeof bits);
    memcpy(&wide, &r, sizeof wide);
    add_little(b, kind == VISE_GGUF_F32 ? bits : wide, vise_gguf_kind_bytes(kind));
    return;
  default: add_little(b, check_integer(L, index, kind, key), vise_gguf_kind_bytes(kind)); return;
  }
}

static vise_gguf_kind check_kind(lua_State *L, const char *name, size_t n, const char *key) {
  char word[16] = "";
  vise_gguf_kind kind;
  memcpy(word, name, n < sizeof word ? n : sizeof word - 1);
  if (!vise_gguf_kind_find(&kind, word) || kind == VISE_GGUF_ARRAY) {
    luaL_error(L, "gguf: key '%s' is of unknown type '%s'", key, name);
  }
  return kind;
}

/* Replace {name, type, value} at the top of the stack by its bytes in the file. */
static void encode_key(lua_State *L) {
  const int row = lua_gettop(L);
  luaL_argcheck(L, lua_istable(L, row), 2, "keys are {name, type, value}");
  luaL_argcheck(L, lua_geti(L, row, 1) == LUA_TSTRING, 2, "keys are {name, type, value}");
  luaL_argcheck(L, lua_geti(L, row, 2) == LUA_TSTRING, 2, "keys are {name, type, value}");
  lua_geti(L, row, 3);
  const char *key = lua_tostring(L, row + 1), *type = lua_tostring(L, row + 2);
  const size_t n = strlen(type);
  luaL_argcheck(L, strcmp(key, "general.alignment") != 0, 2, "the alignment is not chosen");
  lua_pushnil(L); /* an element of an array */
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  add_string(L, &b, row + 1, key);
  if (type[0] != '[' || type[n - 1] != ']') {
    const vise_gguf_kind kind = check_kind(L, type, n, key);
    add_little(&b, kind, 4);
    add_value(L, &b, row + 3, kind, key);
  } else {
    const vise_gguf_kind kind = check_kind(L, type + 1, n - 2, key);
    luaL_argcheck(L, lua_istable(L, row + 3), 2, "the value of an array is a table");
    const lua_Unsigned count = lua_rawlen(L, row + 3);
    add_little(&b, VISE_GGUF_ARRAY, 4);
    add_little(&b, kind, 4);
    add_little(&b, count, 8);
    for (lua_Unsigned i = 1; i <= count; i++) {
      lua_rawgeti(L, row + 3, (lua_Integer)i);
      lua_replace(L, row + 4);
      add_value(L, &b, row + 4, kind, key);
    }
  }
  luaL_pushresult(&b);
  lua_replace(L, row);
  lua_settop(L, row);
}

/* Push all keys of the list at `arg` as one string; returns their number. */
static lua_Integer encode_keys(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, arg);
  luaL_argcheck(L, n >= 0 && n < 10000, arg, "too many keys");
  luaL_checkstack(L, (int)n + 8, "too many keys");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, arg, i);
    encode_key(L);
  }
  lua_concat(L, (int)n);
  return n;
}

/* The tensors to come, in memory that Lua frees. */
static vise_gguf_item *check_items(lua_State *L, int arg, int64_t *n_out) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, arg);
  vise_gguf_item *items = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *items, 0);
  for (lua_Integer i = 0; i < n; i++) {
    int64_t shape[VISE_RANK_MAX];
    luaL_argcheck(L, lua_geti(L, arg, i + 1) == LUA_TTABLE, arg, "tensors are {name, shape}");
    luaL_argcheck(L, lua_geti(L, -1, 1) == LUA_TSTRING, arg, "tensors are {name, shape}");
    luaL_argcheck(L, lua_geti(L, -2, 2) == LUA_TTABLE, arg, "tensors are {name, shape}");
    items[i].name.text = lua_tolstring(L, -2, &items[i].name.bytes); /* kept by the table */
    items[i].rank = bind_check_shape(L, lua_gettop(L), shape);
    luaL_argcheck(L, items[i].rank <= VISE_GGUF_RANK_MAX, arg, "a shape has at most 4 dimensions");
    memcpy(items[i].shape, shape, (size_t)items[i].rank * sizeof *shape);
    lua_pop(L, 3);
  }
  *n_out = n;
  return items;
}

/* gguf.create(path, {{key, type, value}, ...}, {{name, shape}, ...}) -> writer | nil, message, code
 */
static int gguf_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 3);
  int64_t n;
  size_t bytes;
  const lua_Integer n_keys = encode_keys(L, 2);
  const char *keys = lua_tolstring(L, 4, &bytes);
  const vise_gguf_item *items = check_items(L, 3, &n);
  vise_err err;
  vise_gguf_writer **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, WRITER);
  return vise_gguf_writer_create(slot, path, keys, bytes, n_keys, items, n, &err) == VISE_OK
             ? 1
             : bind_fail(L, &err);
}

static vise_gguf_writer **check_writer(lua_State *L) {
  vise_gguf_writer **slot = luaL_checkudata(L, 1, WRITER);
  luaL_argcheck(L, *slot != NULL, 1, "file is closed");
  return slot;
}

/* writer:add(type, tensor) -> true | nil, message, code; the next tensor */
static int writer_add(lua_State *L) {
  vise_gguf_writer *w = *check_writer(L);
  const char *name = luaL_checkstring(L, 2);
  const vise_gguf_type *type = vise_gguf_type_find(name);
  if (type == NULL) {
    return luaL_error(L, "gguf: unknown type '%s'", name);
  }
  vise_err err;
  if (vise_gguf_writer_add(w, type, bind_check_tensor(L, 3), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* writer:commit() -> bytes of the file | nil, message, code; closes the writer either way */
static int writer_commit(lua_State *L) {
  vise_gguf_writer **slot = check_writer(L), *w = *slot;
  uint64_t bytes;
  vise_err err;
  *slot = NULL;
  if (vise_gguf_writer_commit(&bytes, w, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* writer:abort(), __close, __gc: nothing is left of a file not committed. Safe to call twice. */
static int writer_abort(lua_State *L) {
  vise_gguf_writer **slot = luaL_checkudata(L, 1, WRITER);
  vise_gguf_writer_abort(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"open", gguf_open}, {"weight", gguf_weight}, {"create", gguf_create}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"names", gguf_names}, {"info", gguf_info},   {"tensor", gguf_tensor},
    {"keys", gguf_keys},   {"value", gguf_value}, {"close", gguf_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", gguf_close}, {"__close", gguf_close}, {"__tostring", gguf_tostring}, {NULL, NULL},
};

static const luaL_Reg writer_methods[] = {
    {"add", writer_add}, {"commit", writer_commit}, {"abort", writer_abort}, {NULL, NULL}};

static const luaL_Reg writer_metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", writer_abort},
    {"__close", writer_abort},
    {NULL, NULL},
};

int luaopen_vise_native_gguf(lua_State *L) {
  bind_new_class(L, GGUF, methods, metamethods);
  bind_new_class(L, WRITER, writer_methods, writer_metamethods);
  luaL_newlib(L, functions);
  return 1;
}
