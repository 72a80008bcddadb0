/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_image.c -- nn/image.h as native.image. Windows are {size, stride, pad}. */
#include "bind/bind_nn.h"
#include "nn/image.h"

/* The images [n, h, w, c] at `arg` and the windows at `options`. */
static vise_windows check_windows(lua_State *L, int arg, int options) {
  const vise_tensor *x = bind_check_f32(L, arg);
  luaL_argcheck(L, vise_tensor_rank(x) == 4, arg, "images [n, h, w, c] expected");
  vise_windows g = {.n = vise_tensor_dim(x, 0),
                    .h = vise_tensor_dim(x, 1),
                    .w = vise_tensor_dim(x, 2),
                    .c = vise_tensor_dim(x, 3),
                    .size = bind_option_int(L, options, "size", 1),
                    .stride = bind_option_int(L, options, "stride", 1),
                    .pad = bind_option_int(L, options, "pad", 0)};
  vise_err err;
  if (vise_windows_fit(&g, &err) != VISE_OK) {
    bind_fail(L, &err); /* raises: not of the codes that are returned */
  }
  return g;
}

/* image.patches(x [n, h, w, c], windows) -> [n oh ow, size size c], oh, ow */
static int image_patches(lua_State *L) {
  const vise_windows g = check_windows(L, 1, 2);
  const int64_t shape[2] = {g.n * g.oh * g.ow, g.size * g.size * g.c};
  vise_err err;
  vise_tensor *out = bind_push_f32(L, 2, shape);
  const vise_status st = vise_patches_run(bind_f32(out), bind_f32(bind_check_f32(L, 1)), &g, &err);
  lua_pushinteger(L, g.oh);
  lua_pushinteger(L, g.ow);
  return bind_finish(L, st, 3, &err);
}

/* image.patches_back(d_patches, x, windows) -> d_x; of x the shape is used */
static int image_patches_back(lua_State *L) {
  const vise_windows g = check_windows(L, 2, 3);
  const vise_tensor *d = bind_check_matrix_of(L, 1, g.n * g.oh * g.ow, g.size * g.size * g.c);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, bind_check_f32(L, 2));
  return bind_finish(L, vise_patches_backward(bind_f32(out), bind_f32(d), &g, &err), 1, &err);
}

static vise_tensor *push_pooled(lua_State *L, const vise_windows *g) {
  const int64_t shape[4] = {g->n, g->oh, g->ow, g->c};
  return bind_push_f32(L, 4, shape);
}

/* The derivative at `arg` by what was pooled. */
static const vise_tensor *check_pooled(lua_State *L, int arg, const vise_windows *g) {
  const vise_tensor *d = bind_check_f32(L, arg);
  luaL_argcheck(L,
                vise_tensor_rank(d) == 4 && vise_tensor_dim(d, 0) == g->n &&
                    vise_tensor_dim(d, 1) == g->oh && vise_tensor_dim(d, 2) == g->ow &&
                    vise_tensor_dim(d, 3) == g->c,
                arg, "the shape of the pooled images expected");
  return d;
}

/* image.max_pool(x [n, h, w, c], windows) -> [n, oh, ow, c] */
static int image_max_pool(lua_State *L) {
  const vise_windows g = check_windows(L, 1, 2);
  vise_err err;
  vise_tensor *out = push_pooled(L, &g);
  return bind_finish(L, vise_max_pool_run(bind_f32(out), bind_f32(bind_check_f32(L, 1)), &g, &err),
                     1, &err);
}

/* image.max_pool_back(d_y, x, windows) -> d_x */
static int image_max_pool_back(lua_State *L) {
  const vise_windows g = check_windows(L, 2, 3);
  const vise_tensor *d = check_pooled(L, 1, &g), *x = bind_check_f32(L, 2);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, x);
  return bind_finish(L, vise_max_pool_backward(bind_f32(out), bind_f32(d), bind_f32(x), &g, &err),
                     1, &err);
}

/* image.mean_pool(x [n, h, w, c], windows) -> [n, oh, ow, c] */
static int image_mean_pool(lua_State *L) {
  const vise_windows g = check_windows(L, 1, 2);
  vise_err err;
  vise_tensor *out = push_pooled(L, &g);
  return bind_finish(L, vise_mean_pool_run(bind_f32(out), bind_f32(bind_check_f32(L, 1)), &g, &err),
                     1, &err);
}

/* image.mean_pool_back(d_y, x, windows) -> d_x; of x the shape is used */
static int image_mean_pool_back(lua_State *L) {
  const vise_windows g = check_windows(L, 2, 3);
  const vise_tensor *d = check_pooled(L, 1, &g);
  vise_err err;
  vise_tensor *out = bind_push_f32_like(L, bind_check_f32(L, 2));
  return bind_finish(L, vise_mean_pool_backward(bind_f32(out), bind_f32(d), &g, &err), 1, &err);
}

static const luaL_Reg functions[] = {
    {"patches", image_patches},
    {"patches_back", image_patches_back},
    {"max_pool", image_max_pool},
    {"max_pool_back", image_max_pool_back},
    {"mean_pool", image_mean_pool},
    {"mean_pool_back", image_mean_pool_back},
    {NULL, NULL},
};

int luaopen_vise_native_image(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
