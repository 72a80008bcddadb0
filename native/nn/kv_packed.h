/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/kv_packed.h -- a cache of keys and values in few bits, and attention over it.
 *
 * Tokens are packed in groups of 32, when a group is whole and its last token is older than the
 * `recent` newest ones, which stay f32. A query at position i (from 0) reads packed the tokens before
 *
 *   P(i) = floor((i + 1 - recent) / 32) 32, 0 if that is negative
 *
 * and the others as they were. Keys are coded per channel: the 32 numbers of one dimension in one
 * group have a step and a low end of their own, for channels differ in size and stay so; values per
 * token: the numbers of one head of one token (Liu et al. 2024, arXiv:2402.02750, KIVI).
 *
 *   int8, int4   low + step code        low and step f16, code = RNE((x - low) / step) within 0 .. top
 *   fp8          step code              step f16 = greatest / 448, code E4M3
 *
 * Deterministic as nn/attention.h says: a query's result does not depend on how many come in a call.
 */
#ifndef VISE_NN_KV_PACKED_H
#define VISE_NN_KV_PACKED_H

#include "nn/attention.h"

typedef enum vise_kv_format { VISE_KV_INT8, VISE_KV_INT4, VISE_KV_FP8 } vise_kv_format;
extern const char vise_kv_formats[]; /* "int8 int4 fp8", as core/param.h has choices */

enum { VISE_KV_GROUP = 32 };

typedef struct vise_kv_packed vise_kv_packed;

/* Room for `capacity` tokens, empty. Errors: VISE_EARG (a dimension not above 0, recent below 0),
   VISE_ENOMEM. */
vise_status vise_kv_packed_create(vise_kv_packed **out,
                                  int64_t capacity,
                                  int64_t n_kv_heads,
                                  int64_t head_dim,
                                  vise_kv_format format,
                                  int64_t recent,
                                  vise_err *err) VISE_MUST_USE;
void vise_kv_packed_free(vise_kv_packed *kv); /* accepts NULL */
int64_t vise_kv_packed_length(const vise_kv_packed *kv);
int64_t vise_kv_packed_capacity(const vise_kv_packed *kv);
int64_t vise_kv_packed_bytes(const vise_kv_packed *kv); /* of the memory it holds */

/* As vise_attention_append. After an error but of arguments the cache is not to be used. */
vise_status vise_kv_packed_append(float *out,
                                  vise_kv_packed *inout,
                                  const float *q,
                                  const float *k,
                                  const float *v,
                                  int64_t t,
                                  const vise_attention_spec *spec,
                                  vise_err *err) VISE_MUST_USE;

/* As vise_attention_run, every sequence through such a cache of its own. */
vise_status vise_kv_packed_run(float *out,
                               const float *q,
                               const float *k,
                               const float *v,
                               const int64_t *starts,
                               int64_t n_sequences,
                               const vise_attention_spec *spec,
                               vise_kv_format format,
                               int64_t recent,
                               vise_err *err) VISE_MUST_USE;

#endif
