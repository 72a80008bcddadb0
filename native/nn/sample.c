/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without top_k and top_p no order is needed. With them a heap gives tokens in falling order as long
 * as they are wanted: O(n) to build and O(log n) a token, where a sort would order a whole
 * vocabulary to use a few.
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

static void make_heap(choice *all, const float *p, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    all[i] = (choice){p[i], (int32_t)i};
  }
  for (int64_t i = n / 2 - 1; i >= 0; i--) {
    sift_down(all, n, i);
  }
}

/* The first of a heap of n, which goes to the heap's end and out of it. */
static choice take_best(choice *heap, int64_t n) {
  const choice best = heap[0];
  heap[0] = heap[n - 1];
  sift_down(heap, n - 1, 0);
  heap[n - 1] = best;
  return best;
}

static double sum_of(const float *p, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += (double)p[i];
  }
  return sum;
}

/* How many of the first p, at least one, together reach `mass`. */
static int64_t count_to(const float *p, int64_t n, double mass) {
  double sum = (double)p[0];
  int64_t count = 1;
  while (count < n && sum < mass) {
    sum += (double)p[count++];
  }
  return count;
}

/* The first index at which the running sum exceeds `mark`; if none does, by rounding, the last that
   is possible. */
static int64_t find_mark(const float *p, int64_t n, double mark) {
  double sum = 0.0;
  int64_t last = 0;
  for (int64_t i = 0; i < n && sum <= mark; i++) {
    sum += (double)p[i];
    last = p[i] > 0.0f ? i : last;
  }
  return last;
}

/* p: [n], becomes scratch, as `all` is. */
static int64_t draw(float *p, choice *all, int64_t n, const vise_sample_options *options) {
  const vise_rng rng = vise_rng_named(options->seed, "sample");
  const double u = vise_rng_uniform(&rng, options->position);
  const bool has_top_k = options->top_k > 0 && options->top_k < n;
  if (!has_top_k && options->top_p == 1.0) {
    return find_mark(p, n, u * sum_of(p, n));
  }
  const double mass = has_top_k ? (double)INFINITY : options->top_p * sum_of(p, n);
  const int64_t most = has_top_k ? options->top_k : n;
  make_heap(all, p, n);
  int64_t kept = 0;
  for (double sum = 0.0; kept < most && (kept == 0 || sum < mass); kept++) {
    p[kept] = take_best(all, n - kept).p;
    sum += (double)p[kept];
  }
  if (has_top_k && options->top_p < 1.0) {
    kept = count_to(p, kept, options->top_p * sum_of(p, kept));
  }
  return all[n - 1 - find_mark(p, kept, u * sum_of(p, kept))].id;
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
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(choice) + sizeof(float), err));
  choice *all = memory;
  float *p = (float *)(all + n);
  for (int64_t i = 0; i < n; i++) {
    const double x = ((double)logits[i] - (double)logits[best]) / options->temperature;
    p[i] = (float)(x < -200.0 ? -200.0 : x);
  }
  vise_nn()->exp(p, p, n);
  *id_out = draw(p, all, n, options);
  vise_mem_free(memory);
  return VISE_OK;
}
