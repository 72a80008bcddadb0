/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the values of each layout are. A code of `nm` is the rank of the pattern of a group among
 * all masks of M bits of which N are set, in ascending order: ceil(log2 C(M, N)) bits, 3 for 2:4.
 */
#include "weight/sparse_layout.h"

#include "core/bytes.h"
#include "core/mem.h"

#include <string.h>

const char vise_sparse_layouts[] = "csr bitmask nm block";

static const int64_t DIM_MAX = INT64_C(1) << 40; /* so that no count of bits overflows */

static vise_status check_options(const vise_sparse_options *o, vise_err *err) {
  if (o->layout == VISE_SPARSE_NM && (o->m < 1 || o->m > VISE_SPARSE_M_MAX)) {
    return vise_fail(err, VISE_EARG, "sparse: m is %d, expected 1 to %d", o->m, VISE_SPARSE_M_MAX);
  }
  if (o->layout == VISE_SPARSE_NM && (o->n < 1 || o->n > o->m)) {
    return vise_fail(err, VISE_EARG, "sparse: n is %d, expected 1 to %d (m)", o->n, o->m);
  }
  const bool is_block = o->rows >= 1 && o->rows <= VISE_SPARSE_BLOCK_MAX && o->columns >= 1 &&
                        o->columns <= VISE_SPARSE_BLOCK_MAX;
  if (o->layout == VISE_SPARSE_BLOCK && !is_block) {
    return vise_fail(err, VISE_EARG, "sparse: block is %d x %d, expected 1 to %d each way", o->rows,
                     o->columns, VISE_SPARSE_BLOCK_MAX);
  }
  return VISE_OK;
}

/* The masks of n of m bits, ascending, and the bits that number them. */
static vise_status list_patterns(sparse *s, vise_err *err) {
  int count = 0;
  for (uint32_t mask = 0; mask < 1u << s->m; mask++) {
    count += __builtin_popcount(mask) == s->n;
  }
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, count, sizeof(uint16_t), err));
  s->patterns = memory;
  for (uint32_t mask = 0; mask < 1u << s->m; mask++) {
    if (__builtin_popcount(mask) == s->n) {
      s->patterns[s->n_patterns++] = (uint16_t)mask;
    }
  }
  while (1 << s->width < count) {
    s->width++;
  }
  return VISE_OK;
}

vise_status vise_sparse_init(
    sparse *s, int64_t m, int64_t k, const vise_sparse_options *options, vise_err *err) {
  VISE_TRY(check_options(options, err));
  if (m > DIM_MAX || k > DIM_MAX) {
    return vise_fail(err, VISE_EARG,
                     "sparse: shape is [%lld, %lld], expected at most 2^40 each way", (long long)m,
                     (long long)k);
  }
  *s = (sparse){.layout = options->layout, .rows = 1, .columns = 1};
  s->base.m = m;
  s->base.k = k;
  if (s->layout == VISE_SPARSE_BLOCK) {
    s->rows = options->rows;
    s->columns = options->columns;
  }
  if (s->layout == VISE_SPARSE_NM) {
    s->n = options->n;
    s->m = options->m;
    VISE_TRY(list_patterns(s, err));
    if (vise_sparse_has_masks(s)) {
      vise_sparse_list_masks(s);
    }
    s->groups = vise_ceil_div(k, s->m);
    s->row_bytes = vise_ceil_div(s->groups * s->width, 8);
  } else {
    s->row_bytes = vise_ceil_div(k, 8);
  }
  s->n_units = vise_ceil_div(m, s->rows);
  return VISE_OK;
}

void vise_sparse_clear(sparse *s) {
  for (int i = 0; i < SPARSE_PARTS; i++) {
    vise_tensor_release(s->parts[i]);
  }
  vise_mem_free(s->starts);
  vise_mem_free(s->patterns);
}

int vise_sparse_shapes(const sparse *s, int64_t n, vise_part_shape out[SPARSE_PARTS]) {
  if (s->layout == VISE_SPARSE_BITMASK || s->layout == VISE_SPARSE_NM) {
    out[0] = (vise_part_shape){.name = s->layout == VISE_SPARSE_NM ? "codes" : "mask",
                               .dtype = VISE_DTYPE_U8,
                               .rank = 2,
                               .shape = {s->base.m, s->row_bytes}};
    return 1;
  }
  const bool is_narrow = vise_ceil_div(s->base.k, s->columns) <= 1 << 16;
  out[0] = (vise_part_shape){
      .name = "offsets", .dtype = VISE_DTYPE_U32, .rank = 1, .shape = {s->n_units + 1}};
  out[1] = (vise_part_shape){.name = "columns",
                             .dtype = is_narrow ? VISE_DTYPE_U16 : VISE_DTYPE_U32,
                             .rank = 1,
                             .shape = {n}};
  return 2;
}

/* ---- reading ---- */

static uint32_t column_at(const sparse *s, int64_t i) {
  return s->columns16 != NULL ? s->columns16[i] : s->columns32[i];
}

static uint32_t code_at(const sparse *s, const uint8_t *row, int64_t group) {
  return s->width == 0 ? 0 : vise_bits_at(row, group * s->width, s->width);
}

/* Pairs, nibbles, then bytes of counts, which the product adds up in its highest byte. */
static int64_t count_word(uint64_t v) {
  v -= v >> 1 & 0x5555555555555555u;
  v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
  return (int64_t)(((v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

int64_t vise_sparse_count_bits(const uint8_t *bytes, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + i, n - i < 8 ? (size_t)(n - i) : 8);
    count += count_word(word);
  }
  return count;
}

/* ---- checking ---- */

static vise_status bad_part(const sparse *s, const char *what, int64_t row, vise_err *err) {
  char layout[16];
  vise_param_choice(layout, sizeof layout, vise_sparse_layouts, (int)s->layout);
  return vise_fail(err, VISE_EFORMAT, "sparse: %s: %s in row %lld", layout, what, (long long)row);
}

static vise_status new_starts(sparse *s, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, s->n_units + 1, sizeof(uint32_t), err));
  s->starts = memory;
  return VISE_OK;
}

static vise_status index_mask(sparse *s, vise_err *err) {
  const int tail = (int)(s->base.k % 8);
  if (s->base.k == 0) {
    return VISE_OK; /* nothing in the file bounds the number of rows */
  }
  VISE_TRY(new_starts(s, err));
  for (int64_t i = 0; i < s->base.m; i++) {
    const uint8_t *row = s->bits + i * s->row_bytes;
    if (tail != 0 && row[s->row_bytes - 1] >> tail != 0) {
      return bad_part(s, "a bit beyond the columns is set", i, err);
    }
    s->starts[i] = (uint32_t)s->n_values;
    s->n_values += vise_sparse_count_bits(row, s->row_bytes);
    if (s->n_values > UINT32_MAX) {
      return bad_part(s, "more than 2^32 - 1 values", i, err);
    }
  }
  s->starts[s->base.m] = (uint32_t)s->n_values;
  return VISE_OK;
}

static vise_status index_codes(sparse *s, vise_err *err) {
  if (!vise_mul_i64(&s->n_values, s->base.m, s->groups * s->n)) {
    return bad_part(s, "too many values", s->base.m, err);
  }
  for (int64_t i = 0; i < s->base.m && s->width > 0; i++) {
    for (int64_t g = 0; g < s->groups; g++) {
      if (code_at(s, s->bits + i * s->row_bytes, g) >= (uint32_t)s->n_patterns) {
        return bad_part(s, "no such pattern", i, err);
      }
    }
  }
  return VISE_OK;
}

static vise_status index_offsets(sparse *s, vise_err *err) {
  const uint32_t *offsets = vise_tensor_data(s->parts[0]);
  const int64_t n = vise_tensor_count(s->parts[1]);
  const int64_t limit = vise_ceil_div(s->base.k, s->columns);
  if (offsets[0] != 0 || offsets[s->n_units] != n) {
    return vise_fail(err, VISE_EFORMAT,
                     "sparse: offsets are %u to %u, expected 0 to %lld (of columns)", offsets[0],
                     offsets[s->n_units], (long long)n);
  }
  VISE_TRY(new_starts(s, err));
  memcpy(s->starts, offsets, (size_t)(s->n_units + 1) * sizeof(uint32_t));
  for (int64_t u = 0; u < s->n_units; u++) {
    if (offsets[u] > offsets[u + 1] || offsets[u + 1] > n) {
      return bad_part(s, "offsets that fall", u * s->rows, err);
    }
    for (int64_t i = offsets[u]; i < offsets[u + 1]; i++) {
      const bool is_after = i == offsets[u] || column_at(s, i) > column_at(s, i - 1);
      if (!is_after || column_at(s, i) >= limit) {
        return bad_part(s, "columns that do not ascend or are too great", u * s->rows, err);
      }
    }
  }
  s->n_values = n * s->rows * s->columns;
  return VISE_OK;
}

vise_status vise_sparse_index(sparse *s, vise_err *err) {
  if (s->layout == VISE_SPARSE_BITMASK || s->layout == VISE_SPARSE_NM) {
    s->bits = vise_tensor_data(s->parts[0]);
    return s->layout == VISE_SPARSE_NM ? index_codes(s, err) : index_mask(s, err);
  }
  const bool is_narrow = vise_tensor_dtype(s->parts[1]) == VISE_DTYPE_U16;
  s->columns16 = is_narrow ? vise_tensor_data(s->parts[1]) : NULL;
  s->columns32 = is_narrow ? NULL : vise_tensor_data(s->parts[1]);
  return index_offsets(s, err);
}

/* ---- runs ---- */

/* The first i in [begin, end) whose column is at least `column`. */
static int64_t lower_bound(const sparse *s, int64_t begin, int64_t end, int64_t column) {
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (column_at(s, middle) < column) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

static int64_t mask_columns(const sparse *s,
                            int64_t row,
                            int64_t col,
                            int64_t n_cols,
                            int64_t base,
                            uint32_t *out,
                            int64_t *first) {
  const uint8_t *bits = s->bits + row * s->row_bytes;
  int64_t n = 0;
  *first = s->starts[row] + vise_sparse_count_bits(bits, col / 8);
  for (int64_t b = col / 8; b < vise_ceil_div(col + n_cols, 8); b++) {
    for (uint32_t left = bits[b]; left != 0; left &= left - 1) {
      out[n++] = (uint32_t)(b * 8 + __builtin_ctz(left) - base);
    }
  }
  return n;
}

static int64_t code_columns(const sparse *s,
                            int64_t row,
                            int64_t col,
                            int64_t n_cols,
                            int64_t base,
                            uint32_t *out,
                            int64_t *first) {
  const uint8_t *codes = s->bits + row * s->row_bytes;
  const int64_t group = col / s->m, end = vise_ceil_div(col + n_cols, s->m);
  int64_t n = 0;
  *first = (row * s->groups + group) * s->n;
  for (int64_t g = group; g < end; g++) {
    for (uint32_t left = s->patterns[code_at(s, codes, g)]; left != 0; left &= left - 1) {
      const int64_t column = g * s->m + __builtin_ctz(left);
      if (column < col) {
        ++*first; /* of the group that the range begins in, before it */
      } else if (column < col + n_cols) {
        out[n++] = (uint32_t)(column - base);
      }
    }
  }
  return n;
}

static int64_t listed_columns(const sparse *s,
                              int64_t row,
                              int64_t col,
                              int64_t n_cols,
                              int64_t base,
                              uint32_t *out,
                              int64_t *first) {
  const int64_t unit = row / s->rows, begin = s->starts[unit], end = s->starts[unit + 1];
  const int64_t c = s->columns, from = lower_bound(s, begin, end, col / c);
  int64_t n = 0;
  /* the unit's values before this row, the row's before these blocks, and this block's columns
     before the range */
  *first = begin * s->rows * c + row % s->rows * (end - begin) * c + (from - begin) * c;
  for (int64_t i = from; i < end; i++) {
    const int64_t left = (int64_t)column_at(s, i) * c;
    if (left >= col + n_cols) {
      break;
    }
    for (int64_t column = left; column < left + c && column < col + n_cols; column++) {
      if (column < col) {
        ++*first;
      } else {
        out[n++] = (uint32_t)(column - base);
      }
    }
  }
  return n;
}

int64_t vise_sparse_columns(const sparse *s,
                            int64_t row,
                            int64_t col,
                            int64_t n_cols,
                            int64_t base,
                            uint32_t *columns_out,
                            int64_t *first_out) {
  switch (s->layout) {
  case VISE_SPARSE_BITMASK: return mask_columns(s, row, col, n_cols, base, columns_out, first_out);
  case VISE_SPARSE_NM: return code_columns(s, row, col, n_cols, base, columns_out, first_out);
  case VISE_SPARSE_CSR:
  case VISE_SPARSE_BLOCK:
  case VISE_SPARSE_LAYOUTS: break;
  }
  return listed_columns(s, row, col, n_cols, base, columns_out, first_out);
}

const float *vise_sparse_values(const sparse *s, int64_t first, int64_t n, float *buffer) {
  if (s->values != NULL) {
    return s->values + first;
  }
  const vise_weight *w = s->base.children[0];
  float row[VISE_SPARSE_ROW];
  for (int64_t i = 0; i < n;) {
    const int64_t at = (first + i) % VISE_SPARSE_ROW;
    const int64_t take = n - i < VISE_SPARSE_ROW - at ? n - i : VISE_SPARSE_ROW - at;
    w->kind->decode(w, (first + i) / VISE_SPARSE_ROW, 1, 0, VISE_SPARSE_ROW, row, VISE_SPARSE_ROW);
    memcpy(buffer + i, row + at, (size_t)take * sizeof(float));
    i += take;
  }
  return buffer;
}
