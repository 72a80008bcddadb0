/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `codebook`: see codebook.h. Its tables are kept as f32 beside the part that is stored. */
#include "weight/codebook.h"

#include "core/bytes.h"
#include "core/checked.h"
#include "core/mem.h"
#include "core/param.h"
#include "weight/kind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_codebook;

const char vise_codebook_pers[] = "tensor row group column";

static const int64_t DIM_MAX = INT64_C(1) << 40; /* so that no count of bits overflows */

typedef struct codebook {
  vise_weight base;
  vise_codebook_per per;
  int64_t group, length, n_vectors, row_bytes, groups; /* of a row */
  int bits;
  vise_tensor *codes, *table; /* retained */
  float *values;              /* of the table; owned */
} codebook;

static codebook *as_codebook(const vise_weight *w) {
  return (codebook *)(uintptr_t)w;
}

static void codebook_free(vise_weight *w) {
  vise_tensor_release(as_codebook(w)->codes);
  vise_tensor_release(as_codebook(w)->table);
  vise_mem_free(as_codebook(w)->values);
}

static const float *vector_at(const codebook *c, const uint8_t *row, int64_t i, int64_t s) {
  const int64_t which = c->per == VISE_CODEBOOK_TENSOR  ? 0
                        : c->per == VISE_CODEBOOK_ROW   ? i
                        : c->per == VISE_CODEBOOK_GROUP ? i * c->groups + s * c->length / c->group
                                                        : s;
  const uint32_t code = vise_bits_at(row, s * c->bits, c->bits);
  return c->values + ((which << c->bits) + code) * c->length;
}

static void codebook_decode(const vise_weight *w,
                            int64_t row,
                            int64_t n_rows,
                            int64_t col,
                            int64_t n_cols,
                            float *out,
                            int64_t ld) {
  const codebook *c = as_codebook(w);
  const uint8_t *codes = vise_tensor_data(c->codes);
  for (int64_t i = row; i < row + n_rows; i++, out += ld) {
    for (int64_t j = col; j < col + n_cols;) {
      const int64_t s = j / c->length, skip = j - s * c->length;
      const int64_t left = col + n_cols - j, n = c->length - skip < left ? c->length - skip : left;
      memcpy(out + j - col, vector_at(c, codes + i * c->row_bytes, i, s) + skip,
             (size_t)n * sizeof(float));
      j += n;
    }
  }
}

/* ---- making ---- */

/* What the shape of the table and the options say; `c` has a shape only. */
static vise_status init(codebook *c, vise_tensor *table, vise_err *err) {
  const vise_dtype dtype = vise_tensor_dtype(table);
  if (dtype != VISE_DTYPE_F32 && dtype != VISE_DTYPE_F16 && dtype != VISE_DTYPE_BF16) {
    return vise_fail(err, VISE_EDTYPE, "codebook: table is %s, expected f32, f16 or bf16",
                     vise_dtype_name(dtype));
  }
  const int64_t m = c->base.m, k = c->base.k;
  const bool is_cube = vise_tensor_rank(table) == 3 && vise_tensor_is_contiguous(table);
  const int64_t entries = is_cube ? vise_tensor_dim(table, 1) : 0;
  c->length = is_cube ? vise_tensor_dim(table, 2) : 0;
  while (c->bits < VISE_CODEBOOK_BITS_MAX && (int64_t)1 << c->bits < entries) {
    c->bits++;
  }
  const bool fits = c->bits >= 1 && (int64_t)1 << c->bits == entries && c->length >= 1 &&
                    c->length <= VISE_CODEBOOK_LENGTH_MAX && m <= DIM_MAX && k <= DIM_MAX;
  char shape[160];
  vise_tensor_shape_text(shape, sizeof shape, table);
  if (!fits) {
    return vise_fail(
        err, VISE_ESHAPE,
        "codebook: table is %s, expected [tables, 2^bits, d], contiguous, with 1 to %d "
        "bits and d from 1 to %d",
        shape, VISE_CODEBOOK_BITS_MAX, VISE_CODEBOOK_LENGTH_MAX);
  }
  const bool is_group = c->per == VISE_CODEBOOK_GROUP;
  if (is_group ? c->group < 1 || c->group % c->length != 0 : c->group != 0) {
    return vise_fail(err, VISE_EARG, "codebook: group is %lld, expected %s", (long long)c->group,
                     is_group ? "a multiple of the length of a vector" : "0 but for per = group");
  }
  c->n_vectors = vise_ceil_div(k, c->length);
  c->groups = is_group ? vise_ceil_div(k, c->group) : 0;
  c->row_bytes = vise_ceil_div(c->n_vectors * c->bits, 8);
  int64_t tables = c->per == VISE_CODEBOOK_TENSOR ? 1
                   : c->per == VISE_CODEBOOK_ROW  ? m
                                                  : c->n_vectors;
  if ((is_group && !vise_mul_i64(&tables, m, c->groups)) || vise_tensor_dim(table, 0) != tables) {
    return vise_fail(err, VISE_ESHAPE, "codebook: table is %s, expected %lld tables", shape,
                     (long long)tables);
  }
  return VISE_OK;
}

static vise_status read_table(codebook *c, vise_tensor *table, vise_err *err) {
  const int64_t n = vise_tensor_count(table);
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(float), err));
  c->values = memory;
  c->table = vise_tensor_retain(table);
  vise_tensor_to_f32(table, 0, n, c->values);
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(c->values[i])) {
      return vise_fail(err, VISE_ENUMERIC,
                       "codebook: number %lld of table is %g, expected a finite "
                       "one",
                       (long long)i, (double)c->values[i]);
    }
  }
  return VISE_OK;
}

static vise_status pack(codebook *c, const vise_tensor *indices, vise_err *err) {
  VISE_TRY(vise_tensor_create(&c->codes, VISE_DTYPE_U8, 2,
                              (const int64_t[]){c->base.m, c->row_bytes}, err));
  uint8_t *codes = vise_tensor_data(c->codes);
  memset(codes, 0, vise_tensor_bytes(c->codes));
  for (int64_t i = 0; i < c->base.m; i++) {
    uint8_t *row = codes + i * c->row_bytes;
    for (int64_t s = 0; s < c->n_vectors; s++) {
      const int64_t code = vise_tensor_get_i64(indices, i * c->n_vectors + s);
      if (code < 0 || code >> c->bits != 0) {
        return vise_fail(err, VISE_ESHAPE,
                         "codebook: index %lld of row %lld (from 0) is %lld, expected 0 to %d",
                         (long long)s, (long long)i, (long long)code, (1 << c->bits) - 1);
      }
      for (int b = 0; b < c->bits; b++) {
        const int64_t bit = s * c->bits + b;
        row[bit / 8] |= (uint8_t)((code >> b & 1) << (bit % 8));
      }
    }
  }
  return VISE_OK;
}

static vise_status
new_codebook(codebook **out, int64_t m, int64_t k, int per, int64_t group, vise_err *err) {
  vise_weight *w;
  VISE_TRY(
      vise_weight_create(&w, sizeof(codebook), &vise_weight_kind_codebook, m, k, NULL, 0, err));
  *out = as_codebook(w);
  (*out)->per = (vise_codebook_per)per;
  (*out)->group = group;
  return VISE_OK;
}

static vise_status check_indices(const codebook *c, const vise_tensor *indices, vise_err *err) {
  char shape[160];
  if (vise_tensor_rank(indices) != 2 || vise_tensor_dim(indices, 1) != c->n_vectors) {
    return vise_fail(
        err, VISE_ESHAPE,
        "codebook: indices are %s, expected [m, %lld] (vectors of %lld in %lld columns)",
        vise_tensor_shape_text(shape, sizeof shape, indices), (long long)c->n_vectors,
        (long long)c->length, (long long)c->base.k);
  }
  if (vise_dtype_is_float(vise_tensor_dtype(indices))) {
    return vise_fail(err, VISE_EDTYPE, "codebook: indices are %s, expected integers",
                     vise_dtype_name(vise_tensor_dtype(indices)));
  }
  return VISE_OK;
}

vise_status vise_weight_codebook(vise_weight **out,
                                 const vise_tensor *indices,
                                 vise_tensor *table,
                                 int64_t k,
                                 vise_codebook_per per,
                                 int64_t group,
                                 vise_err *err) {
  *out = NULL;
  if (k < 0 || per >= VISE_CODEBOOK_PERS) {
    return vise_fail(err, VISE_EARG, "codebook: k is %lld, expected 0 or more", (long long)k);
  }
  codebook *c;
  const int64_t m = vise_tensor_rank(indices) > 0 ? vise_tensor_dim(indices, 0) : 0;
  VISE_TRY(new_codebook(&c, m, k, (int)per, group, err));
  vise_status st = init(c, table, err);
  st = st == VISE_OK ? check_indices(c, indices, err) : st;
  st = st == VISE_OK ? read_table(c, table, err) : st;
  st = st == VISE_OK ? pack(c, indices, err) : st;
  if (st != VISE_OK) {
    vise_weight_release(&c->base);
    return st;
  }
  *out = &c->base;
  return VISE_OK;
}

/* ---- trees ---- */

static vise_status save_into(const codebook *c, vise_tree *t, vise_err *err) {
  char per[VISE_TREE_NAME];
  vise_param_choice(per, sizeof per, vise_codebook_pers, (int)c->per);
  VISE_TRY(vise_tree_add_text(t, "per", per, err));
  VISE_TRY(vise_tree_add_int(t, "group", c->group, err));
  VISE_TRY(vise_tree_add_part(t, "codes", c->codes, err));
  return vise_tree_add_part(t, "table", c->table, err);
}

static vise_status codebook_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "codebook", w->m, w->k, err));
  return vise_weight_saved(out, save_into(as_codebook(w), *out, err));
}

static vise_status load_per(int *out, const vise_tree *t, vise_err *err) {
  const char *text;
  VISE_TRY(vise_tree_get_text(&text, t, "per", err));
  *out = vise_param_find(vise_codebook_pers, text);
  return *out >= 0 ? VISE_OK
                   : vise_fail(err, VISE_EFORMAT, "codebook: per is '%s', expected one of: %s",
                               text, vise_codebook_pers);
}

static vise_status load_parts(codebook *c, const vise_tree *t, vise_err *err) {
  vise_tensor *table = NULL, *codes;
  for (int i = 0; i < t->n_parts; i++) {
    table = strcmp(t->parts[i].name, "table") == 0 ? t->parts[i].tensor : table;
  }
  if (table == NULL) {
    return vise_fail(err, VISE_EFORMAT, "codebook: has no part 'table'");
  }
  VISE_TRY(vise_weight_load_status(init(c, table, err), err));
  VISE_TRY(vise_weight_load_status(read_table(c, table, err), err));
  VISE_TRY(vise_tree_get_part(&codes, t, "codes", VISE_DTYPE_U8, 2,
                              (const int64_t[]){t->m, c->row_bytes}, err));
  c->codes = vise_tensor_retain(codes);
  return vise_weight_check_children(t, 0, err);
}

static vise_status codebook_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  int per;
  int64_t group;
  codebook *c;
  VISE_TRY(load_per(&per, t, err));
  VISE_TRY(vise_tree_get_int(&group, t, "group", err));
  VISE_TRY(new_codebook(&c, t->m, t->k, per, group, err));
  const vise_status st = load_parts(c, t, err);
  if (st != VISE_OK) {
    vise_weight_release(&c->base);
    return st;
  }
  *out = &c->base;
  return VISE_OK;
}

/* "codebook 16/row", "codebook 256x4/tensor", "codebook 16/g64": vectors of a table, and their
   length unless it is one */
static vise_status
codebook_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  int per;
  int64_t group;
  char name[VISE_TREE_NAME], length[24] = "";
  VISE_TRY(load_per(&per, t, err));
  VISE_TRY(vise_tree_get_int(&group, t, "group", err));
  if (per == VISE_CODEBOOK_GROUP) {
    snprintf(name, sizeof name, "g%lld", (long long)group);
  } else {
    vise_param_choice(name, sizeof name, vise_codebook_pers, per);
  }
  for (int i = 0; i < t->n_parts; i++) {
    const vise_tensor *table = t->parts[i].tensor;
    if (strcmp(t->parts[i].name, "table") == 0 && vise_tensor_rank(table) == 3) {
      if (vise_tensor_dim(table, 2) != 1) {
        snprintf(length, sizeof length, "x%lld", (long long)vise_tensor_dim(table, 2));
      }
      snprintf(out, out_bytes, "codebook %lld%s/%s", (long long)vise_tensor_dim(table, 1), length,
               name);
      return VISE_OK;
    }
  }
  return vise_fail(err, VISE_EFORMAT, "codebook: has no part 'table' of three dimensions");
}

const vise_weight_kind vise_weight_kind_codebook = {
    .name = "codebook",
    .summary = "indices into tables of numbers or vectors",
    .decode = codebook_decode,
    .save = codebook_save,
    .load = codebook_load,
    .describe = codebook_describe,
    .free = codebook_free,
};
