/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/gemm_tile.h against fmaf and fma chains written out here. */
#include "kernels/check.h"
#include "kernels/gemm_tile.h"

#include <math.h>

enum { LDW = VISE_GEMM_LDW, MR = VISE_GEMM_MR_MAX, NR = VISE_GEMM_NR_MAX };

static const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 101, 255, 256};

static void tile_is_chains(const vise_gemm_tile *tile, vise_cpu_level level, uint32_t *seed) {
  const int mr = tile->mr, nr = tile->nr;
  assert_true(mr <= MR && nr <= NR);
  for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
    const int64_t n = lengths[c];
    check_buffer acc = check_create((size_t)(mr * nr) * sizeof(float), 0);
    check_buffer x = check_create((size_t)(n * nr) * sizeof(float), 0);
    float *sums = acc.data, *tokens = x.data, expected[MR * NR];
    static float w[MR * LDW + 1];
    for (int i = 0; i < mr * LDW + 1; i++) {
      w[i] = i % 89 == 0 ? 1e-40f : check_number(seed);
    }
    for (int64_t i = 0; i < n * nr; i++) {
      tokens[i] = i % 97 == 0 ? 0x1p126f : check_number(seed);
    }
    for (int i = 0; i < mr * nr; i++) {
      sums[i] = expected[i] = check_number(seed);
    }
    for (int i = 0; i < mr; i++) {
      for (int j = 0; j < nr; j++) {
        for (int64_t l = 0; l < n; l++) {
          expected[i * nr + j] = fmaf(tokens[l * nr + j], w[1 + i * LDW + l], expected[i * nr + j]);
        }
      }
    }

    tile->multiply(sums, w + 1, tokens, n, tokens);

    if (memcmp(sums, expected, (size_t)(mr * nr) * sizeof(float)) != 0) {
      fail_msg("level %s: f32 tile of %lld steps", vise_cpu_name(level), (long long)n);
    }
    check_free(&acc, "multiply f32");
    check_free(&x, "multiply f32");
  }
}

static void f32_tiles_are_chains(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_gemm_kernels table;
    vise_gemm_kernels_init(&table, level);
    tile_is_chains(&table.f32, level, &seed);
    tile_is_chains(&table.few, level, &seed);
  }
}

static void f64_tiles_are_chains(void **state) {
  (void)state;
  uint32_t seed = 2;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_gemm_kernels table;
    vise_gemm_kernels_init(&table, level);
    const int mr = table.f64.mr, nr = table.f64.nr;
    assert_true(mr <= MR && nr <= NR);
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
      const int64_t n = lengths[c];
      check_buffer acc = check_create((size_t)(mr * nr) * sizeof(double), 0);
      check_buffer x = check_create((size_t)(n * nr) * sizeof(double), 0);
      double *sums = acc.data, *tokens = x.data, expected[MR * NR];
      static double w[MR * LDW + 1];
      for (int i = 0; i < mr * LDW + 1; i++) {
        w[i] = i % 89 == 0 ? 1e-310 : (double)check_number(&seed) / 3.0;
      }
      for (int64_t i = 0; i < n * nr; i++) {
        tokens[i] = (double)check_number(&seed) / 3.0;
      }
      for (int i = 0; i < mr * nr; i++) {
        sums[i] = expected[i] = (double)check_number(&seed) / 3.0;
      }
      for (int i = 0; i < mr; i++) {
        for (int j = 0; j < nr; j++) {
          for (int64_t l = 0; l < n; l++) {
            expected[i * nr + j] =
                fma(tokens[l * nr + j], w[1 + i * LDW + l], expected[i * nr + j]);
          }
        }
      }

      table.f64.multiply(sums, w + 1, tokens, n, tokens);

      if (memcmp(sums, expected, (size_t)(mr * nr) * sizeof(double)) != 0) {
        fail_msg("level %s: f64 tile of %lld steps", vise_cpu_name(level), (long long)n);
      }
      check_free(&acc, "multiply f64");
      check_free(&x, "multiply f64");
    }
  }
}

/* Elements of 4 or 8 bytes, moved and not looked at: bytes tell more than numbers. */
static void check_transpose(
    const vise_gemm_tile *tile, const char *what, int64_t n_rows, int64_t n_cols, size_t misalign) {
  const int64_t ldi = n_cols + 3, ldo = n_rows + 1;
  check_buffer in = check_create((size_t)(n_rows * ldi) * tile->size, misalign);
  check_buffer out = check_create((size_t)(n_cols * ldo) * tile->size, misalign);
  char *from = in.data, *to = out.data;
  for (size_t i = 0; i < in.bytes; i++) {
    from[i] = (char)(i * 7 + i / 251);
  }

  tile->transpose(to, ldo, from, ldi, n_rows, n_cols);

  for (int64_t j = 0; j < n_cols; j++) {
    for (int64_t i = 0; i < ldo; i++) {
      const char *got = to + (size_t)(j * ldo + i) * tile->size;
      const bool is_same =
          i < n_rows ? memcmp(got, from + (size_t)(i * ldi + j) * tile->size, tile->size) == 0
                     : (unsigned char)*got == 0xA5;
      if (!is_same) {
        fail_msg("%s of [%lld, %lld]: wrong at [%lld, %lld]", what, (long long)n_rows,
                 (long long)n_cols, (long long)i, (long long)j);
      }
    }
  }
  check_free(&in, what);
  check_free(&out, what);
}

static void transposes_move_every_element_and_nothing_else(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_gemm_kernels table;
    vise_gemm_kernels_init(&table, level);
    for (int64_t n_rows = 0; n_rows < 35; n_rows++) {
      for (int64_t n_cols = 0; n_cols < 35; n_cols++) {
        check_transpose(&table.f32, "transpose f32", n_rows, n_cols, 4 * (size_t)(n_rows % 16));
        check_transpose(&table.f64, "transpose f64", n_rows, n_cols, 8 * (size_t)(n_rows % 8));
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f32_tiles_are_chains),
      cmocka_unit_test(f64_tiles_are_chains),
      cmocka_unit_test(transposes_move_every_element_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
