/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/qgemm_pack_body.h -- codes as vectors want them: for every 4 columns the 4 codes of row
 * 0, of row 1, ... of row 15, so that 4 activations meet all rows at once; and sums of activations.
 */
#include <immintrin.h>
#include <string.h>

/* Dword j of row i becomes dword i of row j. */
static inline void turn8(__m256i v[8]) {
  __m256i a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
    a[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
  }
}

static void pack_fours(uint8_t *out, const uint8_t *codes, int64_t ld, int64_t n) {
  for (int64_t j = 0; j < n; j += 32, out += 512) {
    for (int64_t half = 0; half < 2; half++) {
      __m256i v[8];
      for (int64_t i = 0; i < 8; i++) {
        const uint8_t *row = codes + (8 * half + i) * ld + j;
        v[i] = _mm256_loadu_si256((const __m256i *)(const void *)row);
      }
      turn8(v);
      for (int64_t i = 0; i < 8; i++) {
        _mm256_store_si256((__m256i *)(void *)(out + 64 * i + 32 * half), v[i]);
      }
    }
  }
}

/* Pairs are added, then what is 4 columns apart. */
static void sums_of_pairs(int16_t *out, const int8_t *a, int64_t n) {
  const __m256i ones = _mm256_set1_epi8(1);
  for (int64_t j = 0; j < n; j += 32, out += 2) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(a + j));
    const __m256i pairs = _mm256_maddubs_epi16(ones, v);
    __m128i sum = _mm_add_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    sum = _mm_add_epi16(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi16(sum, _mm_shuffle_epi32(sum, 0xb1));
    const int32_t both = _mm_cvtsi128_si32(sum);
    memcpy(out, &both, sizeof both);
  }
}
