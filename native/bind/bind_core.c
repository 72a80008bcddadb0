/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_core.c -- versions, threads, time, memory, hashes, random numbers: native.core. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "bind/bind.h"
#include "core/cpu.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "core/process.h"
#include "core/rng.h"
#include "linalg/lapack.h"
#include "tensor/random.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* core.version() -> {vise, lua, zstd, openblas, openblas_core, jansson, pcre2, openssl, sqlite, cpu,
   cpu_detected, cpu_model, cpu_wish_ignored}; the last is nil unless VISE_CPU asked for too much */
static int core_version(lua_State *L) {
  char pcre2[64] = "unknown";
  pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
  const char *wish;
  lua_newtable(L);
  set_string(L, "vise", VISE_VERSION);
  set_string(L, "lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
  set_string(L, "zstd", ZSTD_versionString());
  set_string(L, "openblas", vise_blas_config());
  set_string(L, "openblas_core", vise_blas_core());
  set_string(L, "jansson", jansson_version_str());
  set_string(L, "pcre2", pcre2);
  set_string(L, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
  set_string(L, "sqlite", sqlite3_libversion());
  set_string(L, "cpu", vise_cpu_name(vise_cpu_used()));
  set_string(L, "cpu_detected", vise_cpu_name(vise_cpu_detect()));
  set_string(L, "cpu_model", vise_cpu_model());
  if (vise_cpu_wish_ignored(&wish)) {
    set_string(L, "cpu_wish_ignored", wish);
  }
  return 1;
}

/* core.threads([n]) -> threads in use; n: use so many from now on */
static int core_threads(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    const lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 1 && n <= 256, 1, "expected 1 to 256 threads");
    vise_threads_set((int)n);
  }
  lua_pushinteger(L, vise_threads());
  return 1;
}

static int push_time(lua_State *L, clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  lua_pushnumber(L, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  return 1;
}

/* core.clock() -> seconds that only go forward */
static int core_clock(lua_State *L) {
  return push_time(L, CLOCK_MONOTONIC);
}

/* core.time() -> seconds since 1970 */
static int core_time(lua_State *L) {
  return push_time(L, CLOCK_REALTIME);
}

/* core.sleep(seconds) -> true | nil, message, "cancelled"; at most 3600 */
static int core_sleep(lua_State *L) {
  const lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= 3600, 1, "expected 0 to 3600 seconds");
  const struct timespec step = {.tv_nsec = 10000000};
  struct timespec begin, now;
  vise_err err;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    if (vise_cancel_check(&err) != VISE_OK) {
      return bind_fail(L, &err);
    }
    nanosleep(&step, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec) <
           seconds);
  lua_pushboolean(L, true);
  return 1;
}

/* core.peak_rss() -> the most bytes of memory this program ever had resident */
static int core_peak_rss(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)vise_process_peak_bytes());
  return 1;
}

/* core.memory() -> {live_blocks, live_bytes, peak_bytes} of what vise allocated */
static int core_memory(lua_State *L) {
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, (lua_Integer)vise_mem_live_blocks());
  lua_setfield(L, -2, "live_blocks");
  lua_pushinteger(L, (lua_Integer)vise_mem_live_bytes());
  lua_setfield(L, -2, "live_bytes");
  lua_pushinteger(L, (lua_Integer)vise_mem_peak_bytes());
  lua_setfield(L, -2, "peak_bytes");
  return 1;
}

/* core.peak_reset(): peak_bytes counts from what is live now */
static int core_peak_reset(lua_State *L) {
  (void)L;
  vise_mem_peak_reset();
  return 0;
}

/* core.keep_freed(is_kept): freed memory stays with the program, or no longer */
static int core_keep_freed(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  vise_mem_keep_freed(lua_toboolean(L, 1));
  return 0;
}

/* core.cancel(): long work stops with "interrupted" until cancel_clear */
static int core_cancel(lua_State *L) {
  (void)L;
  vise_cancel();
  return 0;
}

/* core.cancelled() -> is the flag up? */
static int core_cancelled(lua_State *L) {
  lua_pushboolean(L, vise_cancelled());
  return 1;
}

/* core.cancel_clear() */
static int core_cancel_clear(lua_State *L) {
  (void)L;
  vise_cancel_clear();
  return 0;
}

static int push_hex(lua_State *L, const uint8_t digest[VISE_SHA256_BYTES]) {
  char hex[VISE_SHA256_HEX];
  vise_sha256_hex(hex, digest);
  lua_pushstring(L, hex);
  return 1;
}

/* core.sha256(string) -> hex */
static int core_sha256(lua_State *L) {
  size_t n;
  const char *data = luaL_checklstring(L, 1, &n);
  uint8_t digest[VISE_SHA256_BYTES];
  vise_sha256(digest, data, n);
  return push_hex(L, digest);
}

/* core.tree_hash(string or tensor) -> hex of the tree hash of its bytes */
static int core_tree_hash(lua_State *L) {
  size_t n;
  const void *data;
  vise_err err;
  if (lua_type(L, 1) == LUA_TSTRING) {
    data = lua_tolstring(L, 1, &n);
  } else {
    vise_tensor *t = bind_check_tensor(L, 1);
    if (!vise_tensor_is_contiguous(t)) {
      vise_tensor **copy = bind_new_tensor(L);
      if (vise_tensor_convert(copy, t, vise_tensor_dtype(t), &err) != VISE_OK) {
        return bind_fail(L, &err);
      }
      t = *copy;
    }
    data = vise_tensor_data(t);
    n = vise_tensor_bytes(t);
  }
  uint8_t digest[VISE_SHA256_BYTES];
  if (vise_sha256_tree(digest, data, n, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return push_hex(L, digest);
}

/* core.uniform(seed, name, i) -> number i (from 0) of the stream, in [0, 1) */
static int core_uniform(lua_State *L) {
  const vise_rng rng = vise_rng_named((uint64_t)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
  lua_pushnumber(L, vise_rng_uniform(&rng, (uint64_t)luaL_checkinteger(L, 3)));
  return 1;
}

/* core.normal(seed, name, i) -> number i (from 0) of the stream, mean 0, variance 1 */
static int core_normal(lua_State *L) {
  const vise_rng rng = vise_rng_named((uint64_t)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
  lua_pushnumber(L, vise_rng_normal(&rng, (uint64_t)luaL_checkinteger(L, 3)));
  return 1;
}

/* core.random_tensor(dtype, {d1, ...}, seed, name[, scale]) -> tensor of normal numbers */
static int core_random_tensor(lua_State *L) {
  int64_t shape[VISE_RANK_MAX];
  const vise_dtype dtype = bind_check_dtype(L, 1);
  const int rank = bind_check_shape(L, 2, shape);
  const lua_Integer seed = luaL_checkinteger(L, 3);
  const char *name = luaL_checkstring(L, 4);
  const lua_Number scale = luaL_optnumber(L, 5, 1.0);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create_normal(slot, dtype, rank, shape, (uint64_t)seed, name, scale, &err) !=
      VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return 1;
}

static const luaL_Reg functions[] = {
    {"version", core_version},
    {"threads", core_threads},
    {"clock", core_clock},
    {"time", core_time},
    {"sleep", core_sleep},
    {"peak_rss", core_peak_rss},
    {"memory", core_memory},
    {"peak_reset", core_peak_reset},
    {"keep_freed", core_keep_freed},
    {"cancel", core_cancel},
    {"cancelled", core_cancelled},
    {"cancel_clear", core_cancel_clear},
    {"sha256", core_sha256},
    {"tree_hash", core_tree_hash},
    {"uniform", core_uniform},
    {"normal", core_normal},
    {"random_tensor", core_random_tensor},
    {NULL, NULL},
};

int luaopen_vise_native_core(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
