/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/lanes_avx512_body.h"
#include "kernels/qdot_levels.h"

#include <string.h>

typedef __m512i order16;

static inline order16 load_order(const groups *g) {
  const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)g->order);
  const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(g->second));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline floats spread(const float *p, const groups *g, order16 order) {
  (void)g;
  return _mm512_permutexvar_ps(order, _mm512_loadu_ps(p));
}

/* 48 bytes as 16 words of 3: of each 12 bytes, in 16 that hold them. */
static inline words load_threes(const uint8_t *p) {
  const __m512i places =
      _mm512_set_epi8(-1, 15, 14, 13, -1, 12, 11, 10, -1, 9, 8, 7, -1, 6, 5, 4, -1, 11, 10, 9, -1,
                      8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0, -1, 15, 14, 13, -1, 12, 11, 10, -1, 9, 8,
                      7, -1, 6, 5, 4, -1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0);
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)p));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 8)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 24)), 2);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 32)), 3);
  return _mm512_shuffle_epi8(v, places);
}

static inline words load_words(const uint8_t *p, int bits) {
  return bits % 3 == 0 ? load_threes(p) : _mm512_loadu_si512(p);
}

typedef __m512 entries;

static inline entries load_entries(const float *table) {
  return _mm512_loadu_ps(table);
}

/* An index of a permutation is its low four bits. */
static inline floats table_dot(words v, const float *x, const entries *t, bool is_short) {
  (void)is_short;
  floats p = none16();
#pragma GCC unroll 8
  for (int f = 0; f < 8; f++) {
    const __m512i codes = _mm512_srli_epi32(v, (unsigned)(4 * f));
    p = fma16(_mm512_permutexvar_ps(codes, *t), load16(x + f * VISE_QDOT_LANES), p);
  }
  return p;
}

#include "kernels/qdot_body.h"

void vise_qdot_fill_avx512(vise_qdot_kernels *table) {
  table->ints = ints;
}
