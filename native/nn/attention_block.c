/* SPDX-License-Identifier: Apache-2.0 */
/* A key block that a query does not see at all is skipped for it; one that it sees in part has exact
   zeros elsewhere; so the numbers of a query never depend on its neighbours in the block. */
#include "nn/attention_block.h"

#include <math.h>
#include <string.h>

enum { BLOCK = VISE_ATTENTION_BLOCK, LANES = VISE_NN_LANES };

void vise_attention_begin(const vise_attention_queries *a) {
  for (int64_t i = 0; i < a->n; i++) {
    a->state[i] = (vise_softmax_state){-INFINITY, 0.0f, 0.0f};
  }
  memset(a->o, 0, (size_t)(a->n * a->padded) * sizeof *a->o);
}

static int64_t oldest_seen(int64_t at, int64_t window) {
  return window > 0 && at - window + 1 > 0 ? at - window + 1 : 0;
}

int64_t vise_attention_first(const vise_attention_queries *a) {
  return oldest_seen(a->at, a->window);
}

void vise_attention_block(const vise_attention_queries *a,
                          int64_t first,
                          int64_t n_keys,
                          const float *keys,
                          const float *values) {
  const vise_nn_kernels *kernels = vise_nn();
  const int64_t n_panels = (n_keys + LANES - 1) / LANES;
  const float scale = (float)(1.0 / sqrt((double)a->dim));
  float rescale[BLOCK];
  kernels->scores(a->p, BLOCK, a->q, a->ld, keys, a->n, a->dim, n_panels);
  for (int64_t i = 0; i < a->n; i++) {
    const int64_t oldest = oldest_seen(a->at + i, a->window), after = a->at + i + 1 - first;
    const int64_t lo = oldest > first ? oldest - first : 0, hi = after < BLOCK ? after : BLOCK;
    rescale[i] = 1.0f;
    if (lo < hi) {
      kernels->soften(&a->state[i], a->p + i * BLOCK, n_panels * LANES, lo, hi, scale);
      rescale[i] = a->state[i].rescale;
    } else {
      memset(a->p + i * BLOCK, 0, BLOCK * sizeof *a->p);
    }
  }
  kernels->mix(a->o, a->padded, rescale, a->p, BLOCK, values, a->padded, a->n, n_keys, a->padded);
}

void vise_attention_end(const vise_attention_queries *a, float *out) {
  for (int64_t i = 0; i < a->n; i++) {
    for (int64_t d = 0; d < a->dim; d++) {
      out[i * a->ld + d] = a->o[i * a->padded + d] / a->state[i].sum;
    }
  }
}
