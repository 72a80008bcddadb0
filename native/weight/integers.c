/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `integers`: see integers.h.
 *
 * Classes: were |z_ij| on average a_i b_j, the likeliest a_i would be the sums of rows and b_j those
 * of columns over the sum of all. Their logarithms, in half octaves, add up to the class.
 */
#include "weight/integers.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "weight/kind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_integers;

enum { CLASSES = 2 * VISE_INTEGERS_CLASSES - 1, GRAIN = 64 };

typedef struct integers {
  vise_weight base;
  uint8_t *codes;        /* [m, k] by rows; owned */
  float *rows, *factors; /* [m], [k]; owned */
  int64_t row_step;      /* of all rows, or -1 */
  vise_tensor *columns, *classes,
      *row_steps; /* retained; the last is NULL where all are the same */
} integers;

static integers *as_integers(const vise_weight *w) {
  return (integers *)(uintptr_t)w;
}

static void integers_free(vise_weight *w) {
  integers *q = as_integers(w);
  vise_mem_free(q->codes);
  vise_mem_free(q->rows);
  vise_mem_free(q->factors);
  vise_tensor_release(q->columns);
  vise_tensor_release(q->classes);
  vise_tensor_release(q->row_steps);
}

static void integers_decode(const vise_weight *w,
                            int64_t row,
                            int64_t n_rows,
                            int64_t col,
                            int64_t n_cols,
                            float *out,
                            int64_t ld) {
  const integers *q = as_integers(w);
  for (int64_t i = 0; i < n_rows; i++) {
    const uint8_t *codes = q->codes + (row + i) * w->k + col;
    const float *factors = q->factors + col, scale = q->rows[row + i];
    for (int64_t j = 0; j < n_cols; j++) {
      out[i * ld + j] = scale * factors[j] * (float)(codes[j] - VISE_INTEGERS_ZERO);
    }
  }
}

/* ---- the order of codes ---- */

/* Codes between rows and the order of classes: out[place] = codes[i, j], or the way back. */
static void sort_codes(uint8_t *sorted, uint8_t *by_row, const integers *q, bool is_back) {
  const int64_t m = q->base.m, k = q->base.k;
  const uint8_t *rows = vise_tensor_data(q->classes), *columns = rows + m;
  int64_t of_rows[VISE_INTEGERS_CLASSES] = {0}, of_columns[VISE_INTEGERS_CLASSES] = {0};
  int64_t place[CLASSES + 1] = {0};
  for (int64_t i = 0; i < m; i++) {
    of_rows[rows[i]]++;
  }
  for (int64_t j = 0; j < k; j++) {
    of_columns[columns[j]]++;
  }
  for (int r = 0; r < VISE_INTEGERS_CLASSES; r++) {
    for (int c = 0; c < VISE_INTEGERS_CLASSES; c++) {
      place[r + c + 1] += of_rows[r] * of_columns[c];
    }
  }
  for (int c = 1; c <= CLASSES; c++) {
    place[c] += place[c - 1];
  }
  for (int64_t i = 0; i < m; i++) {
    int64_t *next = place + rows[i];
    uint8_t *row = by_row + i * k;
    for (int64_t j = 0; j < k; j++) {
      uint8_t *there = &sorted[next[columns[j]]++];
      if (is_back) {
        row[j] = *there;
      } else {
        *there = row[j];
      }
    }
  }
}

static uint8_t class_of(double mean) {
  const double c = rint(2.0 * log2(mean));
  return (uint8_t)(c > 0.0 ? c < VISE_INTEGERS_CLASSES - 1 ? c : VISE_INTEGERS_CLASSES - 1 : 0.0);
}

vise_status vise_integers_classes(uint8_t *rows_out,
                                  uint8_t *columns_out,
                                  const uint8_t *codes,
                                  int64_t m,
                                  int64_t k,
                                  vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, (size_t)(m + k) * sizeof(int64_t), err));
  int64_t *rows = memory, *columns = rows + m;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < k; j++) {
      const int z = codes[i * k + j] - VISE_INTEGERS_ZERO, size = z < 0 ? -z : z;
      rows[i] += size;
      columns[j] += size;
    }
  }
  /* Means of |z| in units of 2^-10: what is smaller tells nothing of a few numbers. */
  for (int64_t i = 0; i < m; i++) {
    rows_out[i] = class_of(1024.0 * (double)rows[i] / (double)k);
  }
  double most = 0.0;
  for (int64_t j = 0; j < k; j++) {
    most = fmax(most, (double)columns[j]);
  }
  for (int64_t j = 0; j < k; j++) { /* relative to the greatest, which has the last of 32 */
    columns_out[j] = class_of(most > 0.0 ? 65536.0 * (double)columns[j] / most : 0.0);
  }
  vise_mem_free(memory);
  return VISE_OK;
}

/* ---- making ---- */

static vise_status new_integers(integers **out, int64_t m, int64_t k, vise_err *err) {
  vise_weight *w;
  VISE_TRY(
      vise_weight_create(&w, sizeof(integers), &vise_weight_kind_integers, m, k, NULL, 0, err));
  integers *q = as_integers(w);
  int64_t n = 0;
  void *codes = NULL, *rows = NULL, *factors = NULL;
  vise_status st = vise_mul_i64(&n, m, k)
                       ? VISE_OK
                       : vise_fail(err, VISE_ESHAPE, "integers: w is [%lld, %lld], expected less",
                                   (long long)m, (long long)k);
  st = st == VISE_OK ? vise_mem_alloc_array(&codes, n, 1, err) : st;
  q->codes = codes;
  st = st == VISE_OK ? vise_mem_alloc_array(&rows, m, sizeof(float), err) : st;
  q->rows = rows;
  st = st == VISE_OK ? vise_mem_alloc_array(&factors, k, sizeof(float), err) : st;
  q->factors = factors;
  if (st != VISE_OK) {
    vise_weight_release(w);
    return st;
  }
  *out = q;
  return VISE_OK;
}

/* What decoding reads, from the parts. */
static vise_status read_factors(integers *q, vise_err *err) {
  const uint8_t *steps = q->row_steps != NULL ? vise_tensor_data(q->row_steps) : NULL;
  vise_convert()->f16_decode(q->factors, vise_tensor_data(q->columns), q->base.k);
  for (int64_t j = 0; j < q->base.k; j++) {
    if (!isfinite(q->factors[j])) {
      return vise_fail(err, VISE_ENUMERIC,
                       "integers: factor %lld of columns is %g, expected a finite number",
                       (long long)j, (double)q->factors[j]);
    }
  }
  for (int64_t i = 0; i < q->base.m; i++) {
    const int step = (int)(steps != NULL ? steps[i] : q->row_step) - VISE_INTEGERS_ZERO;
    const int half = step < 0 ? (step - 1) / 2 : step / 2;
    q->rows[i] = ldexpf(step - 2 * half == 0 ? 1.0f : 1.41421356f, half);
  }
  return VISE_OK;
}

/* Factors as f16, the greatest of them between 1 and 2 in magnitude, and the steps that make up for
   that. */
static vise_status
set_factors(integers *q, const double *columns, const uint8_t *steps, vise_err *err) {
  double most = 0.0;
  for (int64_t j = 0; j < q->base.k; j++) {
    most = fmax(most, fabs(columns[j]));
  }
  int exponent = 0;
  if (most > 0.0 && isfinite(most)) {
    frexp(most, &exponent);
    exponent--;
  }
  for (int64_t j = 0; j < q->base.k; j++) {
    q->factors[j] = (float)ldexp(columns[j], -exponent);
  }
  vise_convert()->f16_encode(vise_tensor_data(q->columns), q->factors, q->base.k);
  uint8_t *to = vise_tensor_data(q->row_steps);
  q->row_step = -1;
  bool are_same = true;
  for (int64_t i = 0; i < q->base.m; i++) {
    const int step = steps[i] + 2 * exponent;
    to[i] = (uint8_t)(step < 0 ? 0 : step > UINT8_MAX ? UINT8_MAX : step);
    are_same = are_same && to[i] == to[0];
  }
  if (are_same) {
    q->row_step = q->base.m > 0 ? to[0] : VISE_INTEGERS_ZERO;
    vise_tensor_release(q->row_steps);
    q->row_steps = NULL;
  }
  return read_factors(q, err);
}

vise_status vise_weight_integers(vise_weight **out,
                                 int64_t m,
                                 int64_t k,
                                 const uint8_t *codes,
                                 const double *columns,
                                 const uint8_t *row_steps,
                                 vise_err *err) {
  *out = NULL;
  integers *q;
  VISE_TRY(new_integers(&q, m, k, err));
  memcpy(q->codes, codes, (size_t)(m * k));
  vise_status st = vise_tensor_create(&q->columns, VISE_DTYPE_F16, 1, &k, err);
  st = st == VISE_OK ? vise_tensor_create(&q->row_steps, VISE_DTYPE_U8, 1, &m, err) : st;
  const int64_t n_classes = m + k;
  st = st == VISE_OK ? vise_tensor_create(&q->classes, VISE_DTYPE_U8, 1, &n_classes, err) : st;
  st = st == VISE_OK ? set_factors(q, columns, row_steps, err) : st;
  if (st == VISE_OK) {
    uint8_t *classes = vise_tensor_data(q->classes);
    st = vise_integers_classes(classes, classes + m, codes, m, k, err);
  }
  if (st != VISE_OK) {
    vise_weight_release(&q->base);
    return st;
  }
  *out = &q->base;
  return VISE_OK;
}

/* ---- trees ---- */

static vise_status save_into(const integers *q, vise_tree *t, vise_err *err) {
  const int64_t n = q->base.m * q->base.k;
  vise_tensor *codes;
  VISE_TRY(vise_tree_add_int(t, "row_step", q->row_step, err));
  VISE_TRY(vise_tensor_create(&codes, VISE_DTYPE_U8, 1, &n, err));
  sort_codes(vise_tensor_data(codes), q->codes, q, false);
  const vise_status st = vise_tree_add_part(t, "codes", codes, err);
  vise_tensor_release(codes);
  VISE_TRY(st);
  VISE_TRY(vise_tree_add_part(t, "columns", q->columns, err));
  VISE_TRY(vise_tree_add_part(t, "classes", q->classes, err));
  return q->row_steps == NULL ? VISE_OK : vise_tree_add_part(t, "row_steps", q->row_steps, err);
}

static vise_status integers_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "integers", w->m, w->k, err));
  return vise_weight_saved(out, save_into(as_integers(w), *out, err));
}

static vise_status get_part(vise_tensor **out,
                            const vise_tree *t,
                            const char *name,
                            vise_dtype dtype,
                            int64_t n,
                            vise_err *err) {
  vise_tensor *part;
  VISE_TRY(vise_tree_get_part(&part, t, name, dtype, 1, &n, err));
  *out = vise_tensor_retain(part);
  return VISE_OK;
}

static vise_status check_classes(const integers *q, vise_err *err) {
  const uint8_t *classes = vise_tensor_data(q->classes);
  for (int64_t i = 0; i < vise_tensor_count(q->classes); i++) {
    if (classes[i] >= VISE_INTEGERS_CLASSES) {
      return vise_fail(err, VISE_EFORMAT, "integers: class %lld is %d, expected at most %d",
                       (long long)i, classes[i], VISE_INTEGERS_CLASSES - 1);
    }
  }
  return VISE_OK;
}

static vise_status load_parts(integers *q, vise_tensor *codes, const vise_tree *t, vise_err *err) {
  VISE_TRY(vise_tree_get_int(&q->row_step, t, "row_step", err));
  if (q->row_step < -1 || q->row_step > UINT8_MAX) {
    return vise_fail(err, VISE_EFORMAT, "integers: row_step is %lld, expected -1 to %d",
                     (long long)q->row_step, UINT8_MAX);
  }
  VISE_TRY(get_part(&q->columns, t, "columns", VISE_DTYPE_F16, t->k, err));
  VISE_TRY(get_part(&q->classes, t, "classes", VISE_DTYPE_U8, t->m + t->k, err));
  if (q->row_step < 0) {
    VISE_TRY(get_part(&q->row_steps, t, "row_steps", VISE_DTYPE_U8, t->m, err));
  }
  VISE_TRY(vise_weight_check_children(t, 0, err));
  VISE_TRY(vise_weight_load_status(read_factors(q, err), err));
  VISE_TRY(check_classes(q, err));
  sort_codes(vise_tensor_data(codes), q->codes, q, true);
  return VISE_OK;
}

static vise_status integers_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  int64_t n;
  vise_tensor *codes;
  integers *q;
  int64_t both;
  if (!vise_mul_i64(&n, t->m, t->k) || !vise_add_i64(&both, t->m, t->k)) {
    return vise_fail(err, VISE_EFORMAT, "integers: w is [%lld, %lld], expected less",
                     (long long)t->m, (long long)t->k);
  }
  VISE_TRY(vise_tree_get_part(&codes, t, "codes", VISE_DTYPE_U8, 1, &n, err));
  VISE_TRY(new_integers(&q, t->m, t->k, err));
  const vise_status st = load_parts(q, codes, t, err);
  if (st != VISE_OK) {
    vise_weight_release(&q->base);
    return st;
  }
  *out = &q->base;
  return VISE_OK;
}

static vise_status
integers_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  (void)t;
  (void)err;
  snprintf(out, out_bytes, "integers");
  return VISE_OK;
}

const vise_weight_kind vise_weight_kind_integers = {
    .name = "integers",
    .summary = "small integers with a factor for each column, to be entropy coded",
    .decode = integers_decode,
    .save = integers_save,
    .load = integers_load,
    .describe = integers_describe,
    .free = integers_free,
};
