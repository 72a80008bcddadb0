/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/intq_body.h -- what intq_avx2.c and intq_avx512.c share: rows made of runs of codes, sums
 * made of blocks. The including file has the type `places` and places_of(bits), what a level needs
 * to take 16 codes apart, and defines decode_run() and try_block() after this file.
 */

/* By bits. Filled with the level's table: decoding is called for few values at a time. */
static places known_places[7];

static void find_places(void) {
  for (int bits = 2; bits < 7; bits++) {
    known_places[bits] = places_of(bits);
  }
}

/* out[j] = (code first + j - zero) scale, j < n; first is a multiple of 16. */
static inline void decode_run(float *out,
                              const uint8_t *packed,
                              const uint8_t *end,
                              int64_t first,
                              int64_t n,
                              int bits,
                              const places *p,
                              float scale,
                              int zero);

/* Add one block's sums to the trial; v is not read without has_v. */
static inline void
try_block(vise_intq_trial *trial, const float *x, const float *v, bool has_v, int64_t n);

static inline float scale_at(const void *scales, vise_intq_scale type, int64_t i) {
  switch (type) {
  case VISE_INTQ_F16: return _cvtsh_ss(((const uint16_t *)scales)[i]);
  case VISE_INTQ_BF16: return vise_bf16_to_f32(((const uint16_t *)scales)[i]);
  case VISE_INTQ_F32: break;
  }
  return ((const float *)scales)[i];
}

static inline void decode_bits(float *out,
                               const uint8_t *packed,
                               int64_t n,
                               int bits,
                               int64_t phase,
                               int64_t group,
                               const void *scales,
                               vise_intq_scale type,
                               const uint8_t *zeros) {
  const places *p = &known_places[bits < 7 ? bits : 0]; /* bytes need none */
  const uint8_t *end = packed + (n * bits + 7) / 8;
  for (int64_t ahead = 0; ahead < end - packed; ahead += 64) {
    __builtin_prefetch(end + ahead); /* the next tile of this row: rows are far apart */
  }
  const bool is_aligned = group % 16 == 0 && phase % 16 == 0;
  if (!is_aligned) { /* groups begin inside bytes: the codes first, scales in a second pass */
    decode_run(out, packed, end, 0, n, bits, p, 1.0f, 0);
  }
  int64_t stop = group - phase;
  for (int64_t j = 0, i = 0; j < n; i++, stop += group) {
    const int64_t length = (stop < n ? stop : n) - j;
    const float scale = scale_at(scales, type, i);
    const int zero = zeros == NULL ? 1 << (bits - 1) : zeros[i];
    if (is_aligned) {
      decode_run(out + j, packed, end, j, length, bits, p, scale, zero);
    } else {
      for (int64_t l = j; l < j + length; l++) {
        out[l] = (out[l] - (float)zero) * scale;
      }
    }
    j += length;
  }
}

static void decode(float *out,
                   const uint8_t *packed,
                   int64_t n,
                   int bits,
                   int64_t phase,
                   int64_t group,
                   const void *scales,
                   vise_intq_scale type,
                   const uint8_t *zeros) {
  switch (bits) { /* one copy for each width, with its constants folded in */
  case 2: decode_bits(out, packed, n, 2, phase, group, scales, type, zeros); break;
  case 3: decode_bits(out, packed, n, 3, phase, group, scales, type, zeros); break;
  case 4: decode_bits(out, packed, n, 4, phase, group, scales, type, zeros); break;
  case 5: decode_bits(out, packed, n, 5, phase, group, scales, type, zeros); break;
  case 6: decode_bits(out, packed, n, 6, phase, group, scales, type, zeros); break;
  default: decode_bits(out, packed, n, 8, phase, group, scales, type, zeros);
  }
}

/* Four lanes each, added by halves. */
static inline void add_sums(vise_intq_trial *inout, __m128 error, __m128 slope, __m128 mass) {
  __m128 both = _mm_add_ps(_mm_unpacklo_ps(error, slope), _mm_unpackhi_ps(error, slope));
  both = _mm_add_ps(both, _mm_movehl_ps(both, both));
  const __m128 two = _mm_add_ps(mass, _mm_movehl_ps(mass, mass));
  inout->error += (double)_mm_cvtss_f32(both);
  inout->slope += (double)_mm_cvtss_f32(_mm_movehdup_ps(both));
  inout->mass += (double)_mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static void
trials(vise_intq_trial *inout, int n_trials, const float *x, const float *v, int64_t n) {
  for (int64_t j = 0; j < n; j += VISE_INTQ_BLOCK) {
    const int64_t length = n - j < VISE_INTQ_BLOCK ? n - j : VISE_INTQ_BLOCK;
    for (int i = 0; i < n_trials; i++) {
      if (v == NULL) {
        try_block(&inout[i], x + j, NULL, false, length);
      } else {
        try_block(&inout[i], x + j, v + j, true, length);
      }
    }
  }
}
