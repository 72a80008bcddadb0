/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a sparse weight from numbers: count what each unit has, so that every unit knows where its
 * entries begin; then all units are filled in parallel.
 */
#include "core/mem.h"
#include "core/parallel.h"
#include "weight/sparse_layout.h"

#include <math.h>
#include <string.h>

typedef struct making {
  sparse *s;
  const float *x;  /* [m, k] */
  int64_t *counts; /* of entries of each unit, then where they begin; [n_units + 1] */
  void *parts[SPARSE_PARTS];
  float *values;
} making;

/* The grain of loops over units. */
static int64_t grain_of(const sparse *s) {
  return 1 + (1 << 16) / (s->base.k * s->rows + 1);
}

/* ---- what a unit has ---- */

static bool is_empty(const float *x, int64_t n) {
  bool is = true;
  for (int64_t j = 0; j < n; j++) {
    is &= x[j] == 0.0f;
  }
  return is;
}

/* Whether the block at block column `b` of unit `u` is all zero; blocks may reach beyond W. */
static bool is_empty_block(const making *a, int64_t u, int64_t b) {
  const sparse *s = a->s;
  const int64_t k = s->base.k, left = b * s->columns;
  const int64_t n = k - left < s->columns ? k - left : s->columns;
  for (int64_t row = u * s->rows; row < (u + 1) * s->rows && row < s->base.m; row++) {
    if (!is_empty(a->x + row * k + left, n)) {
      return false;
    }
  }
  return true;
}

static int64_t count_numbers(const float *x, int64_t n) {
  enum { RUN = 1 << 20 }; /* counted in 32 bits, of which a vector holds more */
  int64_t count = 0;
  for (int64_t from = 0; from < n; from += RUN) {
    const int64_t end = n - from < RUN ? n : from + RUN;
    int32_t some = 0;
    for (int64_t j = from; j < end; j++) {
      some += x[j] != 0.0f;
    }
    count += some;
  }
  return count;
}

static void count_units(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const making *a = arg;
  const sparse *s = a->s;
  if (s->rows == 1 && s->columns == 1) {
    for (int64_t u = begin; u < end; u++) {
      a->counts[u] = count_numbers(a->x + u * s->base.k, s->base.k);
    }
    return;
  }
  const int64_t n_blocks = vise_ceil_div(s->base.k, s->columns);
  for (int64_t u = begin; u < end; u++) {
    a->counts[u] = 0;
    for (int64_t b = 0; b < n_blocks; b++) {
      a->counts[u] += !is_empty_block(a, u, b);
    }
  }
}

/* ---- filling ---- */

static void put_column(const making *a, int64_t at, int64_t column) {
  if (a->s->columns16 != NULL) {
    ((uint16_t *)a->parts[1])[at] = (uint16_t)column;
  } else {
    ((uint32_t *)a->parts[1])[at] = (uint32_t)column;
  }
}

/* Half of the numbers stay, at random: what a branch would guess wrong is written and overwritten. */
static void fill_mask(const making *a, int64_t row) {
  enum { RUN = 256 };
  const int64_t k = a->s->base.k;
  const float *x = a->x + row * k;
  uint8_t *bits = (uint8_t *)a->parts[0] + row * a->s->row_bytes;
  float *values = a->values + a->counts[row], run[RUN];
  for (int64_t from = 0; from < k; from += RUN) {
    const int64_t end = k - from < RUN ? k : from + RUN;
    int64_t n = 0;
    for (int64_t byte = from; byte < end; byte += 8) {
      unsigned mask = 0;
      for (int64_t j = byte; j < byte + 8 && j < end; j++) {
        const unsigned stays = x[j] != 0.0f;
        mask |= stays << (j - byte);
        run[n] = x[j];
        n += stays;
      }
      bits[byte / 8] = (uint8_t)mask;
    }
    memcpy(values, run, (size_t)n * sizeof *run);
    values += n;
  }
}

/* The blocks of unit `u`: their columns, and row by row what they hold, zeros beyond W. */
static void fill_blocks(const making *a, int64_t u) {
  const sparse *s = a->s;
  const int64_t k = s->base.k, c = s->columns, n = a->counts[u + 1] - a->counts[u];
  const int64_t n_blocks = vise_ceil_div(k, c);
  float *values = a->values + a->counts[u] * s->rows * c;
  int64_t at = 0;
  for (int64_t b = 0; b < n_blocks; b++) {
    if (is_empty_block(a, u, b)) {
      continue;
    }
    const int64_t width = k - b * c < c ? k - b * c : c;
    put_column(a, a->counts[u] + at, b);
    for (int64_t i = 0; i < s->rows && u * s->rows + i < s->base.m; i++) {
      memcpy(values + (i * n + at) * c, a->x + (u * s->rows + i) * k + b * c,
             (size_t)width * sizeof(float));
    }
    at++;
  }
}

/* The pattern of the group at x, of `n` columns: its numbers, and the first zeros if they are too
   few; 0 if they are too many. */
static uint32_t pattern_of(const sparse *s, const float *x, int64_t n) {
  uint32_t mask = 0;
  for (int64_t j = 0; j < n; j++) {
    mask |= (uint32_t)(x[j] != 0.0f) << j;
  }
  for (int j = 0; j < s->m && __builtin_popcount(mask) < s->n; j++) {
    mask |= 1u << j;
  }
  return __builtin_popcount(mask) == s->n ? mask : 0;
}

static uint32_t code_of(const sparse *s, uint32_t mask) {
  int low = 0, high = s->n_patterns - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (s->patterns[middle] < mask) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return (uint32_t)low;
}

static void fill_codes(const making *a, int64_t row) {
  const sparse *s = a->s;
  uint8_t *bits = (uint8_t *)a->parts[0] + row * s->row_bytes;
  float *values = a->values + row * s->groups * s->n;
  for (int64_t g = 0; g < s->groups; g++) {
    const int64_t n = s->base.k - g * s->m < s->m ? s->base.k - g * s->m : s->m;
    const float *x = a->x + row * s->base.k + g * s->m;
    const uint32_t mask = pattern_of(s, x, n), code = code_of(s, mask);
    for (int i = 0; i < s->width; i++) {
      const int64_t bit = g * s->width + i;
      bits[bit / 8] |= (uint8_t)((code >> i & 1) << (bit % 8));
    }
    for (int j = 0; j < s->m; j++) {
      if ((mask >> j & 1) != 0) {
        *values++ = j < n ? x[j] : 0.0f;
      }
    }
  }
}

static void fill_units(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const making *a = arg;
  for (int64_t u = begin; u < end; u++) {
    switch (a->s->layout) {
    case VISE_SPARSE_BITMASK: fill_mask(a, u); break;
    case VISE_SPARSE_NM: fill_codes(a, u); break;
    case VISE_SPARSE_CSR:
    case VISE_SPARSE_BLOCK:
    case VISE_SPARSE_LAYOUTS: fill_blocks(a, u); break;
    }
  }
}

/* ---- all of it ---- */

/* A group of `nm` that has too many numbers is named. */
static vise_status check_groups(const making *a, vise_err *err) {
  const sparse *s = a->s;
  for (int64_t row = 0; row < s->base.m; row++) {
    for (int64_t g = 0; g < s->groups; g++) {
      const int64_t n = s->base.k - g * s->m < s->m ? s->base.k - g * s->m : s->m;
      if (pattern_of(s, a->x + row * s->base.k + g * s->m, n) == 0) {
        return vise_fail(
            err, VISE_ESHAPE,
            "sparse: row %lld, columns %lld to %lld (from 0) have more than %d numbers "
            "that are not zero, expected %d of %d",
            (long long)row, (long long)(g * s->m), (long long)(g * s->m + n - 1), s->n, s->n, s->m);
      }
    }
    VISE_TRY(vise_cancel_check(err));
  }
  return VISE_OK;
}

/* Where the entries of each unit begin, and how many there are. */
static vise_status count_all(making *a, int64_t *n_out, vise_err *err) {
  const sparse *s = a->s;
  VISE_TRY(vise_parallel_for(s->n_units, grain_of(s), count_units, a, err));
  int64_t sum = 0;
  for (int64_t u = 0; u <= s->n_units; u++) {
    const int64_t n = u < s->n_units ? a->counts[u] : 0;
    a->counts[u] = sum;
    sum += n;
  }
  if (sum > UINT32_MAX) {
    return vise_fail(err, VISE_ESHAPE, "sparse: has %lld entries, expected at most 2^32 - 1",
                     (long long)sum);
  }
  *n_out = sum;
  return VISE_OK;
}

/* A tensor of zeros. */
static vise_status
new_zeros(vise_tensor **out, vise_dtype dtype, int rank, const int64_t *shape, vise_err *err) {
  VISE_TRY(vise_tensor_create(out, dtype, rank, shape, err));
  memset(vise_tensor_data(*out), 0, vise_tensor_bytes(*out));
  return VISE_OK;
}

/* Parts of `n` entries, all zero but the offsets. */
static vise_status create_parts(making *a, int64_t n, vise_err *err) {
  sparse *s = a->s;
  vise_part_shape shapes[SPARSE_PARTS];
  s->n_parts = vise_sparse_shapes(s, n, shapes);
  for (int i = 0; i < s->n_parts; i++) {
    VISE_TRY(new_zeros(&s->parts[i], shapes[i].dtype, shapes[i].rank, shapes[i].shape, err));
    a->parts[i] = vise_tensor_data(s->parts[i]);
  }
  if (s->n_parts == 2) {
    s->columns16 = shapes[1].dtype == VISE_DTYPE_U16 ? a->parts[1] : NULL;
    for (int64_t u = 0; u <= s->n_units; u++) {
      ((uint32_t *)a->parts[0])[u] = (uint32_t)a->counts[u];
    }
  }
  return VISE_OK;
}

/* The values as a weight; `t` [rows, 256] f32. */
static vise_status
store_values(vise_weight **out, vise_tensor *t, vise_dtype dtype, vise_err *err) {
  *out = NULL;
  if (dtype == VISE_DTYPE_F32) {
    return vise_weight_dense(out, t, err);
  }
  vise_tensor *converted;
  VISE_TRY(vise_tensor_convert(&converted, t, dtype, err));
  const vise_status st = vise_weight_dense(out, converted, err);
  vise_tensor_release(converted);
  return st;
}

/* Entries of each unit, where they begin, and how many there are. */
static vise_status count_entries(making *a, int64_t *n_out, vise_err *err) {
  if (a->s->layout == VISE_SPARSE_NM) {
    *n_out = a->s->base.m * a->s->groups * a->s->n;
    return check_groups(a, err);
  }
  return count_all(a, n_out, err);
}

static vise_status fill(vise_weight **out, making *a, int64_t n, vise_dtype dtype, vise_err *err) {
  sparse *s = a->s;
  VISE_TRY(create_parts(a, n, err));
  vise_tensor *t;
  const int64_t rows = vise_ceil_div(n * s->rows * s->columns, VISE_SPARSE_ROW);
  VISE_TRY(
      vise_tensor_create(&t, VISE_DTYPE_F32, 2, (const int64_t[]){rows, VISE_SPARSE_ROW}, err));
  a->values = vise_tensor_data(t);
  const bool has_holes = s->layout == VISE_SPARSE_BLOCK; /* beyond W; others have only an end */
  const int64_t first = has_holes || rows == 0 ? 0 : (rows - 1) * VISE_SPARSE_ROW;
  memset(a->values + first, 0, (size_t)(rows * VISE_SPARSE_ROW - first) * sizeof *a->values);
  vise_weight *values = NULL;
  vise_status st = vise_parallel_for(s->n_units, grain_of(s), fill_units, a, err);
  st = st == VISE_OK ? vise_sparse_index(s, err) : st;
  st = st == VISE_OK ? store_values(&values, t, dtype, err) : st;
  st = st == VISE_OK ? vise_sparse_finish(out, s, values, err) : st;
  vise_weight_release(values);
  vise_tensor_release(t);
  return st;
}

/* The bytes of n entries and their values. */
static int64_t bytes_of(const sparse *s, int64_t n, vise_dtype dtype) {
  vise_part_shape shapes[SPARSE_PARTS];
  const int n_parts = vise_sparse_shapes(s, n, shapes);
  const int64_t rows = vise_ceil_div(n * s->rows * s->columns, VISE_SPARSE_ROW);
  int64_t bytes = rows * VISE_SPARSE_ROW * (int64_t)vise_dtype_bytes(dtype);
  for (int i = 0; i < n_parts; i++) {
    int64_t part = (int64_t)vise_dtype_bytes(shapes[i].dtype);
    for (int d = 0; d < shapes[i].rank; d++) {
      part *= shapes[i].shape[d];
    }
    bytes += part;
  }
  return bytes;
}

/* One layout of x [m, k]: made, or where `bytes_out` is not NULL, only its bytes. */
static vise_status make(vise_weight **out,
                        int64_t *bytes_out,
                        const vise_weight *dense,
                        const vise_sparse_options *options,
                        vise_err *err) {
  sparse s;
  void *counts = NULL;
  VISE_TRY(vise_sparse_init(&s, dense->m, dense->k, options, err));
  vise_status st = vise_mem_alloc_array(&counts, s.n_units + 1, sizeof(int64_t), err);
  making a = {.s = &s, .x = vise_tensor_data(vise_weight_dense_tensor(dense)), .counts = counts};
  int64_t n = 0;
  st = st == VISE_OK ? count_entries(&a, &n, err) : st;
  if (st == VISE_OK && bytes_out != NULL) {
    *bytes_out = bytes_of(&s, n, options->values);
  } else if (st == VISE_OK) {
    st = fill(out, &a, n, options->values, err);
  }
  vise_mem_free(counts);
  vise_sparse_clear(&s);
  return st;
}

/* `w` as dense f32: itself if it is that already. */
static vise_status expand(vise_weight **out, const vise_weight *w, vise_err *err) {
  const vise_tensor *t = vise_weight_dense_tensor(w);
  if (t == NULL || vise_tensor_dtype(t) != VISE_DTYPE_F32) {
    return vise_weight_expand(out, w, err);
  }
  *out = vise_weight_retain((vise_weight *)(uintptr_t)w);
  return VISE_OK;
}

vise_status vise_weight_sparse_smallest(vise_weight **out,
                                        const vise_weight *w,
                                        const vise_sparse_options *layouts,
                                        int n,
                                        vise_err *err) {
  *out = NULL;
  vise_weight *expanded;
  VISE_TRY(expand(&expanded, w, err));
  int best = 0;
  int64_t least = INT64_MAX, bytes = 0;
  vise_status st = VISE_OK;
  for (int i = 0; i < n && n > 1 && st == VISE_OK; i++) {
    st = make(NULL, &bytes, expanded, &layouts[i], err);
    best = bytes < least ? i : best;
    least = bytes < least ? bytes : least;
  }
  st = st == VISE_OK ? make(out, NULL, expanded, &layouts[best], err) : st;
  vise_weight_release(expanded);
  return st;
}

vise_status vise_weight_sparse(vise_weight **out,
                               const vise_weight *w,
                               const vise_sparse_options *options,
                               vise_err *err) {
  return vise_weight_sparse_smallest(out, w, options, 1, err);
}
