/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx2_body.h"
#include "kernels/qdot_trits_levels.h"

#include <string.h>

static inline words load_bytes(const uint8_t *p) {
  const __m256i *v = (const __m256i *)(const void *)p;
  return (words){_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}

static inline words tripled(words v) {
  return (words){_mm256_add_epi8(_mm256_add_epi8(v.a, v.a), v.a),
                 _mm256_add_epi8(_mm256_add_epi8(v.b, v.b), v.b)};
}

/* 3 q / 256 of each byte, in its low two bits, those above being anything: the mean of q and q / 2,
   both a little less, which reaches 64 at q = 86 and 128 at 171. */
static inline __m256i top_of(__m256i q) {
  const __m256i less = _mm256_subs_epu8(q, _mm256_set1_epi8(1));
  const __m256i half = _mm256_avg_epu8(less, _mm256_setzero_si256());
  return _mm256_srli_epi16(_mm256_avg_epu8(less, half), 6);
}

static inline words top_trits(words v) {
  return (words){top_of(v.a), top_of(v.b)};
}

static inline floats add16(floats x, floats y) {
  return (floats){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

#include "kernels/qdot_trits_body.h"

void vise_qdot_trits_fill_avx2(vise_qdot_trits_kernels *table) {
  table->row = row;
}
