/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tile_levels.h"

#include <math.h>

enum { MR = 4, NR = 8 };

static void multiply_f32(void *acc, const void *w, const void *x, int64_t n, const void *next) {
  (void)next;
  float *c = acc;
  const float *a = w, *b = x;
  for (int64_t l = 0; l < n; l++) {
    for (int64_t i = 0; i < MR; i++) {
      for (int64_t j = 0; j < NR; j++) {
        c[i * NR + j] = fmaf(b[l * NR + j], a[i * VISE_GEMM_LDW + l], c[i * NR + j]);
      }
    }
  }
}

static void multiply_f64(void *acc, const void *w, const void *x, int64_t n, const void *next) {
  (void)next;
  double *c = acc;
  const double *a = w, *b = x;
  for (int64_t l = 0; l < n; l++) {
    for (int64_t i = 0; i < MR; i++) {
      for (int64_t j = 0; j < NR; j++) {
        c[i * NR + j] = fma(b[l * NR + j], a[i * VISE_GEMM_LDW + l], c[i * NR + j]);
      }
    }
  }
}

static void
transpose_f32(void *out, int64_t ldo, const void *in, int64_t ldi, int64_t n_rows, int64_t n_cols) {
  float *to = out;
  const float *from = in;
  for (int64_t i = 0; i < n_rows; i++) {
    for (int64_t j = 0; j < n_cols; j++) {
      to[j * ldo + i] = from[i * ldi + j];
    }
  }
}

static void
transpose_f64(void *out, int64_t ldo, const void *in, int64_t ldi, int64_t n_rows, int64_t n_cols) {
  double *to = out;
  const double *from = in;
  for (int64_t i = 0; i < n_rows; i++) {
    for (int64_t j = 0; j < n_cols; j++) {
      to[j * ldo + i] = from[i * ldi + j];
    }
  }
}

void vise_gemm_kernels_fill_ref(vise_gemm_kernels *table) {
  table->f32 = (vise_gemm_tile){sizeof(float), MR, NR, multiply_f32, transpose_f32};
  table->few = table->f32;
  table->f64 = (vise_gemm_tile){sizeof(double), MR, NR, multiply_f64, transpose_f64};
}
