/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"
#include "kernels/lanes_avx2_body.h"
#include "kernels/qdot_levels.h"

#include <string.h>

typedef __m256i order16;

static inline order16 load_order(const groups *g) {
  return _mm256_loadu_si256((const __m256i *)(const void *)g->order);
}

static inline floats spread(const float *p, const groups *g, order16 order) {
  if (g->step <= 2) { /* 8 lanes in one group */
    return (floats){_mm256_broadcast_ss(p), _mm256_broadcast_ss(p + g->second)};
  }
  return (floats){_mm256_permutevar8x32_ps(_mm256_loadu_ps(p), order),
                  _mm256_permutevar8x32_ps(_mm256_loadu_ps(p + g->second), order)};
}

/* 24 bytes as 8 words of 3. */
static inline __m256i load_threes(const uint8_t *p) {
  const __m256i places =
      _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, /* of bytes 0 to 15 */
                       4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1); /* 8 to 23 */
  const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
  const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + 8));
  return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), places);
}

static inline words load_words(const uint8_t *p, int bits) {
  if (bits % 3 == 0) {
    return (words){load_threes(p), load_threes(p + 24)};
  }
  const __m256i *q = (const __m256i *)(const void *)p;
  return (words){_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}

/* Byte b of entry i is byte i of both halves of plane b. */
typedef struct entries {
  __m256i planes[4];
} entries;

static inline entries load_entries(const float *table) {
  entries t;
  uint8_t bytes[4][16];
  for (int i = 0; i < 16; i++) {
    uint32_t u;
    memcpy(&u, &table[i], sizeof u);
    for (int b = 0; b < 4; b++) {
      bytes[b][i] = (uint8_t)(u >> 8 * b);
    }
  }
  for (int b = 0; b < 4; b++) {
    t.planes[b] =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes[b]));
  }
  return t;
}

/* Entries of 32 codes, one a byte: out[i] those of bytes 4 i to 4 i + 3 of both halves. */
static inline void look_up(__m256 out[4], __m256i codes, const entries *t) {
  __m256i bytes[4];
#pragma GCC unroll 4
  for (int b = 0; b < 4; b++) {
    bytes[b] = _mm256_shuffle_epi8(t->planes[b], codes);
  }
  const __m256i low = _mm256_unpacklo_epi8(bytes[0], bytes[1]);
  const __m256i low_high = _mm256_unpackhi_epi8(bytes[0], bytes[1]);
  const __m256i high = _mm256_unpacklo_epi8(bytes[2], bytes[3]);
  const __m256i high_high = _mm256_unpackhi_epi8(bytes[2], bytes[3]);
  out[0] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(low, high));
  out[1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(low, high));
  out[2] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(low_high, high_high));
  out[3] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(low_high, high_high));
}

/* The same for entries without their low halves: bytes 0, 2, 4, 6 of both halves in out[0], 1, 3,
   5, 7 in out[1], and so on. */
static inline void look_up_short(__m256 out[4], __m256i codes, const entries *t) {
  const __m256i second = _mm256_shuffle_epi8(t->planes[2], codes);
  const __m256i first = _mm256_shuffle_epi8(t->planes[3], codes);
  const __m256i mask = _mm256_set1_epi32((int)0xffff0000u);
  const __m256i a = _mm256_unpacklo_epi8(second, first), b = _mm256_unpackhi_epi8(second, first);
  out[0] = _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
  out[1] = _mm256_castsi256_ps(_mm256_and_si256(a, mask));
  out[2] = _mm256_castsi256_ps(_mm256_slli_epi32(b, 16));
  out[3] = _mm256_castsi256_ps(_mm256_and_si256(b, mask));
}

/* Lanes 8 h to 8 h + 7: bytes are ordered so that out[i] of the look-ups is byte i of each word. */
static inline __m256 half_table_dot(__m256i v, const float *x, const entries *t, bool is_short) {
  const __m256i order = _mm256_broadcastsi128_si256(
      is_short ? _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
               : _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m256i bytes = _mm256_shuffle_epi8(v, order), low_half = _mm256_set1_epi8(15);
  const __m256i low = _mm256_and_si256(bytes, low_half);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi32(bytes, 4), low_half);
  __m256 even[4], odd[4], p = _mm256_setzero_ps();
  if (is_short) {
    look_up_short(even, low, t);
    look_up_short(odd, high, t);
  } else {
    look_up(even, low, t);
    look_up(odd, high, t);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++, x += 2 * VISE_QDOT_LANES) {
    p = _mm256_fmadd_ps(even[i], _mm256_loadu_ps(x), p);
    p = _mm256_fmadd_ps(odd[i], _mm256_loadu_ps(x + VISE_QDOT_LANES), p);
  }
  return p;
}

static inline floats table_dot(words v, const float *x, const entries *t, bool is_short) {
  return (floats){half_table_dot(v.a, x, t, is_short), half_table_dot(v.b, x + 8, t, is_short)};
}

#include "kernels/qdot_body.h"

void vise_qdot_fill_avx2(vise_qdot_kernels *table) {
  table->ints = ints;
}
