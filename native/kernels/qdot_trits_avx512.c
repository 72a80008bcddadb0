/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx512_body.h"
#include "kernels/qdot_trits_levels.h"

#include <string.h>

static inline words load_bytes(const uint8_t *p) {
  return _mm512_loadu_si512(p);
}

static inline words tripled(words v) {
  return _mm512_add_epi8(_mm512_add_epi8(v, v), v);
}

/* As in qdot_trits_avx2.c. */
static inline words top_trits(words v) {
  const __m512i less = _mm512_subs_epu8(v, _mm512_set1_epi8(1));
  const __m512i half = _mm512_avg_epu8(less, _mm512_setzero_si512());
  return _mm512_srli_epi16(_mm512_avg_epu8(less, half), 6);
}

static inline floats add16(floats x, floats y) {
  return _mm512_add_ps(x, y);
}

#include "kernels/qdot_trits_body.h"

void vise_qdot_trits_fill_avx512(vise_qdot_trits_kernels *table) {
  table->row = row;
}
