/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With s = scale q . k, p = softmax(s), o = sum p v and d_o the derivative by o, of one query:
 *
 *   d_v_j += p_j d_o      d_p_j = d_o . v_j      d_s_j = p_j (d_p_j - sum of p d_p)
 *   d_q    = scale sum d_s_j k_j                 d_k_j += scale d_s_j q
 *
 * One piece of work is a sequence and a key head. Keys and values are repacked into panels of 16
 * (kernels/nn.h) for the two products along head_dim, and into rows padded to 16 for the others. The
 * scores of 64 queries with all keys they see are held at once, so a row's softmax is one pass; d_k
 * and d_v are added from 64 x 64 blocks of them, turned.
 */
#include "nn/attention.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/gemm_tile.h"
#include "kernels/grad.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64, LANES = VISE_NN_LANES };

typedef struct job {
  const vise_attention_spec *spec;
  const int64_t *starts;
  float *d_q, *d_k, *d_v;
  const float *d_out, *q, *k, *v;
  float *scratch;
  int64_t scratch_floats; /* a thread */
  int64_t longest;        /* sequence, up to a multiple of BLOCK */
  int64_t padded;         /* head_dim, up to a multiple of LANES */
} job;

/* What a thread works with; n is job.longest. */
typedef struct work {
  float *k_panels, *v_panels; /* [n / 16, head_dim, 16] */
  float *k_rows, *d_k, *d_v;  /* [n, padded] */
  float *p, *d_s;             /* [BLOCK, n] */
  float *q, *d_o, *d_q;       /* [BLOCK, padded] */
  float *turned;              /* [BLOCK, BLOCK] */
} work;

static int64_t round_up(int64_t n, int64_t to) {
  return vise_ceil_div(n, to) * to;
}

static float *take(float **from, int64_t n) {
  float *taken = *from;
  *from += n;
  return taken;
}

static work work_of(const job *j, int worker) {
  const int64_t n = j->longest, dim = j->spec->head_dim, padded = j->padded;
  float *at = j->scratch + worker * j->scratch_floats;
  work w;
  w.k_panels = take(&at, n * dim);
  w.v_panels = take(&at, n * dim);
  w.k_rows = take(&at, n * padded);
  w.d_k = take(&at, n * padded);
  w.d_v = take(&at, n * padded);
  w.p = take(&at, BLOCK * n);
  w.d_s = take(&at, BLOCK * n);
  w.q = take(&at, BLOCK * padded);
  w.d_o = take(&at, BLOCK * padded);
  w.d_q = take(&at, BLOCK * padded);
  w.turned = take(&at, BLOCK * BLOCK);
  return w;
}

static int64_t floats_of(const job *j) {
  return j->longest * (2 * j->spec->head_dim + 3 * j->padded + 2 * BLOCK) +
         BLOCK * (3 * j->padded + BLOCK);
}

/* Rows of one head into rows of `padded` columns, the rest zero. */
static void
pad_rows(float *out, const float *x, int64_t ld, int64_t n, int64_t dim, int64_t padded) {
  for (int64_t i = 0; i < n; i++) {
    memcpy(out + i * padded, x + i * ld, (size_t)dim * sizeof *x);
    memset(out + i * padded + dim, 0, (size_t)(padded - dim) * sizeof *x);
  }
}

static void
unpad_rows(float *out, int64_t ld, const float *x, int64_t n, int64_t dim, int64_t padded) {
  for (int64_t i = 0; i < n; i++) {
    memcpy(out + i * ld, x + i * padded, (size_t)dim * sizeof *x);
  }
}

/* Rows of one head into panels of 16, the last filled up with zeros. */
static void make_panels(float *out, const float *x, int64_t ld, int64_t n, int64_t dim) {
  const vise_gemm_tile *tile = &vise_gemm_kernels_used()->f32;
  for (int64_t i = 0; i < n; i += LANES) {
    const int64_t n_rows = n - i < LANES ? n - i : LANES;
    if (n_rows < LANES) {
      memset(out + i * dim, 0, (size_t)(LANES * dim) * sizeof *out);
    }
    tile->transpose(out + i * dim, LANES, x + i * ld, ld, n_rows, dim);
  }
}

/* Queries [at, at + n) of the sequence at row `row`; head `head`. */
static void
attend_back(const job *j, const work *w, int64_t row, int64_t at, int64_t n, int64_t head) {
  static const float ones[BLOCK] = {
      [0 ... BLOCK - 1] = 1.0f,
  };
  const vise_nn_kernels *kernels = vise_nn();
  const vise_grad_kernels *grad = vise_grad();
  const int64_t dim = j->spec->head_dim, ld = j->spec->n_heads * dim, padded = j->padded;
  const int64_t window = j->spec->window, from = (row + at) * ld + head * dim;
  const float scale = (float)(1.0 / sqrt((double)dim));
  const int64_t oldest = window > 0 && at - window + 1 > 0 ? at - window + 1 : 0;
  const int64_t first = oldest / LANES * LANES;
  const int64_t n_keys = at + n - first, n_panels = vise_ceil_div(n_keys, LANES);
  const int64_t lds = n_panels * LANES;

  pad_rows(w->q, j->q + from, ld, n, dim, padded);
  pad_rows(w->d_o, j->d_out + from, ld, n, dim, padded);
  kernels->scores(w->p, lds, w->q, padded, w->k_panels + first * dim, n, dim, n_panels);
  kernels->scores(w->d_s, lds, w->d_o, padded, w->v_panels + first * dim, n, dim, n_panels);
  for (int64_t i = 0; i < n; i++) {
    const int64_t seen = at + i - first;
    const int64_t lo = window > 0 && seen - window + 1 > 0 ? seen - window + 1 : 0;
    vise_softmax_state state = {-INFINITY, 0.0f, 0.0f};
    kernels->soften(&state, w->p + i * lds, lds, lo, seen + 1, scale);
    grad->soften_back(w->p + i * lds, w->d_s + i * lds, lds, state.sum, scale);
  }
  memset(w->d_q, 0, (size_t)(n * padded) * sizeof(float));
  kernels->mix(w->d_q, padded, ones, w->d_s, lds, w->k_rows + first * padded, padded, n, n_keys,
               padded);
  unpad_rows(j->d_q + from, ld, w->d_q, n, dim, padded);

  const vise_gemm_tile *tile = &vise_gemm_kernels_used()->f32;
  for (int64_t key = 0; key < n_keys; key += BLOCK) {
    const int64_t n_block = n_keys - key < BLOCK ? n_keys - key : BLOCK;
    const int64_t to = (first + key) * padded;
    tile->transpose(w->turned, BLOCK, w->p + key, lds, n, n_block);
    kernels->mix(w->d_v + to, padded, ones, w->turned, BLOCK, w->d_o, padded, n_block, n, padded);
    tile->transpose(w->turned, BLOCK, w->d_s + key, lds, n, n_block);
    kernels->mix(w->d_k + to, padded, ones, w->turned, BLOCK, w->q, padded, n_block, n, padded);
  }
}

/* Chunks: (sequence, key head). */
static void attend_back_heads(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const int64_t n_kv = j->spec->n_kv_heads, group = j->spec->n_heads / n_kv;
  const int64_t dim = j->spec->head_dim, ld = n_kv * dim, padded = j->padded;
  const work w = work_of(j, worker);
  for (int64_t c = begin; c < end; c++) {
    const int64_t row = j->starts[c / n_kv], n = j->starts[c / n_kv + 1] - row, head = c % n_kv;
    const int64_t from = row * ld + head * dim;
    make_panels(w.k_panels, j->k + from, ld, n, dim);
    make_panels(w.v_panels, j->v + from, ld, n, dim);
    pad_rows(w.k_rows, j->k + from, ld, n, dim, padded);
    memset(w.d_k, 0, (size_t)(n * padded) * sizeof(float));
    memset(w.d_v, 0, (size_t)(n * padded) * sizeof(float));
    for (int64_t h = head * group; h < (head + 1) * group; h++) {
      for (int64_t at = 0; at < n && !vise_cancelled(); at += BLOCK) {
        attend_back(j, &w, row, at, n - at < BLOCK ? n - at : BLOCK, h);
      }
    }
    unpad_rows(j->d_k + from, ld, w.d_k, n, dim, padded);
    unpad_rows(j->d_v + from, ld, w.d_v, n, dim, padded);
  }
}

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
                                    vise_err *err) {
  VISE_TRY(vise_attention_check(spec, starts, n_sequences, err));
  job j = {.spec = spec,
           .starts = starts,
           .d_q = d_q,
           .d_k = d_k,
           .d_v = d_v,
           .d_out = d_out,
           .q = q,
           .k = k,
           .v = v,
           .padded = round_up(spec->head_dim, LANES)};
  for (int64_t s = 0; s < n_sequences; s++) {
    const int64_t n = round_up(starts[s + 1] - starts[s], BLOCK);
    j.longest = n > j.longest ? n : j.longest;
  }
  j.scratch_floats = floats_of(&j);
  void *memory;
  VISE_TRY(
      vise_mem_alloc_array(&memory, vise_threads(), (size_t)j.scratch_floats * sizeof(float), err));
  j.scratch = memory;
  vise_status st = vise_parallel_for(n_sequences * spec->n_kv_heads, 1, attend_back_heads, &j, err);
  if (st == VISE_OK) {
    st = vise_cancel_check(err); /* raised in the last chunk, which then stopped early */
  }
  vise_mem_free(memory);
  return st;
}
