/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_nn.h -- what bind_nn.c and bind_grad.c share: arrays of f32 as arguments and results. */
#ifndef VISE_BIND_BIND_NN_H
#define VISE_BIND_BIND_NN_H

#include "bind/bind.h"
#include "nn/attention.h"

/* A contiguous f32 tensor of any rank. */
vise_tensor *bind_check_f32(lua_State *L, int arg);

/* The same, of the shape of `like`. */
vise_tensor *bind_check_f32_like(lua_State *L, int arg, const vise_tensor *like);

/* A matrix of a shape; a vector of a length. */
vise_tensor *bind_check_matrix_of(lua_State *L, int arg, int64_t rows, int64_t columns);
vise_tensor *bind_check_vector_of(lua_State *L, int arg, int64_t n);

float *bind_f32(const vise_tensor *t);

/* Push a new f32 tensor, to be filled; borrowed from its handle. Raises where there is no memory. */
vise_tensor *bind_push_f32(lua_State *L, int rank, const int64_t *shape);
vise_tensor *bind_push_f32_like(lua_State *L, const vise_tensor *like);

/* n_results results are on the stack if st is VISE_OK; else what bind_fail gives. */
int bind_finish(lua_State *L, vise_status st, int n_results, const vise_err *err);

/* Shapes of q, k, v at arguments first .. first + 2 and the options table after them. */
vise_attention_spec bind_check_attention(lua_State *L, int first);

/* Push the starts of the options at `arg` as an i64 tensor with `t` at its end; their number. */
const int64_t *bind_push_starts(lua_State *L, int arg, int64_t t, int64_t *n_sequences_out);

#endif
