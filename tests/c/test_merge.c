/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/rng.h"
#include "io/tokenizer_parts.h"
#include "support/test.h"

#include <string.h>

enum { SYMBOLS = 6, PAIRS = 14, LENGTH_MAX = 40 };

typedef struct rule {
  int32_t a, b, merged;
  uint32_t rank;
} rule;

static uint32_t stream[4], counter[4];

static uint32_t random_below(uint32_t n) {
  uint32_t out[4];
  counter[0]++;
  vise_philox(out, counter, stream);
  return out[0] % n;
}

/* Random rules over a small alphabet; ranks repeat, as SentencePiece's scores may. Later rules may
   merge what earlier ones make. */
static void make_rules(rule *rules, vise_merges *table) {
  assert_int_equal(vise_merges_init(table, PAIRS, NULL), VISE_OK);
  for (int i = 0; i < PAIRS; i++) {
    rules[i] = (rule){(int32_t)random_below(SYMBOLS + (uint32_t)i),
                      (int32_t)random_below(SYMBOLS + (uint32_t)i), SYMBOLS + i, random_below(8)};
    for (int k = 0; k < i; k++) {
      if (rules[k].a == rules[i].a && rules[k].b == rules[i].b) {
        rules[k].a = -1; /* replaced by the later one */
      }
    }
    vise_merges_set(table, rules[i].a, rules[i].b, rules[i].rank, rules[i].merged);
  }
}

/* The definition: look at every adjacent pair, merge the first of lowest rank, start again. */
static int64_t merge_naively(int32_t *ids, int64_t n, const rule *rules) {
  for (;;) {
    int64_t best_at = -1;
    const rule *best = NULL;
    for (int64_t i = 0; i + 1 < n; i++) {
      for (int k = 0; k < PAIRS; k++) {
        const rule *r = &rules[k];
        if (r->a == ids[i] && r->b == ids[i + 1] && (best == NULL || r->rank < best->rank)) {
          best = r;
          best_at = i;
        }
      }
    }
    if (best == NULL) {
      return n;
    }
    ids[best_at] = best->merged;
    memmove(ids + best_at + 1, ids + best_at + 2, (size_t)(n - best_at - 2) * sizeof *ids);
    n--;
  }
}

static void merging_agrees_with_its_definition(void **state) {
  (void)state;
  for (uint32_t round = 0; round < 300; round++) {
    stream[0] = round;
    rule rules[PAIRS];
    vise_merges table;
    vise_merge_scratch scratch;
    make_rules(rules, &table);
    assert_int_equal(vise_merge_scratch_init(&scratch, 0, NULL), VISE_OK);
    for (int64_t length = 0; length < LENGTH_MAX; length++) {
      int32_t ids[LENGTH_MAX], expected[LENGTH_MAX];
      for (int64_t i = 0; i < length; i++) {
        ids[i] = expected[i] = (int32_t)random_below(SYMBOLS);
      }
      int64_t n = length;

      assert_int_equal(vise_merge_run(ids, &n, &table, &scratch, NULL), VISE_OK);

      assert_int_equal(n, merge_naively(expected, length, rules));
      assert_memory_equal(ids, expected, (size_t)n * sizeof *ids);
    }
    vise_merge_scratch_free(&scratch);
    vise_merges_free(&table);
  }
}

static void a_pair_set_twice_keeps_the_later_rule(void **state) {
  (void)state;
  vise_merges table;
  vise_merge_scratch scratch;
  assert_int_equal(vise_merges_init(&table, 2, NULL), VISE_OK);
  assert_int_equal(vise_merge_scratch_init(&scratch, 0, NULL), VISE_OK);
  vise_merges_set(&table, 1, 2, 0, 7);
  vise_merges_set(&table, 1, 2, 5, 8);
  int32_t ids[] = {1, 2};
  int64_t n = 2;

  assert_int_equal(vise_merge_run(ids, &n, &table, &scratch, NULL), VISE_OK);

  assert_int_equal(n, 1);
  assert_int_equal(ids[0], 8);
  vise_merge_scratch_free(&scratch);
  vise_merges_free(&table);
}

static void a_map_finds_its_keys_and_the_longest_one_in_front(void **state) {
  (void)state;
  vise_piece_map map;
  int32_t id = -1;
  assert_int_equal(vise_piece_map_init(&map, 3, NULL), VISE_OK);

  assert_true(vise_piece_map_add(&map, "a", 1, 0));
  assert_true(vise_piece_map_add(&map, "abc", 3, 1));
  assert_true(vise_piece_map_add(&map, "abcdefghij", 10, 2));
  assert_false(vise_piece_map_add(&map, "abc", 3, 3));

  assert_int_equal(vise_piece_map_find(&map, "abc", 3), 1);
  assert_int_equal(vise_piece_map_find(&map, "abcdefghij", 10), 2);
  assert_int_equal(vise_piece_map_find(&map, "ab", 2), -1);
  assert_int_equal(vise_piece_map_match(&map, "abcdef", 6, &id), 3);
  assert_int_equal(id, 1);
  assert_int_equal(vise_piece_map_match(&map, "ab", 2, &id), 1);
  assert_int_equal(vise_piece_map_match(&map, "b", 1, &id), 0);
  assert_int_equal(vise_piece_map_match(&map, "", 0, &id), 0);
  vise_piece_map_free(&map);
}

static void words_come_back_with_their_ids(void **state) {
  (void)state;
  vise_merge_scratch scratch;
  vise_ids ids = {0};
  const int32_t made[] = {5, 6};
  bool is_found;
  assert_int_equal(vise_merge_scratch_init(&scratch, 0, NULL), VISE_OK);
  assert_int_equal(vise_ids_append(&ids, made, 2, NULL), VISE_OK);
  vise_word_put(&scratch, "ab ab", 0, 2, &ids, 0);

  assert_int_equal(vise_word_find(&is_found, &ids, &scratch, "ab ab", 3, 2, NULL), VISE_OK);

  assert_true(is_found);
  assert_int_equal(ids.count, 4);
  assert_memory_equal(ids.data + 2, made, sizeof made);
  vise_mem_free(ids.data);
  vise_merge_scratch_free(&scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(merging_agrees_with_its_definition),
      cmocka_unit_test(a_pair_set_twice_keeps_the_later_rule),
      cmocka_unit_test(a_map_finds_its_keys_and_the_longest_one_in_front),
      cmocka_unit_test(words_come_back_with_their_ids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
