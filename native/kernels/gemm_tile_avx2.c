/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tile_levels.h"

#include <immintrin.h>

#define NAME  multiply_f32
#define REAL  float
#define VEC   __m256
#define ROWS  6
#define VECS  2
#define LANES 8
#define LOAD  _mm256_load_ps
#define STORE _mm256_store_ps
#define SPLAT _mm256_set1_ps
#define FMA   _mm256_fmadd_ps
#include "kernels/gemm_tile_body.h"

#define NAME  multiply_few
#define REAL  float
#define VEC   __m256
#define ROWS  12
#define VECS  1
#define LANES 8
#define LOAD  _mm256_load_ps
#define STORE _mm256_store_ps
#define SPLAT _mm256_set1_ps
#define FMA   _mm256_fmadd_ps
#include "kernels/gemm_tile_body.h"

#define NAME  multiply_f64
#define REAL  double
#define VEC   __m256d
#define ROWS  6
#define VECS  2
#define LANES 4
#define LOAD  _mm256_load_pd
#define STORE _mm256_store_pd
#define SPLAT _mm256_set1_pd
#define FMA   _mm256_fmadd_pd
#include "kernels/gemm_tile_body.h"

/* Rows of 8 in pairs, then pairs of pairs, then halves: r[j] becomes column j. */
static void transpose_8x8(float *out, int64_t ldo, const float *in, int64_t ldi) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; i++) {
    r[i] = _mm256_loadu_ps(in + i * ldi);
  }
  for (int i = 0; i < 8; i += 2) {
    s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
  }
  for (int j = 0; j < 4; j++) {
    _mm256_storeu_ps(out + j * ldo, _mm256_permute2f128_ps(r[j], r[j + 4], 0x20));
    _mm256_storeu_ps(out + (j + 4) * ldo, _mm256_permute2f128_ps(r[j], r[j + 4], 0x31));
  }
}

static void
transpose_f32(void *out, int64_t ldo, const void *in, int64_t ldi, int64_t n_rows, int64_t n_cols) {
  float *to = out;
  const float *from = in;
  for (int64_t i = 0; i < n_rows; i += 8) {
    for (int64_t j = 0; j < n_cols; j += 8) {
      if (n_rows - i >= 8 && n_cols - j >= 8) {
        transpose_8x8(to + j * ldo + i, ldo, from + i * ldi + j, ldi);
        continue;
      }
      const int64_t i_end = n_rows - i < 8 ? n_rows : i + 8;
      const int64_t j_end = n_cols - j < 8 ? n_cols : j + 8;
      for (int64_t row = i; row < i_end; row++) {
        for (int64_t col = j; col < j_end; col++) {
          to[col * ldo + row] = from[row * ldi + col];
        }
      }
    }
  }
}

void vise_gemm_kernels_fill_avx2(vise_gemm_kernels *table) {
  table->f32 = (vise_gemm_tile){sizeof(float), 6, 16, multiply_f32, transpose_f32};
  table->few = (vise_gemm_tile){sizeof(float), 12, 8, multiply_few, transpose_f32};
  table->f64.mr = 6;
  table->f64.nr = 8;
  table->f64.multiply = multiply_f64;
}
