/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/sparse_layout.h -- what the files sparse*.c share.
 *
 * A unit is a row, or the `rows` of a row of blocks. Its values are one run of the flat array of
 * values, row after row: so what a row has in a range of columns is a run of values and a list of
 * columns, whatever the layout.
 */
#ifndef VISE_WEIGHT_SPARSE_LAYOUT_H
#define VISE_WEIGHT_SPARSE_LAYOUT_H

#include "core/checked.h"
#include "format/format.h" /* vise_part_shape */
#include "weight/kind.h"
#include "weight/sparse.h"

enum { SPARSE_PARTS = 2 };

typedef struct sparse {
  vise_weight base; /* one child: the values */
  vise_sparse_layout layout;
  int n, m, width; /* nm; bits of a code */
  int n_patterns;
  int64_t groups;    /* of a row */
  int rows, columns; /* block; 1 and 1 of all others */
  int64_t n_units, n_values;
  int n_parts;
  vise_tensor *parts[SPARSE_PARTS]; /* retained */
  const uint8_t *bits;              /* bitmask, nm: part 0 */
  int64_t row_bytes;
  uint32_t *starts; /* csr, bitmask: first value of each row; block: first block of each unit; and
                       the end; owned */
  const uint16_t *columns16; /* csr, block: part 1, one of both */
  const uint32_t *columns32;
  uint16_t *patterns;   /* nm: the masks of n in m bits, ascending; owned */
  uint8_t mask_of[128]; /* nm with masks: that of 8 columns, by the codes of their groups */
  const float *values;  /* of a child that is dense f32, or NULL */
} sparse;

static inline sparse *as_sparse(const vise_weight *w) {
  return (sparse *)(uintptr_t)w;
}

/*
 * A draft is a struct whose head has a shape only. `init` sets what the options say; `index` looks
 * at the parts, every number of which is hostile, and sets what follows from them; `finish` moves
 * the content into a weight and leaves the draft empty; `clear` lets go of what is left.
 * Errors: EARG of init, EFORMAT of index, ESHAPE of finish, ENOMEM.
 */
vise_status vise_sparse_init(sparse *s,
                             int64_t m,
                             int64_t k,
                             const vise_sparse_options *options,
                             vise_err *err) VISE_MUST_USE;
vise_status vise_sparse_index(sparse *s, vise_err *err) VISE_MUST_USE;
vise_status
vise_sparse_finish(vise_weight **out, sparse *s, vise_weight *values, vise_err *err) VISE_MUST_USE;
void vise_sparse_clear(sparse *s);

/* The shapes of the parts, where there are n entries (csr: values, block: blocks). */
int vise_sparse_shapes(const sparse *s, int64_t n, vise_part_shape out[SPARSE_PARTS]);

/*
 * The columns in [col, col + n_cols) where row `row` has values, minus `base`, ascending; returns
 * how many, at most n_cols, and sets *first to the place of their run among the values. A block or
 * group may reach beyond k: those columns are left out, and are the last.
 */
int64_t vise_sparse_columns(const sparse *s,
                            int64_t row,
                            int64_t col,
                            int64_t n_cols,
                            int64_t base,
                            uint32_t *columns_out,
                            int64_t *first_out);

/* Values [first, first + n) as f32: where they lie, or in `buffer`, of n numbers. */
const float *vise_sparse_values(const sparse *s, int64_t first, int64_t n, float *buffer);

/* How many bits of n bytes are set. */
int64_t vise_sparse_count_bits(const uint8_t *bytes, int64_t n);

/* Whether the layout is read as masks of 8 columns; then, of such: */
bool vise_sparse_has_masks(const sparse *s);
void vise_sparse_list_masks(sparse *s); /* nm: once its patterns are listed */
/* Row `row`, columns [col, col + n); col is a multiple of 256. */
void vise_sparse_decode_masked(const sparse *s, int64_t row, int64_t col, int64_t n, float *out);
extern const vise_weight_dot vise_sparse_dot;

/* X W' of many tokens; as the GEMM gives it, while X is finite. */
vise_status vise_sparse_multiply(const sparse *s,
                                 float *y,
                                 int64_t ldy,
                                 const float *x,
                                 int64_t ldx,
                                 int64_t t,
                                 vise_err *err) VISE_MUST_USE;

#endif
