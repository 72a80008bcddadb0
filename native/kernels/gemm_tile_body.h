/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/gemm_tile_body.h -- one tile with its accumulators in registers; the body of every vector
 * level. The including file defines, and this file undefines:
 *
 *   NAME, REAL, VEC            the function, the element and vector types
 *   ROWS, VECS, LANES          mr, vectors along the tokens (nr = VECS * LANES), elements of one
 *   LOAD, STORE, SPLAT, FMA    their intrinsics
 *
 * ROWS * VECS + VECS + 1 registers are live; the loops over them are unrolled so that none spills.
 * Two full passes of fused multiply-adds per step of l hide their latency.
 */
static void NAME(void *acc, const void *w, const void *x, int64_t n, const void *next) {
  REAL *c = acc;
  const REAL *a = w, *b = x;
  VEC sum[ROWS][VECS];
#pragma GCC unroll 24
  for (int i = 0; i < ROWS; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) {
      sum[i][v] = LOAD(c + (i * VECS + v) * LANES);
    }
  }
  const char *ahead = next;
  for (int64_t begin = 0; begin < n; begin += 16) {
    const int64_t end = n - begin < 16 ? n : begin + 16;
    for (size_t i = 0; i < sizeof(VEC[VECS]); i += 64) {
      __builtin_prefetch(ahead + i, 0, 2);
    }
    ahead += sizeof(VEC[VECS]);
#pragma GCC unroll 4
    for (int64_t l = begin; l < end; l++) {
      VEC tokens[VECS];
#pragma GCC unroll 2
      for (int v = 0; v < VECS; v++) {
        tokens[v] = LOAD(b + (l * VECS + v) * LANES);
      }
#pragma GCC unroll 24
      for (int i = 0; i < ROWS; i++) {
        const VEC weight = SPLAT(a[i * VISE_GEMM_LDW + l]);
#pragma GCC unroll 2
        for (int v = 0; v < VECS; v++) {
          sum[i][v] = FMA(tokens[v], weight, sum[i][v]);
        }
      }
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < ROWS; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) {
      STORE(c + (i * VECS + v) * LANES, sum[i][v]);
    }
  }
}
#undef NAME
#undef REAL
#undef VEC
#undef ROWS
#undef VECS
#undef LANES
#undef LOAD
#undef STORE
#undef SPLAT
#undef FMA
