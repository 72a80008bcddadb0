/* SPDX-License-Identifier: Apache-2.0 */
/* As rans_avx2.c, with sixteen lanes to a register and masks to move words by. */
#include "kernels/rans_levels.h"

#include "kernels/rans_body.h"

#include <immintrin.h>

static inline __m512i
encode16(__m512i x, uint8_t **words, const uint8_t *data, const uint32_t *symbols) {
  const __m512i s = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)data));
  const __m512i e = _mm512_i32gather_epi32(s, (const int *)symbols, 4);
  const __m512i f = _mm512_and_si512(e, _mm512_set1_epi32(0xffff)), c = _mm512_srli_epi32(e, 16);

  const __mmask16 is_full = _mm512_cmpge_epi32_mask(x, _mm512_slli_epi32(f, 19));
  const unsigned count = (unsigned)__builtin_popcount(is_full);
  *words -= (size_t)2 * count;
  const __m256i w = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(is_full, x));
  _mm256_mask_storeu_epi16(*words, (__mmask16)((1u << count) - 1), w);
  x = _mm512_mask_mov_epi32(x, is_full, _mm512_srli_epi32(x, 16));

  const __m512 smaller = _mm512_mul_ps(_mm512_cvtepi32_ps(x), _mm512_set1_ps(1.0f - 0x1p-22f));
  const __m512i q = _mm512_cvttps_epi32(_mm512_div_ps(smaller, _mm512_cvtepi32_ps(f)));
  const __m512i r = _mm512_sub_epi32(x, _mm512_mullo_epi32(q, f));
  const __mmask16 is_small = _mm512_cmpge_epi32_mask(r, f);
  const __m512i more = _mm512_sub_epi32(_mm512_set1_epi32(VISE_RANS_TOTAL), f);
  const __m512i next = _mm512_add_epi32(_mm512_slli_epi32(q, 12), _mm512_add_epi32(r, c));
  return _mm512_mask_add_epi32(next, is_small, next, more);
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
  __m512i a = _mm512_loadu_si512(inout), b = _mm512_loadu_si512(inout + 16);
  for (; i > 0 && words - begin >= 64; i -= VISE_RANS_LANES) {
    b = encode16(b, &words, data + i - 16, symbols);
    a = encode16(a, &words, data + i - 32, symbols);
  }
  _mm512_storeu_si512(inout, a);
  _mm512_storeu_si512(inout + 16, b);
  return encode_bytes(inout, begin, words, data, 0, i, symbols);
}

static inline __m512i
decode16(uint8_t *out, __m512i x, const uint8_t **words, const uint32_t *slots) {
  const __m512i low = _mm512_set1_epi32(0xfff);
  const __m512i slot = _mm512_i32gather_epi32(_mm512_and_si512(x, low), (const int *)slots, 4);
  const __m512i f = _mm512_and_si512(slot, low);
  const __m512i place = _mm512_and_si512(_mm512_srli_epi32(slot, 12), low);
  _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi32_epi8(_mm512_srli_epi32(slot, 24)));
  x = _mm512_add_epi32(_mm512_mullo_epi32(f, _mm512_srli_epi32(x, 12)), place);

  const __mmask16 is_low = _mm512_cmpgt_epi32_mask(_mm512_set1_epi32(VISE_RANS_LOWEST), x);
  const __m512i next =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)*words));
  const __m512i word = _mm512_maskz_expand_epi32(is_low, next);
  *words += (size_t)2 * (unsigned)__builtin_popcount(is_low);
  x = _mm512_mask_mov_epi32(x, is_low, _mm512_slli_epi32(x, 16));
  return _mm512_or_si512(x, word);
}

static const uint8_t *decode(uint8_t *out,
                             size_t n,
                             uint32_t *inout,
                             const uint8_t *words,
                             const uint8_t *end,
                             const uint32_t *slots) {
  __m512i a = _mm512_loadu_si512(inout), b = _mm512_loadu_si512(inout + 16);
  size_t i = 0;
  for (; i + VISE_RANS_LANES <= n && end - words >= 64; i += VISE_RANS_LANES) {
    a = decode16(out + i, a, &words, slots);
    b = decode16(out + i + 16, b, &words, slots);
  }
  _mm512_storeu_si512(inout, a);
  _mm512_storeu_si512(inout + 16, b);
  return decode_bytes(out, i, n, inout, words, end, slots);
}

void vise_rans_fill_avx512(vise_rans_kernels *table) {
  table->encode = encode;
  table->decode = decode;
}
