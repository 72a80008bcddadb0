/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_file.c -- core/file.h as native.file, and the terminal. */
#include "bind/bind.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "io/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAMES "vise.file_names"
#define BYTES "vise.file_bytes"

enum { READ_LIMIT = 1 << 30 };

static int done(lua_State *L, vise_status st, const vise_err *err) {
  if (st != VISE_OK) {
    return bind_fail(L, err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static int bytes_gc(lua_State *L) {
  char **slot = luaL_checkudata(L, 1, BYTES);
  vise_mem_free(*slot);
  *slot = NULL;
  return 0;
}

/* file.read(path[, limit]) -> the whole content; more than `limit` bytes (1 GiB) are refused */
static int file_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const lua_Integer limit = luaL_optinteger(L, 2, READ_LIMIT);
  luaL_argcheck(L, limit >= 0, 2, "expected 0 or more bytes");
  char **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, BYTES);
  size_t n;
  vise_err err;
  if (vise_file_read(slot, &n, path, (size_t)limit, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushlstring(L, *slot, n);
  vise_mem_free(*slot);
  *slot = NULL;
  return 1;
}

/* file.gunzip(bytes[, limit]) -> what a .gz file of these bytes holds; at most `limit` bytes (1 GiB) */
static int file_gunzip(lua_State *L) {
  size_t n, n_out;
  const char *packed = luaL_checklstring(L, 1, &n);
  const lua_Integer limit = luaL_optinteger(L, 2, READ_LIMIT);
  luaL_argcheck(L, limit >= 0, 2, "expected 0 or more bytes");
  char **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, BYTES);
  uint8_t *out;
  vise_err err;
  if (vise_gzip_unpack(&out, &n_out, (const uint8_t *)packed, n, (size_t)limit, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  *slot = (char *)out;
  lua_pushlstring(L, *slot, n_out);
  vise_mem_free(*slot);
  *slot = NULL;
  return 1;
}

/* file.replace(path, content) -> true; the file changes as a whole or not at all */
static int file_replace(lua_State *L) {
  size_t n;
  const char *path = luaL_checkstring(L, 1);
  const char *data = luaL_checklstring(L, 2, &n);
  vise_err err;
  return done(L, vise_file_replace(path, data, n, &err), &err);
}

/* file.make_dirs(path) -> true; the folders above it too */
static int file_make_dirs(lua_State *L) {
  vise_err err;
  return done(L, vise_file_make_dirs(luaL_checkstring(L, 1), &err), &err);
}

/* file.remove_tree(path) -> true; also when there is nothing */
static int file_remove_tree(lua_State *L) {
  vise_err err;
  return done(L, vise_file_remove_tree(luaL_checkstring(L, 1), &err), &err);
}

/* file.tree_bytes(path, stop_at) -> bytes on disk of a folder; more than stop_at as soon as passed */
static int file_tree_bytes(lua_State *L) {
  const lua_Integer stop_at = luaL_checkinteger(L, 2);
  luaL_argcheck(L, stop_at >= 0, 2, "expected at least 0");
  lua_pushinteger(L, (lua_Integer)vise_file_tree_bytes(luaL_checkstring(L, 1), (uint64_t)stop_at));
  return 1;
}

/* file.free_bytes(path) -> bytes that may still be written to its file system */
static int file_free_bytes(lua_State *L) {
  vise_err err;
  uint64_t bytes;
  if (vise_file_free_bytes(&bytes, luaL_checkstring(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* file.rename(from, to) -> true */
static int file_rename(lua_State *L) {
  vise_err err;
  return done(L, vise_file_rename(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &err), &err);
}

static int names_gc(lua_State *L) {
  vise_file_names_free(luaL_checkudata(L, 1, NAMES));
  return 0;
}

/* file.list(folder) -> {name, ...} in byte order */
static int file_list(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  vise_file_names *names = lua_newuserdatauv(L, sizeof *names, 0);
  *names = (vise_file_names){0};
  luaL_setmetatable(L, NAMES);
  vise_err err;
  if (vise_file_list(names, path, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_newtable(L);
  for (int64_t i = 0; i < names->n; i++) {
    lua_pushstring(L, names->names[i]);
    lua_seti(L, -2, i + 1);
  }
  vise_file_names_free(names);
  return 1;
}

/* file.stat(path) -> {kind = "file" | "folder" | "other", bytes, changed_ns, device, inode} */
static int file_stat(lua_State *L) {
  static const char *const kinds[] = {
      [VISE_FILE_PLAIN] = "file", [VISE_FILE_FOLDER] = "folder", [VISE_FILE_OTHER] = "other"};
  vise_file_info info;
  vise_err err;
  if (vise_file_stat(&info, luaL_checkstring(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_createtable(L, 0, 5);
  lua_pushstring(L, kinds[info.kind]);
  lua_setfield(L, -2, "kind");
  lua_pushinteger(L, (lua_Integer)info.bytes);
  lua_setfield(L, -2, "bytes");
  lua_pushinteger(L, info.changed_ns);
  lua_setfield(L, -2, "changed_ns");
  lua_pushinteger(L, (lua_Integer)info.device);
  lua_setfield(L, -2, "device");
  lua_pushinteger(L, (lua_Integer)info.inode);
  lua_setfield(L, -2, "inode");
  return 1;
}

/* file.touch(path) -> true */
static int file_touch(lua_State *L) {
  vise_err err;
  if (vise_file_touch(luaL_checkstring(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* file.is_link(path) -> boolean: a symbolic link, whether or not it leads anywhere */
static int file_is_link(lua_State *L) {
  lua_pushboolean(L, vise_file_is_link(luaL_checkstring(L, 1)));
  return 1;
}

static int fail_errno(lua_State *L, const char *path, const char *doing) {
  vise_err err;
  (void)vise_fail(&err, VISE_EIO, "%s: cannot %s: %s", path, doing, strerror(errno));
  return bind_fail(L, &err);
}

/* file.realpath(path) -> the absolute path without links */
static int file_realpath(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char resolved[PATH_MAX];
  if (realpath(path, resolved) == NULL) {
    return fail_errno(L, path, "resolve");
  }
  lua_pushstring(L, resolved);
  return 1;
}

/* file.exe() -> the path of the running program */
static int file_exe(lua_State *L) {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n < 0) {
    return fail_errno(L, "/proc/self/exe", "resolve");
  }
  lua_pushlstring(L, path, (size_t)n);
  return 1;
}

/* file.is_terminal(fd) -> boolean; 0, 1, 2 are standard input, output, error */
static int file_is_terminal(lua_State *L) {
  const lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "expected a file descriptor");
  lua_pushboolean(L, isatty((int)fd));
  return 1;
}

/* file.columns() -> width of the terminal at standard error or output, or nil */
static int file_columns(lua_State *L) {
  struct winsize size = {0};
  if ((ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ||
       ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) &&
      size.ws_col > 0) {
    lua_pushinteger(L, size.ws_col);
  } else {
    luaL_pushfail(L);
  }
  return 1;
}

/* file.digest(path) -> hex of the tree hash of its content */
static int file_digest(lua_State *L) {
  uint8_t digest[VISE_SHA256_BYTES];
  char hex[VISE_SHA256_HEX];
  vise_err err;
  if (vise_sha256_file(digest, luaL_checkstring(L, 1), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  vise_sha256_hex(hex, digest);
  lua_pushstring(L, hex);
  return 1;
}

static const luaL_Reg functions[] = {
    {"read", file_read},
    {"gunzip", file_gunzip},
    {"replace", file_replace},
    {"make_dirs", file_make_dirs},
    {"remove_tree", file_remove_tree},
    {"free_bytes", file_free_bytes},
    {"tree_bytes", file_tree_bytes},
    {"rename", file_rename},
    {"list", file_list},
    {"stat", file_stat},
    {"touch", file_touch},
    {"is_link", file_is_link},
    {"realpath", file_realpath},
    {"exe", file_exe},
    {"is_terminal", file_is_terminal},
    {"columns", file_columns},
    {"digest", file_digest},
    {NULL, NULL},
};

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg names_metamethods[] = {{"__gc", names_gc}, {NULL, NULL}};
static const luaL_Reg bytes_metamethods[] = {{"__gc", bytes_gc}, {NULL, NULL}};

int luaopen_vise_native_file(lua_State *L) {
  bind_new_class(L, NAMES, no_methods, names_metamethods);
  bind_new_class(L, BYTES, no_methods, bytes_metamethods);
  luaL_newlib(L, functions);
  return 1;
}
