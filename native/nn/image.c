/* SPDX-License-Identifier: Apache-2.0 */
/* Each pass goes through the windows of one image after the other, in order; of a window, the pixels
   that lie within the image. */
#include "nn/image.h"

#include "core/parallel.h"

#include <math.h>
#include <string.h>

typedef struct job {
  const vise_windows *g;
  float *out;
  const float *x, *d_out;
} job;

vise_status vise_windows_fit(vise_windows *inout, vise_err *err) {
  vise_windows *g = inout;
  if (g->size < 1 || g->stride < 1 || g->pad < 0 || g->pad >= g->size || g->size > 1 << 15) {
    return vise_fail(
        err, VISE_EARG,
        "windows: size is %lld, stride %lld and pad %lld, expected sizes above 0 and a "
        "pad below the size",
        (long long)g->size, (long long)g->stride, (long long)g->pad);
  }
  if (g->h + 2 * g->pad < g->size || g->w + 2 * g->pad < g->size) {
    return vise_fail(err, VISE_ESHAPE,
                     "windows: images are %lld x %lld pixels, expected at least the %lld of a "
                     "window less twice the pad of %lld",
                     (long long)g->h, (long long)g->w, (long long)g->size, (long long)g->pad);
  }
  g->oh = (g->h + 2 * g->pad - g->size) / g->stride + 1;
  g->ow = (g->w + 2 * g->pad - g->size) / g->stride + 1;
  return VISE_OK;
}

/* Rows [from, to) of a window that begins at `first` and lie in 0 .. n - 1, counted in the window. */
typedef struct span {
  int64_t from, to;
} span;

static span inside(int64_t first, int64_t size, int64_t n) {
  return (span){first < 0 ? -first : 0, first + size > n ? n - first : size};
}

/* Window `at` of an image: its first pixel, and what of it is inside. */
typedef struct window {
  int64_t y, x;
  span rows, columns;
} window;

static window window_of(const vise_windows *g, int64_t at) {
  window w = {.y = at / g->ow * g->stride - g->pad, .x = at % g->ow * g->stride - g->pad};
  w.rows = inside(w.y, g->size, g->h);
  w.columns = inside(w.x, g->size, g->w);
  return w;
}

static int64_t pixel_of(const vise_windows *g, const window *w, int64_t row, int64_t column) {
  return ((w->y + row) * g->w + w->x + column) * g->c;
}

static void patch_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t patch = g->size * g->size * g->c, n_windows = g->oh * g->ow;
  (void)worker;
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    const float *image = j->x + at / n_windows * g->h * g->w * g->c;
    const window w = window_of(g, at % n_windows);
    float *out = j->out + at * patch;
    if (w.rows.to - w.rows.from < g->size || w.columns.to - w.columns.from < g->size) {
      memset(out, 0, (size_t)patch * sizeof *out);
    }
    for (int64_t row = w.rows.from; row < w.rows.to; row++) {
      memcpy(out + (row * g->size + w.columns.from) * g->c,
             image + pixel_of(g, &w, row, w.columns.from),
             (size_t)((w.columns.to - w.columns.from) * g->c) * sizeof *out);
    }
  }
}

static void patch_back_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t patch = g->size * g->size * g->c, n_windows = g->oh * g->ow;
  const int64_t image = g->h * g->w * g->c;
  (void)worker;
  memset(j->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof *j->out);
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    const window w = window_of(g, at % n_windows);
    for (int64_t row = w.rows.from; row < w.rows.to; row++) {
      const float *from = j->d_out + at * patch + (row * g->size + w.columns.from) * g->c;
      float *to = j->out + at / n_windows * image + pixel_of(g, &w, row, w.columns.from);
      for (int64_t i = 0; i < (w.columns.to - w.columns.from) * g->c; i++) {
        to[i] += from[i];
      }
    }
  }
}

/* Index in the image of the greatest of channel c in a window; the first of equals, of NaN too. */
static int64_t
greatest_of(const vise_windows *g, const float *image, const window *w, int64_t channel) {
  int64_t best = pixel_of(g, w, w->rows.from, w->columns.from) + channel;
  for (int64_t row = w->rows.from; row < w->rows.to; row++) {
    for (int64_t column = w->columns.from; column < w->columns.to; column++) {
      const int64_t at = pixel_of(g, w, row, column) + channel;
      best = image[at] > image[best] || (isnan(image[at]) && !isnan(image[best])) ? at : best;
    }
  }
  return best;
}

static void max_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t n_windows = g->oh * g->ow;
  (void)worker;
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    const float *image = j->x + at / n_windows * g->h * g->w * g->c;
    const window w = window_of(g, at % n_windows);
    for (int64_t c = 0; c < g->c; c++) {
      j->out[at * g->c + c] = image[greatest_of(g, image, &w, c)];
    }
  }
}

static void max_back_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t n_windows = g->oh * g->ow, image = g->h * g->w * g->c;
  (void)worker;
  memset(j->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof *j->out);
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    const int64_t from = at / n_windows * image;
    const window w = window_of(g, at % n_windows);
    for (int64_t c = 0; c < g->c; c++) {
      j->out[from + greatest_of(g, j->x + from, &w, c)] += j->d_out[at * g->c + c];
    }
  }
}

static void mean_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t n_windows = g->oh * g->ow;
  const float share = 1.0f / (float)(g->size * g->size);
  (void)worker;
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    const float *image = j->x + at / n_windows * g->h * g->w * g->c;
    const window w = window_of(g, at % n_windows);
    for (int64_t c = 0; c < g->c; c++) {
      float sum = 0.0f;
      for (int64_t row = w.rows.from; row < w.rows.to; row++) {
        for (int64_t column = w.columns.from; column < w.columns.to; column++) {
          sum += image[pixel_of(g, &w, row, column) + c];
        }
      }
      j->out[at * g->c + c] = share * sum;
    }
  }
}

static void mean_back_images(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const vise_windows *g = j->g;
  const int64_t n_windows = g->oh * g->ow, image = g->h * g->w * g->c;
  const float share = 1.0f / (float)(g->size * g->size);
  (void)worker;
  memset(j->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof *j->out);
  for (int64_t at = begin * n_windows; at < end * n_windows; at++) {
    float *out = j->out + at / n_windows * image;
    const window w = window_of(g, at % n_windows);
    for (int64_t row = w.rows.from; row < w.rows.to; row++) {
      for (int64_t column = w.columns.from; column < w.columns.to; column++) {
        for (int64_t c = 0; c < g->c; c++) {
          out[pixel_of(g, &w, row, column) + c] += share * j->d_out[at * g->c + c];
        }
      }
    }
  }
}

vise_status vise_patches_run(float *out, const float *x, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = out, .x = x};
  return vise_parallel_for(g->n, 1, patch_images, &j, err);
}

vise_status
vise_patches_backward(float *d_x, const float *d_out, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = d_x, .d_out = d_out};
  return vise_parallel_for(g->n, 1, patch_back_images, &j, err);
}

vise_status vise_max_pool_run(float *out, const float *x, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = out, .x = x};
  return vise_parallel_for(g->n, 1, max_images, &j, err);
}

vise_status vise_max_pool_backward(
    float *d_x, const float *d_out, const float *x, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = d_x, .x = x, .d_out = d_out};
  return vise_parallel_for(g->n, 1, max_back_images, &j, err);
}

vise_status vise_mean_pool_run(float *out, const float *x, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = out, .x = x};
  return vise_parallel_for(g->n, 1, mean_images, &j, err);
}

vise_status
vise_mean_pool_backward(float *d_x, const float *d_out, const vise_windows *g, vise_err *err) {
  job j = {.g = g, .out = d_x, .d_out = d_out};
  return vise_parallel_for(g->n, 1, mean_back_images, &j, err);
}
