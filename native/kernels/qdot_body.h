/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot_body.h -- the few-token product of packed codes, over the types `floats` and `words`
 * of 16 lanes and their operations, which the including file defines.
 */

enum { PREFETCH = 2048 }; /* bytes ahead: the codes are read once and come from memory */

/* The scales of a segment, one float a group, so that any 8 lanes find theirs in 8 floats. */
typedef struct segment {
  float scales[VISE_QDOT_SEGMENT / 4 + 16], zeros[VISE_QDOT_SEGMENT / 4 + 16];
} segment;

static groups groups_of(int64_t group, int64_t k, int fields) {
  const int64_t block = (int64_t)fields * VISE_QDOT_LANES;
  groups g = {.columns = group >= k ? k : group};
  if (g.columns < block && group < k) {
    const int lanes = (int)group / fields;
    g.step = block / group;
    g.second = 8 / lanes;
    for (int l = 0; l < 8 && lanes < 8; l++) {
      g.order[l] = l / lanes;
    }
  }
  return g;
}

/* 2^(e - 127); 2^-127 is subnormal. */
static inline void powers_of(float *restrict out, const uint8_t *restrict e, int64_t n) {
  uint32_t bits[VISE_QDOT_SEGMENT / 4 + 1];
  for (int64_t g = 0; g < n; g++) {
    bits[g] = e[g] == 0 ? 0x00400000u : (uint32_t)e[g] << 23;
  }
  memcpy(out, bits, (size_t)n * sizeof *out);
}

static inline void read_scales(float *out, const vise_qdot_ints *w, int64_t i, int64_t n) {
  switch (w->type) {
  case VISE_INTQ_F16: vise_convert()->f16_decode(out, (const uint16_t *)w->scales + i, n); break;
  case VISE_INTQ_BF16: vise_convert()->bf16_decode(out, (const uint16_t *)w->scales + i, n); break;
  case VISE_INTQ_F32: memcpy(out, (const float *)w->scales + i, (size_t)n * 4); break;
  }
}

/* Scales and zeros of n groups of a row from `first` on. */
static inline void
fill_segment(segment *out, const vise_qdot_ints *w, int64_t row, int64_t first, int64_t n) {
  const int64_t i = row * w->row_groups + first;
  if (w->has_powers) {
    powers_of(out->scales, (const uint8_t *)w->scales + i, n);
  } else {
    read_scales(out->scales, w, i, n);
  }
  for (int64_t g = 0; w->zeros != NULL && g < n; g++) {
    out->zeros[g] = -(float)w->zeros[i + g];
  }
  for (int64_t g = n; g < n + 16; g++) { /* of lanes beyond the last column, which hold zeros */
    out->scales[g] = out->zeros[g] = 0.0f;
  }
}

/* p of one block. */
static inline floats block_dot(words v, const float *x, int bits, int fields, floats p) {
  const uint32_t mask = (1u << bits) - 1u;
  const int half = fields / 2;
  const words upper = shifted_down(v, half * bits);
#pragma GCC unroll 16
  for (int f = 0; f < fields; f++) {
    const words code = masked(f < half ? v : upper, mask << f % half * bits);
    p = fma16(floats_of(code), load16(x + f * VISE_QDOT_LANES), p);
  }
  return p;
}

/* What is left of a row after its last whole block, as a block. */
static words rest_of(const uint8_t *codes, const uint8_t *end, int bits) {
  uint8_t rest[4 * VISE_QDOT_LANES] = {0};
  memcpy(rest, codes, (size_t)(end - codes));
  return load_words(rest, bits);
}

/* What codes stand for. SHORT: in a table whose entries have no more than 16 bits. */
typedef enum meaning { NUMBERS, NUMBERS_WITH_ZEROS, TABLE, SHORT_TABLE } meaning;

/* One row. bits, fields and how are constants here. */
static inline float row_dot(const vise_qdot_ints *w,
                            const groups *g,
                            int64_t row,
                            const float *x,
                            int bits,
                            int fields,
                            meaning how) {
  segment s;
  entries t;
  if (how == TABLE || how == SHORT_TABLE) {
    t = load_entries(w->table);
  }
  const int64_t block = (int64_t)fields * VISE_QDOT_LANES, k = w->k;
  const uint8_t *codes = w->codes + row * w->row_bytes, *end = codes + w->row_bytes;
  const order16 order = load_order(g);
  floats total = none16();
  for (int64_t at = 0; at < k; at += VISE_QDOT_SEGMENT) {
    const int64_t stop = k - at < VISE_QDOT_SEGMENT ? k : at + VISE_QDOT_SEGMENT;
    const int64_t first = at / g->columns, last = (stop - 1) / g->columns;
    fill_segment(&s, w, row, first, last - first + 1);
    int64_t group = 0, left = (first + 1) * g->columns - at; /* of the group, in columns */
    for (int64_t j = at; j < stop; j += block, codes += block * bits / 8) {
      __builtin_prefetch(codes + PREFETCH);
      const words v = k - j >= block ? load_words(codes, bits) : rest_of(codes, end, bits);
      const floats sums = load16(x + fields * VISE_QDOT_LANES);
      floats p;
      switch (how) {
      case NUMBERS: p = block_dot(v, x, bits, fields, sums); break;
      case NUMBERS_WITH_ZEROS:
        p = block_dot(v, x, bits, fields, mul16(spread(s.zeros + group, g, order), sums));
        break;
      default: p = table_dot(v, x, &t, how == SHORT_TABLE);
      }
      total = fma16(spread(s.scales + group, g, order), p, total);
      x += (fields + 1) * VISE_QDOT_LANES;
      left -= block;
      group += left == 0 && g->step == 0 ? 1 : g->step;
      left = left == 0 ? g->columns : left;
    }
  }
  return sum16(total);
}

static inline void
rows_dot(float *y, const vise_qdot_ints *w, int64_t n_rows, const float *x, int bits, int fields) {
  const groups g = groups_of(w->group, w->k, fields);
  for (int64_t i = 0; i < n_rows; i++) {
    y[i] = w->zeros == NULL ? row_dot(w, &g, i, x, bits, fields, NUMBERS)
                            : row_dot(w, &g, i, x, bits, fields, NUMBERS_WITH_ZEROS);
  }
}

static void looked_up(float *y, const vise_qdot_ints *w, int64_t n_rows, const float *x) {
  enum { BITS = 4, FIELDS = 8, N_ENTRIES = 16 };
  const groups g = groups_of(w->group, w->k, FIELDS);
  uint32_t table[N_ENTRIES], any = 0;
  memcpy(table, w->table, sizeof table);
  for (int c = 0; c < N_ENTRIES; c++) {
    any |= table[c];
  }
  for (int64_t i = 0; i < n_rows; i++) {
    y[i] = (any & 0xffffu) == 0 ? row_dot(w, &g, i, x, BITS, FIELDS, SHORT_TABLE)
                                : row_dot(w, &g, i, x, BITS, FIELDS, TABLE);
  }
}

static void ints(float *y, const vise_qdot_ints *w, int64_t n_rows, const float *prepared) {
  if (w->table != NULL) {
    looked_up(y, w, n_rows, prepared);
    return;
  }
  switch (w->bits) { /* one copy for each width, with its constants folded in */
  case 2: rows_dot(y, w, n_rows, prepared, 2, 16); break;
  case 3: rows_dot(y, w, n_rows, prepared, 3, 8); break;
  case 4: rows_dot(y, w, n_rows, prepared, 4, 8); break;
  case 6: rows_dot(y, w, n_rows, prepared, 6, 4); break;
  default: rows_dot(y, w, n_rows, prepared, 8, 4);
  }
}
