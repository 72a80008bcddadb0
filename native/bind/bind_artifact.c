/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_artifact.c -- artifact/artifact.h as native.artifact. */
#include "artifact/artifact.h"
#include "bind/bind.h"

#include <string.h>

#define ARTIFACT "vise.artifact"
#define WRITER   "vise.artifact.writer"

static vise_artifact *check_artifact(lua_State *L, int arg) {
  vise_artifact **slot = luaL_checkudata(L, arg, ARTIFACT);
  luaL_argcheck(L, *slot != NULL, arg, "artifact is closed");
  return *slot;
}

static vise_artifact_writer *check_writer(lua_State *L, int arg) {
  vise_artifact_writer **slot = luaL_checkudata(L, arg, WRITER);
  luaL_argcheck(L, *slot != NULL, arg, "artifact is committed or aborted");
  return *slot;
}

static void push_hash(lua_State *L, const uint8_t *hash) {
  char hex[VISE_SHA256_HEX];
  vise_sha256_hex(hex, hash);
  lua_pushstring(L, hex);
}

/* ---- writing ---- */

static void check_option_names(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) {
    return;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, arg) != 0; lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(name, "coder") != 0 && strcmp(name, "level") != 0 && strcmp(name, "sync") != 0) {
      luaL_error(L, "artifact: unknown option '%s' (known: coder, level, sync)",
                 luaL_tolstring(L, -2, NULL));
    }
  }
}

static vise_artifact_coder check_coder(lua_State *L, int arg) {
  static const char *const names[] = {"raw", "rans", "zstd"};
  if (lua_isnoneornil(L, arg) || lua_getfield(L, arg, "coder") == LUA_TNIL) {
    return VISE_CODER_ZSTD;
  }
  const char *name = luaL_tolstring(L, -1, NULL);
  for (int i = 0; i < 3; i++) {
    if (strcmp(name, names[i]) == 0) {
      return (vise_artifact_coder)i;
    }
  }
  luaL_error(L, "artifact: coder is '%s', expected raw, rans or zstd", name);
  return VISE_CODER_ZSTD;
}

/* artifact.create(path[, {coder = "zstd", level = 1, sync = true}]) -> writer | nil, message, code
 */
static int artifact_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  check_option_names(L, 2);
  const lua_Integer level = bind_option_int(L, 2, "level", 1);
  luaL_argcheck(L, level >= VISE_ARTIFACT_LEVEL_MIN && level <= VISE_ARTIFACT_LEVEL_MAX, 2,
                "level is outside -50 to 19");
  const vise_artifact_options options = {.coder = check_coder(L, 2),
                                         .level = (int)level,
                                         .is_synced = bind_option_bool(L, 2, "sync", true)};
  vise_err err;
  vise_artifact_writer **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, WRITER);
  return vise_artifact_writer_create(slot, path, &options, &err) == VISE_OK ? 1
                                                                            : bind_fail(L, &err);
}

static int finish_add(lua_State *L, vise_status st, const vise_err *err) {
  if (st != VISE_OK) {
    return bind_fail(L, err);
  }
  lua_settop(L, 1);
  return 1;
}

/* writer:add_weight(name, weight) -> writer | nil, message, code */
static int writer_add_weight(lua_State *L) {
  vise_artifact_writer *w = check_writer(L, 1);
  const char *name = luaL_checkstring(L, 2);
  const vise_weight *weight = bind_check_weight(L, 3);
  vise_err err;
  return finish_add(L, vise_artifact_writer_add_weight(w, name, weight, &err), &err);
}

/* writer:add_tensor(name, tensor) -> writer | nil, message, code */
static int writer_add_tensor(lua_State *L) {
  vise_artifact_writer *w = check_writer(L, 1);
  const char *name = luaL_checkstring(L, 2);
  vise_tensor *t = bind_check_tensor(L, 3);
  vise_err err;
  return finish_add(L, vise_artifact_writer_add_tensor(w, name, t, &err), &err);
}

/* writer:commit(manifest[, record]) -> {bytes, hash} | nil, message, code; the writer is done */
static int writer_commit(lua_State *L) {
  vise_artifact_writer *w = check_writer(L, 1);
  const char *manifest = luaL_checkstring(L, 2);
  const char *record = luaL_optstring(L, 3, NULL);
  vise_artifact_writer **slot = lua_touserdata(L, 1);
  *slot = NULL; /* freed by commit, whatever comes of it */
  vise_artifact_seal seal;
  vise_err err;
  if (vise_artifact_writer_commit(w, &seal, manifest, record, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, (lua_Integer)seal.bytes);
  lua_setfield(L, -2, "bytes");
  push_hash(L, seal.hash);
  lua_setfield(L, -2, "hash");
  return 1;
}

/* writer:abort(), __close, __gc: nothing is left. Does nothing after commit. */
static int writer_abort(lua_State *L) {
  vise_artifact_writer **slot = luaL_checkudata(L, 1, WRITER);
  vise_artifact_writer_abort(*slot);
  *slot = NULL;
  return 0;
}

/* ---- reading ---- */

/* artifact.open(path) -> artifact | nil, message, code */
static int artifact_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  vise_err err;
  vise_artifact **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, ARTIFACT);
  return vise_artifact_open(slot, path, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* a:names() -> {name, ...} in the order in which they were added */
static int artifact_names(lua_State *L) {
  const vise_artifact *a = check_artifact(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_artifact_count(a); i++) {
    lua_pushstring(L, vise_artifact_name_at(a, i));
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* a:kind(name) -> "weight" | "tensor" | nil if there is no such name */
static int artifact_kind(lua_State *L) {
  const vise_artifact *a = check_artifact(L, 1);
  const int64_t i = vise_artifact_find(a, luaL_checkstring(L, 2));
  if (i < 0) {
    luaL_pushfail(L);
  } else {
    lua_pushstring(L, vise_artifact_is_weight(a, i) ? "weight" : "tensor");
  }
  return 1;
}

/* Index of the entry named at `arg`; -1 after pushing nil, message, "format". */
static int64_t find_entry(lua_State *L, const vise_artifact *a, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const int64_t i = vise_artifact_find(a, name);
  if (i < 0) {
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: has no weight or tensor '%s'", vise_artifact_path(a), name);
    lua_pushstring(L, vise_status_name(VISE_EFORMAT));
  }
  return i;
}

/* a:weight(name) -> weight, its content checked | nil, message, code */
static int artifact_weight(lua_State *L) {
  vise_artifact *a = check_artifact(L, 1);
  const int64_t i = find_entry(L, a, 2);
  if (i < 0) {
    return 3;
  }
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  if (vise_artifact_weight(slot, a, i, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, (size_t)vise_artifact_entry_at(a, i).packed_bytes);
  return 1;
}

/* a:tensor(name) -> tensor, its content checked | nil, message, code */
static int artifact_tensor(lua_State *L) {
  vise_artifact *a = check_artifact(L, 1);
  const int64_t i = find_entry(L, a, 2);
  if (i < 0) {
    return 3;
  }
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_artifact_tensor(slot, a, i, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, vise_tensor_is_mapped(*slot) ? 0 : vise_tensor_bytes(*slot));
  return 1;
}

/* a:manifest() -> JSON text */
static int artifact_manifest(lua_State *L) {
  size_t n;
  const char *text = vise_artifact_manifest(check_artifact(L, 1), &n);
  lua_pushlstring(L, text, n);
  return 1;
}

/* a:record() -> JSON text, "" if there is none */
static int artifact_record(lua_State *L) {
  size_t n;
  const char *text = vise_artifact_record(check_artifact(L, 1), &n);
  lua_pushlstring(L, text, n);
  return 1;
}

/* a:hash() -> 64 hexadecimal digits */
static int artifact_hash(lua_State *L) {
  push_hash(L, vise_artifact_hash(check_artifact(L, 1)));
  return 1;
}

/* a:bytes() -> size of the file */
static int artifact_bytes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)vise_artifact_bytes(check_artifact(L, 1)));
  return 1;
}

/* a:path() -> string */
static int artifact_path(lua_State *L) {
  lua_pushstring(L, vise_artifact_path(check_artifact(L, 1)));
  return 1;
}

static void set_integer(lua_State *L, const char *field, uint64_t v) {
  lua_pushinteger(L, (lua_Integer)v);
  lua_setfield(L, -2, field);
}

static void set_string(lua_State *L, const char *field, const char *v) {
  lua_pushstring(L, v);
  lua_setfield(L, -2, field);
}

/* Append a row to the table on top of the stack. */
static void push_part(void *arg, const vise_artifact_part *part) {
  lua_State *L = arg;
  lua_createtable(L, 0, 6);
  set_string(L, "name", part->name);
  set_string(L, "dtype", vise_dtype_name(part->dtype));
  lua_createtable(L, part->rank, 0);
  for (int i = 0; i < part->rank; i++) {
    lua_pushinteger(L, part->shape[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "shape");
  set_integer(L, "packed", part->packed_bytes);
  set_integer(L, "coded", part->is_first ? part->coded_bytes : 0);
  set_string(L, "coder", part->coder);
  if (part->entropy_bytes >= 0) {
    const uint64_t entropy = part->is_first ? (uint64_t)part->entropy_bytes : 0;
    set_integer(L, "entropy", entropy);
  }
  lua_seti(L, -2, luaL_len(L, -2) + 1);
}

/* a:ledger() -> {{name, kind, description, packed, coded, parts = {...}} | {name, ..., same_as}} */
static int artifact_ledger(lua_State *L) {
  const vise_artifact *a = check_artifact(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < vise_artifact_count(a); i++) {
    const vise_artifact_entry e = vise_artifact_entry_at(a, i);
    lua_createtable(L, 0, 7);
    set_string(L, "name", e.name);
    set_string(L, "kind", e.is_weight ? "weight" : "tensor");
    set_string(L, "description", e.description);
    set_integer(L, "packed", e.packed_bytes);
    set_integer(L, "coded", e.coded_bytes);
    if (e.entropy_bytes >= 0) {
      set_integer(L, "entropy", (uint64_t)e.entropy_bytes);
    }
    if (e.same_as != NULL) {
      set_string(L, "same_as", e.same_as);
    } else {
      lua_newtable(L);
      luaL_checkstack(L, 8, NULL);
      vise_artifact_each_part(a, i, push_part, L);
      lua_setfield(L, -2, "parts");
    }
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* a:measure_entropy() -> true | nil, message, code; the parts of a ledger then have `entropy` */
static int artifact_measure_entropy(lua_State *L) {
  vise_err err;
  if (vise_artifact_measure_entropy(check_artifact(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* a:verify() -> true | nil, message, code */
static int artifact_verify(lua_State *L) {
  vise_err err;
  if (vise_artifact_verify(check_artifact(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* tostring(a) -> vise.artifact model.vise, 48 entries */
static int artifact_tostring(lua_State *L) {
  vise_artifact **slot = luaL_checkudata(L, 1, ARTIFACT);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.artifact (closed)");
  } else {
    lua_pushfstring(L, "vise.artifact %s, %I entries", vise_artifact_path(*slot),
                    (LUAI_UACINT)vise_artifact_count(*slot));
  }
  return 1;
}

/* a:close(), __close, __gc: what was taken before stays valid. Safe to call twice. */
static int artifact_close(lua_State *L) {
  vise_artifact **slot = luaL_checkudata(L, 1, ARTIFACT);
  vise_artifact_close(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"create", artifact_create}, {"open", artifact_open}, {NULL, NULL}};

static const luaL_Reg writer_methods[] = {
    {"add_weight", writer_add_weight},
    {"add_tensor", writer_add_tensor},
    {"commit", writer_commit},
    {"abort", writer_abort},
    {NULL, NULL},
};

static const luaL_Reg writer_metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", writer_abort},
    {"__close", writer_abort},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"names", artifact_names},       {"kind", artifact_kind},
    {"weight", artifact_weight},     {"tensor", artifact_tensor},
    {"record", artifact_record},     {"hash", artifact_hash},
    {"manifest", artifact_manifest}, {"bytes", artifact_bytes},
    {"path", artifact_path},         {"ledger", artifact_ledger},
    {"verify", artifact_verify},     {"measure_entropy", artifact_measure_entropy},
    {"close", artifact_close},       {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", artifact_close},
    {"__close", artifact_close},
    {"__tostring", artifact_tostring},
    {NULL, NULL},
};

int luaopen_vise_native_artifact(lua_State *L) {
  bind_new_class(L, WRITER, writer_methods, writer_metamethods);
  bind_new_class(L, ARTIFACT, methods, metamethods);
  luaL_newlib(L, functions);
  luaL_getmetatable(L, ARTIFACT);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "methods");
  lua_pop(L, 1);
  return 1;
}
