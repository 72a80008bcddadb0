/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_process.c -- core/process.h as native.process. */
#include "bind/bind.h"
#include "core/process.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define PROCESS "vise.process"

static vise_process *check_process(lua_State *L, int arg) {
  vise_process **slot = luaL_checkudata(L, arg, PROCESS);
  luaL_argcheck(L, *slot != NULL, arg, "process is closed");
  return *slot;
}

/* From {NAME = value | false} on top of the stack, push the list {"NAME=value", "NAME", ...}. */
static void push_changes(lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
    const bool is_removal = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING || (!is_removal && !lua_isstring(L, -1)) ||
        strchr(lua_tostring(L, -2), '=') != NULL) {
      const char *name = luaL_tolstring(L, -2, NULL);
      luaL_error(L, "process: env holds %s = %s, expected NAME = string or false", name,
                 luaL_tolstring(L, -2, NULL));
    }
    if (is_removal) {
      lua_pushvalue(L, -2);
    } else {
      lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
    }
    lua_seti(L, -4, ++n);
  }
}

static void check_keys(lua_State *L) {
  static const char *const known[] = {"argv",        "env",        "input", "capture",
                                      "keep_errors", "line_bytes", NULL};
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    int i = 0;
    while (known[i] != NULL && strcmp(name, known[i]) != 0) {
      i++;
    }
    if (known[i] == NULL) {
      luaL_error(
          L,
          "process: unknown option '%s' (known: argv, capture, env, input, keep_errors, line_bytes)",
          name);
    }
  }
}

/* process.spawn{argv = {...}, env = {NAME = value or false}, input = string, capture = boolean,
   keep_errors = boolean, line_bytes = integer} -> process */
static int process_spawn(lua_State *L) {
  vise_process_options options = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_keys(L);
  options.is_captured = bind_option_bool(L, 1, "capture", false);
  if (lua_getfield(L, 1, "argv") != LUA_TTABLE) {
    return luaL_error(L, "process: argv is a %s, expected a list of strings", luaL_typename(L, -1));
  }
  options.argv = bind_push_strings(L, "process: argv");
  if (options.argv[0] == NULL) {
    return luaL_error(L, "process: argv is empty, expected a program and its arguments");
  }
  const int env_type = lua_getfield(L, 1, "env");
  if (env_type == LUA_TTABLE) {
    push_changes(L);
    options.env = bind_push_strings(L, "process: env");
  } else if (env_type != LUA_TNIL) {
    return luaL_error(L, "process: env is a %s, expected a table", luaL_typename(L, -1));
  }
  const int input_type = lua_getfield(L, 1, "input");
  if (input_type == LUA_TSTRING) {
    options.input = lua_tolstring(L, -1, &options.input_bytes);
  } else if (input_type != LUA_TNIL) {
    return luaL_error(L, "process: input is a %s, expected a string", luaL_typename(L, -1));
  }
  options.is_error_kept = bind_option_bool(L, 1, "keep_errors", false);
  const lua_Integer line_bytes = bind_option_int(L, 1, "line_bytes", 64 << 20);
  if (line_bytes < 1) {
    return luaL_error(L, "process: line_bytes is %I, expected at least 1", line_bytes);
  }
  options.line_bytes = (size_t)line_bytes;
  vise_err err;
  vise_process **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, PROCESS);
  if (vise_process_spawn(slot, &options, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* Argument `arg`, seconds, as milliseconds; nil: for ever. */
static int64_t check_wait(lua_State *L, int arg) {
  const lua_Number seconds = luaL_optnumber(L, arg, -1);
  luaL_argcheck(L, lua_isnoneornil(L, arg) || (seconds >= 0 && seconds < 1e9), arg,
                "expected seconds from 0 to 10^9");
  return (int64_t)(seconds < 0 ? -1 : seconds * 1e3);
}

/* p:read_line([seconds]) -> the next line it printed, nil at the end, false when there is none yet;
   nil, message, code on trouble */
static int process_read_line(lua_State *L) {
  const char *line;
  size_t n;
  bool is_late;
  vise_err err;
  if (vise_process_read_line(check_process(L, 1), check_wait(L, 2), &line, &n, &is_late, &err) !=
      VISE_OK) {
    return bind_fail(L, &err);
  }
  if (is_late) {
    lua_pushboolean(L, false);
  } else if (line == NULL) {
    luaL_pushfail(L);
  } else {
    lua_pushlstring(L, line, n);
  }
  return 1;
}

/* p:kill([signal]); SIGTERM if not said */
static int process_kill(lua_State *L) {
  vise_process *p = check_process(L, 1);
  const lua_Integer signal_number = luaL_optinteger(L, 2, 15);
  luaL_argcheck(L, signal_number >= 1 && signal_number <= 64, 2, "expected a signal, 1 to 64");
  vise_process_kill(p, (int)signal_number);
  return 0;
}

/* p:wait([seconds]) -> exit code, or 128 + signal and the signal; false when it still runs */
static int process_wait(lua_State *L) {
  int code, signal_number;
  bool is_late;
  vise_err err;
  if (vise_process_wait(check_process(L, 1), check_wait(L, 2), &code, &signal_number, &is_late,
                        &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  if (is_late) {
    lua_pushboolean(L, false);
    return 1;
  }
  lua_pushinteger(L, code);
  if (signal_number == 0) {
    return 1;
  }
  lua_pushinteger(L, signal_number);
  return 2;
}

/* p:errors() -> what it has written to the standard error that is kept */
static int process_errors(lua_State *L) {
  const vise_process *p = check_process(L, 1);
  enum { ROOM = (64 << 10) + 1 };
  char *text = lua_newuserdatauv(L, ROOM, 0);
  lua_pushlstring(L, text, vise_process_errors(p, text, ROOM));
  return 1;
}

/* p:close(), __close, __gc: end it if it runs, let go. Safe to call twice. */
static int process_close(lua_State *L) {
  vise_process **slot = luaL_checkudata(L, 1, PROCESS);
  vise_process_close(*slot);
  *slot = NULL;
  return 0;
}

/* process.die_with_parent(): this process is killed when the one that started it ends */
static int process_die_with_parent(lua_State *L) {
  (void)L;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return 0;
}

static const luaL_Reg functions[] = {
    {"die_with_parent", process_die_with_parent},
    {"spawn", process_spawn},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"read_line", process_read_line}, {"kill", process_kill},   {"wait", process_wait},
    {"errors", process_errors},       {"close", process_close}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", process_close},
    {"__close", process_close},
    {NULL, NULL},
};

int luaopen_vise_native_process(lua_State *L) {
  bind_new_class(L, PROCESS, methods, metamethods);
  luaL_newlib(L, functions);
  bind_expose_methods(L, PROCESS);
  return 1;
}
