/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/attention_block.h -- a few queries of one head over one block of keys after the other, the
 * softmax carried along: what the kinds of cache share. Internal to this folder.
 */
#ifndef VISE_NN_ATTENTION_BLOCK_H
#define VISE_NN_ATTENTION_BLOCK_H

#include "kernels/nn.h"

#include <stdint.h>

enum { VISE_ATTENTION_BLOCK = 64 }; /* keys of a block, queries of a piece of work at most */

/* Queries at positions [at, at + n) of a sequence. */
typedef struct vise_attention_queries {
  const float *q;
  int64_t ld, at, n, dim, padded, window;
  float *p;                  /* scratch [n, 64] */
  float *o;                  /* scratch [n, padded] */
  vise_softmax_state *state; /* scratch [n] */
} vise_attention_queries;

void vise_attention_begin(const vise_attention_queries *a);

/* The first key that any of them sees. */
int64_t vise_attention_first(const vise_attention_queries *a);

/* One more block: keys [first, first + n_keys), `keys` panels of 16 (kernels/nn.h), `values` [n_keys,
   padded]; `first` is a multiple of 64. */
void vise_attention_block(const vise_attention_queries *a,
                          int64_t first,
                          int64_t n_keys,
                          const float *keys,
                          const float *values);

/* out [n, dim], row stride `ld` of the queries. */
void vise_attention_end(const vise_attention_queries *a, float *out);

#endif
