/* SPDX-License-Identifier: Apache-2.0 */
/* Eight columns at a time: a permutation by the mask's row of a table brings values to their
   places, and its negative entries clear the others. */
#include "kernels/expand_levels.h"

#include <immintrin.h>

/* Of mask m: byte b is how many bits below b are set, or -1 where b is not set itself. */
static int8_t places[256][8];

static inline int expand_mask(float *out, uint8_t mask, const float *values) {
  const __m256i place =
      _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)places[mask]));
  const __m256 v = _mm256_permutevar8x32_ps(_mm256_loadu_ps(values), place);
  const __m256 is_clear = _mm256_castsi256_ps(_mm256_srai_epi32(place, 31));
  _mm256_storeu_ps(out, _mm256_andnot_ps(is_clear, v));
  return __builtin_popcount(mask);
}

static int64_t
expand(float *out, const uint8_t *masks, int64_t n_masks, const float *values, int64_t n_values) {
  int64_t i = 0, taken = 0;
  for (; i + 4 <= n_masks && taken + 32 <= n_values; i += 4) {
    for (int j = 0; j < 4; j++) {
      taken += expand_mask(out + 8 * (i + j), masks[i + j], values + taken);
    }
  }
  return taken +
         vise_expand_ref(out + 8 * i, masks + i, n_masks - i, values + taken, n_values - taken);
}

void vise_expand_fill_avx2(vise_expand_kernels *table) {
  for (int mask = 0; mask < 256; mask++) {
    int8_t below = 0;
    for (int b = 0; b < 8; b++) {
      places[mask][b] = (int8_t)(mask >> b & 1 ? below++ : -1);
    }
  }
  table->expand = expand;
}
