/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind/main.c -- the program: a Lua state with vise.native inside, handed to vise.cli.
 *
 * Its Lua files are looked for beside the program (installed: ../share/lua/5.4), in the source tree
 * it was built from, and where they were to be installed.
 *
 * Interrupts (Ctrl-C, a request to terminate, the terminal closing) raise the cancel flag, at which
 * native work stops, and set a hook that raises an error between two Lua instructions, so that
 * everything open is closed on the way out and no half file stays. The third interrupt ends the
 * program at once. A hook sees the main coroutine only; no code of ours runs long in another.
 */
#include "bind/bind.h"
#include "core/parallel.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int luaopen_vise_native(lua_State *L);

static lua_State *main_state;
static volatile sig_atomic_t n_interrupts, last_interrupt;

static void stop_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  if (vise_cancelled()) {
    luaL_error(L, "interrupted");
  }
}

static void on_interrupt(int signal_number) {
  if (!vise_cancelled()) {
    n_interrupts = 0; /* somebody dealt with the last one and went on */
  }
  last_interrupt = signal_number;
  if (++n_interrupts >= 3) {
    _exit(128 + signal_number);
  }
  vise_cancel();
  lua_sethook(main_state, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* The only way to learn that a mapped file was cut short by somebody else, or its disk failed. */
static void on_bus_error(int signal_number) {
  static const char message[] = "vise: a file changed or failed while it was being read\n";
  const ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
  (void)ignored;
  _exit(128 + signal_number);
}

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
  struct sigaction before;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup */
    sigaction(SIGHUP, &action, NULL);
  }
  signal(SIGPIPE,
         SIG_IGN); /* a closed pipe or a full quota is a failed write, not a sudden death */
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGBUS, on_bus_error);
}

/* Write out what is left; 0, or the exit code when it could not be written. */
static int finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) {
    return 0;
  }
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0) {
    return 128 + SIGPIPE; /* the reader went away, which is its right */
  }
  fputs("vise: cannot write to standard output\n", stderr);
  return 1;
}

/* Put the folder that holds vise/init.lua in front of package.path; false if there is none. */
static bool add_path(lua_State *L, const char *folder) {
  lua_pushfstring(L, "%s/vise/init.lua", folder);
  const bool is_there = access(lua_tostring(L, -1), R_OK) == 0;
  lua_pop(L, 1);
  if (is_there) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
  }
  return is_there;
}

static int start(lua_State *L) {
  char **argv = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_vise_native);
  lua_setfield(L, -2, "vise.native");
  lua_pop(L, 1);

  char exe[PATH_MAX] = "";
  const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[n > 0 ? n : 0] = '\0';
  char *slash = strrchr(exe, '/');
  if (slash != NULL) {
    *slash = '\0';
  }
  lua_pushfstring(L, "%s/../share/lua/5.4", exe);
  if (!add_path(L, lua_tostring(L, -1)) && !add_path(L, VISE_SOURCE_DIR "/lua") &&
      !add_path(L, VISE_LUA_DIR)) {
    return luaL_error(L, "its Lua files are not in %s, %s or %s", lua_tostring(L, -1),
                      VISE_SOURCE_DIR "/lua", VISE_LUA_DIR);
  }
  lua_getglobal(L, "require");
  lua_pushliteral(L, "vise.cli");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "main");
  lua_newtable(L);
  for (int i = 0; argv[i] != NULL; i++) {
    lua_pushstring(L, argv[i]);
    lua_seti(L, -2, i);
  }
  lua_call(L, 1, 1); /* cli.main(arg) -> exit code */
  return 1;
}

int main(int argc, char **argv) {
  (void)argc;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("vise: out of memory\n", stderr);
    return 1;
  }
  main_state = L;
  catch_signals();
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, argv);
  int code = 1;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
    code = (int)lua_tointeger(L, -1);
    if (code == 128 + SIGINT && last_interrupt != 0) {
      code = 128 + last_interrupt; /* Lua knows that there was a signal, not which */
    }
  } else if (vise_cancelled()) {
    fputs("vise: interrupted\n", stderr);
    code = 128 + last_interrupt;
  } else {
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "vise: %s\n", message == NULL ? "error without a message" : message);
  }
  if (code == 130 && last_interrupt != 0) {
    code = 128 + last_interrupt; /* Lua knows that it was interrupted, not by what */
  }
  lua_close(L);
  return code != 0 ? code : finish_output();
}
