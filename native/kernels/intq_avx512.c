/* SPDX-License-Identifier: Apache-2.0 */
/* The integer codes 16 at a time: the AVX2 forms in one register instead of two. */
#include "core/bytes.h"
#include "kernels/convert.h"
#include "kernels/intq_levels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

/* The first n < 16 of 16 lanes; the others are not read. */
static __m512 load_rest(const float *x, int64_t n) {
  return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), x);
}

static float least_of(__m512 v) {
  const __m256 a = _mm256_min_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 b = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_min_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_min_ss(b, _mm_movehdup_ps(b)));
}

static float greatest_of(__m512 v) {
  const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

static void
ranges_avx512(float *low_out, float *high_out, const float *x, int64_t n, int64_t group) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t end = n - begin < group ? n : begin + group;
    __m512 low = _mm512_setzero_ps(), high = low;
    int64_t j = begin;
    for (; j + 16 <= end; j += 16) {
      const __m512 v = _mm512_loadu_ps(x + j);
      low = _mm512_min_ps(v, low);
      high = _mm512_max_ps(v, high);
    }
    if (j < end) { /* zeros change neither */
      const __m512 v = load_rest(x + j, end - j);
      low = _mm512_min_ps(v, low);
      high = _mm512_max_ps(v, high);
    }
    *low_out++ = least_of(low);
    *high_out++ = greatest_of(high);
  }
}

static void codes_avx512(uint8_t *out,
                         const float *x,
                         int64_t n,
                         int64_t group,
                         int bits,
                         const float *r,
                         const uint8_t *zeros) {
  for (int64_t begin = 0, i = 0; begin < n; begin += group, i++) {
    const int64_t end = n - begin < group ? n : begin + group;
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    const __m512 scale = _mm512_set1_ps(r[i]), low = _mm512_set1_ps((float)-zero);
    const __m512 high = _mm512_set1_ps((float)((1 << bits) - 1 - zero));
    const __m512i shift = _mm512_set1_epi32(zero);
    for (int64_t j = begin; j < end; j += 16) {
      const bool is_whole = end - j >= 16;
      const __m512 v = is_whole ? _mm512_loadu_ps(x + j) : load_rest(x + j, end - j);
      const __m512 t = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(v, scale), low), high);
      const __m128i codes = _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(t), shift));
      if (is_whole) {
        _mm_storeu_si128((__m128i *)(void *)(out + j), codes);
      } else {
        uint8_t rest[16];
        _mm_storeu_si128((__m128i *)(void *)rest, codes);
        memcpy(out + j, rest, (size_t)(end - j));
      }
    }
  }
}

/* The shuffle and the shifts that bring code i of 16 into lane i. */
typedef struct places {
  __m512i bytes, shifts, mask;
} places;

static inline places places_of(int bits) {
  uint8_t bytes[64];
  int shifts[16];
  for (int i = 0; i < 16; i++) {
    const int at = i * bits / 8;
    bytes[4 * i] = (uint8_t)at;
    bytes[4 * i + 1] = at + 1 < 2 * bits ? (uint8_t)(at + 1) : 0x80;
    bytes[4 * i + 2] = bytes[4 * i + 3] = 0x80;
    shifts[i] = i * bits % 8;
  }
  return (places){_mm512_loadu_si512(bytes), _mm512_loadu_si512(shifts),
                  _mm512_set1_epi32((1 << bits) - 1)};
}

#include "kernels/intq_body.h"

/* The 2 b bytes of 16 codes; reads no byte after `end`. */
static inline __m128i load16(const uint8_t *p, const uint8_t *end, int bits) {
  if (bits == 4 || (bits < 4 && end - p >= 8)) {
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
  }
  if (end - p >= 16) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
  }
  uint8_t bytes[16] = {0};
  memcpy(bytes, p, (size_t)(2 * bits));
  return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static inline void decode_run(float *out,
                              const uint8_t *packed,
                              const uint8_t *end,
                              int64_t first,
                              int64_t n,
                              int bits,
                              const places *p,
                              float scale,
                              int zero) {
  const __m512 s = _mm512_set1_ps(scale);
  const __m512i z = _mm512_set1_epi32(zero);
  int64_t j = 0;
  for (; j + 16 <= n; j += 16) {
    __m512i codes;
    if (bits == 8) {
      const __m128i *q = (const __m128i *)(const void *)(packed + first + j);
      codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(q));
    } else {
      const __m512i v = _mm512_broadcast_i32x4(load16(packed + (first + j) / 8 * bits, end, bits));
      codes = _mm512_srlv_epi32(_mm512_shuffle_epi8(v, p->bytes), p->shifts);
      codes = _mm512_and_si512(codes, p->mask);
    }
    _mm512_storeu_ps(out + j, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(codes, z)), s));
  }
  for (; j < n; j++) {
    out[j] = (float)((int)vise_bits_at(packed, (first + j) * bits, bits) - zero) * scale;
  }
}

typedef struct sums { /* 16 lanes each */
  __m512 error, slope, mass;
} sums;

static inline void
try16(sums *s, __m512 x, __m512 v, bool has_v, __m512 r, __m512 low, __m512 high) {
  const __m512 t = _mm512_mul_ps(x, r);
  const __m512 l = _mm512_roundscale_ps(_mm512_min_ps(_mm512_max_ps(t, low), high),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 e = _mm512_sub_ps(t, l);
  const __m512 ve = has_v ? _mm512_mul_ps(v, e) : e;
  const __m512 vl = has_v ? _mm512_mul_ps(v, l) : l;
  s->error = _mm512_add_ps(s->error, _mm512_mul_ps(ve, e));
  s->slope = _mm512_add_ps(s->slope, _mm512_mul_ps(ve, l));
  s->mass = _mm512_add_ps(s->mass, _mm512_mul_ps(vl, l));
}

/* Lanes added by halves down to four. */
static inline __m128 fold(__m512 lanes) {
  const __m256 v = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

static inline void
try_block(vise_intq_trial *trial, const float *x, const float *v, bool has_v, int64_t n) {
  const __m512 r = _mm512_set1_ps(trial->r), low = _mm512_set1_ps(trial->low);
  const __m512 high = _mm512_set1_ps(trial->high), none = _mm512_setzero_ps();
  sums s = {none, none, none};
  int64_t j = 0;
  for (; j + 16 <= n; j += 16) {
    try16(&s, _mm512_loadu_ps(x + j), has_v ? _mm512_loadu_ps(v + j) : none, has_v, r, low, high);
  }
  if (j < n) { /* zeros add nothing */
    try16(&s, load_rest(x + j, n - j), has_v ? load_rest(v + j, n - j) : none, has_v, r, low, high);
  }
  add_sums(trial, fold(s.error), fold(s.slope), fold(s.mass));
}

void vise_intq_fill_avx512(vise_intq_kernels *table) {
  find_places();
  table->ranges = ranges_avx512;
  table->codes = codes_avx512;
  table->decode = decode;
  table->trials = trials;
}
