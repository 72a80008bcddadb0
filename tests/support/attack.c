/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a recipe could do that had broken out of Lua: any system call, threads, endless loops and
 * crashes in machine code. A Lua module that tests load into the process of a recipe before it
 * enters its sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

static int answer(lua_State *L, long result) {
  if (result >= 0) {
    lua_pushinteger(L, result);
    return 1;
  }
  const char *name = strerrorname_np(errno);
  luaL_pushfail(L);
  lua_pushstring(L, name == NULL ? "?" : name);
  return 2;
}

/* attack.call(name, argument...) -> result | nil, errno; integers, strings, a string's bytes */
static int attack_call(lua_State *L) {
  const int number = seccomp_syscall_resolve_name(luaL_checkstring(L, 1));
  luaL_argcheck(L, number >= 0, 1, "no such call here");
  long a[6] = {0};
  for (int i = 0; i < 6 && i + 2 <= lua_gettop(L); i++) {
    a[i] = lua_isinteger(L, i + 2) ? (long)lua_tointeger(L, i + 2)
                                   : (long)(intptr_t)luaL_checkstring(L, i + 2);
  }
  return answer(L, syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

/* attack.read(path) -> content | nil, errno */
static int attack_read(lua_State *L) {
  const int fd = open(luaL_checkstring(L, 1), O_RDONLY);
  char text[256];
  if (fd < 0) {
    return answer(L, -1);
  }
  const ssize_t n = read(fd, text, sizeof text);
  close(fd);
  if (n < 0) {
    return answer(L, -1);
  }
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

static void *sleep_for_ever(void *arg) {
  for (;;) {
    pause();
  }
  return arg;
}

/* attack.threads(n) -> how many of them could be started */
static int attack_threads(lua_State *L) {
  const lua_Integer wanted = luaL_checkinteger(L, 1);
  lua_Integer n = 0;
  pthread_t thread;
  while (n < wanted && pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0) {
    n++;
  }
  lua_pushinteger(L, n);
  return 1;
}

/* attack.eat(bytes, step) -> the bytes that could be written to, `step` at a time */
static int attack_eat(lua_State *L) {
  const lua_Integer wanted = luaL_checkinteger(L, 1), step = luaL_checkinteger(L, 2);
  lua_Integer n = 0;
  while (n < wanted) {
    char *block =
        mmap(NULL, (size_t)step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      break;
    }
    for (lua_Integer i = 0; i < step; i += 4096) {
      block[i] = 1;
    }
    n += step;
  }
  lua_pushinteger(L, n);
  return 1;
}

/* attack.spin(): an endless loop that no signal ends but SIGKILL */
static int attack_spin(lua_State *L) {
  (void)L;
  for (int i = 1; i < 65; i++) {
    signal(i, SIG_IGN);
  }
  for (volatile int i = 0;; i++) {
  }
  return 0;
}

/* attack.crash() */
static int attack_crash(lua_State *L) {
  (void)L;
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
  return 0;
}

/* attack.environment() -> all of it */
static int attack_environment(lua_State *L) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t i = 0; environ[i] != NULL; i++) {
    luaL_addstring(&buffer, environ[i]);
    luaL_addchar(&buffer, '\n');
  }
  luaL_pushresult(&buffer);
  return 1;
}

/* attack.keep_environment(): remember where its strings are, for `remembered` */
static char *first_string, *last_string;

static int attack_keep_environment(lua_State *L) {
  (void)L;
  first_string = environ[0];
  for (size_t i = 0; environ[i] != NULL; i++) {
    last_string = environ[i] > last_string ? environ[i] : last_string;
  }
  return 0;
}

/* attack.remembered() -> the bytes where the strings of the environment were */
static int attack_remembered(lua_State *L) {
  lua_pushlstring(L, first_string, (size_t)(last_string - first_string));
  return 1;
}

/* attack.ignore(signal) */
static int attack_ignore(lua_State *L) {
  signal((int)luaL_checkinteger(L, 1), SIG_IGN);
  return 0;
}

/* attack.take_away(name...): to this process and those it becomes the calls do not exist */
static int attack_take_away(lua_State *L) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  for (int i = 1; i <= lua_gettop(L); i++) {
    const int number = seccomp_syscall_resolve_name(luaL_checkstring(L, i));
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
  }
  const int code = seccomp_load(filter);
  seccomp_release(filter);
  return code == 0 ? 0 : luaL_error(L, "seccomp_load: %d", code);
}

/* attack.exec(program, argument...) */
static int attack_exec(lua_State *L) {
  const char *argv[64] = {NULL};
  for (int i = 1; i <= lua_gettop(L) && i < 64; i++) {
    argv[i - 1] = luaL_checkstring(L, i);
  }
  execv(argv[0], (char **)(uintptr_t)argv);
  return luaL_error(L, "exec: %s", strerror(errno));
}

static const luaL_Reg functions[] = {
    {"call", attack_call},
    {"read", attack_read},
    {"threads", attack_threads},
    {"eat", attack_eat},
    {"spin", attack_spin},
    {"crash", attack_crash},
    {"environment", attack_environment},
    {"keep_environment", attack_keep_environment},
    {"remembered", attack_remembered},
    {"ignore", attack_ignore},
    {"take_away", attack_take_away},
    {"exec", attack_exec},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_attack(lua_State *L);

int luaopen_attack(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
