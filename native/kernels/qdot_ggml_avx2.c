/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx2_body.h"
#include "kernels/qdot_ggml_levels.h"

#include <string.h>

static inline float half_at(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return _cvtsh_ss(bits);
}

static inline void store16(float *p, floats v) {
  _mm256_storeu_ps(p, v.a);
  _mm256_storeu_ps(p + 8, v.b);
}

static inline floats floats_of_bytes(const int8_t *p) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
  return (floats){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
                  _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8)))};
}

static inline floats by_eight(const float *p, int step) {
  return (floats){_mm256_broadcast_ss(p), _mm256_broadcast_ss(p + step)};
}

/* Lane l is entry l / 4 of v. */
static inline floats spread_four(__m128 v) {
  const __m256 twice = _mm256_set_m128(v, v);
  return (floats){_mm256_permutevar_ps(twice, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
                  _mm256_permutevar_ps(twice, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3))};
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
  return (floats){_mm256_set1_ps(half_at(p)), _mm256_set1_ps(half_at(p + step))};
}

static inline floats load_twice(const float *p) {
  const __m256 v = _mm256_loadu_ps(p);
  return (floats){v, v};
}

static inline words load_eights(const uint8_t *p, int step) {
  return (words){_mm256_loadu_si256((const __m256i *)(const void *)p),
                 _mm256_loadu_si256((const __m256i *)(const void *)(p + step))};
}

static inline words load_words(const uint8_t *p) {
  return load_eights(p, 32);
}

static inline words load_fours(const uint8_t *p, int step) {
  return (words){_mm256_loadu2_m128i((const __m128i *)(const void *)(p + step),
                                     (const __m128i *)(const void *)p),
                 _mm256_loadu2_m128i((const __m128i *)(const void *)(p + 3 * step),
                                     (const __m128i *)(const void *)(p + 2 * step))};
}

static inline words load_planes(const uint8_t *p) {
  const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
  return (words){v, _mm256_srli_epi32(v, 2)};
}

static inline words either(words x, words y) {
  return (words){_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}

static inline words shifted_up(words v, int bits) {
  return (words){_mm256_slli_epi32(v.a, bits), _mm256_slli_epi32(v.b, bits)};
}

static inline words with_signs_flipped(words v) {
  const __m256i signs = _mm256_set1_epi8(-128);
  return (words){_mm256_xor_si256(v.a, signs), _mm256_xor_si256(v.b, signs)};
}

static inline words looked_up(words v) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)QDOT_IQ4_CODES));
  return (words){_mm256_shuffle_epi8(table, v.a), _mm256_shuffle_epi8(table, v.b)};
}

#include "kernels/qdot_ggml_body.h"

void vise_qdot_ggml_fill_avx2(vise_qdot_ggml_kernels *table) {
  fill(table);
}
