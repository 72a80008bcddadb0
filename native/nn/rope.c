/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions in f64 that are the same everywhere, from + - * / alone:
 *
 *   ln x      x = 2^e m, 1/sqrt 2 <= m < sqrt 2;  ln m = 2 (s + s^3/3 + s^5/5 + ...),
 *             s = (m - 1) / (m + 1), |s| < 0.172: 12 terms leave 1e-20
 *   exp x     n = x / ln 2 rounded; Taylor in |r| <= ln 2 / 2: 17 terms leave 1e-23
 *   sin, cos  n = x / (pi / 2) rounded; pi / 2 in parts of 33 bits, so that n times a part is exact
 *             for n < 2^20; Taylor in |r| <= pi / 4: 10 terms leave 1e-20
 *
 * Positions up to a million.
 */
#include "nn/rope.h"

#include "core/parallel.h"
#include "kernels/grad.h"
#include "kernels/nn.h"

#include <math.h>

static const double pi = 0x1.921fb54442d18p+1;
static const double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;

static double ln_of(double x) {
  int e;
  double m = frexp(x, &e); /* exact */
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2.0;
    e--;
  }
  const double s = (m - 1.0) / (m + 1.0), square = s * s;
  double sum = 0.0;
  for (int i = 25; i >= 1; i -= 2) {
    sum = sum * square + 1.0 / i;
  }
  return e * ln2_high + (e * ln2_low + 2.0 * s * sum);
}

static double exp_of(double x) {
  const double n = floor(x / ln2_high + 0.5);
  const double r = (x - n * ln2_high) - n * ln2_low;
  double sum = 1.0;
  for (int i = 17; i >= 1; i--) {
    sum = 1.0 + sum * r / i;
  }
  return ldexp(sum, (int)n);
}

/* x >= 0 */
static void sin_cos_of(double *sin_out, double *cos_out, double x) {
  const double n = floor(x / (pi / 2) + 0.5);
  const double r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
  const double square = r * r;
  double s = 1.0, c = 1.0;
  for (int i = 20; i >= 2; i -= 2) {
    s = 1.0 - s * square / (i * (i + 1));
    c = 1.0 - c * square / (i * (i - 1));
  }
  s *= r;
  switch ((int64_t)n & 3) {
  case 0: *sin_out = s, *cos_out = c; break;
  case 1: *sin_out = c, *cos_out = -s; break;
  case 2: *sin_out = -s, *cos_out = -c; break;
  default: *sin_out = -c, *cos_out = s; break;
  }
}

static vise_status refuse(vise_err *err, const char *name, double is, const char *expected) {
  return vise_fail(err, VISE_EARG, "rope: %s is %g, expected %s", name, is, expected);
}

static vise_status check_spec(const vise_rope_spec *s, vise_err *err) {
  if (s->head_dim <= 0 || s->head_dim % 2 != 0) {
    return refuse(err, "head_dim", (double)s->head_dim, "an even number above 0");
  }
  if (!(s->theta > 1.0) || isinf(s->theta)) {
    return refuse(err, "theta", s->theta, "a number above 1");
  }
  const bool is_scaled = s->kind != VISE_ROPE_NONE && s->kind != VISE_ROPE_DYNAMIC;
  if (is_scaled && (!(s->factor >= 1.0) || isinf(s->factor))) {
    return refuse(err, "factor", s->factor, "1 or more");
  }
  if (s->kind != VISE_ROPE_LLAMA3 && s->kind != VISE_ROPE_YARN) {
    return VISE_OK;
  }
  if (!(s->context > 0.0) || isinf(s->context)) {
    return refuse(err, "the original context", s->context, "a number above 0");
  }
  if (!(s->low > 0.0) || isinf(s->low)) {
    return refuse(err, s->kind == VISE_ROPE_YARN ? "beta_slow" : "low_freq_factor", s->low,
                  "a number above 0");
  }
  if (!(s->high > s->low) || isinf(s->high)) {
    return refuse(err, s->kind == VISE_ROPE_YARN ? "beta_fast" : "high_freq_factor", s->high,
                  "a number above its low companion");
  }
  return s->scale >= 0.0 && !isinf(s->scale) ? VISE_OK
                                             : refuse(err, "scale", s->scale, "0 or more");
}

static double llama3_frequency(const vise_rope_spec *s, double f) {
  const double wavelength = 2.0 * pi / f;
  if (wavelength < s->context / s->high) {
    return f;
  }
  if (wavelength > s->context / s->low) {
    return f / s->factor;
  }
  const double smooth = (s->context / wavelength - s->low) / (s->high - s->low);
  return (1.0 - smooth) * f / s->factor + smooth * f;
}

static double clamp(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

/* The dimension, a real number, whose frequency turns `rotations` times within the context. */
static double yarn_dimension(const vise_rope_spec *s, double rotations) {
  const double n = (double)(s->head_dim / 2);
  return n * ln_of(s->context / (2.0 * pi * rotations)) / ln_of(s->theta);
}

static double yarn_frequency(const vise_rope_spec *s, double f, int64_t i) {
  double first = yarn_dimension(s, s->high), last = yarn_dimension(s, s->low);
  if (s->is_truncated) {
    first = floor(first);
    last = ceil(last);
  }
  first = first < 0.0 ? 0.0 : first;
  last = last > (double)(s->head_dim - 1) ? (double)(s->head_dim - 1) : last;
  if (first == last) {
    last += 0.001; /* as the published function does, so that the ramp is a step */
  }
  const double kept = 1.0 - clamp(((double)i - first) / (last - first), 0.0, 1.0);
  return (1.0 - kept) * f / s->factor + kept * f;
}

vise_status vise_rope_frequencies(double *frequencies_out,
                                  double *scale_out,
                                  const vise_rope_spec *spec,
                                  vise_err *err) {
  VISE_TRY(check_spec(spec, err));
  const int64_t n = spec->head_dim / 2;
  const double ln_theta = ln_of(spec->theta);
  for (int64_t i = 0; i < n; i++) {
    const double f = exp_of(-(double)i / (double)n * ln_theta);
    switch (spec->kind) {
    case VISE_ROPE_LINEAR: frequencies_out[i] = f / spec->factor; break;
    case VISE_ROPE_LLAMA3: frequencies_out[i] = llama3_frequency(spec, f); break;
    case VISE_ROPE_YARN: frequencies_out[i] = yarn_frequency(spec, f, i); break;
    default: frequencies_out[i] = f; break;
    }
  }
  *scale_out = 1.0;
  if (spec->kind == VISE_ROPE_YARN) {
    *scale_out = spec->scale > 0.0 ? spec->scale : 0.1 * ln_of(spec->factor) + 1.0;
  }
  return VISE_OK;
}

typedef struct table_job {
  float *out;
  const double *frequencies;
  int64_t n;
  double scale;
} table_job;

static void fill_positions(void *arg, int64_t begin, int64_t end, int worker) {
  const table_job *j = arg;
  (void)worker;
  for (int64_t p = begin; p < end; p++) {
    float *row = j->out + p * 2 * j->n;
    for (int64_t i = 0; i < j->n; i++) {
      double s, c;
      sin_cos_of(&s, &c, (double)p * j->frequencies[i]);
      row[i] = (float)(c * j->scale);
      row[j->n + i] = (float)(s * j->scale);
    }
  }
}

vise_status vise_rope_table(float *table_out,
                            int64_t n_positions,
                            const double *frequencies,
                            int64_t n,
                            double scale,
                            vise_err *err) {
  table_job j = {table_out, frequencies, n, scale};
  return vise_parallel_for(n_positions, 64, fill_positions, &j, err);
}

typedef struct turn_job {
  float *out;
  const float *x, *table;
  const int32_t *positions;
  int64_t n_heads, n;
  vise_rotate_fn *rotate;
} turn_job;

static void turn_tokens(void *arg, int64_t begin, int64_t end, int worker) {
  const turn_job *j = arg;
  const int64_t width = j->n_heads * 2 * j->n;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *row = j->table + (int64_t)j->positions[i] * 2 * j->n;
    j->rotate(j->out + i * width, j->x + i * width, row, row + j->n, j->n_heads, j->n);
  }
}

vise_status vise_rope_run(float *out,
                          const float *x,
                          int64_t t,
                          int64_t n_heads,
                          int64_t n,
                          const float *table,
                          int64_t n_positions,
                          const int32_t *positions,
                          bool is_back,
                          vise_err *err) {
  for (int64_t i = 0; i < t; i++) {
    if (positions[i] < 0 || positions[i] >= n_positions) {
      return vise_fail(err, VISE_ESHAPE, "rope: position of token %lld is %d, table has %lld rows",
                       (long long)i, positions[i], (long long)n_positions);
    }
  }
  vise_rotate_fn *rotate = is_back ? vise_grad()->rotate_back : vise_nn()->rotate;
  turn_job j = {out, x, table, positions, n_heads, n, rotate};
  const int64_t width = n_heads * 2 * n;
  return vise_parallel_for(t, width < 32768 ? 32768 / width : 1, turn_tokens, &j, err);
}
