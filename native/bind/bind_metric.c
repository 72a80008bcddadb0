/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_metric.c -- nn/loss.h and nn/similarity.h as the table 'metric' of the module vise.native. */
#include "bind/bind.h"
#include "nn/loss.h"
#include "nn/similarity.h"

static vise_tensor *check_logits(lua_State *L, int arg) {
  vise_tensor *t = bind_check_matrix_f32(L, arg);
  luaL_argcheck(L, vise_tensor_dim(t, 1) >= 1, arg, "logits have no columns");
  return t;
}

/* metric.nll(logits [n, v] f32, targets [n] i32) -> [n] f64, nats; ids count from 0 */
static int metric_nll(lua_State *L) {
  const vise_tensor *logits = check_logits(L, 1);
  const vise_tensor *targets = bind_check_vector_i32(L, 2);
  const int64_t n = vise_tensor_dim(logits, 0), v = vise_tensor_dim(logits, 1);
  luaL_argcheck(L, vise_tensor_dim(targets, 0) == n, 2,
                "one target for each row of logits expected");
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_F64, 1, &n, &err) != VISE_OK ||
      vise_nll_run(vise_tensor_data(*slot), vise_tensor_data(logits), n, v,
                   vise_tensor_data(targets), &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

/* metric.divergence(p [n, v] f32, q [n, v] f32) -> KL(p || q) [n] f64 in nats, agree [n] u8 */
static int metric_divergence(lua_State *L) {
  const vise_tensor *p = check_logits(L, 1), *q = check_logits(L, 2);
  const int64_t n = vise_tensor_dim(p, 0), v = vise_tensor_dim(p, 1);
  luaL_argcheck(L, vise_tensor_dim(q, 0) == n && vise_tensor_dim(q, 1) == v, 2,
                "the shape of the first argument expected");
  vise_err err;
  vise_tensor **kl = bind_new_tensor(L), **agree = bind_new_tensor(L);
  if (vise_tensor_create(kl, VISE_DTYPE_F64, 1, &n, &err) != VISE_OK ||
      vise_tensor_create(agree, VISE_DTYPE_U8, 1, &n, &err) != VISE_OK ||
      vise_divergence_run(vise_tensor_data(*kl), vise_tensor_data(*agree), vise_tensor_data(p),
                          vise_tensor_data(q), n, v, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 2;
}

/* metric.cosine(x [n, d] f32, y [n, d] f32) -> [n] f64, of each row with its other */
static int metric_cosine(lua_State *L) {
  const vise_tensor *x = bind_check_matrix_f32(L, 1), *y = bind_check_matrix_f32(L, 2);
  const int64_t n = vise_tensor_dim(x, 0), d = vise_tensor_dim(x, 1);
  luaL_argcheck(L, vise_tensor_dim(y, 0) == n && vise_tensor_dim(y, 1) == d, 2,
                "the shape of the first argument expected");
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_F64, 1, &n, &err) != VISE_OK ||
      vise_cosines_run(vise_tensor_data(*slot), vise_tensor_data(x), vise_tensor_data(y), n, d,
                       &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"nll", metric_nll},
    {"divergence", metric_divergence},
    {"cosine", metric_cosine},
    {NULL, NULL},
};

int luaopen_vise_native_metric(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
