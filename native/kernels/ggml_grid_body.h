/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_grid_body.h -- the cells of blocks, computed as decoding does, and codes into blocks.
 */

/* One cell: value = d (code - zero) + low, low being -0 where there is none. */
INLINE void one_cell(vise_grid_cell *out, float d, float zero, float low) {
  *out = (vise_grid_cell){d, zero, low};
}

static void cells_q4_0(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 8.0f, -0.0f);
}

static void cells_q4_1(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 0.0f, half_at(p + 2));
}

static void cells_q5_0(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 16.0f, -0.0f);
}

static void cells_q5_1(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 0.0f, half_at(p + 2));
}

static void cells_q8_0(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 127.0f, -0.0f);
}

static void cells_tq2_0(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p + 64), 1.0f, -0.0f);
}

static void cells_q2_k(vise_grid_cell *out, const uint8_t *p) {
  const float d = half_at(p + 80), dmin = half_at(p + 82);
  for (int b = 0; b < 16; b++) {
    one_cell(out + b, d * (float)(p[b] & 15), 0.0f, -(dmin * (float)(p[b] >> 4)));
  }
}

static void cells_q3_k(vise_grid_cell *out, const uint8_t *p) {
  const float d = half_at(p + 108);
  for (int b = 0; b < 16; b++) {
    one_cell(out + b, d * (float)q3_k_scale(p + 96, b), 4.0f, -0.0f);
  }
}

static void cells_q4_k(vise_grid_cell *out, const uint8_t *p) {
  const float d = half_at(p), dmin = half_at(p + 2);
  for (int b = 0; b < 8; b++) {
    int sc, mn;
    six_bits(&sc, &mn, p + 4, b);
    one_cell(out + b, d * (float)sc, 0.0f, -(dmin * (float)mn));
  }
}

static void cells_q5_k(vise_grid_cell *out, const uint8_t *p) {
  cells_q4_k(out, p);
}

static void cells_q6_k(vise_grid_cell *out, const uint8_t *p) {
  const float d = half_at(p + 208);
  for (int b = 0; b < 16; b++) {
    one_cell(out + b, d * (float)(int8_t)p[192 + b], 32.0f, -0.0f);
  }
}

static void cells_iq4_nl(vise_grid_cell *out, const uint8_t *p) {
  one_cell(out, half_at(p), 0.0f, -0.0f);
}

static void cells_iq4_xs(vise_grid_cell *out, const uint8_t *p) {
  const float d = half_at(p);
  for (int b = 0; b < 8; b++) {
    one_cell(out + b, d * (float)iq4_xs_scale(p, b), 0.0f, -0.0f);
  }
}

static void put_q4_0(uint8_t *p, const uint8_t *codes) {
  pack_small(p + 2, codes, 4);
}

static void put_q4_1(uint8_t *p, const uint8_t *codes) {
  pack_small(p + 4, codes, 4);
}

static void put_q5_0(uint8_t *p, const uint8_t *codes) {
  pack_small(p + 2, codes, 5);
}

static void put_q5_1(uint8_t *p, const uint8_t *codes) {
  pack_small(p + 4, codes, 5);
}

static void put_q8_0(uint8_t *p, const uint8_t *codes) {
  for (int j = 0; j < BLOCK; j++) {
    p[2 + j] = (uint8_t)(codes[j] - 127);
  }
}

static void put_tq2_0(uint8_t *p, const uint8_t *codes) {
  pack_two_bits(p, codes);
}

static void put_q2_k(uint8_t *p, const uint8_t *codes) {
  pack_two_bits(p + 16, codes);
}

static void put_q3_k(uint8_t *p, const uint8_t *codes) {
  pack_high_bits(p, codes, 2);
  pack_two_bits(p + 32, codes);
}

static void put_q4_k(uint8_t *p, const uint8_t *codes) {
  pack_nibbles(p + 16, codes);
}

static void put_q5_k(uint8_t *p, const uint8_t *codes) {
  pack_high_bits(p + 16, codes, 4);
  pack_nibbles(p + 48, codes);
}

static void put_q6_k(uint8_t *p, const uint8_t *codes) {
  pack_four_and_two(p, codes);
}

static void put_iq4_nl(uint8_t *p, const uint8_t *codes) {
  pack_halves(p + 2, codes);
}

static void put_iq4_xs(uint8_t *p, const uint8_t *codes) {
  for (int b = 0; b < 8; b++) {
    pack_halves(p + 8 + 16 * b, codes + 32 * b);
  }
}
