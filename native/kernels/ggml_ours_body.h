/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_ours_body.h -- our searches: least sum v (x - value)^2, v the importance of the
 * column. One block in each lane, as in ggml_theirs_body.h; v is not read without has_v.
 *
 * For fixed codes the best scale (and low end) is the solution of a linear system, so a trial is
 * judged by what it would reach after that fit, and the best is refitted once or twice.
 *
 * Symmetric, with t = x / s and e = t - l:  error = s^2 (sum v e e - (sum v e l)^2 / sum v l l)
 * Asymmetric: the fitted scale s and low end m explain s sum v x l + m sum v x of sum v x x.
 */

/* What one pass over the values of a block adds up, for value = scale l. */
typedef struct sums {
  lanes ee, el, ll;
} sums;

/* The codes of a symmetric format: integers low .. high, or the table of ggml_iq4_body.h. */
typedef struct grid {
  bool is_table;
  float low, high; /* the least and the greatest value of a code */
} grid;

INLINE lanes on_grid(lanes t, const grid *g) {
  return g->is_table ? table_value(t) : code_of(t, all(g->low), all(g->high));
}

INLINE sums try_factor(const lanes *x, const lanes *v, bool has_v, int n, const grid *g, lanes r) {
  sums s = {all(0.0f), all(0.0f), all(0.0f)};
  for (int j = 0; j < n; j++) {
    const lanes t = x[j] * r, l = on_grid(t, g), e = t - l;
    const lanes ve = has_v ? v[j] * e : e, vl = has_v ? v[j] * l : l;
    s.ee += ve * e;
    s.el += ve * l;
    s.ll += vl * l;
  }
  return s;
}

/* Keep the trial if its fitted error is less. */
INLINE void keep_better(lanes *best, lanes *best_factor, const sums *s, lanes r) {
  const lanes none = all(0.0f);
  const lanes error = (s->ee - choose(s->ll > none, s->el * s->el / s->ll, none)) / (r * r);
  const lanes fitted = r / (1.0f + choose(s->ll > none, s->el / s->ll, none));
  const flags is_better = error < *best;
  *best = choose(is_better, error, *best);
  *best_factor = choose(is_better, fitted, *best_factor);
}

/* Trials at first + k step codes beyond each end of the grid, k < n_steps. */
typedef struct span {
  float first, step;
  int n_steps, n_refits;
} span;

/* The reciprocal of the best scale; 0 where all is zero. */
INLINE lanes
our_factor(const lanes *x, const lanes *v, bool has_v, int n, const grid *g, const span *a) {
  const lanes none = all(0.0f), m = extreme(x, n);
  const flags is_nothing = greater(m, -m) < all(NOTHING);
  const lanes unit = 1.0f / choose(is_nothing, all(1.0f), m);
  lanes best = all(INFINITY), factor = g->low * unit;
  for (int k = 0; k < 2 * a->n_steps; k++) {
    const float beyond = a->first + a->step * (float)(k / 2);
    const lanes r = (k % 2 == 0 ? g->low - beyond : g->high + beyond) * unit;
    const sums s = try_factor(x, v, has_v, n, g, r);
    keep_better(&best, &factor, &s, r);
  }
  for (int k = 0; k < a->n_refits; k++) {
    const lanes r = factor;
    const sums s = try_factor(x, v, has_v, n, g, r);
    keep_better(&best, &factor, &s, r);
  }
  return choose(is_nothing, none, factor);
}

/* Sums for value = scale l + low. */
typedef struct range_sums {
  lanes l, ll, lx;
} range_sums;

INLINE range_sums
try_range(const lanes *x, const lanes *v, bool has_v, int n, float top, lanes factor, lanes low) {
  range_sums s = {all(0.0f), all(0.0f), all(0.0f)};
  for (int j = 0; j < n; j++) {
    const lanes l = code_of(factor * (x[j] - low), all(0.0f), all(top));
    const lanes vl = has_v ? v[j] * l : l;
    s.l += vl;
    s.ll += vl * l;
    s.lx += vl * x[j];
  }
  return s;
}

/* sum v and sum v x */
INLINE void moments(lanes *sum_v, lanes *sum_x, const lanes *x, const lanes *v, bool has_v, int n) {
  *sum_v = has_v ? all(0.0f) : all((float)n);
  *sum_x = all(0.0f);
  for (int j = 0; j < n; j++) {
    if (has_v) {
      *sum_v += v[j];
    }
    *sum_x += has_v ? v[j] * x[j] : x[j];
  }
}

/* Scale and low end (<= 0) of codes 0 .. top. Where all is the same value <= 0: scale 0. */
INLINE found
our_range(const lanes *x, const lanes *v, bool has_v, int n, float top, const span *a) {
  const lanes none = all(0.0f);
  lanes low = none, high = x[0], sum_v, sum_x;
  for (int j = 0; j < n; j++) {
    low = lesser(x[j], low);
    high = greater(x[j], high);
  }
  moments(&sum_v, &sum_x, x, v, has_v, n);
  const lanes range = high - low;
  const flags is_flat = range <= all(NOTHING);
  const lanes unit = 1.0f / choose(is_flat, all(1.0f), range);
  lanes gain = all(-INFINITY);
  found best = {range / top, low};
  for (int k = 0; k < a->n_steps + a->n_refits; k++) {
    const bool is_refit = k >= a->n_steps;
    const lanes factor =
        is_refit ? 1.0f / best.scale : (top + a->first + a->step * (float)k) * unit;
    const range_sums s = try_range(x, v, has_v, n, top, factor, is_refit ? best.low : low);
    const lanes det = sum_v * s.ll - s.l * s.l;
    const lanes fitted_low = (s.ll * sum_x - s.l * s.lx) / det;
    const flags is_above = fitted_low > none;
    const lanes low_of = choose(is_above, none, fitted_low);
    const lanes scale = choose(is_above, s.lx / s.ll, (sum_v * s.lx - sum_x * s.l) / det);
    const lanes explained = scale * s.lx + low_of * sum_x;
    const flags is_better = (det > none) & (scale > none) & (explained > gain);
    gain = choose(is_better, explained, gain);
    best.scale = choose(is_better, scale, best.scale);
    best.low = choose(is_better, low_of, best.low);
  }
  best.scale = choose(is_flat, none, best.scale);
  best.low = choose(is_flat, low, best.low);
  return best;
}
