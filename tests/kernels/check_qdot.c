/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/qdot.h against its contract, written out one code at a time. */
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/qdot.h"

#include <math.h>

enum { LONGEST = 9000, ROWS = 3, LANES = VISE_QDOT_LANES };

static uint32_t seed = 7;

static int code_at(const uint8_t *packed, int64_t j, int bits) {
  int code = 0;
  for (int b = 0; b < bits; b++) {
    const int64_t at = j * bits + b;
    code |= (packed[at / 8] >> at % 8 & 1) << b;
  }
  return code;
}

static float scale_at(const vise_qdot_ints *w, int64_t i) {
  if (w->has_powers) {
    return ldexpf(1.0f, ((const uint8_t *)w->scales)[i] - 127);
  }
  switch (w->type) {
  case VISE_INTQ_F16: return vise_f16_to_f32(((const uint16_t *)w->scales)[i]);
  case VISE_INTQ_BF16: return vise_bf16_to_f32(((const uint16_t *)w->scales)[i]);
  case VISE_INTQ_F32: break;
  }
  return ((const float *)w->scales)[i];
}

static float slow(const vise_qdot_ints *w, bool is_high_first, int64_t row, const float *x) {
  const int fields = w->bits == 3 ? 8 : w->bits == 6 ? 4 : 32 / w->bits;
  float total[LANES] = {0.0f};
  for (int64_t j = 0; j < w->k; j += fields * LANES) {
    for (int l = 0; l < LANES; l++) {
      const int64_t first = j + l * fields;
      if (first >= w->k) {
        continue;
      }
      const int64_t group = row * w->row_groups + first / (w->group < w->k ? w->group : w->k);
      const float zero = w->zeros == NULL ? (float)(1 << (w->bits - 1)) : (float)w->zeros[group];
      float sum = 0.0f;
      for (int64_t c = first; c < first + fields && c < w->k; c++) {
        sum += x[c];
      }
      float p = w->table == NULL ? -zero * sum : 0.0f;
      for (int64_t f = first; f < first + fields; f++) {
        const int64_t c = is_high_first ? f ^ 1 : f;
        if (c < w->k) {
          const int code = code_at(w->codes + row * w->row_bytes, f, w->bits);
          p = fmaf(w->table == NULL ? (float)code : w->table[code], x[c], p);
        }
      }
      total[l] = fmaf(scale_at(w, group), p, total[l]);
    }
  }
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      total[l] += total[l + half];
    }
  }
  return total[0];
}

/* Codes, scales and zeros of ROWS rows end where their buffers end: reading on is seen by ASan. */
static void rows_agree(vise_cpu_level level, vise_qdot_ints w, bool has_zeros, bool is_high_first) {
  vise_qdot_kernels k;
  vise_qdot_init(&k, level);
  const size_t width = w.has_powers ? 1 : w.type == VISE_INTQ_F32 ? 4 : 2;
  const int64_t groups = w.group < w.k ? (w.k + w.group - 1) / w.group : 1;
  w.row_bytes = (w.k * w.bits + 7) / 8;
  w.row_groups = groups;
  check_buffer codes = check_create((size_t)(ROWS * w.row_bytes), 1);
  check_buffer scales = check_create((size_t)(ROWS * groups) * width, width);
  check_buffer zeros = check_create((size_t)(ROWS * groups), 1);
  check_buffer x = check_create((size_t)w.k * 4, 4);
  uint8_t *cp = codes.data, *zp = zeros.data;
  for (int64_t i = 0; i < ROWS * w.row_bytes; i++) {
    cp[i] = (uint8_t)check_random(&seed);
  }
  for (int64_t i = 0; i < ROWS * groups; i++) {
    const float s = check_number(&seed);
    zp[i] = (uint8_t)(check_random(&seed) % (1u << w.bits));
    if (w.has_powers) {
      ((uint8_t *)scales.data)[i] = (uint8_t)(check_random(&seed) % 200); /* 0: subnormal */
    } else if (w.type == VISE_INTQ_F32) {
      ((float *)scales.data)[i] = s;
    } else {
      ((uint16_t *)scales.data)[i] =
          w.type == VISE_INTQ_F16 ? vise_f32_to_f16(fmodf(s, 100.0f)) : vise_f32_to_bf16(s);
    }
  }
  for (int64_t j = 0; j < w.k; j++) {
    ((float *)x.data)[j] = fmodf(check_number(&seed), 1000.0f);
  }
  w.codes = codes.data;
  w.scales = scales.data;
  w.zeros = has_zeros ? zeros.data : NULL;
  vise_qdot_layout layout;
  if (w.table != NULL) {
    vise_qdot_pairs(&layout, is_high_first);
  } else {
    vise_qdot_stream(&layout, w.bits, !has_zeros);
  }
  check_buffer prepared = check_create((size_t)vise_qdot_prepared(&layout, w.k) * 4, 4);
  vise_qdot_prepare(prepared.data, &layout, x.data, w.k);
  float y[ROWS];

  k.ints(y, &w, ROWS, prepared.data);

  for (int64_t i = 0; i < ROWS; i++) {
    const float want = slow(&w, is_high_first, i, x.data);
    if (memcmp(&want, &y[i], sizeof want) != 0) {
      fail_msg("%s: bits %d, k %lld, group %lld, row %lld: %.9g, expected %.9g",
               vise_cpu_name(level), w.bits, (long long)w.k, (long long)w.group, (long long)i,
               (double)y[i], (double)want);
    }
  }
  check_free(&codes, "codes");
  check_free(&scales, "scales");
  check_free(&zeros, "zeros");
  check_free(&x, "x");
  check_free(&prepared, "prepared");
}

static void every_level_keeps_the_contract(void **state) {
  (void)state;
  static const int widths[] = {2, 3, 4, 6, 8};
  static const int64_t lengths[] = {1, 7, 64, 129, 300, 1024, 4096, 4224, LONGEST};
  static const int64_t sizes[] = {8, 16, 32, 64, 128, 256, 512, LONGEST};
  int n = 0;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    for (size_t b = 0; b < sizeof widths / sizeof widths[0]; b++) {
      for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (size_t g = 0; g < sizeof sizes / sizeof sizes[0]; g++) {
          vise_qdot_ints w = {.k = lengths[l], .group = sizes[g], .bits = widths[b]};
          w.type = (vise_intq_scale)(n % 3);
          if (vise_qdot_takes(w.bits, w.group, w.k)) {
            rows_agree(level, w, n % 2 == 0, false);
            n++;
          }
        }
      }
    }
  }
  assert_true(n > 200);
}

/* Entries of all 24 bits, then of few enough for 16: levels treat these apart. */
static void entries_of_tables_keep_the_contract(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 7, 64, 129, 300, 1024, 4096, 4224, LONGEST};
  static const int64_t sizes[] = {8, 16, 32, 64, 128, 256, LONGEST};
  float table[16];
  int n = 0;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
      for (size_t g = 0; g < sizeof sizes / sizeof sizes[0]; g++) {
        for (int c = 0; c < 16; c++) {
          const float entry = fmodf(check_number(&seed), 4.0f);
          table[c] = n % 2 == 0 ? entry : vise_bf16_to_f32(vise_f32_to_bf16(entry));
        }
        vise_qdot_ints w = {.k = lengths[l], .group = sizes[g], .bits = 4, .table = table};
        w.type = (vise_intq_scale)(n % 3);
        w.has_powers = n % 5 == 0;
        rows_agree(level, w, false, n % 4 < 2);
        n++;
      }
    }
  }
}

static void five_bits_and_odd_groups_are_not_taken(void **state) {
  (void)state;
  assert_false(vise_qdot_takes(5, 64, 4096));
  assert_false(vise_qdot_takes(4, 12, 4096));
  assert_false(vise_qdot_takes(4, 24, 4096)); /* three lanes: 16 are no whole number of groups */
  assert_true(vise_qdot_takes(4, 172, 172));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_level_keeps_the_contract),
      cmocka_unit_test(entries_of_tables_keep_the_contract),
      cmocka_unit_test(five_bits_and_odd_groups_are_not_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
