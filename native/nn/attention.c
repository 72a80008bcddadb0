/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are repacked into panels of 16 (kernels/nn.h), values into rows padded to 16, both zero
 * where nothing is. Work is cut into (sequence, block of 64 queries, head).
 */
#include "nn/attention.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "nn/attention_block.h"

#include <string.h>

enum { BLOCK = VISE_ATTENTION_BLOCK, LANES = VISE_NN_LANES };

struct vise_kv {
  int64_t length, capacity;
  int64_t n_heads, dim, padded_dim; /* padded_dim: dim up to a multiple of 16, of values */
  int64_t n_panels;                 /* of 16 keys, for `capacity` */
  float *keys;                      /* owned; [n_heads, n_panels, dim, 16] */
  float *values;                    /* owned; [n_heads, n_panels * 16, padded_dim] */
};

static int64_t round_up(int64_t n, int64_t to) {
  return vise_ceil_div(n, to) * to;
}

vise_status vise_kv_create(
    vise_kv **out, int64_t capacity, int64_t n_kv_heads, int64_t head_dim, vise_err *err) {
  *out = NULL;
  if (capacity <= 0 || n_kv_heads <= 0 || head_dim <= 0 || capacity > INT32_MAX ||
      n_kv_heads > INT32_MAX || head_dim > 65536) {
    return vise_fail(err, VISE_EARG,
                     "attention: cache is for %lld tokens of %lld heads of %lld numbers, expected "
                     "numbers above 0",
                     (long long)capacity, (long long)n_kv_heads, (long long)head_dim);
  }
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_kv), err));
  vise_kv *kv = memory;
  kv->capacity = capacity;
  kv->n_heads = n_kv_heads;
  kv->dim = head_dim;
  kv->padded_dim = round_up(head_dim, LANES);
  kv->n_panels = vise_ceil_div(capacity, LANES);
  const int64_t n_keys = kv->n_panels * LANES * n_kv_heads;
  vise_status st = vise_mem_alloc_array(&memory, n_keys, (size_t)head_dim * sizeof(float), err);
  if (st == VISE_OK) {
    kv->keys = memory;
    st = vise_mem_alloc_array(&memory, n_keys, (size_t)kv->padded_dim * sizeof(float), err);
  }
  if (st != VISE_OK) {
    vise_kv_free(kv);
    return st;
  }
  kv->values = memory;
  *out = kv;
  return VISE_OK;
}

void vise_kv_free(vise_kv *kv) {
  if (kv != NULL) {
    vise_mem_free(kv->keys);
    vise_mem_free(kv->values);
    vise_mem_free(kv);
  }
}

int64_t vise_kv_length(const vise_kv *kv) {
  return kv->length;
}

int64_t vise_kv_capacity(const vise_kv *kv) {
  return kv->capacity;
}

int64_t vise_kv_bytes(const vise_kv *kv) {
  return kv->n_panels * LANES * kv->n_heads * (kv->dim + kv->padded_dim) * (int64_t)sizeof(float);
}

/* Where token `at` of head `head` begins. */
static float *key_place(const vise_kv *kv, int64_t head, int64_t at) {
  const int64_t panel = head * kv->n_panels + at / LANES;
  return kv->keys + panel * kv->dim * LANES + at % LANES;
}

static float *value_place(const vise_kv *kv, int64_t head, int64_t at) {
  return kv->values + (head * kv->n_panels * LANES + at) * kv->padded_dim;
}

/* One sequence within a call: its cache, the rows of its new tokens, its first piece of work. */
typedef struct sequence {
  vise_kv kv; /* arrays borrowed; `length` includes the new tokens */
  int64_t row, n_new, first_block;
} sequence;

typedef struct job {
  const vise_attention_spec *spec;
  const sequence *sequences;
  int64_t n_sequences;
  float *out;
  const float *q, *k, *v;
  float *scratch;
  int64_t scratch_floats; /* a thread */
} job;

static void
pack_token(const vise_kv *kv, int64_t head, int64_t at, const float *k, const float *v) {
  float *key = key_place(kv, head, at), *value = value_place(kv, head, at);
  if (at % LANES == 0) {
    memset(key, 0, (size_t)(kv->dim * LANES) * sizeof *key);
  }
  for (int64_t d = 0; d < kv->dim; d++) {
    key[d * LANES] = k[d];
  }
  memcpy(value, v, (size_t)kv->dim * sizeof *v);
  memset(value + kv->dim, 0, (size_t)(kv->padded_dim - kv->dim) * sizeof *value);
}

/* Chunks: (sequence, key head). */
static void pack(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const int64_t n_heads = j->spec->n_kv_heads, dim = j->spec->head_dim, ld = n_heads * dim;
  (void)worker;
  for (int64_t c = begin; c < end; c++) {
    const sequence *s = &j->sequences[c / n_heads];
    const int64_t head = c % n_heads, first = s->kv.length - s->n_new;
    for (int64_t i = 0; i < s->n_new; i++) {
      const int64_t from = (s->row + i) * ld + head * dim;
      pack_token(&s->kv, head, first + i, j->k + from, j->v + from);
    }
  }
}

/* Queries [at, at + n) of the sequence (positions in it), head `head`. */
static void
attend(const job *j, const sequence *s, int64_t at, int64_t n, int64_t head, float *scratch) {
  const int64_t dim = j->spec->head_dim, ld = j->spec->n_heads * dim, padded = s->kv.padded_dim;
  const int64_t kv_head = head / (j->spec->n_heads / j->spec->n_kv_heads);
  const int64_t place = (s->row + at - (s->kv.length - s->n_new)) * ld + head * dim;
  vise_softmax_state state[BLOCK];
  const vise_attention_queries queries = {.q = j->q + place,
                                          .ld = ld,
                                          .at = at,
                                          .n = n,
                                          .dim = dim,
                                          .padded = padded,
                                          .window = j->spec->window,
                                          .p = scratch,
                                          .o = scratch + BLOCK * BLOCK,
                                          .state = state};
  vise_attention_begin(&queries);
  for (int64_t first = vise_attention_first(&queries) / BLOCK * BLOCK; first < at + n;
       first += BLOCK) {
    const int64_t n_keys = at + n - first < BLOCK ? at + n - first : BLOCK;
    vise_attention_block(&queries, first, n_keys, key_place(&s->kv, kv_head, first),
                         value_place(&s->kv, kv_head, first));
  }
  vise_attention_end(&queries, j->out + place);
}

/* Chunks: (block of queries, head), blocks of all sequences in order. */
static void attend_blocks(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  float *scratch = j->scratch + worker * j->scratch_floats;
  int64_t i = 0;
  for (int64_t c = begin; c < end; c++) {
    const int64_t block = c / j->spec->n_heads;
    while (i + 1 < j->n_sequences && j->sequences[i + 1].first_block <= block) {
      i++;
    }
    const sequence *s = &j->sequences[i];
    const int64_t done = (block - s->first_block) * BLOCK;
    const int64_t n = s->n_new - done < BLOCK ? s->n_new - done : BLOCK;
    attend(j, s, s->kv.length - s->n_new + done, n, c % j->spec->n_heads, scratch);
  }
}

static vise_status check_spec(const vise_attention_spec *s, vise_err *err) {
  if (s->n_heads <= 0 || s->n_kv_heads <= 0 || s->n_heads % s->n_kv_heads != 0) {
    return vise_fail(err, VISE_EARG,
                     "attention: %lld heads over %lld key heads, expected numbers above 0 of which "
                     "the second divides the first",
                     (long long)s->n_heads, (long long)s->n_kv_heads);
  }
  if (s->head_dim <= 0 || s->window < 0) {
    return vise_fail(err, VISE_EARG,
                     "attention: head_dim is %lld and window %lld, expected > 0 and >= 0",
                     (long long)s->head_dim, (long long)s->window);
  }
  return VISE_OK;
}

/* Chunks of about 100,000 multiplications, so that a token of a small model does not wake threads.
 */
static int64_t grain_of(const job *j, int64_t n_blocks) {
  int64_t work = 0;
  for (int64_t i = 0; i < j->n_sequences; i++) {
    work += j->sequences[i].n_new * j->sequences[i].kv.length;
  }
  work = work * j->spec->head_dim / (n_blocks < 1 ? 1 : n_blocks);
  return work < 100000 ? 100000 / (work < 1 ? 1 : work) : 1;
}

static vise_status run(job *j, int64_t n_blocks, vise_err *err) {
  const int64_t n_heads = j->spec->n_heads, n_kv_heads = j->spec->n_kv_heads;
  const int64_t padded = round_up(j->spec->head_dim, LANES);
  void *memory;
  j->scratch_floats = round_up(BLOCK * BLOCK + BLOCK * padded, LANES);
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads(), (size_t)j->scratch_floats * sizeof(float),
                                err));
  j->scratch = memory;
  const int64_t grain = grain_of(j, n_blocks);
  vise_status st = vise_parallel_for(j->n_sequences * n_kv_heads, grain, pack, j, err);
  if (st == VISE_OK) {
    st = vise_parallel_for(n_blocks * n_heads, grain, attend_blocks, j, err);
  }
  vise_mem_free(memory);
  return st;
}

static vise_status check_starts(const int64_t *starts, int64_t n_sequences, vise_err *err) {
  for (int64_t s = 0; s <= n_sequences; s++) {
    if (s == 0 ? starts[0] != 0 : starts[s] <= starts[s - 1]) {
      return vise_fail(
          err, VISE_ESHAPE,
          "attention: start %lld is token %lld, expected ascending starts from 0 up to "
          "the number of tokens",
          (long long)s, (long long)starts[s]);
    }
  }
  return VISE_OK;
}

vise_status vise_attention_check(const vise_attention_spec *spec,
                                 const int64_t *starts,
                                 int64_t n_sequences,
                                 vise_err *err) {
  VISE_TRY(check_spec(spec, err));
  return check_starts(starts, n_sequences, err);
}

vise_status vise_attention_run(float *out,
                               const float *q,
                               const float *k,
                               const float *v,
                               const int64_t *starts,
                               int64_t n_sequences,
                               const vise_attention_spec *spec,
                               vise_err *err) {
  VISE_TRY(vise_attention_check(spec, starts, n_sequences, err));
  if (n_sequences == 0) {
    return VISE_OK;
  }
  int64_t n_panels = 0, n_blocks = 0;
  for (int64_t s = 0; s < n_sequences; s++) {
    n_panels += vise_ceil_div(starts[s + 1] - starts[s], LANES);
  }
  vise_kv *all = NULL; /* one allocation, of which each sequence has a part */
  void *memory = NULL;
  vise_status st = vise_kv_create(&all, n_panels * LANES, spec->n_kv_heads, spec->head_dim, err);
  if (st == VISE_OK) {
    st = vise_mem_alloc_array(&memory, n_sequences, sizeof(sequence), err);
  }
  if (st != VISE_OK) {
    goto done;
  }
  sequence *sequences = memory;
  for (int64_t s = 0, panel = 0; s < n_sequences; s++) {
    const int64_t n = starts[s + 1] - starts[s];
    sequences[s] = (sequence){.kv = *all, .row = starts[s], .n_new = n, .first_block = n_blocks};
    sequences[s].kv.length = n;
    sequences[s].kv.keys += panel * all->dim * LANES;
    sequences[s].kv.values += panel * LANES * all->padded_dim;
    panel += vise_ceil_div(n, LANES);
    n_blocks += vise_ceil_div(n, BLOCK);
  }
  job j = {.spec = spec,
           .sequences = sequences,
           .n_sequences = n_sequences,
           .out = out,
           .q = q,
           .k = k,
           .v = v};
  st = run(&j, n_blocks, err);
done:
  vise_mem_free(memory);
  vise_kv_free(all);
  return st;
}

vise_status vise_attention_check_room(int64_t n_kv_heads,
                                      int64_t head_dim,
                                      int64_t room,
                                      int64_t t,
                                      const vise_attention_spec *spec,
                                      vise_err *err) {
  if (n_kv_heads != spec->n_kv_heads || head_dim != spec->head_dim) {
    return vise_fail(err, VISE_ESHAPE,
                     "attention: cache has %lld heads of %lld, expected %lld of %lld",
                     (long long)n_kv_heads, (long long)head_dim, (long long)spec->n_kv_heads,
                     (long long)spec->head_dim);
  }
  if (t < 0 || t > room) {
    return vise_fail(err, VISE_ESHAPE, "attention: cache has room for %lld tokens, %lld are new",
                     (long long)room, (long long)t);
  }
  return VISE_OK;
}

vise_status vise_attention_append(float *out,
                                  vise_kv *inout,
                                  const float *q,
                                  const float *k,
                                  const float *v,
                                  int64_t t,
                                  const vise_attention_spec *spec,
                                  vise_err *err) {
  VISE_TRY(check_spec(spec, err));
  VISE_TRY(vise_attention_check_room(inout->n_heads, inout->dim, inout->capacity - inout->length, t,
                                     spec, err));
  sequence s = {.kv = *inout, .n_new = t};
  s.kv.length += t;
  job j = {.spec = spec, .sequences = &s, .n_sequences = 1, .out = out, .q = q, .k = k, .v = v};
  VISE_TRY(run(&j, vise_ceil_div(t, BLOCK), err));
  inout->length += t;
  return VISE_OK;
}
