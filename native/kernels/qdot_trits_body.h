/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qdot_trits_body.h -- a row of trits times a token, over the 16 lanes of
 * kernels/lanes_*_body.h and the operations on bytes that the including file defines.
 */

enum { PREFETCH = 1024 }; /* bytes ahead: the codes are read once and come from memory */

static float row(const uint8_t *codes, int64_t k, const float *x) {
  floats total = none16();
  for (int64_t left = k; left > 0; left -= VISE_TRITS_PIECE, codes += VISE_TRITS_BYTES) {
    uint8_t rest[VISE_TRITS_BYTES] = {0};
    const uint8_t *at = codes;
    if (left < VISE_TRITS_PIECE) {
      memcpy(rest, codes, (size_t)((left + 4) / 5));
      at = rest;
    }
    __builtin_prefetch(codes + PREFETCH);
    words q = load_bytes(at);
    floats piece = load16(x + VISE_TRITS_PIECE);
    for (int p = 0; p < 5; p++) {
      const words trits = top_trits(q);
      for (int f = 0; f < 4; f++, x += 16) {
        piece = fma16(floats_of(masked(trits, 3u << 8 * f)), load16(x), piece);
      }
      q = tripled(q);
    }
    x += 16;
    total = add16(total, piece);
  }
  return sum16(total);
}
