/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes near their zero: vpmaddubsw makes 16-bit sums of two products, of codes as they are; the
 * zeros were taken off before, each lane beginning at -zero times the activations that it will meet.
 * On the way a lane may wrap around, but its end is sum a (code - zero) over half of the columns, at
 * most 127 reach columns / 2: it fits for 64 columns if the reach is up to 8, and for 32 up to 16.
 *
 * Other codes lose their zero when they are packed, as int16, and meet activations of 16 bits in
 * vpmaddwd, half as many at once.
 */
#include "kernels/qgemm_levels.h"

#include "kernels/qgemm_pack_body.h"
#include "kernels/qgemm_round_body.h"

enum { TOKENS = 6, REACH_64 = 8, REACH_32 = 16, STEP = VISE_QGEMM_STEP };

#define INLINE __attribute__((always_inline)) static inline

/* As pack_fours, of 2 columns each, without their zero. */
static void pack_pairs(int16_t *out, const uint8_t *codes, int64_t ld, const vise_qgemm_panel *p) {
  for (int64_t j = 0; j < p->n_groups * p->group; j += 16, out += 256) {
    const int32_t *zeros = p->zeros + j / p->group * VISE_QGEMM_ROWS;
    for (int64_t half = 0; half < 2; half++) {
      __m256i v[8];
      for (int64_t i = 0; i < 8; i++) {
        const void *row = codes + (8 * half + i) * ld + j;
        const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(row));
        v[i] = _mm256_sub_epi16(wide, _mm256_set1_epi16((short)zeros[8 * half + i]));
      }
      turn8(v);
      for (int64_t i = 0; i < 8; i++) {
        _mm256_store_si256((__m256i *)(void *)(out + 32 * i + 16 * half), v[i]);
      }
    }
  }
}

static void pack_avx2(void *out, const uint8_t *codes, int64_t ld, const vise_qgemm_panel *panel) {
  if (panel->reach <= REACH_32) {
    pack_fours(out, codes, ld, panel->n_groups * panel->group);
  } else {
    pack_pairs(out, codes, ld, panel);
  }
}

INLINE __m256i load(const void *p) {
  return _mm256_load_si256((const __m256i *)p);
}

INLINE __m256i four_bytes(const void *p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return _mm256_set1_epi32(word);
}

/* Of a token, rows 0 .. 7 and 8 .. 15. An array of them is registers only if every loop over it is
   unrolled. */
typedef struct pair {
  __m256i low, high;
} pair;

#define UNROLLED _Pragma("GCC unroll 6")

/* A use of `v`: so that sums go on one by one. All products first would take too many registers. */
#define IN_ORDER(v) __asm__("" : "+x"(v))

/* -zero in both 16-bit halves of a lane. */
INLINE __m256i minus_zeros(const int32_t *zeros) {
  const __m256i z = load(zeros);
  return _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_or_si256(z, _mm256_slli_epi32(z, 16)));
}

/* Sums over a group of up to TOKENS tokens. In functions of their own: inlined into what adds them
   to the chains, they find too few registers. */
typedef void group_fn(pair *out,
                      const void *codes,
                      const int32_t *zeros,
                      const void *a,
                      const int16_t *sums,
                      int64_t lda,
                      int64_t lds,
                      int64_t columns);

/* `step` columns, 32 or 64, are summed in 16 bits. */
INLINE void sum_narrow(pair *out,
                       const uint8_t *codes,
                       const int32_t *zeros,
                       const int8_t *a,
                       const int16_t *sums,
                       int64_t lda,
                       int64_t lds,
                       int64_t columns,
                       int n,
                       int64_t step) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t j = 0; j < columns; j += step, a += step, sums += step / STEP * 2) {
    const __m256i zeros_low = minus_zeros(zeros), zeros_high = minus_zeros(zeros + 8);
    pair few[TOKENS];
    UNROLLED for (int s = 0; s < n; s++) {
      __m256i met = four_bytes(sums + s * lds);
      met = step == STEP ? met : _mm256_add_epi16(met, four_bytes(sums + s * lds + 2));
      few[s].low = _mm256_mullo_epi16(zeros_low, met);
      few[s].high = _mm256_mullo_epi16(zeros_high, met);
    }
    _Pragma("GCC unroll 2") for (int64_t q = 0; q < step; q += 4, codes += 64) {
      const __m256i low = load(codes), high = load(codes + 32);
      UNROLLED for (int s = 0; s < n; s++) {
        const __m256i four = four_bytes(a + s * lda + q);
        few[s].low = _mm256_add_epi16(few[s].low, _mm256_maddubs_epi16(low, four));
        IN_ORDER(few[s].low);
        few[s].high = _mm256_add_epi16(few[s].high, _mm256_maddubs_epi16(high, four));
        IN_ORDER(few[s].high);
      }
    }
    UNROLLED for (int s = 0; s < n; s++) {
      const __m256i low = _mm256_madd_epi16(few[s].low, ones);
      const __m256i high = _mm256_madd_epi16(few[s].high, ones);
      out[s].low = j == 0 ? low : _mm256_add_epi32(out[s].low, low);
      out[s].high = j == 0 ? high : _mm256_add_epi32(out[s].high, high);
    }
  }
}

/* The same of codes without zeros. */
INLINE void
sum_wide(pair *out, const int16_t *codes, const int16_t *a, int64_t lda, int64_t columns, int n) {
  pair sums[TOKENS];
  UNROLLED for (int s = 0; s < n; s++) {
    sums[s].low = sums[s].high = _mm256_setzero_si256();
  }
  for (int64_t j = 0; j < columns; j += 2, codes += 32) {
    const __m256i low = load(codes), high = load(codes + 16);
    UNROLLED for (int s = 0; s < n; s++) {
      const __m256i two = four_bytes(a + s * lda + j);
      sums[s].low = _mm256_add_epi32(sums[s].low, _mm256_madd_epi16(low, two));
      IN_ORDER(sums[s].low);
      sums[s].high = _mm256_add_epi32(sums[s].high, _mm256_madd_epi16(high, two));
      IN_ORDER(sums[s].high);
    }
  }
  UNROLLED for (int s = 0; s < n; s++) {
    out[s] = sums[s];
  }
}

#define NARROW(name, n, step)                                                                      \
  static __attribute__((noinline)) void name(pair *out, const void *codes, const int32_t *zeros,   \
                                             const void *a, const int16_t *sums, int64_t lda,      \
                                             int64_t lds, int64_t columns) {                       \
    sum_narrow(out, codes, zeros, a, sums, lda, lds, columns, n, step);                            \
  }
#define WIDE(name, n)                                                                              \
  static __attribute__((noinline)) void name(pair *out, const void *codes, const int32_t *zeros,   \
                                             const void *a, const int16_t *sums, int64_t lda,      \
                                             int64_t lds, int64_t columns) {                       \
    (void)zeros;                                                                                   \
    (void)sums;                                                                                    \
    (void)lds;                                                                                     \
    sum_wide(out, codes, a, lda, columns, n);                                                      \
  }

NARROW(sum_of_1_by_32, 1, 32)
NARROW(sum_of_2_by_32, 2, 32)
NARROW(sum_of_6_by_32, 6, 32)
NARROW(sum_of_1_by_64, 1, 64)
NARROW(sum_of_2_by_64, 2, 64)
NARROW(sum_of_6_by_64, 6, 64)
WIDE(sum_of_1_wide, 1)
WIDE(sum_of_2_wide, 2)
WIDE(sum_of_6_wide, 6)

/* f32 of the sum of a group's activations, in every lane. */
INLINE __m256 sum_of_group(const int16_t *sums, int64_t columns) {
  __m256i total = _mm256_setzero_si256();
  for (int64_t j = 0; j < columns; j += STEP, sums += 2) {
    total = _mm256_add_epi32(total, _mm256_madd_epi16(four_bytes(sums), _mm256_set1_epi16(1)));
  }
  return _mm256_cvtepi32_ps(total);
}

INLINE void add_half(float *inout, const float *scales, __m256i sum) {
  const __m256 v = _mm256_cvtepi32_ps(sum);
  _mm256_storeu_ps(inout, _mm256_fmadd_ps(_mm256_load_ps(scales), v, _mm256_loadu_ps(inout)));
}

/* The chains of n tokens go on by a group. */
INLINE void add_group(float *inout, const pair *sums, const float *scales, int n) {
  UNROLLED for (int s = 0; s < n; s++) {
    add_half(inout + s * VISE_QGEMM_ROWS, scales, sums[s].low);
    add_half(inout + s * VISE_QGEMM_ROWS + 8, scales + 8, sums[s].high);
  }
}

INLINE void add_lows(float *inout, const float *lows, __m256 of_group) {
  const __m256 v = _mm256_fmadd_ps(_mm256_load_ps(lows), of_group, _mm256_loadu_ps(inout));
  _mm256_storeu_ps(inout, v);
}

static void
multiply_avx2(float *inout, const vise_qgemm_panel *p, const vise_qgemm_tokens *tokens) {
  static group_fn *const forms[3][3] = {{sum_of_1_wide, sum_of_2_wide, sum_of_6_wide},
                                        {sum_of_1_by_32, sum_of_2_by_32, sum_of_6_by_32},
                                        {sum_of_1_by_64, sum_of_2_by_64, sum_of_6_by_64}};
  const int is_wide = p->reach > REACH_32;
  const int form = is_wide ? 0 : p->reach <= REACH_64 && p->group % (2 * STEP) == 0 ? 2 : 1;
  const int64_t bytes = is_wide ? 2 : 1;
  vise_qgemm_tokens t = *tokens;
  for (int n = 0; t.n > 0; t.n -= n) {
    n = t.n == TOKENS ? TOKENS : t.n > 1 ? 2 : 1;
    group_fn *const sum = forms[form][n == TOKENS ? 2 : n - 1];
    for (int64_t g = 0; g < p->n_groups; g++) {
      const int64_t at = g * VISE_QGEMM_ROWS, column = g * p->group;
      const int16_t *activations = t.sums + column / STEP * 2;
      pair sums[TOKENS];
      sum(sums, (const char *)p->codes + column * VISE_QGEMM_ROWS * bytes, p->zeros + at,
          (const char *)t.a + column * bytes, activations, t.lda, t.lds, p->group);
      if (n == TOKENS) {
        add_group(inout, sums, p->scales + at, TOKENS);
      } else {
        add_group(inout, sums, p->scales + at, n);
      }
      for (int s = 0; s < n && p->lows != NULL; s++) {
        const __m256 of_group = sum_of_group(activations + s * t.lds, p->group);
        add_lows(inout + s * VISE_QGEMM_ROWS, p->lows + at, of_group);
        add_lows(inout + s * VISE_QGEMM_ROWS + 8, p->lows + at + 8, of_group);
      }
    }
    inout += n * VISE_QGEMM_ROWS;
    t.a = (const char *)t.a + n * t.lda * bytes;
    t.sums += n * t.lds;
  }
}

void vise_qgemm_fill_avx2(vise_qgemm_kernels *table) {
  *table = (vise_qgemm_kernels){.tokens = TOKENS,
                                .narrow_reach = REACH_32,
                                .pack = pack_avx2,
                                .multiply = multiply_avx2,
                                .greatest = greatest,
                                .round = round_row,
                                .sums = sums_of_pairs};
}
