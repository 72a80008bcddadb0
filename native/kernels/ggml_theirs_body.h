/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_theirs_body.h -- the searches of ggml, to the bit: sums in the order of the values,
 * products from left to right, decisions in the order of the trials. One block in each lane; a
 * decision is a mask.
 *
 * x, w: n registers, value j of the blocks and its weight. l_out: their codes. A lane of zeros gets
 * scale 0 and the least code.
 */

/* Codes 0 .. top, low <= 0: the plain fit, then steps + 1 trials of the scale, each refitted. */
INLINE found their_range(lanes *l_out,
                         const lanes *x,
                         const lanes *w,
                         int n,
                         float top,
                         float first,
                         float step,
                         int steps,
                         bool is_absolute) {
  const lanes none = all(0.0f), end = all(top);
  lanes low = none, high = x[0], sum_w = none, sum_x = none;
  for (int j = 0; j < n; j++) {
    low = lesser(x[j], low);
    high = greater(x[j], high);
    sum_w += w[j];
    sum_x += w[j] * x[j];
  }
  const lanes least = low, factor = top / (high - low), scale = 1.0f / factor;
  const flags is_flat = high <= low;
  found best = {scale, low};
  lanes best_factor = factor, best_offset = low;
  lanes least_error = none;
  for (int j = 0; j < n; j++) {
    const lanes e = scale * code_of(factor * (x[j] - low), none, end) + low - x[j];
    least_error += w[j] * (is_absolute ? greater(e, -e) : e * e);
  }
  for (int k = 0; k <= steps; k++) {
    const lanes trial = (first + step * (float)k + top) / (high - best.low), offset = best.low;
    found f;
    lanes sum_l = none, sum_ll = none, sum_lx = none;
    for (int j = 0; j < n; j++) {
      const lanes l = code_of(trial * (x[j] - offset), none, end), wl = w[j] * l;
      sum_l += wl;
      sum_ll += wl * l;
      sum_lx += wl * x[j];
    }
    const lanes det = sum_w * sum_ll - sum_l * sum_l;
    f.scale = (sum_w * sum_lx - sum_x * sum_l) / det;
    f.low = (sum_ll * sum_x - sum_l * sum_lx) / det;
    const flags is_above = f.low > none;
    f.low = choose(is_above, none, f.low);
    f.scale = choose(is_above, sum_lx / sum_ll, f.scale);
    lanes error = none;
    for (int j = 0; j < n; j++) {
      const lanes l = code_of(trial * (x[j] - offset), none, end);
      const lanes e = f.scale * l + f.low - x[j];
      error += w[j] * (is_absolute ? greater(e, -e) : e * e);
    }
    const flags is_better = (det > none) & (error < least_error);
    least_error = choose(is_better, error, least_error);
    best.scale = choose(is_better, f.scale, best.scale);
    best.low = choose(is_better, f.low, best.low);
    best_factor = choose(is_better, trial, best_factor);
    best_offset = choose(is_better, offset, best_offset);
  }
  best.scale = choose(is_flat, none, best.scale);
  best.low = choose(is_flat, least, best.low);
  for (int j = 0; j < n; j++) {
    const lanes l = code_of(best_factor * (x[j] - best_offset), none, end);
    l_out[j] = choose(is_flat, none, l);
  }
  return best;
}

/* Codes -half .. half - 1 of scale code: the extreme to the low end, and 18 scales around. */
INLINE lanes their_symmetric(lanes *l_out, const lanes *x, const lanes *w, int n, float half) {
  const lanes none = all(0.0f), low = all(-half), high = all(half - 1.0f), m = extreme(x, n);
  lanes best = none, best_factor = none, gain = none;
  for (int i = 0; i < 19; i++) {
    const int k = i == 0 ? 0 : i <= 9 ? i - 10 : i - 9;
    const lanes factor = -(half + 0.1f * (float)k) / m;
    lanes xl = none, ll = none;
    for (int j = 0; j < n; j++) {
      const lanes l = code_of(factor * x[j], low, high);
      xl += w[j] * x[j] * l;
      ll += w[j] * l * l;
    }
    const lanes scale = choose(ll != none, xl / ll, none);
    const flags is_better = k == 0 ? (ll == ll) : (ll > none) & (xl * xl > gain * ll);
    gain = choose(is_better, scale * xl, gain);
    best = choose(is_better, scale, best);
    best_factor = choose(is_better, factor, best_factor);
  }
  const flags is_nothing = greater(m, -m) < all(NOTHING);
  for (int j = 0; j < n; j++) {
    l_out[j] = choose(is_nothing, low, code_of(best_factor * x[j], low, high));
  }
  return choose(is_nothing, none, best);
}

/*
 * At most five sweeps over the values: a code moves to where the scale without it would round its
 * value, if (sum w x l)^2 / sum w l^2 grows. l: the codes, changed in place. Returns the scale.
 */
INLINE lanes their_sweeps(
    lanes *l, const lanes *x, const lanes *w, int n, lanes low, lanes high, bool is_signed) {
  const lanes none = all(0.0f);
  lanes xl = none, ll = none;
  for (int j = 0; j < n; j++) {
    xl += w[j] * x[j] * l[j];
    ll += w[j] * l[j] * l[j];
  }
  for (int sweep = 0; sweep < 5; sweep++) {
    flags is_changed = (flags){0};
    for (int j = 0; j < n; j++) {
      const lanes xl_rest = xl - w[j] * x[j] * l[j], ll_rest = ll - w[j] * l[j] * l[j];
      const lanes moved = code_of(x[j] * ll_rest / xl_rest, low, high);
      const lanes xl_moved = xl_rest + w[j] * x[j] * moved,
                  ll_moved = ll_rest + w[j] * moved * moved;
      const flags is_better = (xl_rest > none) & ((is_signed ? ll_moved : ll_rest) > none) &
                              (moved != l[j]) & (xl_moved * xl_moved * ll > xl * xl * ll_moved);
      xl = choose(is_better, xl_moved, xl);
      ll = choose(is_better, ll_moved, ll);
      l[j] = choose(is_better, moved, l[j]);
      is_changed |= is_better;
    }
    bool is_any = false;
    for (int i = 0; i < VECTOR; i++) {
      is_any = is_any || is_changed[i] != 0;
    }
    if (!is_any) {
      break;
    }
  }
  return choose(ll > none, xl / ll, none);
}

/* Codes -4 .. 3 in l_out. */
INLINE lanes their_three_bits(lanes *l_out, const lanes *x, int n) {
  lanes w[16];
  const lanes none = all(0.0f), low = all(-4.0f), high = all(3.0f), m = extreme(x, n);
  const flags is_nothing = greater(m, -m) < all(NOTHING);
  const lanes factor = choose(is_nothing, none, -4.0f / m);
  for (int j = 0; j < n; j++) {
    w[j] = x[j] * x[j];
    l_out[j] = code_of(factor * x[j], low, high);
  }
  const lanes scale = their_sweeps(l_out, x, w, n, low, high, true);
  for (int j = 0; j < n; j++) {
    l_out[j] = choose(is_nothing, low, l_out[j]);
  }
  return choose(is_nothing, none, scale);
}

/* Codes 0 .. top of x >= 0 in l_out. */
INLINE lanes their_positive(lanes *l_out, const lanes *x, const lanes *w, int n, float top) {
  const lanes none = all(0.0f), end = all(top), m = extreme(x, n);
  lanes best = none, least = none;
  for (int i = 0; i < 9; i++) {
    const int k = i == 0 ? 0 : i <= 4 ? i - 5 : i - 4;
    const lanes factor = k == 0 ? top / m : (0.1f * (float)k + top) / m, scale = 1.0f / factor;
    lanes error = none;
    for (int j = 0; j < n; j++) {
      const lanes e = x[j] - scale * code_of(factor * x[j], none, end);
      error += w[j] * e * e;
    }
    const flags is_better = k == 0 ? (m == m) : error < least;
    least = choose(is_better, error, least);
    best = choose(is_better, factor, best);
  }
  const flags is_nothing = m < all(NOTHING);
  best = choose(is_nothing, none, best);
  for (int j = 0; j < n; j++) {
    l_out[j] = code_of(best * x[j], none, end);
  }
  const lanes scale = their_sweeps(l_out, x, w, n, none, end, false);
  return choose(is_nothing, none, scale);
}
