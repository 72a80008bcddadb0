/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight lanes to a register, four registers to a group of 32 bytes. A register's words lie together
 * in the order of its lanes, so they move between the stream and the lanes that need them by one
 * permutation. Tables are read entry by entry, which takes half the time of a gather on AMD.
 */
#include "kernels/rans_levels.h"

#include "kernels/rans_body.h"

#include <immintrin.h>

#define ROWS4(row, m)                                                                              \
  {row(m)}, {row((m) + 1)}, {row((m) + 2)}, {                                                      \
    row((m) + 3)                                                                                   \
  }
#define ROWS16(row, m) ROWS4(row, m), ROWS4(row, (m) + 4), ROWS4(row, (m) + 8), ROWS4(row, (m) + 12)
#define ROWS64(row, m)                                                                             \
  ROWS16(row, m), ROWS16(row, (m) + 16), ROWS16(row, (m) + 32), ROWS16(row, (m) + 48)
#define ROWS(row) ROWS64(row, 0), ROWS64(row, 64), ROWS64(row, 128), ROWS64(row, 192)

/* Of each set of lanes, in byte l: how many of them come before lane l. */
#define ONE_BELOW(m, l) ((uint64_t)((m) >> (l)&1) * (0x0101010101010101u << (8 * (l)) << 8))
#define BELOW(m)                                                                                   \
  ONE_BELOW(m, 0) + ONE_BELOW(m, 1) + ONE_BELOW(m, 2) + ONE_BELOW(m, 3) + ONE_BELOW(m, 4) +        \
      ONE_BELOW(m, 5) + ONE_BELOW(m, 6)
static const uint64_t below[256][1] = {ROWS(BELOW)};

/* Of each set of lanes, where the bytes of their words come from when they are the last of eight
   words: lane l goes to word 7 less the lanes of the set above it. */
#define GOES_TO(m, l)  (7 - __builtin_popcount((m) >> ((l) + 1)))
#define IS_IN(m, l, h) (((m) >> (l)&1) != 0 && GOES_TO(m, l) / 4 == (h))
#define WORD(m, l, h)                                                                              \
  (IS_IN(m, l, h) ? (0x0100u + 0x0202u * (l)) * 1ull << 16 * (GOES_TO(m, l) % 4) : 0)
#define HALF(m, h)                                                                                 \
  WORD(m, 0, h) | WORD(m, 1, h) | WORD(m, 2, h) | WORD(m, 3, h) | WORD(m, 4, h) | WORD(m, 5, h) |  \
      WORD(m, 6, h) | WORD(m, 7, h)
#define LAST(m) HALF(m, 0), HALF(m, 1)
static const uint64_t last[256][2] = {ROWS(LAST)};

static inline __m256i
encode8(__m256i x, uint8_t **words, const uint8_t *data, const uint32_t *symbols) {
  const __m256i e = _mm256_setr_epi32(
      (int)symbols[data[0]], (int)symbols[data[1]], (int)symbols[data[2]], (int)symbols[data[3]],
      (int)symbols[data[4]], (int)symbols[data[5]], (int)symbols[data[6]], (int)symbols[data[7]]);
  const __m256i low = _mm256_set1_epi32(0xffff);
  const __m256i f = _mm256_and_si256(e, low), c = _mm256_srli_epi32(e, 16);

  const __m256i less = _mm256_sub_epi32(f, _mm256_set1_epi32(1));
  const __m256i is_full = _mm256_cmpgt_epi32(_mm256_srli_epi32(x, 19), less);
  const unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_full));
  const __m256i w = _mm256_and_si256(x, low);
  const __m128i packed =
      _mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
  const __m128i order = _mm_loadu_si128((const __m128i *)(const void *)last[mask]);
  _mm_storeu_si128((__m128i *)(void *)(*words - 16), _mm_shuffle_epi8(packed, order));
  *words -= (size_t)2 * (unsigned)__builtin_popcount(mask);
  x = _mm256_blendv_epi8(x, _mm256_srli_epi32(x, 16), is_full);

  /* Three roundings, of 2^-24 each at most, and a factor that outweighs them: the quotient, less
     than 2^19, comes out right or one too small. */
  const __m256 smaller = _mm256_mul_ps(_mm256_cvtepi32_ps(x), _mm256_set1_ps(1.0f - 0x1p-22f));
  __m256i q = _mm256_cvttps_epi32(_mm256_div_ps(smaller, _mm256_cvtepi32_ps(f)));
  __m256i r = _mm256_sub_epi32(x, _mm256_mullo_epi32(q, f));
  const __m256i is_small = _mm256_cmpgt_epi32(r, less);
  q = _mm256_sub_epi32(q, is_small);
  r = _mm256_sub_epi32(r, _mm256_and_si256(f, is_small));
  return _mm256_add_epi32(_mm256_slli_epi32(q, 12), _mm256_add_epi32(r, c));
}

static uint8_t *encode(uint32_t *inout,
                       uint8_t *begin,
                       uint8_t *end,
                       const uint8_t *data,
                       size_t n,
                       const uint32_t *symbols) {
  size_t i = n / VISE_RANS_LANES * VISE_RANS_LANES;
  uint8_t *words = encode_bytes(inout, begin, end, data, i, n, symbols);
  if (words == NULL) {
    return NULL;
  }
  __m256i *lanes = (__m256i *)(void *)inout;
  __m256i a = _mm256_loadu_si256(lanes), b = _mm256_loadu_si256(lanes + 1);
  __m256i c = _mm256_loadu_si256(lanes + 2), d = _mm256_loadu_si256(lanes + 3);
  for (; i > 0 && words - begin >= 64; i -= VISE_RANS_LANES) {
    d = encode8(d, &words, data + i - 8, symbols);
    c = encode8(c, &words, data + i - 16, symbols);
    b = encode8(b, &words, data + i - 24, symbols);
    a = encode8(a, &words, data + i - 32, symbols);
  }
  _mm256_storeu_si256(lanes, a);
  _mm256_storeu_si256(lanes + 1, b);
  _mm256_storeu_si256(lanes + 2, c);
  _mm256_storeu_si256(lanes + 3, d);
  return encode_bytes(inout, begin, words, data, 0, i, symbols);
}

static inline __m256i find_slots(__m256i at, const uint32_t *slots) {
  const __m128i low = _mm256_castsi256_si128(at), high = _mm256_extracti128_si256(at, 1);
  const uint64_t a = (uint64_t)_mm_cvtsi128_si64(low), b = (uint64_t)_mm_extract_epi64(low, 1);
  const uint64_t c = (uint64_t)_mm_cvtsi128_si64(high), d = (uint64_t)_mm_extract_epi64(high, 1);
  return _mm256_setr_epi32((int)slots[(uint32_t)a], (int)slots[a >> 32], (int)slots[(uint32_t)b],
                           (int)slots[b >> 32], (int)slots[(uint32_t)c], (int)slots[c >> 32],
                           (int)slots[(uint32_t)d], (int)slots[d >> 32]);
}

/* The byte values come out in the low bytes of `*out`. */
static inline __m256i
decode8(__m256i *out, __m256i x, const uint8_t **words, const uint32_t *slots) {
  const __m256i low = _mm256_set1_epi32(0xfff);
  const __m256i slot = find_slots(_mm256_and_si256(x, low), slots);
  const __m256i f = _mm256_and_si256(slot, low);
  const __m256i place = _mm256_and_si256(_mm256_srli_epi32(slot, 12), low);
  *out = _mm256_srli_epi32(slot, 24);
  x = _mm256_add_epi32(_mm256_mullo_epi32(f, _mm256_srli_epi32(x, 12)), place);

  const __m256i is_low = _mm256_cmpgt_epi32(_mm256_set1_epi32(VISE_RANS_LOWEST), x);
  const unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_low));
  const __m256i next =
      _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)*words));
  const __m256i order =
      _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)below[mask]));
  const __m256i fed =
      _mm256_or_si256(_mm256_slli_epi32(x, 16), _mm256_permutevar8x32_epi32(next, order));
  *words += (size_t)2 * (unsigned)__builtin_popcount(mask);
  return _mm256_blendv_epi8(x, fed, is_low);
}

static const uint8_t *decode(uint8_t *out,
                             size_t n,
                             uint32_t *inout,
                             const uint8_t *words,
                             const uint8_t *end,
                             const uint32_t *slots) {
  __m256i *lanes = (__m256i *)(void *)inout;
  __m256i a = _mm256_loadu_si256(lanes), b = _mm256_loadu_si256(lanes + 1);
  __m256i c = _mm256_loadu_si256(lanes + 2), d = _mm256_loadu_si256(lanes + 3);
  size_t i = 0;
  for (; i + VISE_RANS_LANES <= n && end - words >= 64; i += VISE_RANS_LANES) {
    __m256i sa, sb, sc, sd;
    a = decode8(&sa, a, &words, slots);
    b = decode8(&sb, b, &words, slots);
    c = decode8(&sc, c, &words, slots);
    d = decode8(&sd, d, &words, slots);
    const __m256i ab = _mm256_packus_epi32(sa, sb), cd = _mm256_packus_epi32(sc, sd);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
    _mm256_storeu_si256((__m256i *)(void *)(out + i), bytes);
  }
  _mm256_storeu_si256(lanes, a);
  _mm256_storeu_si256(lanes + 1, b);
  _mm256_storeu_si256(lanes + 2, c);
  _mm256_storeu_si256(lanes + 3, d);
  return decode_bytes(out, i, n, inout, words, end, slots);
}

void vise_rans_fill_avx2(vise_rans_kernels *table) {
  table->encode = encode;
  table->decode = decode;
}
