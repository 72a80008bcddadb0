/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_distance.c -- nn/distance.h and nn/top.h as native.distance. */
#include "bind/bind_nn.h"
#include "nn/distance.h"
#include "nn/top.h"

/* Two matrices of one shape, not empty. */
typedef struct pair {
  const vise_tensor *x, *y;
  int64_t n, d;
} pair;

static pair check_pair(lua_State *L, int arg) {
  const vise_tensor *x = bind_check_matrix_f32(L, arg), *y = bind_check_f32_like(L, arg + 1, x);
  luaL_argcheck(L, vise_tensor_count(x) > 0, arg, "no numbers");
  return (pair){x, y, vise_tensor_dim(x, 0), vise_tensor_dim(x, 1)};
}

typedef vise_status mean_fn(double *, const float *, const float *, int64_t, int64_t, vise_err *);

static int push_mean(lua_State *L, mean_fn *fn) {
  const pair p = check_pair(L, 1);
  double mean = 0.0;
  vise_err err;
  const vise_status st = fn(&mean, bind_f32(p.x), bind_f32(p.y), p.n, p.d, &err);
  lua_pushnumber(L, mean);
  return bind_finish(L, st, 1, &err);
}

typedef vise_status
back_fn(float *, const float *, const float *, int64_t, int64_t, double, vise_err *);

static int push_derivative(lua_State *L, back_fn *fn) {
  const lua_Number scale = luaL_checknumber(L, 1);
  const pair p = check_pair(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, p.x);
  return bind_finish(L, fn(bind_f32(out), bind_f32(p.x), bind_f32(p.y), p.n, p.d, scale, &err), 1,
                     &err);
}

/* distance.kl(p [n, v], q [n, v]) -> mean of KL(softmax(p) || softmax(q)) */
static int distance_kl(lua_State *L) {
  return push_mean(L, vise_kl_mean);
}

/* distance.kl_by_q(scale, p, q) -> derivative of scale * sum of KL by q */
static int distance_kl_by_q(lua_State *L) {
  return push_derivative(L, vise_kl_backward_q);
}

/* distance.kl_by_p(scale, p, q) -> derivative of scale * sum of KL by p */
static int distance_kl_by_p(lua_State *L) {
  return push_derivative(L, vise_kl_backward_p);
}

/* Logits at `arg`, ids i32 [n, k], log_p [n, k] and log_tail [n] after them. */
static vise_top check_top(lua_State *L, int arg) {
  const vise_tensor *logits = bind_check_matrix_f32(L, arg), *ids = bind_check_tensor(L, arg + 1);
  const int64_t n = vise_tensor_dim(logits, 0), v = vise_tensor_dim(logits, 1);
  luaL_argcheck(L,
                vise_tensor_dtype(ids) == VISE_DTYPE_I32 && vise_tensor_rank(ids) == 2 &&
                    vise_tensor_is_contiguous(ids) && vise_tensor_dim(ids, 0) == n && n > 0,
                arg + 1, "an i32 matrix with as many rows expected");
  const int64_t k = vise_tensor_dim(ids, 1);
  luaL_argcheck(L, k < v, arg + 1, "fewer columns than logits expected");
  const int32_t *columns = vise_tensor_data(ids);
  for (int64_t i = 0; i < n * k; i++) {
    luaL_argcheck(L, columns[i] >= 0 && columns[i] < v, arg + 1, "column out of range");
  }
  return (vise_top){.ids = columns,
                    .log_p = bind_f32(bind_check_matrix_of(L, arg + 2, n, k)),
                    .log_tail = bind_f32(bind_check_vector_of(L, arg + 3, n)),
                    .n = n,
                    .k = k,
                    .v = v};
}

/* distance.kl_top(logits [n, v], ids i32 [n, k], log_p [n, k], log_tail [n]) -> mean over rows */
static int distance_kl_top(lua_State *L) {
  const vise_top top = check_top(L, 1);
  double mean = 0.0;
  vise_err err;
  const vise_status st = vise_kl_top_mean(&mean, bind_f32(bind_check_tensor(L, 1)), &top, &err);
  lua_pushnumber(L, mean);
  return bind_finish(L, st, 1, &err);
}

/* distance.kl_top_back(scale, logits, ids, log_p, log_tail) -> derivative of scale * sum by logits */
static int distance_kl_top_back(lua_State *L) {
  const lua_Number scale = luaL_checknumber(L, 1);
  const vise_top top = check_top(L, 2);
  const vise_tensor *logits = bind_check_tensor(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, logits);
  return bind_finish(L, vise_kl_top_backward(bind_f32(out), bind_f32(logits), &top, scale, &err), 1,
                     &err);
}

/* distance.top(logits [n, v], k) -> ids i32 [n, k], log_p [n, k], log_tail [n] */
static int distance_top(lua_State *L) {
  const vise_tensor *logits = bind_check_matrix_f32(L, 1);
  const lua_Integer k = luaL_checkinteger(L, 2);
  const int64_t n = vise_tensor_dim(logits, 0), v = vise_tensor_dim(logits, 1);
  luaL_argcheck(L, n > 0, 1, "no rows");
  luaL_argcheck(L, k >= 1 && k < v, 2, "1 or more and fewer than the columns expected");
  vise_err err;
  vise_tensor **ids = bind_new_tensor(L);
  const int64_t shape[] = {n, k};
  if (vise_tensor_create(ids, VISE_DTYPE_I32, 2, shape, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  vise_tensor *log_p = bind_push_f32(L, 2, shape), *log_tail = bind_push_f32(L, 1, &n);
  return bind_finish(L,
                     vise_top_find(vise_tensor_data(*ids), bind_f32(log_p), bind_f32(log_tail),
                                   bind_f32(logits), n, k, v, &err),
                     3, &err);
}

/* distance.cosine(x [t, d], y [t, d]) -> mean of the cosines of rows */
static int distance_cosine(lua_State *L) {
  return push_mean(L, vise_cosine_mean);
}

/* distance.cosine_by_x(scale, x, y) -> derivative of scale * sum of cosines by x */
static int distance_cosine_by_x(lua_State *L) {
  return push_derivative(L, vise_cosine_backward);
}

/* distance.mse(x, y) -> mean of (x - y)^2, any shape */
static int distance_mse(lua_State *L) {
  const vise_tensor *x = bind_check_f32(L, 1), *y = bind_check_f32_like(L, 2, x);
  luaL_argcheck(L, vise_tensor_count(x) > 0, 1, "no numbers");
  double mean = 0.0;
  vise_err err;
  const vise_status st = vise_mse_mean(&mean, bind_f32(x), bind_f32(y), vise_tensor_count(x), &err);
  lua_pushnumber(L, mean);
  return bind_finish(L, st, 1, &err);
}

/* distance.difference(scale, x, y) -> scale (x - y) */
static int distance_difference(lua_State *L) {
  const lua_Number scale = luaL_checknumber(L, 1);
  const vise_tensor *x = bind_check_f32(L, 2), *y = bind_check_f32_like(L, 3, x);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(
      L,
      vise_mse_backward(bind_f32(out), bind_f32(x), bind_f32(y), vise_tensor_count(x), scale, &err),
      1, &err);
}

/* distance.softmax(x [n, v]) -> y [n, v] */
static int distance_softmax(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L,
                     vise_softmax_run(bind_f32(out), bind_f32(x), vise_tensor_dim(x, 0),
                                      vise_tensor_dim(x, 1), &err),
                     1, &err);
}

/* distance.softmax_back(d_y, y) -> d_x */
static int distance_softmax_back(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *y = bind_check_f32_like(L, 2, d_y);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, y);
  return bind_finish(L,
                     vise_softmax_backward(bind_f32(out), bind_f32(d_y), bind_f32(y),
                                           vise_tensor_dim(y, 0), vise_tensor_dim(y, 1), &err),
                     1, &err);
}

/* distance.sum(x) -> number */
static int distance_sum(lua_State *L) {
  const vise_tensor *x = bind_check_f32(L, 1);
  double sum = 0.0;
  vise_err err;
  const vise_status st = vise_sum_run(&sum, bind_f32(x), vise_tensor_count(x), &err);
  lua_pushnumber(L, sum);
  return bind_finish(L, st, 1, &err);
}

static const luaL_Reg functions[] = {
    {"kl", distance_kl},           {"kl_by_q", distance_kl_by_q},
    {"kl_by_p", distance_kl_by_p}, {"top", distance_top},
    {"kl_top", distance_kl_top},   {"kl_top_back", distance_kl_top_back},
    {"cosine", distance_cosine},   {"cosine_by_x", distance_cosine_by_x},
    {"mse", distance_mse},         {"difference", distance_difference},
    {"softmax", distance_softmax}, {"softmax_back", distance_softmax_back},
    {"sum", distance_sum},         {NULL, NULL},
};

int luaopen_vise_native_distance(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
