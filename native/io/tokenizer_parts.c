/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge loop keeps the symbols in a linked list over their first positions and the candidate
 * pairs in a heap ordered by (rank, position). A merge makes at most two new candidates; those it
 * makes obsolete stay in the heap and are recognised when they surface, because one of the two
 * symbols they were made for is no longer there. So n symbols cost at most 3 n heap operations.
 */
#include "io/tokenizer_parts.h"

#include "core/mem.h"
#include "core/parallel.h"

#include <string.h>

/* Grow `*data` so that `need` elements of `size` bytes fit; doubling keeps appends linear. */
static vise_status grow(void **data, size_t need, size_t *room, size_t size, vise_err *err) {
  const size_t wanted = need + need / 2 + 64;
  VISE_TRY(vise_mem_resize(data, wanted * size, err));
  *room = wanted;
  return VISE_OK;
}

vise_status vise_ids_reserve(vise_ids *a, int64_t more, vise_err *err) {
  if (more <= a->room - a->count) {
    return VISE_OK;
  }
  void *data = a->data;
  size_t room;
  VISE_TRY(grow(&data, (size_t)(a->count + more), &room, sizeof *a->data, err));
  a->data = data;
  a->room = (int64_t)room;
  return VISE_OK;
}

vise_status vise_ids_append(vise_ids *a, const int32_t *ids, int64_t n, vise_err *err) {
  VISE_TRY(vise_ids_reserve(a, n, err));
  if (n > 0) {
    memcpy(a->data + a->count, ids, (size_t)n * sizeof *ids);
    a->count += n;
  }
  return VISE_OK;
}

vise_status vise_text_reserve(vise_text *a, size_t more, vise_err *err) {
  if (more <= a->room - a->count) {
    return VISE_OK;
  }
  void *data = a->data;
  VISE_TRY(grow(&data, a->count + more, &a->room, 1, err));
  a->data = data;
  return VISE_OK;
}

vise_status vise_text_append(vise_text *a, const char *s, size_t n, vise_err *err) {
  VISE_TRY(vise_text_reserve(a, n, err));
  if (n > 0) {
    memcpy(a->data + a->count, s, n);
    a->count += n;
  }
  return VISE_OK;
}

static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

uint64_t vise_string_hash(const char *s, size_t n) {
  uint64_t h = n;
  for (; n >= 8; s += 8, n -= 8) {
    uint64_t chunk;
    memcpy(&chunk, s, 8);
    h = mix(h ^ chunk);
  }
  uint64_t tail = 0;
  for (size_t i = 0; i < n; i++) {
    tail |= (uint64_t)(uint8_t)s[i] << 8 * i;
  }
  return mix(h ^ tail);
}

/* Slots for `room` entries at most half full: a power of two. */
static size_t table_size(size_t room) {
  size_t size = 16;
  while (size < 2 * room) {
    size *= 2;
  }
  return size;
}

struct vise_piece_slot {
  const char *text; /* NULL: free */
  uint32_t bytes;
  int32_t id;
};

vise_status vise_piece_map_init(vise_piece_map *m, size_t room, vise_err *err) {
  *m = (vise_piece_map){0};
  const size_t size = table_size(room);
  void *slots;
  VISE_TRY(vise_mem_zalloc(&slots, size * sizeof(struct vise_piece_slot), err));
  m->slots = slots;
  m->mask = size - 1;
  return VISE_OK;
}

void vise_piece_map_free(vise_piece_map *m) {
  vise_mem_free(m->slots);
  *m = (vise_piece_map){0};
}

static struct vise_piece_slot *piece_slot(const vise_piece_map *m, const char *s, size_t n) {
  size_t i = (size_t)vise_string_hash(s, n) & m->mask;
  while (m->slots[i].text != NULL &&
         (m->slots[i].bytes != n || memcmp(m->slots[i].text, s, n) != 0)) {
    i = (i + 1) & m->mask;
  }
  return &m->slots[i];
}

bool vise_piece_map_add(vise_piece_map *m, const char *s, size_t n, int32_t id) {
  struct vise_piece_slot *slot = piece_slot(m, s, n);
  if (slot->text != NULL) {
    return false;
  }
  *slot = (struct vise_piece_slot){s, (uint32_t)n, id};
  m->count++;
  m->longest = n > m->longest ? n : m->longest;
  if (n > 0) {
    m->begins[(uint8_t)s[0]] = true;
  }
  return true;
}

int32_t vise_piece_map_find(const vise_piece_map *m, const char *s, size_t n) {
  const struct vise_piece_slot *slot = piece_slot(m, s, n);
  return slot->text == NULL ? -1 : slot->id;
}

size_t vise_piece_map_match(const vise_piece_map *m, const char *s, size_t n, int32_t *id_out) {
  if (n == 0 || !m->begins[(uint8_t)s[0]]) {
    return 0;
  }
  for (size_t length = n < m->longest ? n : m->longest; length > 0; length--) {
    const struct vise_piece_slot *slot = piece_slot(m, s, length);
    if (slot->text != NULL) {
      *id_out = slot->id;
      return length;
    }
  }
  return 0;
}

static const char SPACE[] = "\xE2\x96\x81"; /* U+2581 */

bool vise_pieces_cut_at_space(const vise_piece *pieces, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const char *text = pieces[i].text;
    bool has_other = false;
    for (size_t at = 0; text != NULL && at < pieces[i].bytes;) {
      const bool is_space = pieces[i].bytes - at >= 3 && memcmp(text + at, SPACE, 3) == 0;
      if (is_space && has_other) {
        return false;
      }
      has_other |= !is_space;
      at += is_space ? 3 : 1;
    }
  }
  return true;
}

struct vise_merge_slot {
  int32_t a, b;
  uint32_t rank;
  int32_t merged; /* -1: free */
};

vise_status vise_merges_init(vise_merges *m, size_t room, vise_err *err) {
  *m = (vise_merges){0};
  const size_t size = table_size(room);
  void *slots;
  VISE_TRY(vise_mem_alloc_array(&slots, (int64_t)size, sizeof(struct vise_merge_slot), err));
  m->slots = slots;
  m->mask = size - 1;
  for (size_t i = 0; i < size; i++) {
    m->slots[i].merged = -1;
  }
  return VISE_OK;
}

void vise_merges_free(vise_merges *m) {
  vise_mem_free(m->slots);
  *m = (vise_merges){0};
}

static struct vise_merge_slot *merge_slot(const vise_merges *m, int32_t a, int32_t b) {
  size_t i = (size_t)mix((uint64_t)(uint32_t)a << 32 | (uint32_t)b) & m->mask;
  while (m->slots[i].merged >= 0 && (m->slots[i].a != a || m->slots[i].b != b)) {
    i = (i + 1) & m->mask;
  }
  return &m->slots[i];
}

void vise_merges_set(vise_merges *m, int32_t a, int32_t b, uint32_t rank, int32_t merged) {
  *merge_slot(m, a, b) = (struct vise_merge_slot){a, b, rank, merged};
}

/* A pair that may merge: ordered by rank, then position. */
typedef struct candidate {
  uint32_t rank;
  int32_t left, a, b, merged;
} candidate;

static bool is_before(const candidate *x, const candidate *y) {
  return x->rank != y->rank ? x->rank < y->rank : x->left < y->left;
}

static void heap_push(candidate *heap, int64_t *n, candidate c) {
  int64_t i = (*n)++;
  while (i > 0 && is_before(&c, &heap[(i - 1) / 2])) {
    heap[i] = heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  heap[i] = c;
}

static candidate heap_pop(candidate *heap, int64_t *n) {
  const candidate top = heap[0], last = heap[--*n];
  int64_t i = 0;
  for (int64_t child; (child = 2 * i + 1) < *n; i = child) {
    if (child + 1 < *n && is_before(&heap[child + 1], &heap[child])) {
      child++;
    }
    if (!is_before(&heap[child], &last)) {
      break;
    }
    heap[i] = heap[child];
  }
  heap[i] = last;
  return top;
}

/* The arrays of a merge loop over `room` symbols, one after the other in one block. */
typedef struct merge_arrays {
  int32_t *next, *previous; /* [room]; -1: none */
  candidate *heap;          /* [3 room] */
} merge_arrays;

static vise_status
scratch_arrays(merge_arrays *out, vise_merge_scratch *s, int64_t n, vise_err *err) {
  if (n > s->room) {
    const int64_t room = n + n / 2 + 64;
    void *arrays;
    VISE_TRY(vise_mem_alloc_array(&arrays, room, 2 * sizeof(int32_t) + 3 * sizeof(candidate), err));
    vise_mem_free(s->arrays);
    s->arrays = arrays;
    s->room = room;
  }
  out->next = s->arrays;
  out->previous = out->next + s->room;
  out->heap = (candidate *)(void *)(out->previous + s->room);
  return VISE_OK;
}

static void push_pair(const vise_merges *m,
                      candidate *heap,
                      int64_t *n,
                      const int32_t *ids,
                      int32_t left,
                      int32_t right) {
  if (left >= 0 && right >= 0) {
    const struct vise_merge_slot *slot = merge_slot(m, ids[left], ids[right]);
    if (slot->merged >= 0) {
      heap_push(heap, n, (candidate){slot->rank, left, ids[left], ids[right], slot->merged});
    }
  }
}

vise_status vise_merge_run(
    int32_t *inout, int64_t *n, const vise_merges *m, vise_merge_scratch *s, vise_err *err) {
  const int64_t count = *n;
  if (count < 2) {
    return VISE_OK;
  }
  if (count > INT32_MAX) {
    return vise_fail(err, VISE_EARG, "tokenizer: %lld symbols without a cut, expected below 2^31",
                     (long long)count);
  }
  merge_arrays w;
  VISE_TRY(scratch_arrays(&w, s, count, err));
  int64_t queued = 0;
  for (int32_t i = 0; i < (int32_t)count; i++) {
    w.previous[i] = i - 1;
    w.next[i] = i + 1 < (int32_t)count ? i + 1 : -1;
    push_pair(m, w.heap, &queued, inout, i, w.next[i]);
  }
  /* A position that was merged away is unlinked: no candidate of it is pushed again, and those in
     the heap fail the test, since its `next` becomes itself. */
  for (uint32_t step = 1; queued > 0; step++) {
    if (step % 65536 == 0) {
      VISE_TRY(vise_cancel_check(err));
    }
    const candidate c = heap_pop(w.heap, &queued);
    const int32_t right = w.next[c.left];
    if (right < 0 || right == c.left || inout[c.left] != c.a || inout[right] != c.b) {
      continue;
    }
    inout[c.left] = c.merged;
    w.next[c.left] = w.next[right];
    if (w.next[right] >= 0) {
      w.previous[w.next[right]] = c.left;
    }
    w.next[right] = right;
    push_pair(m, w.heap, &queued, inout, w.previous[c.left], c.left);
    push_pair(m, w.heap, &queued, inout, c.left, w.next[c.left]);
  }
  int64_t kept = 0;
  for (int32_t i = 0; i >= 0; i = w.next[i]) {
    inout[kept++] = inout[i];
  }
  *n = kept;
  return VISE_OK;
}

/* A word seen before: where it stood, and where its ids stand. */
struct vise_word {
  uint64_t hash;
  size_t at, bytes; /* bytes 0: free */
  int64_t first, count;
};

enum { WORD_BYTES_MAX = 256, WORDS_MAX = 1 << 14 };

vise_status vise_merge_scratch_init(vise_merge_scratch *s, size_t text_bytes, vise_err *err) {
  *s = (vise_merge_scratch){0};
  size_t size = 64;
  while (size < WORDS_MAX && size < text_bytes / 8) {
    size *= 2;
  }
  void *words;
  VISE_TRY(vise_mem_zalloc(&words, size * sizeof(struct vise_word), err));
  s->words = words;
  s->word_mask = size - 1;
  return VISE_OK;
}

void vise_merge_scratch_free(vise_merge_scratch *s) {
  vise_mem_free(s->arrays);
  vise_mem_free(s->words);
  *s = (vise_merge_scratch){0};
}

vise_status vise_word_find(bool *found_out,
                           vise_ids *ids,
                           vise_merge_scratch *s,
                           const char *text,
                           size_t at,
                           size_t n,
                           vise_err *err) {
  *found_out = false;
  if (n == 0 || n > WORD_BYTES_MAX) {
    return VISE_OK;
  }
  const uint64_t hash = vise_string_hash(text + at, n);
  const struct vise_word *w = &s->words[(size_t)hash & s->word_mask];
  if (w->hash != hash || w->bytes != n || memcmp(text + w->at, text + at, n) != 0) {
    return VISE_OK;
  }
  *found_out = true;
  VISE_TRY(vise_ids_reserve(ids, w->count, err)); /* a part of the array goes to its own end */
  return vise_ids_append(ids, ids->data + w->first, w->count, err);
}

void vise_word_put(vise_merge_scratch *s,
                   const char *text,
                   size_t at,
                   size_t n,
                   const vise_ids *ids,
                   int64_t first) {
  if (n > 0 && n <= WORD_BYTES_MAX) {
    const uint64_t hash = vise_string_hash(text + at, n);
    s->words[(size_t)hash & s->word_mask] =
        (struct vise_word){hash, at, n, first, ids->count - first};
  }
}
