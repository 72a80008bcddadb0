/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_grad.c -- the derivatives of nn/ and its optimizers as native.grad. Each derivative takes
   d_y, that of the loss by the operation's result, and then the operation's own arguments. */
#include "bind/bind_nn.h"
#include "nn/elementwise.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/rope.h"

#include <string.h>

/* What is changed in place: never of a file. */
static vise_tensor *check_own(lua_State *L, int arg, const vise_tensor *like) {
  vise_tensor *t = like == NULL ? bind_check_f32(L, arg) : bind_check_f32_like(L, arg, like);
  luaL_argcheck(L, !vise_tensor_is_mapped(t), arg, "a tensor of its own memory expected");
  return t;
}

/* grad.rmsnorm(d_y [t, d], x, gain [d], eps) -> d_x [t, d], d_gain [d] */
static int grad_rmsnorm(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *x = bind_check_f32_like(L, 2, d_y);
  const int64_t t = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  const vise_tensor *gain = bind_check_vector_of(L, 3, d);
  const lua_Number eps = luaL_checknumber(L, 4);
  vise_err err;
  vise_tensor *d_x = bind_push_f32_like(L, x), *d_gain = bind_push_f32(L, 1, &d);
  return bind_finish(L,
                     vise_rmsnorm_backward(bind_f32(d_x), bind_f32(d_gain), bind_f32(d_y),
                                           bind_f32(x), bind_f32(gain), t, d, eps, &err),
                     2, &err);
}

/* grad.bias(d_y [t, m]) -> d_b [m] */
static int grad_bias(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1);
  const int64_t t = vise_tensor_dim(d_y, 0), m = vise_tensor_dim(d_y, 1);
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 1, &m);
  return bind_finish(L, vise_bias_backward(bind_f32(out), bind_f32(d_y), t, m, &err), 1, &err);
}

/* grad.swiglu(d_y, gate, up) -> d_gate, d_up */
static int grad_swiglu(lua_State *L) {
  const vise_tensor *d_y = bind_check_f32(L, 1);
  const vise_tensor *gate = bind_check_f32_like(L, 2, d_y), *up = bind_check_f32_like(L, 3, d_y);
  vise_err err;
  vise_tensor *d_gate = bind_push_f32_like(L, d_y), *d_up = bind_push_f32_like(L, d_y);
  return bind_finish(L,
                     vise_swiglu_backward(bind_f32(d_gate), bind_f32(d_up), bind_f32(d_y),
                                          bind_f32(gate), bind_f32(up), vise_tensor_count(d_y),
                                          &err),
                     2, &err);
}

/* grad.rope(d_y [t, heads * 2 n], table [p, 2 n], positions i32 [t]) -> d_x */
static int grad_rope(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *table = bind_check_matrix_f32(L, 2);
  const vise_tensor *positions = bind_check_vector_i32(L, 3);
  const int64_t t = vise_tensor_dim(d_y, 0), width = vise_tensor_dim(d_y, 1);
  const int64_t head_dim = vise_tensor_dim(table, 1);
  luaL_argcheck(L, head_dim > 0 && width % head_dim == 0, 1, "heads of the table's width expected");
  luaL_argcheck(L, vise_tensor_dim(positions, 0) == t, 3, "one position per token expected");
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, d_y);
  return bind_finish(L,
                     vise_rope_run(bind_f32(out), bind_f32(d_y), t, width / head_dim, head_dim / 2,
                                   bind_f32(table), vise_tensor_dim(table, 0),
                                   vise_tensor_data(positions), true, &err),
                     1, &err);
}

/* grad.attention(d_y, q, k, v, {heads, kv_heads, window, starts}) -> d_q, d_k, d_v */
static int grad_attention(lua_State *L) {
  const vise_attention_spec spec = bind_check_attention(L, 2);
  const vise_tensor *q = bind_check_tensor(L, 2), *k = bind_check_tensor(L, 3);
  const vise_tensor *v = bind_check_tensor(L, 4), *d_y = bind_check_f32_like(L, 1, q);
  int64_t n_sequences;
  const int64_t *starts = bind_push_starts(L, 5, vise_tensor_dim(q, 0), &n_sequences);
  vise_err err;
  vise_tensor *d_q = bind_push_f32_like(L, q), *d_k = bind_push_f32_like(L, k);
  vise_tensor *d_v = bind_push_f32_like(L, v);
  return bind_finish(L,
                     vise_attention_backward(bind_f32(d_q), bind_f32(d_k), bind_f32(d_v),
                                             bind_f32(d_y), bind_f32(q), bind_f32(k), bind_f32(v),
                                             starts, n_sequences, &spec, &err),
                     3, &err);
}

/* grad.gather(d_y [n, k], ids i32 [n], m) -> d_w [m, k], of taking rows ids of w */
static int grad_gather(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *ids = bind_check_vector_i32(L, 2);
  const lua_Integer m = luaL_checkinteger(L, 3);
  const int64_t shape[2] = {m, vise_tensor_dim(d_y, 1)}, n = vise_tensor_dim(ids, 0);
  luaL_argcheck(L, vise_tensor_dim(d_y, 0) == n, 2, "one id per row expected");
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(L,
                     vise_gather_backward(bind_f32(out), bind_f32(d_y), vise_tensor_data(ids), n, m,
                                          shape[1], &err),
                     1, &err);
}

/* The logits at `arg`, and the targets after them. */
static const int32_t *check_targets(lua_State *L, int arg, const vise_tensor *logits) {
  const vise_tensor *targets = bind_check_vector_i32(L, arg + 1);
  const int64_t n = vise_tensor_dim(logits, 0), v = vise_tensor_dim(logits, 1);
  const int32_t *ids = vise_tensor_data(targets);
  luaL_argcheck(L, n > 0 && v > 0, arg, "no logits");
  luaL_argcheck(L, vise_tensor_dim(targets, 0) == n, arg + 1, "one target per row expected");
  for (int64_t i = 0; i < n; i++) {
    luaL_argcheck(L, ids[i] >= 0 && ids[i] < v, arg + 1, "target out of range");
  }
  return ids;
}

/* grad.nll_mean(logits [n, v], targets i32 [n]) -> nats a token, NaN where logits are not finite */
static int grad_nll_mean(lua_State *L) {
  const vise_tensor *logits = bind_check_matrix_f32(L, 1);
  const int32_t *ids = check_targets(L, 1, logits);
  double mean = 0.0;
  vise_err err;
  const vise_status st = vise_nll_mean(&mean, bind_f32(logits), vise_tensor_dim(logits, 0),
                                       vise_tensor_dim(logits, 1), ids, &err);
  lua_pushnumber(L, mean);
  return bind_finish(L, st, 1, &err);
}

/* grad.nll(scale, logits [n, v], targets i32 [n][, in_place]) -> d_logits, of scale * sum of nll;
   in_place: the logits are overwritten, the result is another handle of them */
static int grad_nll(lua_State *L) {
  const lua_Number scale = luaL_checknumber(L, 1);
  const vise_tensor *logits = bind_check_matrix_f32(L, 2);
  const int32_t *ids = check_targets(L, 2, logits);
  vise_err err;
  vise_tensor *out;
  if (lua_toboolean(L, 4)) {
    vise_tensor **slot = bind_new_tensor(L);
    out = *slot = vise_tensor_retain(check_own(L, 2, NULL));
  } else {
    out = bind_push_f32_like(L, logits);
  }
  return bind_finish(L,
                     vise_nll_backward(bind_f32(out), bind_f32(logits), vise_tensor_dim(logits, 0),
                                       vise_tensor_dim(logits, 1), ids, scale, &err),
                     1, &err);
}

/* grad.matmul(x [t, k], w [m, k]) -> y [t, m] = x w' */
static int grad_matmul(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1), *w = bind_check_matrix_f32(L, 2);
  const int64_t t = vise_tensor_dim(x, 0), m = vise_tensor_dim(w, 0), k = vise_tensor_dim(w, 1);
  const int64_t shape[2] = {t, m};
  bind_check_matrix_of(L, 1, t, k);
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(L, vise_linear_run(bind_f32(out), bind_f32(x), bind_f32(w), t, m, k, &err), 1,
                     &err);
}

/* grad.matmul_x(d_y [t, m], w [m, k]) -> d_x [t, k] = d_y w */
static int grad_matmul_x(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *w = bind_check_matrix_f32(L, 2);
  const int64_t t = vise_tensor_dim(d_y, 0), m = vise_tensor_dim(w, 0), k = vise_tensor_dim(w, 1);
  const int64_t shape[2] = {t, k};
  bind_check_matrix_of(L, 1, t, m);
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(
      L, vise_linear_backward_x(bind_f32(out), bind_f32(d_y), bind_f32(w), t, m, k, &err), 1, &err);
}

/* grad.matmul_w(d_y [t, m], x [t, k]) -> d_w [m, k] = d_y' x */
static int grad_matmul_w(lua_State *L) {
  const vise_tensor *d_y = bind_check_matrix_f32(L, 1), *x = bind_check_matrix_f32(L, 2);
  const int64_t t = vise_tensor_dim(x, 0), m = vise_tensor_dim(d_y, 1), k = vise_tensor_dim(x, 1);
  const int64_t shape[2] = {m, k};
  bind_check_matrix_of(L, 1, t, m);
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  return bind_finish(
      L, vise_linear_backward_w(bind_f32(out), bind_f32(d_y), bind_f32(x), t, m, k, &err), 1, &err);
}

/* true, or what bind_fail gives */
static int done(lua_State *L, vise_status st, const vise_err *err) {
  lua_pushboolean(L, 1);
  return bind_finish(L, st, 1, err);
}

/* grad.adamw(p, m, v, d, {rate, beta1, beta2, epsilon, decay, step, clip}) -> true; p, m, v change */
static int grad_adamw(lua_State *L) {
  const vise_tensor *p = check_own(L, 1, NULL), *m = check_own(L, 2, p), *v = check_own(L, 3, p);
  const vise_tensor *d = bind_check_f32_like(L, 4, p);
  const vise_adamw options = {.rate = bind_option_real(L, 5, "rate", 0.0),
                              .beta1 = bind_option_real(L, 5, "beta1", 0.9),
                              .beta2 = bind_option_real(L, 5, "beta2", 0.95),
                              .epsilon = bind_option_real(L, 5, "epsilon", 1e-8),
                              .decay = bind_option_real(L, 5, "decay", 0.0),
                              .step = bind_option_int(L, 5, "step", 1),
                              .clip = bind_option_real(L, 5, "clip", 1.0)};
  luaL_argcheck(L, options.step >= 1, 5, "steps count from 1");
  vise_err err;
  return done(L,
              vise_adamw_run(bind_f32(p), bind_f32(m), bind_f32(v), bind_f32(d),
                             vise_tensor_count(p), &options, &err),
              &err);
}

/* grad.sgd(p, m, d, {rate, momentum, decay, clip}) -> true; p and m change */
static int grad_sgd(lua_State *L) {
  const vise_tensor *p = check_own(L, 1, NULL), *m = check_own(L, 2, p);
  const vise_tensor *d = bind_check_f32_like(L, 3, p);
  vise_err err;
  return done(
      L,
      vise_sgd_run(bind_f32(p), bind_f32(m), bind_f32(d), vise_tensor_count(p),
                   bind_option_real(L, 4, "rate", 0.0), bind_option_real(L, 4, "momentum", 0.9),
                   bind_option_real(L, 4, "decay", 0.0), bind_option_real(L, 4, "clip", 1.0), &err),
      &err);
}

/* grad.sign(p, d, {rate, decay}) -> true; p changes */
static int grad_sign(lua_State *L) {
  const vise_tensor *p = check_own(L, 1, NULL), *d = bind_check_f32_like(L, 2, p);
  vise_err err;
  return done(L,
              vise_sign_run(bind_f32(p), bind_f32(d), vise_tensor_count(p),
                            bind_option_real(L, 3, "rate", 0.0),
                            bind_option_real(L, 3, "decay", 0.0), &err),
              &err);
}

/* grad.copy(to, from) -> true; `to` becomes `from`, of the same shape */
static int grad_copy(lua_State *L) {
  const vise_tensor *to = check_own(L, 1, NULL), *from = bind_check_f32_like(L, 2, to);
  memcpy(vise_tensor_data(to), vise_tensor_data(from), vise_tensor_bytes(to));
  lua_pushboolean(L, 1);
  return 1;
}

/* grad.squares(x) -> sum of x^2 */
static int grad_squares(lua_State *L) {
  const vise_tensor *x = bind_check_f32(L, 1);
  double sum = 0.0;
  vise_err err;
  const vise_status st = vise_squares_run(&sum, bind_f32(x), vise_tensor_count(x), &err);
  lua_pushnumber(L, sum);
  return bind_finish(L, st, 1, &err);
}

static const luaL_Reg functions[] = {
    {"rmsnorm", grad_rmsnorm},
    {"bias", grad_bias},
    {"swiglu", grad_swiglu},
    {"rope", grad_rope},
    {"attention", grad_attention},
    {"gather", grad_gather},
    {"nll_mean", grad_nll_mean},
    {"nll", grad_nll},
    {"matmul", grad_matmul},
    {"matmul_x", grad_matmul_x},
    {"matmul_w", grad_matmul_w},
    {"adamw", grad_adamw},
    {"sgd", grad_sgd},
    {"sign", grad_sign},
    {"copy", grad_copy},
    {"squares", grad_squares},
    {NULL, NULL},
};

int luaopen_vise_native_grad(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
