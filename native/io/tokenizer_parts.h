/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/tokenizer_parts.h -- what the tokenizers share: growing arrays, a map from strings to ids, the
 * table of merges and the loop that applies them.
 */
#ifndef VISE_IO_TOKENIZER_PARTS_H
#define VISE_IO_TOKENIZER_PARTS_H

#include "io/tokenizer.h"

/* Growing arrays, owned; all zero is empty. */
typedef struct vise_ids {
  int32_t *data;
  int64_t count, room;
} vise_ids;

typedef struct vise_text {
  char *data;
  size_t count, room;
} vise_text;

vise_status vise_ids_reserve(vise_ids *a, int64_t more, vise_err *err) VISE_MUST_USE;
vise_status
vise_ids_append(vise_ids *a, const int32_t *ids, int64_t n, vise_err *err) VISE_MUST_USE;
vise_status vise_text_reserve(vise_text *a, size_t more, vise_err *err) VISE_MUST_USE;
vise_status vise_text_append(vise_text *a, const char *s, size_t n, vise_err *err) VISE_MUST_USE;

typedef struct vise_piece {
  const char *text; /* NULL: no piece has this id */
  size_t bytes;
} vise_piece;

/* What every tokenizer begins with. */
struct vise_tokenizer {
  const struct vise_tokenizer_functions *functions;
  vise_piece *pieces; /* owned array; its strings belong to the kind */
  int64_t size;
  int32_t bos, eos; /* -1: none */
};

struct vise_tokenizer_functions {
  const char *kind;
  vise_status (*encode)(vise_ids *out,
                        const vise_tokenizer *t,
                        const char *text,
                        size_t bytes,
                        bool with_bos,
                        vise_err *err);
  vise_status (*decode)(vise_text *out,
                        const vise_tokenizer *t,
                        const int32_t *ids,
                        int64_t n,
                        vise_err *err); /* the ids are checked */
  void (*free)(vise_tokenizer *t);
};

uint64_t vise_string_hash(const char *s, size_t n);

/* A map from strings to ids of 0 or more; all zero is empty. Open addressing, at most half full. */
typedef struct vise_piece_map {
  struct vise_piece_slot *slots; /* owned */
  size_t mask;
  size_t count, longest; /* entries; bytes of the longest key */
  bool begins[256];      /* bytes that some key begins with */
} vise_piece_map;

vise_status vise_piece_map_init(vise_piece_map *m, size_t room, vise_err *err) VISE_MUST_USE;
void vise_piece_map_free(vise_piece_map *m);
/* False if the key is there already. `s` is borrowed as long as the map lives; room is not checked.
 */
bool vise_piece_map_add(vise_piece_map *m, const char *s, size_t n, int32_t id);
int32_t vise_piece_map_find(const vise_piece_map *m, const char *s, size_t n); /* -1: none */
/* The longest key that `s` begins with: its length and id, or 0. */
size_t vise_piece_map_match(const vise_piece_map *m, const char *s, size_t n, int32_t *id_out);

/* True if no piece has U+2581 after another character: then no merge crosses a U+2581 that follows
   one, and a text may be cut there. */
bool vise_pieces_cut_at_space(const vise_piece *pieces, int64_t n);

/* Which pairs of symbols merge, how early (lower rank first), and into what. Symbols are any int32.
 */
typedef struct vise_merges {
  struct vise_merge_slot *slots; /* owned */
  size_t mask;
} vise_merges;

vise_status vise_merges_init(vise_merges *m, size_t room, vise_err *err) VISE_MUST_USE;
void vise_merges_free(vise_merges *m);
/* A pair that is there already is replaced. Room is not checked. */
void vise_merges_set(vise_merges *m, int32_t a, int32_t b, uint32_t rank, int32_t merged);

/* Scratch of one encoding: the working arrays of the merge loop, and the words seen lately. */
typedef struct vise_merge_scratch {
  void *arrays; /* owned */
  int64_t room; /* symbols they hold */
  struct vise_word *words;
  size_t word_mask;
} vise_merge_scratch;

vise_status
vise_merge_scratch_init(vise_merge_scratch *s, size_t text_bytes, vise_err *err) VISE_MUST_USE;
void vise_merge_scratch_free(vise_merge_scratch *s);

/*
 * Merge `inout`[0, *n): always the adjacent pair of lowest rank, leftmost first, until none merges.
 * O(n log n).
 */
vise_status vise_merge_run(int32_t *inout,
                           int64_t *n,
                           const vise_merges *m,
                           vise_merge_scratch *s,
                           vise_err *err) VISE_MUST_USE;

/*
 * Words repeat. If bytes [at, at + n) of `text` stand among those remembered, append their ids
 * again and return true in *found_out; otherwise, after encoding the word, call _put with the first
 * of its ids in `ids`. `text` and `ids` are those of one encoding.
 */
vise_status vise_word_find(bool *found_out,
                           vise_ids *ids,
                           vise_merge_scratch *s,
                           const char *text,
                           size_t at,
                           size_t n,
                           vise_err *err) VISE_MUST_USE;
void vise_word_put(vise_merge_scratch *s,
                   const char *text,
                   size_t at,
                   size_t n,
                   const vise_ids *ids,
                   int64_t first);

#endif
