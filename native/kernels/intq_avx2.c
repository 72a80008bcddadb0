/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integer codes 8 or 16 at a time. Decoding takes 16 codes at once whatever their width: their
 * 2 b bytes go into both halves of a register, a byte shuffle puts into each 32-bit lane the two
 * bytes that hold its code, and a shift by lane and a mask are left to do.
 */
#include "core/bytes.h"
#include "kernels/convert.h"
#include "kernels/intq_levels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

static float least_of(__m256 v) {
  __m128 h = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  h = _mm_min_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_min_ss(h, _mm_movehdup_ps(h)));
}

static float greatest_of(__m256 v) {
  __m128 h = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

static void ranges_avx2(float *low_out, float *high_out, const float *x, int64_t n, int64_t group) {
  for (int64_t begin = 0; begin < n; begin += group) {
    const int64_t end = n - begin < group ? n : begin + group;
    __m256 low_a = _mm256_setzero_ps(), low_b = low_a, high_a = low_a, high_b = low_a;
    int64_t j = begin;
    for (; j + 16 <= end; j += 16) {
      const __m256 a = _mm256_loadu_ps(x + j), b = _mm256_loadu_ps(x + j + 8);
      low_a = _mm256_min_ps(a, low_a);
      high_a = _mm256_max_ps(a, high_a);
      low_b = _mm256_min_ps(b, low_b);
      high_b = _mm256_max_ps(b, high_b);
    }
    float low = least_of(_mm256_min_ps(low_a, low_b));
    float high = greatest_of(_mm256_max_ps(high_a, high_b));
    for (; j < end; j++) {
      low = x[j] < low ? x[j] : low;
      high = x[j] > high ? x[j] : high;
    }
    *low_out++ = low;
    *high_out++ = high;
  }
}

/* RNE of 8 values scaled and clamped. */
static __m256i round8(const float *x, __m256 r, __m256 low, __m256 high) {
  const __m256 t = _mm256_mul_ps(_mm256_loadu_ps(x), r);
  return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(t, low), high));
}

static void codes_avx2(uint8_t *out,
                       const float *x,
                       int64_t n,
                       int64_t group,
                       int bits,
                       const float *r,
                       const uint8_t *zeros) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* undoes the two packs */
  for (int64_t begin = 0, i = 0; begin < n; begin += group, i++) {
    const int64_t end = n - begin < group ? n : begin + group;
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    const __m256 scale = _mm256_set1_ps(r[i]), low = _mm256_set1_ps((float)-zero);
    const __m256 high = _mm256_set1_ps((float)((1 << bits) - 1 - zero));
    const __m256i shift = _mm256_set1_epi16((short)zero);
    int64_t j = begin;
    for (; j + 32 <= end; j += 32) {
      const __m256i a = round8(x + j, scale, low, high), b = round8(x + j + 8, scale, low, high);
      const __m256i c = round8(x + j + 16, scale, low, high);
      const __m256i d = round8(x + j + 24, scale, low, high);
      const __m256i ab = _mm256_add_epi16(_mm256_packs_epi32(a, b), shift);
      const __m256i cd = _mm256_add_epi16(_mm256_packs_epi32(c, d), shift);
      const __m256i mixed = _mm256_packus_epi16(ab, cd);
      _mm256_storeu_si256((__m256i *)(void *)(out + j), _mm256_permutevar8x32_epi32(mixed, order));
    }
    for (; j < end; j++) {
      const __m128 t = _mm_set_ss(x[j] * r[i]);
      const __m128 cut =
          _mm_min_ss(_mm_max_ss(t, _mm256_castps256_ps128(low)), _mm256_castps256_ps128(high));
      out[j] = (uint8_t)(_mm_cvtss_si32(cut) + zero);
    }
  }
}

/* ---- bf16 ----
   As integers, positive values are in order among int16 and negative ones, by magnitude, among
   uint16: beyond those of 0 and -0 a maximum each finds both ends. */

static unsigned greatest_u16(__m256i v) {
  const __m128i all = _mm_set1_epi16(-1);
  const __m128i h = _mm_max_epu16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return 0xffffu & ~(unsigned)_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(h, all)));
}

static inline float bf16_value(unsigned bits) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)(bits << 16))));
}

/* The greatest lane of each of 8 vectors: halves of two at a time, three times, then of one. */
static inline __m128i greatest_u16_of_8(const __m256i v[8]) {
  __m256i four[4], two[2];
  for (int i = 0; i < 4; i++) {
    four[i] = _mm256_max_epu16(_mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]),
                               _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]));
  }
  for (int i = 0; i < 2; i++) {
    two[i] = _mm256_max_epu16(_mm256_unpacklo_epi32(four[2 * i], four[2 * i + 1]),
                              _mm256_unpackhi_epi32(four[2 * i], four[2 * i + 1]));
  }
  const __m256i all = _mm256_max_epu16(_mm256_unpacklo_epi64(two[0], two[1]),
                                       _mm256_unpackhi_epi64(two[0], two[1]));
  return _mm_max_epu16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

static inline void store_bf16_values(float *out, __m128i bits) {
  const __m128i none = _mm_setzero_si128();
  _mm_storeu_ps(out, _mm_castsi128_ps(_mm_unpacklo_epi16(none, bits)));
  _mm_storeu_ps(out + 4, _mm_castsi128_ps(_mm_unpackhi_epi16(none, bits)));
}

/* Eight groups at a time, of 16 i values each; returns how many values were taken. */
static int64_t ranges_bf16_of_8(float *low_out,
                                float *high_out,
                                const uint16_t *x,
                                int64_t n,
                                int64_t group,
                                unsigned *lowest_inout,
                                unsigned *highest_inout) {
  const __m128i minus_zero = _mm_set1_epi16(INT16_MIN);
  __m128i lowest = minus_zero, highest = _mm_setzero_si128();
  int64_t begin = 0;
  for (; group % 16 == 0 && begin + 8 * group <= n; begin += 8 * group) {
    __m256i lows[8], highs[8];
    for (int i = 0; i < 8; i++) {
      __m256i low = _mm256_set1_epi16(INT16_MIN), high = _mm256_setzero_si256();
      for (int64_t j = 0; j < group; j += 16) {
        const __m256i v =
            _mm256_loadu_si256((const __m256i *)(const void *)(x + begin + i * group + j));
        low = _mm256_max_epu16(low, v);
        high = _mm256_max_epi16(high, v);
      }
      lows[i] = low;
      highs[i] = high;
    }
    const __m128i low = greatest_u16_of_8(lows), high = greatest_u16_of_8(highs);
    lowest = _mm_max_epu16(lowest, low);
    highest = _mm_max_epu16(highest, high);
    store_bf16_values(low_out, _mm_andnot_si128(_mm_cmpeq_epi16(low, minus_zero), low));
    store_bf16_values(high_out, high);
    low_out += 8;
    high_out += 8;
  }
  *lowest_inout = greatest_u16(_mm256_broadcastsi128_si256(lowest));
  *highest_inout = greatest_u16(_mm256_broadcastsi128_si256(highest));
  return begin;
}

static int
ranges_bf16_avx2(float *low_out, float *high_out, const uint16_t *x, int64_t n, int64_t group) {
  unsigned lowest, highest;
  const int64_t done = ranges_bf16_of_8(low_out, high_out, x, n, group, &lowest, &highest);
  low_out += done / group;
  high_out += done / group;
  for (int64_t begin = done; begin < n; begin += group) {
    const int64_t end = n - begin < group ? n : begin + group;
    __m256i lows = _mm256_set1_epi16(INT16_MIN), highs = _mm256_setzero_si256();
    int64_t j = begin;
    for (; j + 16 <= end; j += 16) {
      const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(x + j));
      lows = _mm256_max_epu16(lows, v);
      highs = _mm256_max_epi16(highs, v);
    }
    unsigned low = greatest_u16(lows), high = greatest_u16(highs);
    for (; j < end; j++) {
      low = x[j] > low ? x[j] : low;
      high = x[j] < 0x8000u && x[j] > high ? x[j] : high;
    }
    lowest = low > lowest ? low : lowest;
    highest = high > highest ? high : highest;
    *low_out++ = bf16_value(low == 0x8000u ? 0 : low);
    *high_out++ = bf16_value(high);
  }
  return lowest >= 0xff80u || highest >= 0x7f80u;
}

/* RNE of 16 values scaled; cut to `high` and, by saturation, to the least int16. */
static inline __m256i round16_bf16(const uint16_t *x, __m256 r, __m256 high) {
  const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)x);
  const __m256i none = _mm256_setzero_si256();
  const __m256 a = _mm256_castsi256_ps(_mm256_unpacklo_epi16(none, v));
  const __m256 b = _mm256_castsi256_ps(_mm256_unpackhi_epi16(none, v));
  return _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_mul_ps(a, r), high)),
                            _mm256_cvtps_epi32(_mm256_min_ps(_mm256_mul_ps(b, r), high)));
}

static void codes_bf16_avx2(uint8_t *out,
                            const uint16_t *x,
                            int64_t n,
                            int64_t group,
                            int bits,
                            const float *r,
                            const uint8_t *zeros) {
  for (int64_t begin = 0, i = 0; begin < n; begin += group, i++) {
    const int64_t end = n - begin < group ? n : begin + group;
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    const __m256 scale = _mm256_set1_ps(r[i]);
    const __m256 high = _mm256_set1_ps((float)((1 << bits) - 1 - zero));
    const __m256i shift = _mm256_set1_epi16((short)zero);
    int64_t j = begin;
    for (; j + 32 <= end; j += 32) { /* below -zero: the second saturation gives 0 */
      const __m256i a = _mm256_adds_epi16(round16_bf16(x + j, scale, high), shift);
      const __m256i b = _mm256_adds_epi16(round16_bf16(x + j + 16, scale, high), shift);
      const __m256i mixed = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
      _mm256_storeu_si256((__m256i *)(void *)(out + j), mixed);
    }
    for (; j < end; j++) {
      const float v = vise_bf16_to_f32(x[j]);
      codes_avx2(out + j, &v, 1, 1, bits, r + i, zeros == NULL ? NULL : zeros + i);
    }
  }
}

/* Whole bytes only: `n` is a multiple of 8. What is left over goes through the scalar loop below.
 */
static void pack_tail(uint8_t *out, const uint8_t *codes, int64_t n, int bits) {
  uint32_t held = 0;
  int n_held = 0;
  for (int64_t j = 0; j < n; j++) {
    held |= (uint32_t)codes[j] << n_held;
    for (n_held += bits; n_held >= 8; n_held -= 8) {
      *out++ = (uint8_t)held;
      held >>= 8;
    }
  }
  if (n_held > 0) {
    *out = (uint8_t)held;
  }
}

/* 64 codes into 32 bytes: even code + 16 odd code in 16-bit lanes, of which the low bytes are kept.
 */
static int64_t pack4(uint8_t *out, const uint8_t *codes, int64_t n) {
  const __m256i weights = _mm256_set1_epi16(0x1001);
  int64_t j = 0;
  for (; j + 64 <= n; j += 64) {
    const __m256i *p = (const __m256i *)(const void *)(codes + j);
    const __m256i a = _mm256_maddubs_epi16(_mm256_loadu_si256(p), weights);
    const __m256i b = _mm256_maddubs_epi16(_mm256_loadu_si256(p + 1), weights);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
    _mm256_storeu_si256((__m256i *)(void *)(out + j / 2), packed);
  }
  return j;
}

/* Eight codes at a time by bit extraction; each store writes 8 bytes of which `bits` count. */
static int64_t pack_bits(uint8_t *out, const uint8_t *codes, int64_t n, int bits) {
  const uint64_t mask = 0x0101010101010101u * ((1u << bits) - 1u);
  const int64_t bytes = (n * bits + 7) / 8;
  int64_t j = 0;
  for (; j + 8 <= n && j / 8 * bits + 8 <= bytes; j += 8) {
    uint64_t eight;
    memcpy(&eight, codes + j, 8);
    eight = _pext_u64(eight, mask);
    memcpy(out + j / 8 * bits, &eight, 8);
  }
  return j;
}

static void pack_avx2(uint8_t *out, const uint8_t *codes, int64_t n, int bits) {
  if (bits == 8) {
    memcpy(out, codes, (size_t)n);
    return;
  }
  const int64_t done = bits == 4 ? pack4(out, codes, n) : pack_bits(out, codes, n, bits);
  pack_tail(out + done / 8 * bits, codes + done, n - done, bits);
}

/* The shuffle and the shifts that bring code first + i of 16 into lane i, from the right byte on.
 */
typedef struct places {
  __m256i bytes[2], shifts[2], mask;
} places;

static inline places places_of(int bits) {
  uint8_t bytes[2][32];
  int shifts[2][8];
  for (int i = 0; i < 16; i++) {
    uint8_t *lane = &bytes[i / 8][i % 8 * 4];
    const int at = i * bits / 8;
    lane[0] = (uint8_t)at;
    lane[1] = at + 1 < 2 * bits ? (uint8_t)(at + 1) : 0x80;
    lane[2] = lane[3] = 0x80;
    shifts[i / 8][i % 8] = i * bits % 8;
  }
  places p = {.mask = _mm256_set1_epi32((1 << bits) - 1)};
  for (int h = 0; h < 2; h++) {
    p.bytes[h] = _mm256_loadu_si256((const __m256i *)(const void *)bytes[h]);
    p.shifts[h] = _mm256_loadu_si256((const __m256i *)(const void *)shifts[h]);
  }
  return p;
}

#include "kernels/intq_body.h"

/* The 2 b bytes of 16 codes in both halves; reads no byte after `end`. */
static inline __m256i load16(const uint8_t *p, const uint8_t *end, int bits) {
  __m128i v;
  if (bits == 4 || (bits < 4 && end - p >= 8)) {
    v = _mm_loadl_epi64((const __m128i *)(const void *)p);
  } else if (end - p >= 16) {
    v = _mm_loadu_si128((const __m128i *)(const void *)p);
  } else {
    uint8_t bytes[16] = {0};
    memcpy(bytes, p, (size_t)(2 * bits));
    v = _mm_loadu_si128((const __m128i *)(const void *)bytes);
  }
  return _mm256_broadcastsi128_si256(v);
}

static inline __m256i place(__m256i v, const places *p, int half) {
  const __m256i lanes = _mm256_shuffle_epi8(v, p->bytes[half]);
  return _mm256_and_si256(_mm256_srlv_epi32(lanes, p->shifts[half]), p->mask);
}

/* Eight of 16 signed bytes as f32, times s. */
static inline __m256 scaled8(__m128i codes, __m256 s) {
  return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)), s);
}

/* The 32 codes of four bits of 16 bytes: both nibbles of a byte are put side by side. */
static inline void decode_nibbles(float *out, const uint8_t *packed, __m256 s, int zero) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)packed);
  const __m128i mask = _mm_set1_epi8(15), z = _mm_set1_epi8((char)zero);
  const __m128i even = _mm_sub_epi8(_mm_and_si128(v, mask), z);
  const __m128i odd = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(v, 4), mask), z);
  const __m128i a = _mm_unpacklo_epi8(even, odd), b = _mm_unpackhi_epi8(even, odd);
  _mm256_storeu_ps(out, scaled8(a, s));
  _mm256_storeu_ps(out + 8, scaled8(_mm_unpackhi_epi64(a, a), s));
  _mm256_storeu_ps(out + 16, scaled8(b, s));
  _mm256_storeu_ps(out + 24, scaled8(_mm_unpackhi_epi64(b, b), s));
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
  const __m256 s = _mm256_set1_ps(scale);
  const __m256i z = _mm256_set1_epi32(zero);
  int64_t j = 0;
  for (; bits == 4 && j + 32 <= n; j += 32) {
    decode_nibbles(out + j, packed + (first + j) / 2, s, zero);
  }
  for (; j + 16 <= n; j += 16) {
    __m256i a, b;
    if (bits == 8) {
      const __m128i *q = (const __m128i *)(const void *)(packed + first + j);
      a = _mm256_cvtepu8_epi32(_mm_loadu_si128(q));
      b = _mm256_cvtepu8_epi32(
          _mm_loadl_epi64((const __m128i *)(const void *)((const char *)q + 8)));
    } else {
      const __m256i v = load16(packed + (first + j) / 8 * bits, end, bits);
      a = place(v, p, 0);
      b = place(v, p, 1);
    }
    _mm256_storeu_ps(out + j, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(a, z)), s));
    _mm256_storeu_ps(out + j + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(b, z)), s));
  }
  for (; j < n; j++) {
    out[j] = (float)((int)vise_bits_at(packed, (first + j) * bits, bits) - zero) * scale;
  }
}

typedef struct sums { /* 16 lanes each */
  __m256 error[2], slope[2], mass[2];
} sums;

static inline void
try8(sums *s, int half, __m256 x, __m256 v, bool has_v, __m256 r, __m256 low, __m256 high) {
  const __m256 t = _mm256_mul_ps(x, r);
  const __m256 l = _mm256_round_ps(_mm256_min_ps(_mm256_max_ps(t, low), high),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 e = _mm256_sub_ps(t, l);
  const __m256 ve = has_v ? _mm256_mul_ps(v, e) : e;
  const __m256 vl = has_v ? _mm256_mul_ps(v, l) : l;
  s->error[half] = _mm256_add_ps(s->error[half], _mm256_mul_ps(ve, e));
  s->slope[half] = _mm256_add_ps(s->slope[half], _mm256_mul_ps(ve, l));
  s->mass[half] = _mm256_add_ps(s->mass[half], _mm256_mul_ps(vl, l));
}

/* Lanes l and l + 8 and then l + 4 added. */
static inline __m128 fold(const __m256 halves[2]) {
  const __m256 v = _mm256_add_ps(halves[0], halves[1]);
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

static inline void
try_block(vise_intq_trial *trial, const float *x, const float *v, bool has_v, int64_t n) {
  const __m256 r = _mm256_set1_ps(trial->r), low = _mm256_set1_ps(trial->low);
  const __m256 high = _mm256_set1_ps(trial->high), none = _mm256_setzero_ps();
  sums s = {{none, none}, {none, none}, {none, none}};
  int64_t j = 0;
  for (; j + 16 <= n; j += 16) {
    for (int h = 0; h < 2; h++) {
      try8(&s, h, _mm256_loadu_ps(x + j + 8 * h), has_v ? _mm256_loadu_ps(v + j + 8 * h) : none,
           has_v, r, low, high);
    }
  }
  if (j < n) { /* zeros add nothing */
    float rest_x[16] = {0}, rest_v[16] = {0};
    memcpy(rest_x, x + j, (size_t)(n - j) * sizeof(float));
    if (has_v) {
      memcpy(rest_v, v + j, (size_t)(n - j) * sizeof(float));
    }
    for (int h = 0; h < 2; h++) {
      try8(&s, h, _mm256_loadu_ps(rest_x + 8 * h), _mm256_loadu_ps(rest_v + 8 * h), has_v, r, low,
           high);
    }
  }
  add_sums(trial, fold(s.error), fold(s.slope), fold(s.mass));
}

void vise_intq_fill_avx2(vise_intq_kernels *table) {
  find_places();
  table->ranges = ranges_avx2;
  table->codes = codes_avx2;
  table->ranges_bf16 = ranges_bf16_avx2;
  table->codes_bf16 = codes_bf16_avx2;
  table->pack = pack_avx2;
  table->decode = decode;
  table->trials = trials;
}
