/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_nn.c -- nn/{elementwise,rope,attention,sample}.h as native.nn. Token ids are vocabulary
   ids, from 0; starts and positions of sequences are 1-based in Lua. */
#include "bind/bind_nn.h"

#include "core/mem.h"
#include "nn/elementwise.h"
#include "nn/rope.h"
#include "nn/sample.h"

#include <string.h>

#define KV "vise.kv"

static vise_kv **new_kv(lua_State *L) {
  vise_kv **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, KV);
  return slot;
}

static vise_kv *check_kv(lua_State *L, int arg) {
  vise_kv **slot = luaL_checkudata(L, arg, KV);
  luaL_argcheck(L, *slot != NULL, arg, "cache is closed");
  return *slot;
}

float *bind_f32(const vise_tensor *t) {
  return vise_tensor_data(t);
}

vise_tensor *bind_check_f32(lua_State *L, int arg) {
  vise_tensor *t = bind_check_tensor(L, arg);
  luaL_argcheck(L, vise_tensor_dtype(t) == VISE_DTYPE_F32 && vise_tensor_is_contiguous(t), arg,
                "tensor is not f32 or not contiguous");
  return t;
}

static bool is_shape(const vise_tensor *t, int rank, const int64_t *shape) {
  return vise_tensor_rank(t) == rank &&
         (rank == 0 || memcmp(vise_tensor_shape(t), shape, (size_t)rank * sizeof *shape) == 0);
}

vise_tensor *bind_check_f32_like(lua_State *L, int arg, const vise_tensor *like) {
  vise_tensor *t = bind_check_f32(L, arg);
  if (!is_shape(t, vise_tensor_rank(like), vise_tensor_shape(like))) {
    char is[160], expected[160];
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "tensor is %s, expected %s",
                                  vise_tensor_shape_text(is, sizeof is, t),
                                  vise_tensor_shape_text(expected, sizeof expected, like)));
  }
  return t;
}

vise_tensor *bind_check_matrix_of(lua_State *L, int arg, int64_t rows, int64_t columns) {
  vise_tensor *t = bind_check_matrix_f32(L, arg);
  if (vise_tensor_dim(t, 0) != rows || vise_tensor_dim(t, 1) != columns) {
    char is[160];
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "tensor is %s, expected [%I, %I]",
                                  vise_tensor_shape_text(is, sizeof is, t), (lua_Integer)rows,
                                  (lua_Integer)columns));
  }
  return t;
}

vise_tensor *bind_check_vector_of(lua_State *L, int arg, int64_t n) {
  vise_tensor *t = bind_check_vector_f32(L, arg);
  if (vise_tensor_dim(t, 0) != n) {
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "tensor is [%I], expected [%I]",
                                  (lua_Integer)vise_tensor_dim(t, 0), (lua_Integer)n));
  }
  return t;
}

vise_tensor *bind_push_f32(lua_State *L, int rank, const int64_t *shape) {
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_F32, rank, shape, &err) != VISE_OK) {
    bind_fail(L, &err); /* raises: not of the codes that are returned */
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return *slot;
}

vise_tensor *bind_push_f32_like(lua_State *L, const vise_tensor *like) {
  return bind_push_f32(L, vise_tensor_rank(like), vise_tensor_shape(like));
}

int bind_finish(lua_State *L, vise_status st, int n_results, const vise_err *err) {
  return st == VISE_OK ? n_results : bind_fail(L, err);
}

static vise_tensor *push_matrix(lua_State *L, int64_t rows, int64_t columns) {
  const int64_t shape[2] = {rows, columns};
  return bind_push_f32(L, 2, shape);
}

/* nn.rmsnorm(x [t, d], gain [d], eps) -> [t, d] */
static int nn_rmsnorm(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 2, d);
  const lua_Number eps = luaL_checknumber(L, 3);
  vise_err err;
  vise_tensor *out = push_matrix(L, t, d);
  return bind_finish(
      L, vise_rmsnorm_run(bind_f32(out), bind_f32(x), bind_f32(gain), t, d, eps, &err), 1, &err);
}

/* nn.bias(x [t, m], b [m]) -> [t, m] */
static int nn_bias(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(x, 0), m = vise_tensor_dim(x, 1);
  const vise_tensor *b = bind_check_vector_of(L, 2, m);
  vise_err err;
  vise_tensor *out = push_matrix(L, t, m);
  return bind_finish(L, vise_bias_run(bind_f32(out), bind_f32(x), bind_f32(b), t, m, &err), 1,
                     &err);
}

typedef vise_status pair_fn(float *, const float *, const float *, int64_t, vise_err *);

static int run_pair(lua_State *L, pair_fn *fn) {
  const vise_tensor *x = bind_check_f32(L, 1), *y = bind_check_f32_like(L, 2, x);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L, fn(bind_f32(out), bind_f32(x), bind_f32(y), vise_tensor_count(x), &err), 1,
                     &err);
}

/* nn.add(x, y) -> x + y, of one shape */
static int nn_add(lua_State *L) {
  return run_pair(L, vise_add_run);
}

/* nn.scale(x, a) -> a x, any shape */
static int nn_scale(lua_State *L) {
  const vise_tensor *x = bind_check_f32(L, 1);
  const lua_Number a = luaL_checknumber(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L, vise_scale_run(bind_f32(out), bind_f32(x), a, vise_tensor_count(x), &err),
                     1, &err);
}

/* nn.swiglu(gate [t, m], up [t, m]) -> [t, m]: silu(gate) * up */
static int nn_swiglu(lua_State *L) {
  return run_pair(L, vise_swiglu_run);
}

/* nn.rope_frequencies{kind, head_dim, theta, factor, context, low, high, scale, truncate} -> f64
 * [n], scale */
static int nn_rope_frequencies(lua_State *L) {
  static const char *const kinds[] = {"none", "linear", "dynamic", "llama3", "yarn", NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "kind");
  const vise_rope_spec spec = {.kind = (vise_rope_kind)luaL_checkoption(L, -1, "none", kinds),
                               .head_dim = bind_option_int(L, 1, "head_dim", 0),
                               .theta = bind_option_real(L, 1, "theta", 10000.0),
                               .factor = bind_option_real(L, 1, "factor", 1.0),
                               .context = bind_option_real(L, 1, "context", 0.0),
                               .low = bind_option_real(L, 1, "low", 1.0),
                               .high = bind_option_real(L, 1, "high", 32.0),
                               .scale = bind_option_real(L, 1, "scale", 0.0),
                               .is_truncated = bind_option_bool(L, 1, "truncate", true)};
  const int64_t n = spec.head_dim < 0 ? 0 : spec.head_dim / 2;
  vise_err err;
  double scale;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_F64, 1, &n, &err) != VISE_OK ||
      vise_rope_frequencies(vise_tensor_data(*slot), &scale, &spec, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, scale);
  return 2;
}

/* nn.rope_table(frequencies f64 [n], n_positions, scale) -> [n_positions, 2 n]: cos, then sin */
static int nn_rope_table(lua_State *L) {
  const vise_tensor *f = bind_check_tensor(L, 1);
  luaL_argcheck(L,
                vise_tensor_dtype(f) == VISE_DTYPE_F64 && vise_tensor_rank(f) == 1 &&
                    vise_tensor_is_contiguous(f),
                1, "frequencies are an f64 vector");
  const lua_Integer n_positions = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n_positions >= 0 && n_positions <= INT32_MAX, 2,
                "0 .. 2^31 - 1 positions expected");
  const lua_Number scale = luaL_checknumber(L, 3);
  vise_err err;
  vise_tensor *out = push_matrix(L, n_positions, 2 * vise_tensor_dim(f, 0));
  return bind_finish(L,
                     vise_rope_table(bind_f32(out), n_positions, vise_tensor_data(f),
                                     vise_tensor_dim(f, 0), scale, &err),
                     1, &err);
}

/* nn.rope(x [t, heads * 2 n], table [p, 2 n], positions i32 [t], from 0) -> [t, heads * 2 n] */
static int nn_rope(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1), *table = bind_check_matrix_f32(L, 2);
  const vise_tensor *positions = bind_check_vector_i32(L, 3);
  const int64_t t = vise_tensor_dim(x, 0), width = vise_tensor_dim(x, 1);
  const int64_t head_dim = vise_tensor_dim(table, 1);
  luaL_argcheck(L, head_dim > 0 && width % head_dim == 0, 1, "heads of the table's width expected");
  luaL_argcheck(L, vise_tensor_dim(positions, 0) == t, 3, "one position per token expected");
  vise_err err;
  vise_tensor *out = push_matrix(L, t, width);
  return bind_finish(L,
                     vise_rope_run(bind_f32(out), bind_f32(x), t, width / head_dim, head_dim / 2,
                                   bind_f32(table), vise_tensor_dim(table, 0),
                                   vise_tensor_data(positions), false, &err),
                     1, &err);
}

vise_attention_spec bind_check_attention(lua_State *L, int first) {
  const vise_tensor *q = bind_check_matrix_f32(L, first);
  const int options = first + 3;
  luaL_checktype(L, options, LUA_TTABLE);
  const lua_Integer heads = bind_option_int(L, options, "heads", 0);
  const lua_Integer kv_heads = bind_option_int(L, options, "kv_heads", heads);
  const lua_Integer window = bind_option_int(L, options, "window", 0);
  const int64_t t = vise_tensor_dim(q, 0), width = vise_tensor_dim(q, 1);
  luaL_argcheck(L, heads > 0 && kv_heads > 0 && width % heads == 0, options,
                "heads and kv_heads above 0 expected, heads dividing the columns of q");
  bind_check_matrix_of(L, first + 1, t, width / heads * kv_heads);
  bind_check_matrix_of(L, first + 2, t, width / heads * kv_heads);
  return (vise_attention_spec){heads, kv_heads, width / heads, window};
}

const int64_t *bind_push_starts(lua_State *L, int arg, int64_t t, int64_t *n_sequences_out) {
  lua_getfield(L, arg, "starts");
  luaL_argexpected(L, lua_istable(L, -1), arg, "table with the field 'starts'");
  const lua_Integer n_sequences = luaL_len(L, -1);
  luaL_argcheck(L, n_sequences > 0 || t == 0, arg, "starts of the sequences expected");
  const int64_t shape = n_sequences + 1;
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_I64, 1, &shape, &err) != VISE_OK) {
    bind_fail(L, &err); /* raises: not of the codes that are returned */
  }
  int64_t *starts = vise_tensor_data(*slot);
  for (lua_Integer s = 0; s < n_sequences; s++) {
    lua_geti(L, -2, s + 1);
    starts[s] = luaL_checkinteger(L, -1) - 1;
    lua_pop(L, 1);
  }
  starts[n_sequences] = t;
  *n_sequences_out = n_sequences;
  return starts;
}

/* nn.attention(q [t, heads * d], k [t, kv_heads * d], v, {heads, kv_heads, window, starts}) -> [t,
 * heads * d] */
static int nn_attention(lua_State *L) {
  const vise_attention_spec spec = bind_check_attention(L, 1);
  const vise_tensor *q = bind_check_tensor(L, 1);
  int64_t n_sequences;
  const int64_t *starts = bind_push_starts(L, 4, vise_tensor_dim(q, 0), &n_sequences);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, q);
  return bind_finish(
      L,
      vise_attention_run(bind_f32(out), bind_f32(q), bind_f32(bind_check_tensor(L, 2)),
                         bind_f32(bind_check_tensor(L, 3)), starts, n_sequences, &spec, &err),
      1, &err);
}

/* nn.kv(capacity, kv_heads, head_dim) -> cache of the keys and values of one layer of one sequence
 */
static int nn_kv(lua_State *L) {
  const lua_Integer capacity = luaL_checkinteger(L, 1), kv_heads = luaL_checkinteger(L, 2);
  const lua_Integer head_dim = luaL_checkinteger(L, 3);
  vise_err err;
  vise_kv **slot = new_kv(L);
  return bind_finish(L, vise_kv_create(slot, capacity, kv_heads, head_dim, &err), 1, &err);
}

/* kv:attention(q [t, heads * d], k, v, {heads, kv_heads, window}) -> [t, heads * d]; k and v are
 * kept */
static int kv_attention(lua_State *L) {
  vise_kv *kv = check_kv(L, 1);
  const vise_attention_spec spec = bind_check_attention(L, 2);
  const vise_tensor *q = bind_check_tensor(L, 2);
  const int64_t t = vise_tensor_dim(q, 0);
  vise_err err;
  vise_tensor *out = push_matrix(L, t, vise_tensor_dim(q, 1));
  return bind_finish(L,
                     vise_attention_append(bind_f32(out), kv, bind_f32(q),
                                           bind_f32(bind_check_tensor(L, 3)),
                                           bind_f32(bind_check_tensor(L, 4)), t, &spec, &err),
                     1, &err);
}

/* kv:length() -> tokens in the cache */
static int kv_length(lua_State *L) {
  lua_pushinteger(L, vise_kv_length(check_kv(L, 1)));
  return 1;
}

/* kv:capacity() -> tokens that fit */
static int kv_capacity(lua_State *L) {
  lua_pushinteger(L, vise_kv_capacity(check_kv(L, 1)));
  return 1;
}

/* kv:bytes() -> of the memory it holds */
static int kv_bytes(lua_State *L) {
  lua_pushinteger(L, vise_kv_bytes(check_kv(L, 1)));
  return 1;
}

/* kv:close(), __close, __gc. Safe to call twice. */
static int kv_close(lua_State *L) {
  vise_kv **slot = luaL_checkudata(L, 1, KV);
  vise_kv_free(*slot);
  *slot = NULL;
  return 0;
}

/* nn.sample(logits [v], {temperature, top_k, top_p, seed, position}) -> id, from 0 */
static int nn_sample(lua_State *L) {
  const vise_tensor *logits = bind_check_vector_f32(L, 1);
  const vise_sample_options options = {
      .temperature = bind_option_real(L, 2, "temperature", 0.0),
      .top_k = bind_option_int(L, 2, "top_k", 0),
      .top_p = bind_option_real(L, 2, "top_p", 1.0),
      .seed = (uint64_t)bind_option_int(L, 2, "seed", 0),
      .position = (uint64_t)bind_option_int(L, 2, "position", 0),
  };
  int64_t id;
  vise_err err;
  if (vise_sample_run(&id, bind_f32(logits), vise_tensor_dim(logits, 0), &options, &err) !=
      VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushinteger(L, id);
  return 1;
}

static const luaL_Reg functions[] = {
    {"rmsnorm", nn_rmsnorm},
    {"bias", nn_bias},
    {"add", nn_add},
    {"scale", nn_scale},
    {"swiglu", nn_swiglu},
    {"rope_frequencies", nn_rope_frequencies},
    {"rope_table", nn_rope_table},
    {"rope", nn_rope},
    {"attention", nn_attention},
    {"kv", nn_kv},
    {"sample", nn_sample},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"attention", kv_attention}, {"length", kv_length}, {"capacity", kv_capacity},
    {"bytes", kv_bytes},         {"close", kv_close},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", kv_close},
    {"__close", kv_close},
    {NULL, NULL},
};

int luaopen_vise_native_nn(lua_State *L) {
  bind_new_class(L, KV, methods, metamethods);
  luaL_newlib(L, functions);
  return 1;
}
