/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind/bind_repl.c -- line editing and history for the REPL: native.repl.
 *
 * readline is loaded at run time, so that vise neither needs it nor is bound by its licence;
 * without it, or without a terminal, lines come from standard input as they are. A terminal is one
 * for the whole process, and so is the state here. While a line is edited SIGINT only abandons that
 * line.
 *
 * Tab asks a Lua function, which runs while readline waits: its errors are swallowed, for nothing
 * may unwind through readline.
 */
#include "bind/bind.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_MS = 100, HISTORY_LINES = 2000 };

static struct {
  bool is_loaded;
  void (*handler_install)(const char *prompt, void (*handler)(char *));
  void (*handler_remove)(void);
  void (*read_char)(void);
  void (*signal_cleanup)(void);
  void (*add_history)(const char *line);
  int (*read_history)(const char *path);
  int (*write_history)(const char *path);
  void (*stifle_history)(int lines);
  char **(*completion_matches)(const char *word, char *(*next)(const char *word, int state));
  char **line_buffer;
  int *suppress_append;
} readline;

static struct {
  char *text; /* owned, from readline's malloc */
  bool is_done;
} line;

/* Lua's side of a completion: the state in read_line, where argument COMPLETE is the function. */
static lua_State *completing;

enum { COMPLETE = 2 };

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  is_interrupted = 1;
}

static void on_line(char *text) {
  line.text = text;
  line.is_done = true;
  readline.handler_remove(); /* now, or the prompt would be shown again */
}

/* Completion number `state` of the list on top of the stack, from readline's malloc; NULL at the
   end. */
static char *next_completion(const char *word, int state) {
  (void)word;
  lua_rawgeti(completing, -1, state + 1);
  const char *text = lua_type(completing, -1) == LUA_TSTRING ? lua_tostring(completing, -1) : NULL;
  char *copy = text == NULL ? NULL : strdup(text);
  lua_pop(completing, 1);
  return copy;
}

/* Instead of file names, where `complete` has nothing. */
static char *no_completion(const char *word, int state) {
  (void)word;
  (void)state;
  return NULL;
}

/* What readline calls for Tab: the word, and where in the line it stands. */
static char **complete(const char *word, int start, int end) {
  (void)end;
  lua_State *L = completing;
  char **matches = NULL;
  *readline.suppress_append = 1; /* readline resets it each time */
  lua_pushvalue(L, COMPLETE);
  lua_pushlstring(L, *readline.line_buffer, (size_t)start);
  lua_pushstring(L, word);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_istable(L, -1)) {
    matches = readline.completion_matches(word, next_completion);
  }
  lua_pop(L, 1);
  return matches;
}

/* Complete by `complete` alone, names and paths as one word, and put neither a space behind them
   nor a quote, which would be typed again. */
static bool set_completion(void *library) {
  static const char breaks[] = " \t\n\"'(){}[],;=+-*/%^#<>~";
  void *entry = dlsym(library, "rl_completion_entry_function");
  void *attempt = dlsym(library, "rl_attempted_completion_function");
  const char **characters = dlsym(library, "rl_completer_word_break_characters");
  const char **quotes = dlsym(library, "rl_basic_quote_characters");
  if (entry == NULL || attempt == NULL || characters == NULL || quotes == NULL) {
    return false;
  }
  char **(*ours)(const char *, int, int) = complete;
  char *(*nothing)(const char *, int) = no_completion;
  memcpy(entry, &nothing, sizeof nothing);
  memcpy(attempt, &ours, sizeof ours);
  *characters = breaks;
  *quotes = "";
  return true;
}

/* Chunks of several lines stay one entry of the history's file, which then has a time before each. */
static void keep_lines_together(void *library) {
  char *comment = dlsym(library, "history_comment_char");
  int *has_times = dlsym(library, "history_write_timestamps");
  if (comment != NULL && has_times != NULL) {
    *comment = '#';
    *has_times = 1;
  }
}

/* Put the address of `name` into the function pointer at `out`. */
static bool find(void *library, const char *name, void *out) {
  void *symbol = dlsym(library, name);
  memcpy(out, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* repl.has_readline() -> is it installed? */
static int repl_has_readline(lua_State *L) {
  void *library = dlopen("libreadline.so.8", RTLD_LAZY | RTLD_LOCAL);
  lua_pushboolean(L, library != NULL);
  if (library != NULL) {
    dlclose(library);
  }
  return 1;
}

/* repl.open() -> true if lines can be edited: a terminal on both sides, and readline is there */
static int repl_open(lua_State *L) {
  if (!readline.is_loaded && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    void *library = dlopen("libreadline.so.8", RTLD_NOW | RTLD_LOCAL);
    int *catch_signals = library == NULL ? NULL : dlsym(library, "rl_catch_signals");
    readline.is_loaded =
        catch_signals != NULL &&
        find(library, "rl_callback_handler_install", &readline.handler_install) &&
        find(library, "rl_callback_handler_remove", &readline.handler_remove) &&
        find(library, "rl_callback_read_char", &readline.read_char) &&
        find(library, "rl_callback_sigcleanup", &readline.signal_cleanup) &&
        find(library, "add_history", &readline.add_history) &&
        find(library, "read_history", &readline.read_history) &&
        find(library, "write_history", &readline.write_history) &&
        find(library, "stifle_history", &readline.stifle_history) &&
        find(library, "rl_completion_matches", &readline.completion_matches) &&
        find(library, "rl_line_buffer", &readline.line_buffer) &&
        find(library, "rl_completion_suppress_append", &readline.suppress_append) &&
        set_completion(library);
    if (readline.is_loaded) {
      *catch_signals = 0;
      readline.stifle_history(HISTORY_LINES);
      keep_lines_together(library);
    }
  }
  lua_pushboolean(L, readline.is_loaded);
  return 1;
}

static int check_loaded(lua_State *L) {
  return readline.is_loaded ? 0 : luaL_error(L, "repl: line editing is not there, see repl.open");
}

/* repl.read_line(prompt, complete) -> line; nil at the end of input; false when Ctrl-C abandoned
   the line. complete(before, word) gives the list of what `word` may become. */
static int repl_read_line(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  check_loaded(L);
  luaL_checktype(L, COMPLETE, LUA_TFUNCTION);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_settop(L, COMPLETE);
  completing = L;
  free(line.text);
  line.text = NULL;
  line.is_done = false;
  is_interrupted = 0;
  fflush(stdout);
  struct sigaction ours = {.sa_handler = on_interrupt}, before;
  sigaction(SIGINT, &ours, &before);
  readline.handler_install(prompt, on_line);
  while (!line.is_done && !is_interrupted) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, POLL_MS) > 0) {
      readline.read_char();
    }
  }
  if (!line.is_done) {
    readline.signal_cleanup();
    readline.handler_remove();
    fputs("^C\n", stdout);
  }
  sigaction(SIGINT, &before, NULL);
  if (!line.is_done) {
    lua_pushboolean(L, 0);
  } else if (line.text == NULL) {
    lua_pushnil(L);
  } else {
    lua_pushstring(L, line.text);
  }
  return 1;
}

/* repl.add_history(line) */
static int repl_add_history(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  check_loaded(L);
  readline.add_history(text);
  return 0;
}

/* repl.read_history(path) -> true, or false if there is no such file */
static int repl_read_history(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  check_loaded(L);
  lua_pushboolean(L, readline.read_history(path) == 0);
  return 1;
}

/* repl.write_history(path) -> true, or false if it cannot be written */
static int repl_write_history(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  check_loaded(L);
  lua_pushboolean(L, readline.write_history(path) == 0);
  return 1;
}

static const luaL_Reg functions[] = {
    {"has_readline", repl_has_readline},
    {"open", repl_open},
    {"read_line", repl_read_line},
    {"add_history", repl_add_history},
    {"read_history", repl_read_history},
    {"write_history", repl_write_history},
    {NULL, NULL},
};

int luaopen_vise_native_repl(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
