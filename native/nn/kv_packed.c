/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of keys never meet, so each is a store of its own, worked on by one thread: its new tokens go
 * in runs that end where P changes. In a run all queries read the same tokens packed; blocks of 64
 * keys are unpacked into scratch, then met by every query head that reads them.
 */
#include "nn/kv_packed.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "nn/attention_block.h"

#include <math.h>
#include <string.h>

const char vise_kv_formats[] = "int8 int4 fp8";

enum { GROUP = VISE_KV_GROUP, BLOCK = VISE_ATTENTION_BLOCK, LANES = VISE_NN_LANES };
static const float E4M3_MOST = 448.0f;

/* One head of keys of one sequence. */
typedef struct store {
  uint8_t *keys;          /* [groups, dim, bytes of 32 codes] */
  uint16_t *key_ends;     /* [groups, dim, 2] low and step, f16 */
  uint8_t *values;        /* [groups 32, bytes of dim codes] */
  uint16_t *value_ends;   /* [groups 32, 2] */
  float *late_k, *late_v; /* [late, dim] tokens from `packed` on */
} store;

struct vise_kv_packed {
  int64_t length, packed, capacity, n_heads, dim, recent;
  int64_t late; /* tokens that there is room for unpacked */
  vise_kv_format format;
  int64_t store_bytes;
  uint8_t *memory; /* [n_heads, store_bytes]; owned */
};

static int64_t code_bytes(vise_kv_format format, int64_t n) {
  return format == VISE_KV_INT4 ? (n + 1) / 2 : n;
}

static int64_t round_up(int64_t n, int64_t to) {
  return vise_ceil_div(n, to) * to;
}

/* The arrays of a head, and the bytes of one head. */
static store store_at(const vise_kv_packed *kv, int64_t head, int64_t *bytes_out) {
  const int64_t groups = kv->capacity / GROUP;
  const int64_t sizes[] = {groups * kv->dim * code_bytes(kv->format, GROUP),
                           groups * kv->dim * 2 * (int64_t)sizeof(uint16_t),
                           groups * GROUP * code_bytes(kv->format, kv->dim),
                           groups * GROUP * 2 * (int64_t)sizeof(uint16_t),
                           kv->late * kv->dim * (int64_t)sizeof(float),
                           kv->late * kv->dim * (int64_t)sizeof(float)};
  int64_t at[6], end = 0;
  for (int i = 0; i < 6; i++) {
    at[i] = end;
    end += round_up(sizes[i], 64);
  }
  if (bytes_out != NULL) {
    *bytes_out = end;
  }
  uint8_t *m = kv->memory == NULL ? NULL : kv->memory + head * kv->store_bytes;
  return m == NULL ? (store){0}
                   : (store){.keys = m + at[0],
                             .key_ends = (uint16_t *)(void *)(m + at[1]),
                             .values = m + at[2],
                             .value_ends = (uint16_t *)(void *)(m + at[3]),
                             .late_k = (float *)(void *)(m + at[4]),
                             .late_v = (float *)(void *)(m + at[5])};
}

/* What is asked of a cache; its memory comes after. */
static vise_status init(vise_kv_packed *kv,
                        int64_t capacity,
                        int64_t n_kv_heads,
                        int64_t head_dim,
                        vise_kv_format format,
                        int64_t recent,
                        vise_err *err) {
  if (capacity <= 0 || n_kv_heads <= 0 || head_dim <= 0 || capacity > INT32_MAX ||
      n_kv_heads > INT32_MAX || head_dim > 65536 || recent < 0) {
    return vise_fail(err, VISE_EARG,
                     "attention: cache is for %lld tokens of %lld heads of %lld numbers, %lld of "
                     "them recent, expected numbers above 0 and recent from 0 on",
                     (long long)capacity, (long long)n_kv_heads, (long long)head_dim,
                     (long long)recent);
  }
  *kv = (vise_kv_packed){.capacity = capacity,
                         .n_heads = n_kv_heads,
                         .dim = head_dim,
                         .format = format,
                         .recent = recent < capacity ? recent : capacity};
  const int64_t late = kv->recent + 2 * GROUP;
  kv->late = late < capacity ? late : capacity;
  (void)store_at(kv, 0, &kv->store_bytes);
  return VISE_OK;
}

vise_status vise_kv_packed_create(vise_kv_packed **out,
                                  int64_t capacity,
                                  int64_t n_kv_heads,
                                  int64_t head_dim,
                                  vise_kv_format format,
                                  int64_t recent,
                                  vise_err *err) {
  *out = NULL;
  vise_kv_packed draft;
  void *memory = NULL, *all = NULL;
  VISE_TRY(init(&draft, capacity, n_kv_heads, head_dim, format, recent, err));
  VISE_TRY(vise_mem_alloc_array(&all, n_kv_heads, (size_t)draft.store_bytes, err));
  draft.memory = all;
  if (vise_mem_alloc(&memory, sizeof draft, err) != VISE_OK) {
    vise_mem_free(all);
    return VISE_ENOMEM;
  }
  memcpy(memory, &draft, sizeof draft);
  *out = memory;
  return VISE_OK;
}

void vise_kv_packed_free(vise_kv_packed *kv) {
  if (kv != NULL) {
    vise_mem_free(kv->memory);
    vise_mem_free(kv);
  }
}

int64_t vise_kv_packed_length(const vise_kv_packed *kv) {
  return kv->length;
}

int64_t vise_kv_packed_capacity(const vise_kv_packed *kv) {
  return kv->capacity;
}

int64_t vise_kv_packed_bytes(const vise_kv_packed *kv) {
  return kv->n_heads * kv->store_bytes;
}

/* ---- codes ---- */

static void put_code(uint8_t *codes, vise_kv_format format, int64_t i, unsigned code) {
  if (format != VISE_KV_INT4) {
    codes[i] = (uint8_t)code;
  } else if (i % 2 == 0) {
    codes[i / 2] = (uint8_t)code;
  } else {
    codes[i / 2] |= (uint8_t)(code << 4);
  }
}

static void encode(uint8_t *codes,
                   uint16_t ends[2],
                   const float *x,
                   int64_t stride,
                   int64_t n,
                   vise_kv_format format) {
  float low = x[0], high = x[0];
  for (int64_t i = 1; i < n; i++) {
    low = fminf(low, x[i * stride]);
    high = fmaxf(high, x[i * stride]);
  }
  const float top = format == VISE_KV_INT4 ? 15.0f : 255.0f;
  const bool is_float = format == VISE_KV_FP8;
  ends[0] = vise_f32_to_f16(is_float ? 0.0f : low);
  ends[1] = vise_f32_to_f16(is_float ? fmaxf(-low, high) / E4M3_MOST : (high - low) / top);
  const float from = vise_f16_to_f32(ends[0]), step = vise_f16_to_f32(ends[1]);
  const float inverse = step > 0.0f ? 1.0f / step : 0.0f;
  for (int64_t i = 0; i < n; i++) {
    const float u = (x[i * stride] - from) * inverse;
    put_code(codes, format, i,
             is_float ? vise_f32_to_e4m3(u) : (unsigned)fmaxf(0.0f, fminf(top, rintf(u))));
  }
}

static void decode(float *out,
                   int64_t stride,
                   const uint8_t *codes,
                   const uint16_t ends[2],
                   int64_t n,
                   vise_kv_format format) {
  const float from = vise_f16_to_f32(ends[0]), step = vise_f16_to_f32(ends[1]);
  for (int64_t i = 0; i < n; i++) {
    const float u = format == VISE_KV_FP8    ? vise_e4m3_to_f32(codes[i])
                    : format == VISE_KV_INT8 ? (float)codes[i]
                                             : (float)(codes[i / 2] >> 4 * (i % 2) & 15);
    out[i * stride] = from + step * u;
  }
}

/* The oldest 32 unpacked tokens, and the others move up. */
static void pack_group(const vise_kv_packed *kv, const store *s, int64_t packed, int64_t n_late) {
  const int64_t dim = kv->dim, group = packed / GROUP;
  const int64_t key_bytes = code_bytes(kv->format, GROUP),
                value_bytes = code_bytes(kv->format, dim);
  for (int64_t d = 0; d < dim; d++) {
    const int64_t at = group * dim + d;
    encode(s->keys + at * key_bytes, s->key_ends + at * 2, s->late_k + d, dim, GROUP, kv->format);
  }
  for (int64_t i = 0; i < GROUP; i++) {
    const int64_t at = packed + i;
    encode(s->values + at * value_bytes, s->value_ends + at * 2, s->late_v + i * dim, 1, dim,
           kv->format);
  }
  const size_t left = (size_t)((n_late - GROUP) * dim) * sizeof(float);
  memmove(s->late_k, s->late_k + GROUP * dim, left);
  memmove(s->late_v, s->late_v + GROUP * dim, left);
}

/* Tokens [first, first + n_keys) as panels and padded rows; those before `packed` from codes. */
static void unpack_block(const vise_kv_packed *kv,
                         const store *s,
                         int64_t packed,
                         int64_t first,
                         int64_t n_keys,
                         float *keys,
                         float *values) {
  const int64_t dim = kv->dim, padded = round_up(dim, LANES);
  const int64_t key_bytes = code_bytes(kv->format, GROUP),
                value_bytes = code_bytes(kv->format, dim);
  memset(keys, 0, (size_t)(BLOCK * dim) * sizeof *keys);
  memset(values, 0, (size_t)(BLOCK * padded) * sizeof *values);
  int64_t i = 0;
  for (; i < n_keys && first + i < packed; i += GROUP) {
    const int64_t group = (first + i) / GROUP;
    for (int64_t d = 0; d < dim; d++) {
      float x[GROUP];
      const int64_t at = group * dim + d;
      decode(x, 1, s->keys + at * key_bytes, s->key_ends + at * 2, GROUP, kv->format);
      for (int64_t l = 0; l < GROUP; l++) {
        keys[((i + l) / LANES * dim + d) * LANES + l % LANES] = x[l];
      }
    }
    for (int64_t l = 0; l < GROUP; l++) {
      const int64_t at = first + i + l;
      decode(values + (i + l) * padded, 1, s->values + at * value_bytes, s->value_ends + at * 2,
             dim, kv->format);
    }
  }
  for (; i < n_keys; i++) {
    const float *k = s->late_k + (first + i - packed) * dim;
    for (int64_t d = 0; d < dim; d++) {
      keys[(i / LANES * dim + d) * LANES + i % LANES] = k[d];
    }
    memcpy(values + i * padded, s->late_v + (first + i - packed) * dim, (size_t)dim * sizeof *k);
  }
}

/* ---- attention ---- */

/* A sequence's cache and its rows in the call. */
typedef struct sequence {
  vise_kv_packed *kv;
  int64_t row, n_new;
} sequence;

typedef struct job {
  const vise_attention_spec *spec;
  const sequence *sequences;
  float *out;
  const float *q, *k, *v;
  float *scratch;
  int64_t scratch_floats; /* a thread */
  vise_kv_packed *drafts; /* a thread, with memory for one head; NULL: the caches keep theirs */
} job;

/* Queries of one run read the same tokens packed: how many of `n` at position `at` these are. */
static int64_t run_length(int64_t at, int64_t n, int64_t recent) {
  const int64_t whole = at + 1 - recent; /* tokens old enough */
  const int64_t left = whole < 0 ? GROUP - whole : GROUP - whole % GROUP;
  const int64_t most = left < GROUP ? left : GROUP;
  return n < most ? n : most;
}

static void attend_run(const job *j,
                       const vise_kv_packed *kv,
                       const store *s,
                       int64_t packed,
                       int64_t at,
                       int64_t n,
                       int64_t row,
                       int64_t kv_head,
                       float *scratch) {
  const int64_t shared = j->spec->n_heads / j->spec->n_kv_heads, dim = kv->dim;
  const int64_t padded = round_up(dim, LANES), ld = j->spec->n_heads * dim;
  float *keys = scratch, *values = keys + BLOCK * dim, *p = values + BLOCK * padded;
  float *o = p + GROUP * BLOCK;
  vise_softmax_state *state = (vise_softmax_state *)(void *)(o + shared * GROUP * padded);
  vise_attention_queries a = {
      .ld = ld, .at = at, .n = n, .dim = dim, .padded = padded, .window = j->spec->window, .p = p};
  const int64_t oldest = vise_attention_first(&a) / BLOCK * BLOCK;
  for (int64_t first = oldest; first < at + n; first += BLOCK) {
    const int64_t n_keys = at + n - first < BLOCK ? at + n - first : BLOCK;
    unpack_block(kv, s, packed, first, n_keys, keys, values);
    for (int64_t h = 0; h < shared; h++) {
      const int64_t place = row * ld + (kv_head * shared + h) * dim;
      a.q = j->q + place;
      a.o = o + h * GROUP * padded;
      a.state = state + h * GROUP;
      if (first == oldest) {
        vise_attention_begin(&a);
      }
      vise_attention_block(&a, first, n_keys, keys, values);
      if (first + BLOCK >= at + n) {
        vise_attention_end(&a, j->out + place);
      }
    }
  }
}

/* The new tokens of one head of keys. */
static void run_head(const job *j,
                     const vise_kv_packed *kv,
                     const store *s,
                     const sequence *of,
                     int64_t head,
                     float *scratch) {
  const int64_t dim = kv->dim, ld = j->spec->n_kv_heads * dim;
  int64_t packed = kv->packed;
  for (int64_t done = 0; done < of->n_new;) {
    const int64_t at = kv->length + done, row = of->row + done;
    const int64_t n = run_length(at, of->n_new - done, kv->recent);
    for (int64_t i = 0; i < n; i++) {
      const int64_t from = (row + i) * ld + head * dim, to = (at + i - packed) * dim;
      memcpy(s->late_k + to, j->k + from, (size_t)dim * sizeof *s->late_k);
      memcpy(s->late_v + to, j->v + from, (size_t)dim * sizeof *s->late_v);
    }
    for (; packed + GROUP <= at + 1 - kv->recent; packed += GROUP) {
      pack_group(kv, s, packed, at + n - packed);
    }
    attend_run(j, kv, s, packed, at, n, row, head, scratch);
    done += n;
  }
}

/* Chunks: (sequence, key head). */
static void run_heads(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  float *scratch = j->scratch + worker * j->scratch_floats;
  for (int64_t c = begin; c < end; c++) {
    const sequence *of = &j->sequences[c / j->spec->n_kv_heads];
    const int64_t head = c % j->spec->n_kv_heads;
    const vise_kv_packed *kv = of->kv != NULL ? of->kv : &j->drafts[worker];
    const store s = store_at(kv, of->kv != NULL ? head : 0, NULL);
    run_head(j, kv, &s, of, head, scratch);
  }
}

static vise_status run(job *j, int64_t n_sequences, vise_err *err) {
  const vise_attention_spec *spec = j->spec;
  const int64_t dim = spec->head_dim, padded = round_up(dim, LANES);
  const int64_t shared = spec->n_heads / spec->n_kv_heads;
  const int64_t states = GROUP * (int64_t)(sizeof(vise_softmax_state) / sizeof(float));
  void *memory;
  j->scratch_floats =
      round_up(BLOCK * (dim + padded) + GROUP * BLOCK + shared * (GROUP * padded + states), LANES);
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads(), (size_t)j->scratch_floats * sizeof(float),
                                err));
  j->scratch = memory;
  const vise_status st = vise_parallel_for(n_sequences * spec->n_kv_heads, 1, run_heads, j, err);
  vise_mem_free(memory);
  return st;
}

vise_status vise_kv_packed_append(float *out,
                                  vise_kv_packed *inout,
                                  const float *q,
                                  const float *k,
                                  const float *v,
                                  int64_t t,
                                  const vise_attention_spec *spec,
                                  vise_err *err) {
  VISE_TRY(vise_attention_check(spec, &(const int64_t){0}, 0, err));
  VISE_TRY(vise_attention_check_room(inout->n_heads, inout->dim, inout->capacity - inout->length, t,
                                     spec, err));
  const sequence s = {.kv = inout, .n_new = t};
  job j = {.spec = spec, .sequences = &s, .out = out, .q = q, .k = k, .v = v};
  VISE_TRY(run(&j, 1, err));
  inout->length += t;
  while (inout->packed + GROUP <= inout->length - inout->recent) {
    inout->packed += GROUP;
  }
  return VISE_OK;
}

vise_status vise_kv_packed_run(float *out,
                               const float *q,
                               const float *k,
                               const float *v,
                               const int64_t *starts,
                               int64_t n_sequences,
                               const vise_attention_spec *spec,
                               vise_kv_format format,
                               int64_t recent,
                               vise_err *err) {
  VISE_TRY(vise_attention_check(spec, starts, n_sequences, err));
  if (n_sequences == 0) {
    return VISE_OK;
  }
  int64_t longest = 1;
  for (int64_t s = 0; s < n_sequences; s++) {
    longest = starts[s + 1] - starts[s] > longest ? starts[s + 1] - starts[s] : longest;
  }
  vise_kv_packed draft;
  void *sequences = NULL, *drafts = NULL, *stores = NULL;
  VISE_TRY(init(&draft, longest, 1, spec->head_dim, format, recent, err));
  vise_status st = vise_mem_alloc_array(&sequences, n_sequences, sizeof(sequence), err);
  st = st == VISE_OK ? vise_mem_alloc_array(&drafts, vise_threads(), sizeof draft, err) : st;
  st = st == VISE_OK ? vise_mem_alloc_array(&stores, vise_threads(), (size_t)draft.store_bytes, err)
                     : st;
  if (st == VISE_OK) {
    for (int64_t s = 0; s < n_sequences; s++) {
      ((sequence *)sequences)[s] = (sequence){.row = starts[s], .n_new = starts[s + 1] - starts[s]};
    }
    for (int i = 0; i < vise_threads(); i++) {
      ((vise_kv_packed *)drafts)[i] = draft;
      ((vise_kv_packed *)drafts)[i].memory = (uint8_t *)stores + i * draft.store_bytes;
    }
    job j = {
        .spec = spec, .sequences = sequences, .out = out, .q = q, .k = k, .v = v, .drafts = drafts};
    st = run(&j, n_sequences, err);
  }
  vise_mem_free(stores);
  vise_mem_free(drafts);
  vise_mem_free(sequences);
  return st;
}
