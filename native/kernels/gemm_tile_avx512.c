/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tile_levels.h"

#include <immintrin.h>

#define NAME  multiply_f32
#define REAL  float
#define VEC   __m512
#define ROWS  14
#define VECS  2
#define LANES 16
#define LOAD  _mm512_load_ps
#define STORE _mm512_store_ps
#define SPLAT _mm512_set1_ps
#define FMA   _mm512_fmadd_ps
#include "kernels/gemm_tile_body.h"

#define NAME  multiply_few
#define REAL  float
#define VEC   __m512
#define ROWS  24
#define VECS  1
#define LANES 16
#define LOAD  _mm512_load_ps
#define STORE _mm512_store_ps
#define SPLAT _mm512_set1_ps
#define FMA   _mm512_fmadd_ps
#include "kernels/gemm_tile_body.h"

#define NAME  multiply_f64
#define REAL  double
#define VEC   __m512d
#define ROWS  14
#define VECS  2
#define LANES 8
#define LOAD  _mm512_load_pd
#define STORE _mm512_store_pd
#define SPLAT _mm512_set1_pd
#define FMA   _mm512_fmadd_pd
#include "kernels/gemm_tile_body.h"

void vise_gemm_kernels_fill_avx512(vise_gemm_kernels *table) {
  table->f32.mr = table->f64.mr = 14;
  table->f32.nr = 32;
  table->f64.nr = 16;
  table->few.mr = 24;
  table->few.nr = 16;
  table->f32.multiply = multiply_f32;
  table->few.multiply = multiply_few;
  table->f64.multiply = multiply_f64;
}
