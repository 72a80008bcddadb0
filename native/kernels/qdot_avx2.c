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

#include "kernels/qdot_body.h"

void vise_qdot_fill_avx2(vise_qdot_kernels *table) {
  table->ints = ints;
}
