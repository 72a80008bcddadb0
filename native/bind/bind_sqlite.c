/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_sqlite.c -- libsqlite3 as native.sqlite: statements with bound values, integers of 64
   bits. A statement lives in a handle of its own, so an error in between leaks nothing. */
#include "bind/bind.h"
#include "core/parallel.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#define DATABASE  "vise.database"
#define STATEMENT "vise.statement"

enum { BUSY_STEP_MS = 5, BUSY_LIMIT_MS = 30000 };

static sqlite3 *check_database(lua_State *L, int arg) {
  sqlite3 **slot = luaL_checkudata(L, arg, DATABASE);
  luaL_argcheck(L, *slot != NULL, arg, "database is closed");
  return *slot;
}

/* Another process writes: wait, up to 30 seconds, as long as nobody presses Ctrl-C. */
static int wait_for_others(void *unused, int tries) {
  (void)unused;
  if (vise_cancelled() || tries >= BUSY_LIMIT_MS / BUSY_STEP_MS) {
    return 0;
  }
  const struct timespec step = {.tv_nsec = BUSY_STEP_MS * 1000000L};
  nanosleep(&step, NULL);
  return 1;
}

/* What the database says: trouble of the world as nil, message, code; a wrong statement raises. */
static int fail(lua_State *L, sqlite3 *db) {
  const char *path = sqlite3_db_filename(db, NULL);
  vise_err err;
  vise_status code;
  switch (sqlite3_errcode(db)) {
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: code = VISE_EFORMAT; break;
  case SQLITE_NOMEM: code = VISE_ENOMEM; break;
  case SQLITE_ERROR:
  case SQLITE_RANGE:
  case SQLITE_MISUSE: code = VISE_EARG; break;
  default: code = vise_cancelled() ? VISE_ECANCELLED : VISE_EIO; break;
  }
  (void)vise_fail(&err, code, "%s: %s", path != NULL && *path != '\0' ? path : "database",
                  sqlite3_errmsg(db));
  return bind_fail(L, &err);
}

/* Does a file system lie on other machines too? Their memory is not shared, as WAL needs it. */
static bool is_remote(const char *path) {
  static const unsigned long remote[] = {0x6969 /* nfs */,      0xff534d42 /* cifs */,
                                         0xfe534d42 /* smb2 */, 0x0bd00bd0 /* lustre */,
                                         0x47504653 /* gpfs */, 0x19830326 /* beegfs */,
                                         0x00c36400 /* ceph */, 0x01021997 /* 9p */,
                                         0x5346414f /* afs */,  0x65735546 /* fuse */};
  struct statfs info;
  bool is_found = false;
  if (statfs(path, &info) == 0) {
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
      is_found |= (unsigned long)info.f_type == remote[i];
    }
  }
  return is_found;
}

/* sqlite.open(path) -> database | nil, message, code; made if need be; ":memory:" is none on disk */
static int sqlite_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  sqlite3 **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, DATABASE);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path, slot, flags, NULL) != SQLITE_OK) {
    return *slot == NULL ? luaL_error(L, "not enough memory") : fail(L, *slot);
  }
  sqlite3_busy_handler(*slot, wait_for_others, NULL);
  const char *settings = is_remote(path) ? "PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=ON"
                                         : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                           "PRAGMA foreign_keys=ON";
  return sqlite3_exec(*slot, settings, NULL, NULL, NULL) == SQLITE_OK ? 1 : fail(L, *slot);
}

/* One value for the parameter `index`. */
static int bind_value(lua_State *L, sqlite3_stmt *statement, int index) {
  switch (lua_type(L, -1)) {
  case LUA_TNIL: return sqlite3_bind_null(statement, index);
  case LUA_TBOOLEAN: return sqlite3_bind_int(statement, index, lua_toboolean(L, -1));
  case LUA_TNUMBER:
    return lua_isinteger(L, -1) ? sqlite3_bind_int64(statement, index, lua_tointeger(L, -1))
                                : sqlite3_bind_double(statement, index, lua_tonumber(L, -1));
  case LUA_TSTRING: {
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    return sqlite3_bind_text64(statement, index, text, n, SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  default: return luaL_error(L, "sqlite: value %d is a %s", index, luaL_typename(L, -1));
  }
}

/* The statement of argument 2 with the list of argument 3 bound; its handle is pushed. NULL after
   pushing nil, message, code. Raises unless there are as many values as parameters. */
static sqlite3_stmt *prepare(lua_State *L, sqlite3 *db) {
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  const char *rest;
  lua_settop(L, 3);
  sqlite3_stmt **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, STATEMENT);
  luaL_argcheck(L, n < 1 << 20, 2, "statement is too long");
  if (sqlite3_prepare_v2(db, text, (int)n + 1, slot, &rest) != SQLITE_OK) {
    fail(L, db);
    return NULL;
  }
  luaL_argcheck(L, *slot != NULL && rest[strspn(rest, " \n;")] == '\0', 2,
                "expected one statement");
  lua_Integer given = 0;
  if (lua_istable(L, 3)) {
    given = lua_getfield(L, 3, "n") == LUA_TNUMBER ? lua_tointeger(L, -1) : luaL_len(L, 3);
    lua_pop(L, 1);
  }
  const int expected = sqlite3_bind_parameter_count(*slot);
  if (given != expected) {
    luaL_error(L, "sqlite: %I values for a statement with %d parameters", given, expected);
  }
  for (int i = 1; i <= expected; i++) {
    lua_geti(L, 3, i);
    const int rc = bind_value(L, *slot, i);
    lua_pop(L, 1);
    if (rc != SQLITE_OK) {
      fail(L, db);
      return NULL;
    }
  }
  return *slot;
}

/* Let go of the statement whose handle is at `index`. */
static void finish(lua_State *L, int index) {
  sqlite3_stmt **slot = lua_touserdata(L, index);
  sqlite3_finalize(*slot);
  *slot = NULL;
}

/* db:run(sql[, {value, ...}]) -> rows changed | nil, message, code */
static int database_run(lua_State *L) {
  sqlite3 *db = check_database(L, 1);
  sqlite3_stmt *statement = prepare(L, db);
  if (statement == NULL) {
    return 3;
  }
  int rc;
  do {
    rc = sqlite3_step(statement);
  } while (rc == SQLITE_ROW);
  if (rc != SQLITE_DONE) {
    return fail(L, db);
  }
  finish(L, 4);
  lua_pushinteger(L, sqlite3_changes64(db));
  return 1;
}

static void push_column(lua_State *L, sqlite3_stmt *statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
  case SQLITE_NULL: lua_pushnil(L); break;
  case SQLITE_INTEGER: lua_pushinteger(L, sqlite3_column_int64(statement, column)); break;
  case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(statement, column)); break;
  default: {
    const void *bytes = sqlite3_column_blob(statement, column);
    lua_pushlstring(L, bytes != NULL ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
  }
  }
}

/* db:rows(sql[, {value, ...}]) -> {{column = value}, ...} | nil, message, code; NULL is absent */
static int database_rows(lua_State *L) {
  sqlite3 *db = check_database(L, 1);
  sqlite3_stmt *statement = prepare(L, db);
  if (statement == NULL) {
    return 3;
  }
  const int n_columns = sqlite3_column_count(statement);
  luaL_checkstack(L, n_columns + 8, "too many columns");
  for (int c = 0; c < n_columns; c++) {
    lua_pushstring(L, sqlite3_column_name(statement, c)); /* 5 + c */
  }
  lua_newtable(L);
  lua_Integer n = 0;
  int rc;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    lua_createtable(L, 0, n_columns);
    for (int c = 0; c < n_columns; c++) {
      lua_pushvalue(L, 5 + c);
      push_column(L, statement, c);
      lua_rawset(L, -3);
    }
    lua_rawseti(L, -2, ++n);
  }
  if (rc != SQLITE_DONE) {
    return fail(L, db);
  }
  finish(L, 4);
  return 1;
}

static int statement_close(lua_State *L) {
  luaL_checkudata(L, 1, STATEMENT);
  finish(L, 1);
  return 0;
}

/* db:close(), __close, __gc. Safe to call twice. */
static int database_close(lua_State *L) {
  sqlite3 **slot = luaL_checkudata(L, 1, DATABASE);
  sqlite3_close_v2(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {{"open", sqlite_open}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"run", database_run}, {"rows", database_rows}, {"close", database_close}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", database_close},
    {"__close", database_close},
    {NULL, NULL},
};

static const luaL_Reg statement_metamethods[] = {
    {"__index", NULL}, {"__gc", statement_close}, {NULL, NULL}};

int luaopen_vise_native_sqlite(lua_State *L) {
  static const luaL_Reg statement_methods[] = {{NULL, NULL}};
  bind_new_class(L, DATABASE, methods, metamethods);
  bind_new_class(L, STATEMENT, statement_methods, statement_metamethods);
  luaL_newlib(L, functions);
  return 1;
}
