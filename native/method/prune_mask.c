/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which weights go. Scores are f32 and not negative, so their bits order as they do: the cut between
 * what goes and what stays is found by counting the scores that begin with the same bits, 11, 10
 * and 10 at a time, in whole numbers that no order of threads can change. What equals the cut goes
 * from the first index on until there is enough.
 *
 * A unit is a weight or a block; a row of units is a row, or the rows of a row of blocks.
 */
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "method/prune.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 3, BINS = 2048, CHUNK_WEIGHTS = 1 << 16 };

static const int shifts[LEVELS] = {20, 10, 0}, widths[LEVELS] = {11, 10, 10};

typedef struct cut {
  uint32_t key;    /* what is below goes */
  int64_t n_equal; /* and so do the first so many that equal it */
} cut;

typedef struct job {
  float *x;
  int64_t m, k, n_rows, n_columns; /* of weights, and of units */
  const vise_prune_factors *factors;
  const vise_prune_options *options;
  float *scores;    /* of each worker: a row of units, and those of them that are near the cut */
  int64_t *counts;  /* of each worker: BINS */
  int64_t *n_equal; /* of each row of units, then how many of them go */
  cut all;          /* per tensor */
  int level;
} job;

static double score_of(const job *s, int64_t i, int64_t j) {
  const vise_prune_factors *f = s->factors;
  return fabs((double)s->x[i * s->k + j]) * (f->row[i] * f->a[j] + f->b[j]);
}

static void score_blocks(const job *s, int64_t u, float *out) {
  const int64_t r = s->options->rows, c = s->options->columns;
  for (int64_t b = 0; b < s->n_columns; b++) {
    double sum = 0.0;
    for (int64_t i = u * r; i < (u + 1) * r; i++) {
      for (int64_t j = b * c; j < (b + 1) * c; j++) {
        const double score = score_of(s, i, j);
        sum += score * score;
      }
    }
    out[b] = (float)sqrt(sum);
  }
}

/* The scores of row `u` of units, in this worker's scratch. */
static float *scores_of(const job *s, int64_t u, int worker) {
  float *out = s->scores + worker * 2 * s->n_columns;
  if (s->options->rows * s->options->columns > 1) {
    score_blocks(s, u, out);
    return out;
  }
  for (int64_t j = 0; j < s->k; j++) {
    out[j] = (float)score_of(s, u, j);
  }
  return out;
}

static uint32_t key_of(float score) {
  uint32_t key;
  memcpy(&key, &score, sizeof key);
  return key;
}

/* Count the next bits of the scores whose bits before are those of `key`. */
static void count(int64_t *counts, const float *scores, int64_t n, uint32_t key, int level) {
  const int shift = shifts[level], above = shift + widths[level];
  const uint32_t mask = (1u << widths[level]) - 1;
  for (int64_t j = 0; j < n && level == 0; j++) { /* all begin with a 0: their sign */
    counts[key_of(scores[j]) >> shift]++;
  }
  for (int64_t j = 0; j < n && level > 0; j++) {
    const uint32_t bits = key_of(scores[j]);
    counts[bits >> shift & mask] += bits >> above == key >> above;
  }
}

/* The bits of the level where the `n_equal`-th score lies; n_equal: those left of it within them. */
static void descend(cut *c, const int64_t *counts, int level) {
  uint32_t bin = 0;
  while (bin + 1 < (1u << widths[level]) && c->n_equal >= counts[bin]) {
    c->n_equal -= counts[bin++];
  }
  c->key |= bin << shifts[level];
}

static int64_t n_pruned(const job *s, int64_t n) {
  return (int64_t)floor(s->options->sparsity * (double)n + 1e-6);
}

static void clear_unit(const job *s, int64_t u, int64_t b) {
  const int64_t r = s->options->rows, c = s->options->columns;
  for (int64_t i = u * r; i < (u + 1) * r; i++) {
    for (int64_t j = b * c; j < (b + 1) * c; j++) {
      s->x[i * s->k + j] = 0.0f;
    }
  }
}

/* The same where units are weights: first without a branch, then the ties, of which few go. */
static void apply_to_weights(float *x, const float *scores, int64_t k, cut c) {
  float least;
  memcpy(&least, &c.key, sizeof least);
  for (int64_t j = 0; j < k; j++) {
    x[j] = scores[j] < least ? 0.0f : x[j];
  }
  for (int64_t j = 0; j < k && c.n_equal > 0; j++) {
    if (scores[j] == least) {
      c.n_equal--;
      x[j] = 0.0f;
    }
  }
}

static void apply(const job *s, int64_t u, const float *scores, cut c) {
  if (s->options->rows * s->options->columns == 1) {
    apply_to_weights(s->x + u * s->k, scores, s->k, c);
    return;
  }
  for (int64_t b = 0; b < s->n_columns; b++) {
    const uint32_t key = key_of(scores[b]);
    const bool is_first = key == c.key && c.n_equal > 0;
    c.n_equal -= is_first;
    if (key < c.key || is_first) {
      clear_unit(s, u, b);
    }
  }
}

/* ---- each row by itself ---- */

/* The scores whose bits before `level` are those of `key`, which is most of what there is to know:
   the levels to come look at no others. Returns how many. */
static int64_t take_near(float *out, const float *scores, int64_t n, uint32_t key, int level) {
  const int above = shifts[level] + widths[level];
  int64_t n_near = 0;
  for (int64_t j = 0; j < n; j++) {
    out[n_near] = scores[j];
    n_near += key_of(scores[j]) >> above == key >> above;
  }
  return n_near;
}

static void cut_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *s = arg;
  int64_t *counts = s->counts + worker * BINS;
  for (int64_t u = begin; u < end; u++) {
    const float *scores = scores_of(s, u, worker), *near = scores;
    float *scratch = s->scores + (worker * 2 + 1) * s->n_columns;
    int64_t n_near = s->n_columns;
    cut c = {0, n_pruned(s, s->n_columns)};
    for (int level = 0; level < LEVELS; level++) {
      if (level > 0) {
        n_near = take_near(scratch, near, n_near, c.key, level);
        near = scratch;
      }
      memset(counts, 0, ((size_t)1 << widths[level]) * sizeof *counts);
      count(counts, near, n_near, c.key, level);
      descend(&c, counts, level);
    }
    apply(s, u, scores, c);
  }
}

/* N of every M columns: a number goes if fewer than M - N of its group go before it. */
static void cut_groups(void *arg, int64_t begin, int64_t end, int worker) {
  const job *s = arg;
  const int group = s->options->group, n_gone = group - s->options->n;
  for (int64_t u = begin; u < end; u++) {
    const float *scores = scores_of(s, u, worker);
    for (int64_t g = 0; g < s->k; g += group) {
      for (int64_t j = g; j < g + group; j++) {
        int before = 0;
        for (int64_t l = g; l < g + group; l++) {
          before += scores[l] < scores[j] || (scores[l] == scores[j] && l < j);
        }
        if (before < n_gone) {
          s->x[u * s->k + j] = 0.0f;
        }
      }
    }
  }
}

/* ---- all of the tensor ---- */

static void count_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *s = arg;
  for (int64_t u = begin; u < end; u++) {
    count(s->counts + worker * BINS, scores_of(s, u, worker), s->n_columns, s->all.key, s->level);
  }
}

static void count_equal(void *arg, int64_t begin, int64_t end, int worker) {
  const job *s = arg;
  for (int64_t u = begin; u < end; u++) {
    const float *scores = scores_of(s, u, worker);
    s->n_equal[u] = 0;
    for (int64_t b = 0; b < s->n_columns; b++) {
      s->n_equal[u] += key_of(scores[b]) == s->all.key;
    }
  }
}

static void apply_all(void *arg, int64_t begin, int64_t end, int worker) {
  const job *s = arg;
  for (int64_t u = begin; u < end; u++) {
    apply(s, u, scores_of(s, u, worker), (cut){s->all.key, s->n_equal[u]});
  }
}

static vise_status cut_tensor(job *s, int64_t grain, vise_err *err) {
  s->all = (cut){0, n_pruned(s, s->n_rows * s->n_columns)};
  for (s->level = 0; s->level < LEVELS; s->level++) {
    memset(s->counts, 0, (size_t)vise_threads() * BINS * sizeof *s->counts);
    VISE_TRY(vise_parallel_for(s->n_rows, grain, count_rows, s, err));
    for (int64_t i = BINS; i < vise_threads() * BINS; i++) {
      s->counts[i % BINS] += s->counts[i];
    }
    descend(&s->all, s->counts, s->level);
  }
  VISE_TRY(vise_parallel_for(s->n_rows, grain, count_equal, s, err));
  int64_t left = s->all.n_equal;
  for (int64_t u = 0; u < s->n_rows; u++) {
    s->n_equal[u] = s->n_equal[u] < left ? s->n_equal[u] : left;
    left -= s->n_equal[u];
  }
  return vise_parallel_for(s->n_rows, grain, apply_all, s, err);
}

vise_status vise_prune_mask(float *x,
                            int64_t m,
                            int64_t k,
                            const vise_prune_factors *factors,
                            const vise_prune_options *options,
                            vise_err *err) {
  job s = {.x = x,
           .m = m,
           .k = k,
           .n_rows = m / options->rows,
           .n_columns = k / options->columns,
           .factors = factors,
           .options = options};
  const int64_t grain = 1 + CHUNK_WEIGHTS / (k * options->rows + 1);
  void *scores = NULL, *counts = NULL;
  VISE_TRY(vise_mem_alloc_array(&scores, vise_threads() * 2 * s.n_columns, sizeof(float), err));
  vise_status st =
      vise_mem_alloc_array(&counts, vise_threads() * BINS + s.n_rows, sizeof(int64_t), err);
  if (st == VISE_OK) {
    s.scores = scores;
    s.counts = counts;
    s.n_equal = s.counts + vise_threads() * BINS;
    st = options->group > 0    ? vise_parallel_for(s.n_rows, grain, cut_groups, &s, err)
         : options->is_per_row ? vise_parallel_for(s.n_rows, grain, cut_rows, &s, err)
                               : cut_tensor(&s, grain, err);
  }
  vise_mem_free(counts);
  vise_mem_free(scores);
  return st;
}
