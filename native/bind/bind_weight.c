/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_weight.c -- weight/weight.h as native.weight. Token ids stay 0-based: they are data. */
#include "bind/bind.h"
#include "core/param.h"
#include "linalg/hadamard.h"
#include "weight/codebook.h"
#include "weight/compose.h"
#include "weight/sparse.h"

#include <stdio.h>
#include <string.h>

#define WEIGHT "vise.weight"
#define TREE   "vise.weight.tree" /* owns a tree while it is being copied into tables */

vise_weight **bind_new_weight(lua_State *L) {
  vise_weight **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, WEIGHT);
  return slot;
}

vise_weight *bind_check_weight(lua_State *L, int arg) {
  vise_weight **slot = luaL_checkudata(L, arg, WEIGHT);
  luaL_argcheck(L, *slot != NULL, arg, "weight is closed");
  return *slot;
}

/* weight.dense(tensor [m, k]) -> weight */
static int weight_dense(lua_State *L) {
  vise_tensor *t = bind_check_tensor(L, 1);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_dense(slot, t, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* weight.lowrank(b [m, r], a [r, k]) -> weight */
static int weight_lowrank(lua_State *L) {
  vise_weight *b = bind_check_weight(L, 1), *a = bind_check_weight(L, 2);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_lowrank(slot, b, a, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* Push the sum of n weights. */
static int push_sum(lua_State *L, vise_weight *const *terms, int n) {
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_sum(slot, terms, n, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* weight.sum({w1, w2, ...}) -> weight */
static int weight_sum(lua_State *L) {
  vise_weight *terms[VISE_TREE_CHILDREN]; /* borrowed from the table's handles */
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Unsigned n = lua_rawlen(L, 1);
  luaL_argcheck(L, n >= 1 && n <= VISE_TREE_CHILDREN, 1, "expected 1 to 64 weights");
  for (lua_Unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    vise_weight **slot = luaL_testudata(L, -1, WEIGHT);
    if (slot == NULL || *slot == NULL) {
      return luaL_error(L, "sum: term %I is %s, expected a weight", (LUAI_UACINT)i + 1,
                        slot == NULL ? luaL_typename(L, -1) : "closed");
    }
    terms[i] = *slot;
    lua_pop(L, 1);
  }
  return push_sum(L, terms, (int)n);
}

/* A field of the options table at 2, NULL if absent; the table keeps it alive. */
static vise_tensor *option_tensor(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  vise_tensor *t = bind_test_tensor(L, -1);
  if (t == NULL && !lua_isnil(L, -1)) {
    luaL_error(L, "scaled: %s is %s, expected a tensor", name, luaL_typename(L, -1));
  }
  lua_pop(L, 1);
  return t;
}

/* weight.scaled(w, {left = tensor [m]?, right = tensor [k]?}) -> weight */
static int weight_scaled(lua_State *L) {
  vise_weight *w = bind_check_weight(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  vise_tensor *left = option_tensor(L, "left"), *right = option_tensor(L, "right");
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  const vise_status st = vise_weight_scaled(slot, w, left, right, NULL, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

static vise_sparse_layout check_layout(lua_State *L, int arg, const char *name) {
  const int layout = vise_param_find(vise_sparse_layouts, name);
  luaL_argcheck(L, layout >= 0, arg, "no such layout");
  return (vise_sparse_layout)layout;
}

/* An option of a few, made -1 if it is none that C could refuse by itself. */
static int check_small(lua_State *L, int arg) {
  const lua_Integer i = luaL_checkinteger(L, arg);
  return i >= 0 && i <= 1 << 16 ? (int)i : -1;
}

/* The weight at `arg`, where a tensor becomes a dense one. */
static vise_weight *check_weight_or_tensor(lua_State *L, int arg) {
  vise_tensor *t = bind_test_tensor(L, arg);
  if (t != NULL) {
    vise_err err;
    vise_weight **slot = bind_new_weight(L);
    if (vise_weight_dense(slot, t, &err) != VISE_OK) {
      bind_fail(L, &err); /* a wrong shape or type, or no room: all raise */
    }
    lua_replace(L, arg);
  }
  return bind_check_weight(L, arg);
}

/* weight.sparse(w or tensor, layout, n, m, rows, columns, dtype) -> weight */
static int weight_sparse(lua_State *L) {
  const vise_weight *w = check_weight_or_tensor(L, 1);
  const char *name = luaL_checkstring(L, 2);
  const vise_sparse_options o = {.layout = check_layout(L, 2, name),
                                 .n = check_small(L, 3),
                                 .m = check_small(L, 4),
                                 .rows = check_small(L, 5),
                                 .columns = check_small(L, 6),
                                 .values = bind_check_dtype(L, 7)};
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_sparse(slot, w, &o, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:values() -> the values of a sparse weight, [n, 256], or nil */
static int weight_values(lua_State *L) {
  vise_weight *values = vise_weight_sparse_values(bind_check_weight(L, 1));
  if (values == NULL) {
    luaL_pushfail(L);
    return 1;
  }
  *bind_new_weight(L) = vise_weight_retain(values);
  return 1;
}

/* w:gather(from) -> [n, 256] f32: what another weight is at the places of a sparse one */
static int weight_gather(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1), *from = bind_check_weight(L, 2);
  luaL_argcheck(L, vise_weight_sparse_values(w) != NULL, 1, "weight is not sparse");
  luaL_argcheck(L, from->m == w->m && from->k == w->k, 2, "weight has another shape");
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  return vise_weight_sparse_gather(slot, w, from, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:with_values(values) -> the same positions of a sparse weight with other values */
static int weight_with_values(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_weight *values = bind_check_weight(L, 2);
  luaL_argcheck(L, vise_weight_sparse_values(w) != NULL, 1, "weight is not sparse");
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_sparse_with(slot, w, values, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* weight.codebook(indices [m, s], table [tables, 2^bits, d], k, per, group) -> weight */
static int weight_codebook(lua_State *L) {
  static const char *const pers[] = {"tensor", "row", "group", "column", NULL};
  const vise_tensor *indices = bind_check_tensor(L, 1);
  vise_tensor *table = bind_check_tensor(L, 2);
  const lua_Integer k = luaL_checkinteger(L, 3), group = luaL_checkinteger(L, 5);
  const vise_codebook_per per = (vise_codebook_per)luaL_checkoption(L, 4, NULL, pers);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  const vise_status st = vise_weight_codebook(slot, indices, table, k, per, group, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* weight.codebook_of(w, table [1, 2^bits, 1]) -> weight, the nearest numbers of the table */
static int weight_codebook_of(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_tensor *table = bind_check_tensor(L, 2);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  const vise_status st = vise_weight_codebook_of(slot, w, table, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* The order at `arg`: a number, or true for the greatest that vise_hadamard_block finds for n. */
static int64_t check_order(lua_State *L, int arg, int64_t n) {
  if (lua_isboolean(L, arg)) {
    return lua_toboolean(L, arg) && n > 0 ? vise_hadamard_block(n) : 0;
  }
  return luaL_optinteger(L, arg, 0);
}

/* weight.input(w, format[, scale]) -> weight; without a scale each token has its own */
static int weight_input(lua_State *L) {
  static const char *const formats[] = {"int8", "fp8", NULL}; /* as vise_input_format */
  vise_weight *w = bind_check_weight(L, 1);
  const int format = luaL_checkoption(L, 2, NULL, formats);
  const double scale = luaL_optnumber(L, 3, 0.0);
  luaL_argcheck(L, lua_isnoneornil(L, 3) || scale != 0.0, 3, "expected a number above 0");
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  const vise_status st = vise_weight_input(slot, w, (vise_input_format)format, (float)scale, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* weight.rotated(w[, left[, right]]) -> weight */
static int weight_rotated(lua_State *L) {
  vise_weight *w = bind_check_weight(L, 1);
  const int64_t left = check_order(L, 2, w->m), right = check_order(L, 3, w->k);
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_rotated(slot, w, left, right, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* Push `w` times a number. */
static int push_times(lua_State *L, vise_weight *w, lua_Number factor) {
  vise_err err;
  vise_weight **slot = bind_new_weight(L);
  return vise_weight_times(slot, w, (float)factor, &err) == VISE_OK ? 1 : bind_fail(L, &err);
}

/* a + b: one sum, in order, also of more than two */
static int weight_add(lua_State *L) {
  vise_weight *a = bind_check_weight(L, 1), *b = bind_check_weight(L, 2);
  vise_weight *terms[VISE_TREE_CHILDREN] = {a, b};
  int n = 1;
  if (strcmp(a->kind->name, "sum") == 0 && a->n_children < VISE_TREE_CHILDREN) {
    n = a->n_children;
    memcpy(terms, a->children, (size_t)n * sizeof terms[0]);
  }
  terms[n] = b;
  return push_sum(L, terms, n + 1);
}

/* -w */
static int weight_unm(lua_State *L) {
  return push_times(L, bind_check_weight(L, 1), -1);
}

/* a - b: a + (-b) */
static int weight_sub(lua_State *L) {
  bind_check_weight(L, 1);
  push_times(L, bind_check_weight(L, 2), -1);
  lua_replace(L, 2);
  return weight_add(L);
}

/* number * w, w * number; b * a of two weights is their product */
static int weight_mul(lua_State *L) {
  if (lua_type(L, 1) == LUA_TNUMBER) {
    return push_times(L, bind_check_weight(L, 2), lua_tonumber(L, 1));
  }
  if (lua_type(L, 2) == LUA_TNUMBER) {
    return push_times(L, bind_check_weight(L, 1), lua_tonumber(L, 2));
  }
  return weight_lowrank(L);
}

/* A new f32 tensor [rows, columns] on the stack. */
static vise_tensor *push_matrix(lua_State *L, int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  if (vise_tensor_create(slot, VISE_DTYPE_F32, 2, shape, &err) != VISE_OK) {
    bind_fail(L, &err); /* no room, or a wrong shape: both raise */
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return *slot;
}

/* w:matmul(x [t, k] f32) -> y [t, m] f32 */
static int weight_matmul(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  const vise_tensor *x = bind_check_matrix_f32(L, 2);
  const int64_t t = vise_tensor_dim(x, 0), columns = vise_tensor_dim(x, 1);
  if (columns != w->k) {
    return luaL_error(L, "matmul: x is [%I, %I], expected [%I, %I] (columns of w)", (LUAI_UACINT)t,
                      (LUAI_UACINT)columns, (LUAI_UACINT)t, (LUAI_UACINT)w->k);
  }
  vise_err err;
  vise_tensor *y = push_matrix(L, t, w->m);
  const vise_status st =
      vise_weight_matmul(w, vise_tensor_data(y), w->m, vise_tensor_data(x), w->k, t, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:matmul_t(x [t, m] f32) -> y [t, k] f32 */
static int weight_matmul_t(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  const vise_tensor *x = bind_check_matrix_f32(L, 2);
  const int64_t t = vise_tensor_dim(x, 0), columns = vise_tensor_dim(x, 1);
  if (columns != w->m) {
    return luaL_error(L, "matmul_t: x is [%I, %I], expected [%I, %I] (rows of w)", (LUAI_UACINT)t,
                      (LUAI_UACINT)columns, (LUAI_UACINT)t, (LUAI_UACINT)w->m);
  }
  vise_err err;
  vise_tensor *y = push_matrix(L, t, w->k);
  const vise_status st =
      vise_weight_matmul_t(w, vise_tensor_data(y), w->k, vise_tensor_data(x), w->m, t, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:rows(ids [n] i32) -> [n, k] f32; ids count from 0 */
static int weight_rows(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  const vise_tensor *ids = bind_check_vector_i32(L, 2);
  const int64_t n = vise_tensor_dim(ids, 0);
  vise_err err;
  vise_tensor *out = push_matrix(L, n, w->k);
  const vise_status st =
      vise_weight_gather_rows(w, vise_tensor_data(ids), n, vise_tensor_data(out), w->k, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:column_max() -> [k] f32, the greatest magnitude of each column */
static int weight_column_max(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  vise_status st = vise_tensor_create(slot, VISE_DTYPE_F32, 1, &w->k, &err);
  if (st == VISE_OK) {
    st = vise_weight_column_max(vise_tensor_data(*slot), w, &err);
  }
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:dense() -> [m, k] f32 */
static int weight_to_dense(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_err err;
  vise_tensor *out = push_matrix(L, w->m, w->k);
  const vise_status st = vise_weight_dense_rows(w, 0, w->m, vise_tensor_data(out), w->k, &err);
  return st == VISE_OK ? 1 : bind_fail(L, &err);
}

/* w:tensor() -> the stored tensor of a dense weight, or nil */
static int weight_tensor(lua_State *L) {
  vise_tensor *t = vise_weight_dense_tensor(bind_check_weight(L, 1));
  if (t == NULL) {
    luaL_pushfail(L);
    return 1;
  }
  *bind_new_tensor(L) = vise_tensor_retain(t);
  return 1;
}

/* w:shape() -> {m, k} */
static int weight_shape(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  lua_createtable(L, 2, 0);
  lua_pushinteger(L, w->m);
  lua_seti(L, -2, 1);
  lua_pushinteger(L, w->k);
  lua_seti(L, -2, 2);
  return 1;
}

/* w:bytes() -> exactly what is stored */
static int weight_bytes(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_err err;
  int64_t bytes;
  if (vise_weight_bytes(&bytes, w, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushinteger(L, bytes);
  return 1;
}

/* w:kind() -> "quant" */
static int weight_kind(lua_State *L) {
  lua_pushstring(L, bind_check_weight(L, 1)->kind->name);
  return 1;
}

/* w:describe() -> "int4/g64" */
static int weight_describe(lua_State *L) {
  char text[VISE_WEIGHT_DESCRIPTION];
  vise_err err;
  if (vise_weight_describe(bind_check_weight(L, 1), text, sizeof text, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushstring(L, text);
  return 1;
}

static void push_tree(lua_State *L, const vise_tree *t) {
  luaL_checkstack(L, 8, "weight is nested too deep");
  lua_createtable(L, 0, 6);
  lua_pushstring(L, t->kind);
  lua_setfield(L, -2, "kind");
  lua_pushinteger(L, t->m);
  lua_setfield(L, -2, "m");
  lua_pushinteger(L, t->k);
  lua_setfield(L, -2, "k");
  lua_createtable(L, 0, t->n_attributes);
  for (int i = 0; i < t->n_attributes; i++) {
    const vise_attribute *a = &t->attributes[i];
    switch (a->type) {
    case VISE_ATTRIBUTE_INT: lua_pushinteger(L, a->i); break;
    case VISE_ATTRIBUTE_REAL: lua_pushnumber(L, a->r); break;
    case VISE_ATTRIBUTE_TEXT: lua_pushstring(L, a->text); break;
    }
    lua_setfield(L, -2, a->name);
  }
  lua_setfield(L, -2, "attributes");
  lua_createtable(L, 0, t->n_parts);
  for (int i = 0; i < t->n_parts; i++) {
    *bind_new_tensor(L) = vise_tensor_retain(t->parts[i].tensor);
    lua_setfield(L, -2, t->parts[i].name);
  }
  lua_setfield(L, -2, "parts");
  lua_createtable(L, t->n_children, 0);
  for (int i = 0; i < t->n_children; i++) {
    push_tree(L, t->children[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "children");
}

/* w:tree() -> {kind, m, k, attributes = {...}, parts = {name = tensor}, children = {...}} */
static int weight_tree(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_err err;
  vise_tree **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, TREE);
  if (vise_weight_save(w, slot, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  push_tree(L, *slot);
  vise_tree_free(*slot);
  *slot = NULL;
  return 1;
}

static int tree_gc(lua_State *L) {
  vise_tree **slot = luaL_checkudata(L, 1, TREE);
  vise_tree_free(*slot);
  *slot = NULL;
  return 0;
}

/* The importance [k] at `arg`, or NULL. */
/* w:difference(other[, importance [k] f32]) -> sums of (w - other)^2 and w^2, times importance */
static int weight_difference(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1), *other = bind_check_weight(L, 2);
  const float *importance = bind_check_importance(L, 3, "importance:", w->k);
  vise_err err;
  double squared, norm;
  if (vise_weight_difference(&squared, &norm, w, other, importance, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushnumber(L, squared);
  lua_pushnumber(L, norm);
  return 2;
}

/* w:check_finite() -> true; raises naming the first NaN or infinity */
static int weight_check_finite(lua_State *L) {
  const vise_weight *w = bind_check_weight(L, 1);
  vise_err err;
  if (vise_weight_check_finite(w, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* a == b: the same weight underneath */
static int weight_eq(lua_State *L) {
  vise_weight **a = luaL_testudata(L, 1, WEIGHT), **b = luaL_testudata(L, 2, WEIGHT);
  lua_pushboolean(L, a != NULL && b != NULL && *a == *b);
  return 1;
}

/* tostring(w) -> vise.weight int4/g64 [288, 768] 4.25 bpw 114.8 KiB */
static int weight_tostring(lua_State *L) {
  vise_weight **slot = luaL_checkudata(L, 1, WEIGHT);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.weight (closed)");
    return 1;
  }
  vise_err err;
  int64_t stored;
  char text[VISE_WEIGHT_DESCRIPTION], size[32], rate[32] = "";
  if (vise_weight_bytes(&stored, *slot, &err) != VISE_OK ||
      vise_weight_describe(*slot, text, sizeof text, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const double bytes = (double)stored, n = (double)(*slot)->m * (double)(*slot)->k;
  if (n > 0) {
    snprintf(rate, sizeof rate, " %.4g bpw", 8 * bytes / n);
  }
  if (bytes < 1024) {
    snprintf(size, sizeof size, "%.0f B", bytes);
  } else if (bytes < 1024 * 1024) {
    snprintf(size, sizeof size, "%.1f KiB", bytes / 1024);
  } else {
    snprintf(size, sizeof size, "%.1f MiB", bytes / (1024 * 1024));
  }
  lua_pushfstring(L, "vise.weight %s [%I, %I]%s %s", text, (LUAI_UACINT)(*slot)->m,
                  (LUAI_UACINT)(*slot)->k, rate, size);
  return 1;
}

/* w:handle() -> the same weight by a handle of its own: closing one leaves the other open */
static int weight_handle(lua_State *L) {
  vise_weight *w = bind_check_weight(L, 1);
  *bind_new_weight(L) = vise_weight_retain(w);
  return 1;
}

/* w:close(), __close, __gc: let go now. Safe to call twice. */
static int weight_close(lua_State *L) {
  vise_weight **slot = luaL_checkudata(L, 1, WEIGHT);
  vise_weight_release(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"codebook_of", weight_codebook_of},
    {"codebook", weight_codebook},
    {"dense", weight_dense},
    {"input", weight_input},
    {"lowrank", weight_lowrank},
    {"rotated", weight_rotated},
    {"scaled", weight_scaled},
    {"sparse", weight_sparse},
    {"sum", weight_sum},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"matmul", weight_matmul},
    {"matmul_t", weight_matmul_t},
    {"rows", weight_rows},
    {"dense", weight_to_dense},
    {"tensor", weight_tensor},
    {"shape", weight_shape},
    {"bytes", weight_bytes},
    {"kind", weight_kind},
    {"describe", weight_describe},
    {"tree", weight_tree},
    {"values", weight_values},
    {"with_values", weight_with_values},
    {"gather", weight_gather},
    {"column_max", weight_column_max},
    {"difference", weight_difference},
    {"check_finite", weight_check_finite},
    {"handle", weight_handle},
    {"close", weight_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", weight_close}, {"__close", weight_close},
    {"__eq", weight_eq},    {"__tostring", weight_tostring},
    {"__add", weight_add},  {"__sub", weight_sub},
    {"__mul", weight_mul},  {"__unm", weight_unm},
    {NULL, NULL},
};

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg tree_metamethods[] = {{"__gc", tree_gc}, {NULL, NULL}};

int luaopen_vise_native_weight(lua_State *L) {
  bind_new_class(L, WEIGHT, methods, metamethods);
  bind_new_class(L, TREE, no_methods, tree_metamethods);
  luaL_newlib(L, functions);
  bind_expose_methods(L, WEIGHT);
  return 1;
}
