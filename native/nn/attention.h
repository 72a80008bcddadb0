/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/attention.h -- causal attention with grouped heads, over packed sequences or a cache.
 *
 *   out_i = sum over j of softmax_j(q_i . k_j / sqrt(head_dim)) v_j
 *   over the keys j of the same sequence with j <= i and, with a window, i - j < window
 *
 * Query head h reads key head h / (n_heads / n_kv_heads). Keys are taken in blocks of 64 counted
 * from the start of their sequence, with the softmax carried along, so scores are never held as a
 * whole: scratch is a copy of k and v and about 64 (64 + head_dim) floats a thread.
 *
 * Deterministic: a query's result depends on its own sequence up to itself and on nothing else: not
 * on threads, CPU level, other sequences of the batch, or how many queries come in one call.
 * Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
 */
#ifndef VISE_NN_ATTENTION_H
#define VISE_NN_ATTENTION_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_attention_spec {
  int64_t n_heads, n_kv_heads, head_dim; /* > 0; n_kv_heads divides n_heads */
  int64_t window; /* keys a query sees, itself among them; 0: all before it */
} vise_attention_spec;

/* Keys and values of one sequence, one layer, that grow as tokens come. */
typedef struct vise_kv vise_kv;

/* Room for `capacity` tokens, empty. Errors: VISE_EARG (a dimension not above 0), VISE_ENOMEM. */
vise_status vise_kv_create(vise_kv **out,
                           int64_t capacity,
                           int64_t n_kv_heads,
                           int64_t head_dim,
                           vise_err *err) VISE_MUST_USE;
void vise_kv_free(vise_kv *kv); /* accepts NULL */
int64_t vise_kv_length(const vise_kv *kv);
int64_t vise_kv_capacity(const vise_kv *kv);
int64_t vise_kv_bytes(const vise_kv *kv); /* of the memory it holds */

/*
 * A batch: token rows [starts[s], starts[s + 1]) are sequence s, n_sequences + 1 entries, from 0 up
 * to t, ascending. out, q [t, n_heads * head_dim]; k, v [t, n_kv_heads * head_dim]; out is no
 * input. Errors: VISE_EARG (spec), VISE_ESHAPE (starts), VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_attention_run(float *out,
                               const float *q,
                               const float *k,
                               const float *v,
                               const int64_t *starts,
                               int64_t n_sequences,
                               const vise_attention_spec *spec,
                               vise_err *err) VISE_MUST_USE;

/*
 * The derivatives of the same by q, k and v from `d_out`, that by the result. Probabilities are
 * computed again, 64 queries at a time; nothing of the forward pass is needed but its inputs. Each
 * (sequence, key head) is one piece of work, with the query heads that read it added in order.
 * Scratch a thread: about 6 head_dim + 128 floats for each token of the longest sequence.
 * Outputs are shaped as q, k, v and are no inputs. Deterministic and errors as above.
 */
vise_status vise_attention_backward(float *d_q,
                                    float *d_k,
                                    float *d_v,
                                    const float *d_out,
                                    const float *q,
                                    const float *k,
                                    const float *v,
                                    const int64_t *starts,
                                    int64_t n_sequences,
                                    const vise_attention_spec *spec,
                                    vise_err *err) VISE_MUST_USE;

/* As every function here checks them first. Errors: VISE_EARG, VISE_ESHAPE. */
vise_status vise_attention_check(const vise_attention_spec *spec,
                                 const int64_t *starts,
                                 int64_t n_sequences,
                                 vise_err *err) VISE_MUST_USE;

/* As appending checks that t more tokens go into a cache. Errors: VISE_ESHAPE. */
vise_status vise_attention_check_room(int64_t n_kv_heads,
                                      int64_t head_dim,
                                      int64_t room,
                                      int64_t t,
                                      const vise_attention_spec *spec,
                                      vise_err *err) VISE_MUST_USE;

/*
 * The next t tokens of one sequence: k and v go into the cache, the queries see all that is in it.
 * Errors: as above; VISE_ESHAPE when the cache has no room or other dimensions. After an error the
 * cache is as it was.
 */
vise_status vise_attention_append(float *out,
                                  vise_kv *inout,
                                  const float *q,
                                  const float *k,
                                  const float *v,
                                  int64_t t,
                                  const vise_attention_spec *spec,
                                  vise_err *err) VISE_MUST_USE;

#endif
