/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts that say by a bit for each column where values are: bitmask, and nm whose groups fill
 * bytes of it. Values are moved to their places eight columns at a time (kernels/expand.h); a
 * product with one token does so piece by piece and gives the bits of decoded tiles.
 */
#include "core/bytes.h"
#include "kernels/dot.h"
#include "kernels/expand.h"
#include "weight/sparse_layout.h"

#include <string.h>

enum { PIECE = 1024, SLACK = 32 };

bool vise_sparse_has_masks(const sparse *s) {
  return s->layout == VISE_SPARSE_BITMASK || (s->layout == VISE_SPARSE_NM && 8 % s->m == 0);
}

/* Bits of codes that make one mask: at most 7. */
static int code_bits(const sparse *s) {
  return 8 / s->m * s->width;
}

void vise_sparse_list_masks(sparse *s) {
  const int groups = 8 / s->m;
  for (int codes = 0; codes < 1 << code_bits(s); codes++) {
    unsigned mask = 0;
    for (int g = 0; g < groups; g++) {
      const int code = codes >> (g * s->width) & ((1 << s->width) - 1);
      mask |= code < s->n_patterns ? (unsigned)s->patterns[code] << (g * s->m) : 0u;
    }
    s->mask_of[codes] = (uint8_t)mask;
  }
}

/* The masks of columns [col, col + 8 n), col a multiple of 64. Groups that there are not have none. */
static void read_masks(const sparse *s, int64_t row, int64_t col, int64_t n, uint8_t *out) {
  const uint8_t *p = s->bits + row * s->row_bytes;
  if (s->layout == VISE_SPARSE_BITMASK) {
    memcpy(out, p + col / 8, (size_t)n);
    return;
  }
  const int bits = code_bits(s);
  const int64_t all = s->groups * s->width;
  const unsigned low = (1u << bits) - 1u;
  int64_t i = 0;
  for (int64_t at = col / 8 * bits; i + 8 <= n && at + 64 <= all; i += 8, at += 8 * bits) {
    uint64_t codes = vise_load_u64(p + at / 8);
    for (int b = 0; b < 8; b++, codes >>= bits) {
      out[i + b] = s->mask_of[codes & low];
    }
  }
  for (; i < n; i++) {
    const int64_t at = (col / 8 + i) * bits, left = all - at;
    const int width = left < bits ? (int)left : bits;
    const int64_t group = (col / 8 + i) * (8 / s->m), n_groups = s->groups - group;
    const unsigned kept = n_groups * s->m < 8 ? (1u << (n_groups * s->m)) - 1u : 255u;
    out[i] = (uint8_t)(s->mask_of[width > 0 ? vise_bits_at(p, at, width) : 0] & kept);
  }
}

/* Columns [col, col + n) of a row, n <= PIECE, whose values begin at *first_inout: to `out`, which has
   room for whole masks. *first_inout becomes what follows. */
static void expand_piece(
    const sparse *s, int64_t row, int64_t col, int64_t n, int64_t *first_inout, float *out) {
  uint8_t masks[PIECE / 8];
  float buffer[PIECE + SLACK];
  const int64_t n_masks = vise_ceil_div(n, 8);
  read_masks(s, row, col, n_masks, masks);
  int64_t readable = vise_ceil_div(s->n_values, VISE_SPARSE_ROW) * VISE_SPARSE_ROW - *first_inout;
  const float *values = buffer;
  if (s->values != NULL) {
    values = s->values + *first_inout;
  } else {
    readable = vise_sparse_count_bits(masks, n_masks);
    (void)vise_sparse_values(s, *first_inout, readable, buffer);
    memset(buffer + readable, 0, SLACK * sizeof *buffer);
    readable += SLACK;
  }
  *first_inout += vise_expand()->expand(out, masks, n_masks, values, readable);
}

/* The place of the first value of a row from column `col` on, a multiple of 8. */
static int64_t first_value(const sparse *s, int64_t row, int64_t col) {
  return s->layout == VISE_SPARSE_NM
             ? (row * s->groups + col / s->m) * s->n
             : s->starts[row] + vise_sparse_count_bits(s->bits + row * s->row_bytes, col / 8);
}

void vise_sparse_decode_masked(const sparse *s, int64_t row, int64_t col, int64_t n, float *out) {
  float piece[PIECE];
  int64_t first = n > 0 ? first_value(s, row, col) : 0;
  for (int64_t j = 0; j < n; j += PIECE) {
    const int64_t width = n - j < PIECE ? n - j : PIECE;
    expand_piece(s, row, col + j, width, &first, width % 8 == 0 ? out + j : piece);
    if (width % 8 != 0) {
      memcpy(out + j, piece, (size_t)width * sizeof *out);
    }
  }
}

/* ---- one token ---- */

static int64_t dot_prepared(const vise_weight *w) {
  return vise_sparse_has_masks(as_sparse(w)) ? w->k : 0;
}

static void dot_prepare(const vise_weight *w, float *out, const float *x) {
  memcpy(out, x, (size_t)w->k * sizeof *out);
}

static void
dot_rows(const vise_weight *w, int64_t row, int64_t n_rows, const float *prepared, float *y) {
  const sparse *s = as_sparse(w);
  float piece[PIECE];
  for (int64_t i = 0; i < n_rows; i++) {
    float lanes[VISE_DOT_LANES] = {0};
    int64_t first = first_value(s, row + i, 0);
    for (int64_t j = 0; j < w->k; j += PIECE) {
      const int64_t n = w->k - j < PIECE ? w->k - j : PIECE;
      expand_piece(s, row + i, j, n, &first, piece);
      vise_dot()->add(lanes, piece, prepared + j, w->k, 1, n);
    }
    y[i] = vise_dot()->sum(lanes);
  }
}

const vise_weight_dot vise_sparse_dot = {dot_prepared, dot_prepare, dot_rows};
