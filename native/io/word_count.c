/* SPDX-License-Identifier: Apache-2.0 */
#include "io/word_count.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "io/pretokenizer.h"
#include "io/utf8.h"

#include <string.h>

enum { FIRST_ROOM = 1024, POLL_WORDS = 4096 };

typedef struct counting {
  vise_word_counts *counts;
  const char *text;
  uint32_t step;
} counting;

/* Room for twice as many words; the index is made anew. */
static vise_status grow(vise_word_counts *c, vise_err *err) {
  const int64_t room = c->room == 0 ? FIRST_ROOM : 2 * c->room;
  void *words = NULL, *counts = NULL;
  vise_piece_map index = {0};
  vise_status st = vise_mem_alloc(&words, (size_t)room * sizeof *c->words, err);
  if (st == VISE_OK) {
    st = vise_mem_alloc(&counts, (size_t)room * sizeof *c->counts, err);
  }
  if (st == VISE_OK) {
    st = vise_piece_map_init(&index, (size_t)room, err);
  }
  if (st != VISE_OK) {
    vise_mem_free(words);
    vise_mem_free(counts);
    return st;
  }
  for (int64_t i = 0; i < c->n; i++) {
    ((vise_piece *)words)[i] = c->words[i];
    ((int64_t *)counts)[i] = c->counts[i];
    vise_piece_map_add(&index, c->words[i].text, c->words[i].bytes, (int32_t)i);
  }
  vise_mem_free(c->words);
  vise_mem_free(c->counts);
  vise_piece_map_free(&c->index);
  c->words = words;
  c->counts = counts;
  c->index = index;
  c->room = room;
  return VISE_OK;
}

static vise_status add_word(void *arg, size_t at, size_t n, vise_err *err) {
  counting *state = arg;
  vise_word_counts *c = state->counts;
  const char *word = state->text + at;
  if (++state->step % POLL_WORDS == 0) {
    VISE_TRY(vise_cancel_check(err));
  }
  if (c->n == c->room) {
    if (c->n >= INT32_MAX / 2) {
      return vise_fail(err, VISE_EUNSUPPORTED, "text has more than %d different words",
                       INT32_MAX / 2);
    }
    VISE_TRY(grow(c, err));
  }
  const int32_t known = vise_piece_map_find(&c->index, word, n);
  if (known >= 0) {
    c->counts[known]++;
    return VISE_OK;
  }
  vise_piece_map_add(&c->index, word, n, (int32_t)c->n);
  c->words[c->n] = (vise_piece){word, n};
  c->counts[c->n++] = 1;
  return VISE_OK;
}

static vise_status check_utf8(const char *text, size_t bytes, vise_err *err) {
  for (size_t i = 0; i < bytes;) {
    uint32_t code;
    const int length = vise_utf8_decode(&code, text + i, bytes - i);
    if (length < 0) {
      return vise_fail(err, VISE_EFORMAT, "text is not UTF-8 at byte %zu", i);
    }
    i += (size_t)length;
  }
  return VISE_OK;
}

vise_status vise_word_counts_init(vise_word_counts *out,
                                  const json_t *pre_tokenizer,
                                  const char *text,
                                  size_t bytes,
                                  vise_err *err) {
  *out = (vise_word_counts){0};
  counting state = {.counts = out, .text = text};
  vise_pretokenizer *cut = NULL;
  VISE_TRY(check_utf8(text, bytes, err));
  VISE_TRY(vise_pretokenizer_create(&cut, pre_tokenizer, err));
  const vise_status st = vise_pretokenizer_split(cut, text, bytes, add_word, &state, err);
  vise_pretokenizer_free(cut);
  return st;
}

void vise_word_counts_free(vise_word_counts *c) {
  vise_mem_free(c->words);
  vise_mem_free(c->counts);
  vise_piece_map_free(&c->index);
  *c = (vise_word_counts){0};
}
