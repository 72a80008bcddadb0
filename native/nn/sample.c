/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap gives tokens in falling order as long as they are wanted: O(n) to build and O(log n) a
 * token, where a sort would order a whole vocabulary to use a few.
 */
#include "nn/sample.h"

#include "core/mem.h"
#include "core/rng.h"
#include "kernels/nn.h"

#include <math.h>
#include <stdbool.h>

typedef struct choice {
  float p; /* exp((logit - greatest) / temperature) */
  int32_t id;
} choice;

static bool comes_before(choice a, choice b) {
  return a.p > b.p || (a.p == b.p && a.id < b.id);
}

static void sift_down(choice *heap, int64_t n, int64_t at) {
  const choice moving = heap[at];
  for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && comes_before(heap[child + 1], heap[child])) {
      child++;
    }
    if (!comes_before(heap[child], moving)) {
      break;
    }
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moving;
}

/* Move the first `top_k` choices to the end of `all`, the best last; returns how many. */
static int64_t take_best(choice *all, int64_t n, int64_t top_k) {
  const int64_t wanted = top_k > 0 && top_k < n ? top_k : n;
  for (int64_t i = n / 2 - 1; i >= 0; i--) {
    sift_down(all, n, i);
  }
  for (int64_t i = 0; i < wanted; i++) {
    const choice best = all[0];
    all[0] = all[n - 1 - i];
    sift_down(all, n - 1 - i, 0);
    all[n - 1 - i] = best;
  }
  return wanted;
}

static double sum_of(const choice *best_last, int64_t n) {
  double sum = 0.0;
  for (int64_t i = n - 1; i >= 0; i--) {
    sum += (double)best_last[i].p;
  }
  return sum;
}

/* The first choice, best first, at which the running sum exceeds `mark`. `best_last` has n. */
static int64_t find_mark(const choice *best_last, int64_t n, double mark) {
  double sum = 0.0;
  for (int64_t i = n - 1; i > 0; i--) {
    sum += (double)best_last[i].p;
    if (sum > mark) {
      return i;
    }
  }
  return 0;
}

static int64_t draw(choice *all, int64_t n, const vise_sample_options *options) {
  int64_t kept = take_best(all, n, options->top_k);
  choice *best = all + (n - kept);
  if (options->top_p < 1.0) {
    const int64_t last = find_mark(best, kept, options->top_p * sum_of(best, kept));
    best += last;
    kept -= last;
  }
  const vise_rng rng = vise_rng_named(options->seed, "sample");
  const double u = vise_rng_uniform(&rng, options->position);
  return best[find_mark(best, kept, u * sum_of(best, kept))].id;
}

static vise_status check(const vise_sample_options *options, int64_t n, vise_err *err) {
  if (n <= 0 || n > INT32_MAX) {
    return vise_fail(err, VISE_EARG, "sample: there are %lld logits, expected 1 or more",
                     (long long)n);
  }
  if (!(options->temperature >= 0.0) || isinf(options->temperature)) {
    return vise_fail(err, VISE_EARG, "sample: temperature is %g, expected 0 or more",
                     options->temperature);
  }
  if (options->top_k < 0) {
    return vise_fail(err, VISE_EARG, "sample: top_k is %lld, expected 0 (all) or more",
                     (long long)options->top_k);
  }
  if (!(options->top_p > 0.0 && options->top_p <= 1.0)) {
    return vise_fail(err, VISE_EARG, "sample: top_p is %g, expected a number in (0, 1]",
                     options->top_p);
  }
  return VISE_OK;
}

vise_status vise_sample_run(int64_t *id_out,
                            const float *logits,
                            int64_t n,
                            const vise_sample_options *options,
                            vise_err *err) {
  VISE_TRY(check(options, n, err));
  int64_t best = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(logits[i])) {
      return vise_fail(err, VISE_ENUMERIC, "sample: logit of token %lld is NaN", (long long)i);
    }
    best = logits[i] > logits[best] ? i : best;
  }
  if (isinf(logits[best])) {
    return vise_fail(err, VISE_ENUMERIC, "sample: the greatest logit is %g, expected a finite one",
                     (double)logits[best]);
  }
  *id_out = best;
  if (options->temperature == 0.0) {
    return VISE_OK;
  }
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(choice), err));
  choice *all = memory;
  for (int64_t i = 0; i < n; i++) {
    const double x = ((double)logits[i] - (double)logits[best]) / options->temperature;
    const float clipped = (float)(x < -200.0 ? -200.0 : x);
    all[i].id = (int32_t)i;
    vise_nn()->exp(&all[i].p, &clipped, 1);
  }
  *id_out = draw(all, n, options);
  vise_mem_free(memory);
  return VISE_OK;
}
