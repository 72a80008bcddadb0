/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx512_body.h"
#include "kernels/qdot_ggml_levels.h"

#include <string.h>

static inline float half_at(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return _cvtsh_ss(bits);
}

static inline void store16(float *p, floats v) {
  _mm512_storeu_ps(p, v);
}

static inline floats of_halves(__m256 low, __m256 high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

static inline floats floats_of_bytes(const int8_t *p) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
  return of_halves(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
                   _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))));
}

static inline floats by_eight(const float *p, int step) {
  return of_halves(_mm256_broadcast_ss(p), _mm256_broadcast_ss(p + step));
}

/* Lane l is entry l / 4 of v. */
static inline floats spread_four(__m128 v) {
  const __m512i places = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_permutexvar_ps(places, _mm512_castps128_ps512(v));
}

static inline floats by_four(const float *p) {
  return spread_four(_mm_loadu_ps(p));
}

static inline floats halves_by_four(const uint8_t *p, int step) {
  uint16_t bits[4];
  for (int i = 0; i < 4; i++) {
    memcpy(&bits[i], p + i * step, 2);
  }
  const uint64_t all =
      bits[0] | (uint64_t)bits[1] << 16 | (uint64_t)bits[2] << 32 | (uint64_t)bits[3] << 48;
  return spread_four(_mm_cvtph_ps(_mm_cvtsi64_si128((int64_t)all)));
}

static inline floats halves_by_eight(const uint8_t *p, int step) {
  return of_halves(_mm256_set1_ps(half_at(p)), _mm256_set1_ps(half_at(p + step)));
}

static inline floats load_twice(const float *p) {
  const __m256 v = _mm256_loadu_ps(p);
  return of_halves(v, v);
}

static inline words load_eights(const uint8_t *p, int step) {
  const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
  const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + step));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline words load_words(const uint8_t *p) {
  return _mm512_loadu_si512(p);
}

static inline words load_fours(const uint8_t *p, int step) {
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)p));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + step)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * step)), 2);
  return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 3 * step)), 3);
}

static inline words load_planes(const uint8_t *p) {
  const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
  return _mm512_inserti64x4(_mm512_castsi256_si512(v), _mm256_srli_epi32(v, 2), 1);
}

static inline words either(words x, words y) {
  return _mm512_or_si512(x, y);
}

static inline words shifted_up(words v, int bits) {
  return _mm512_slli_epi32(v, (unsigned)bits);
}

static inline words with_signs_flipped(words v) {
  return _mm512_xor_si512(v, _mm512_set1_epi8(-128));
}

static inline words looked_up(words v) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)QDOT_IQ4_CODES));
  return _mm512_shuffle_epi8(table, v);
}

#include "kernels/qdot_ggml_body.h"

void vise_qdot_ggml_fill_avx512(vise_qdot_ggml_kernels *table) {
  fill(table);
}
