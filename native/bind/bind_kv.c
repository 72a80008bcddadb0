/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_kv.c -- nn/kv_packed.h as native.kv. Starts of sequences are 1-based in Lua. */
#include "bind/bind_nn.h"
#include "nn/kv_packed.h"

#define PACKED "vise.packed_kv"

static vise_kv_packed *check_kv(lua_State *L, int arg) {
  vise_kv_packed **slot = luaL_checkudata(L, arg, PACKED);
  luaL_argcheck(L, *slot != NULL, arg, "cache is closed");
  return *slot;
}

static vise_kv_format check_format(lua_State *L, int arg) {
  static const char *const formats[] = {"int8", "int4", "fp8", NULL}; /* as vise_kv_format */
  return (vise_kv_format)luaL_checkoption(L, arg, NULL, formats);
}

/* kv.new(capacity, kv_heads, head_dim, format, recent) -> cache of one layer of one sequence */
static int kv_new(lua_State *L) {
  const lua_Integer capacity = luaL_checkinteger(L, 1), kv_heads = luaL_checkinteger(L, 2);
  const lua_Integer head_dim = luaL_checkinteger(L, 3), recent = luaL_checkinteger(L, 5);
  const vise_kv_format format = check_format(L, 4);
  vise_err err;
  vise_kv_packed **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, PACKED);
  return bind_finish(
      L, vise_kv_packed_create(slot, capacity, kv_heads, head_dim, format, recent, &err), 1, &err);
}

/* kv.attention(q [t, heads * d], k [t, kv_heads * d], v, {heads, kv_heads, window, starts}, format,
   recent) -> [t, heads * d] */
static int kv_attention(lua_State *L) {
  const vise_attention_spec spec = bind_check_attention(L, 1);
  const vise_tensor *q = bind_check_tensor(L, 1);
  const vise_kv_format format = check_format(L, 5);
  const lua_Integer recent = luaL_checkinteger(L, 6);
  int64_t n_sequences;
  const int64_t *starts = bind_push_starts(L, 4, vise_tensor_dim(q, 0), &n_sequences);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, q);
  return bind_finish(L,
                     vise_kv_packed_run(bind_f32(out), bind_f32(q),
                                        bind_f32(bind_check_tensor(L, 2)),
                                        bind_f32(bind_check_tensor(L, 3)), starts, n_sequences,
                                        &spec, format, recent, &err),
                     1, &err);
}

/* cache:attention(q [t, heads * d], k, v, {heads, kv_heads, window}) -> [t, heads * d] */
static int packed_attention(lua_State *L) {
  vise_kv_packed *kv = check_kv(L, 1);
  const vise_attention_spec spec = bind_check_attention(L, 2);
  const vise_tensor *q = bind_check_tensor(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, q);
  return bind_finish(
      L,
      vise_kv_packed_append(bind_f32(out), kv, bind_f32(q), bind_f32(bind_check_tensor(L, 3)),
                            bind_f32(bind_check_tensor(L, 4)), vise_tensor_dim(q, 0), &spec, &err),
      1, &err);
}

/* cache:length() -> tokens in it */
static int packed_length(lua_State *L) {
  lua_pushinteger(L, vise_kv_packed_length(check_kv(L, 1)));
  return 1;
}

/* cache:capacity() -> tokens that fit */
static int packed_capacity(lua_State *L) {
  lua_pushinteger(L, vise_kv_packed_capacity(check_kv(L, 1)));
  return 1;
}

/* cache:bytes() -> of the memory it holds */
static int packed_bytes(lua_State *L) {
  lua_pushinteger(L, vise_kv_packed_bytes(check_kv(L, 1)));
  return 1;
}

/* cache:close(), __close, __gc. Safe to call twice. */
static int packed_close(lua_State *L) {
  vise_kv_packed **slot = luaL_checkudata(L, 1, PACKED);
  vise_kv_packed_free(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {{"new", kv_new}, {"attention", kv_attention}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"attention", packed_attention}, {"length", packed_length}, {"capacity", packed_capacity},
    {"bytes", packed_bytes},         {"close", packed_close},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", packed_close},
    {"__close", packed_close},
    {NULL, NULL},
};

int luaopen_vise_native_kv(lua_State *L) {
  bind_new_class(L, PACKED, methods, metamethods);
  luaL_newlib(L, functions);
  return 1;
}
