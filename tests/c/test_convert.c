/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The element formats against ../shared/golden/float: values and codes by ml_dtypes 0.6.0 and
 * NumPy, checked there with exact fractions (README.md beside them has the rules for NaN). Other
 * levels are held against the same code in check_convert.
 */
#include "core/mem.h"
#include "kernels/convert.h"
#include "support/folder.h"
#include "support/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define GOLDEN "../shared/golden/float"

static void *load(const char *name, size_t *bytes_out) {
  char *data;
  assert_int_equal(vise_file_read(&data, bytes_out, test_path(GOLDEN, name), 1 << 20, NULL),
                   VISE_OK);
  return data;
}

static void assert_same_float(float got, float want, int code) {
  uint32_t g, w;
  memcpy(&g, &got, sizeof g);
  memcpy(&w, &want, sizeof w);
  const int is_nan = isnan(got) && isnan(want); /* golden NaNs have no sign */
  if (!is_nan && g != w) {
    fail_msg("code %d is %a, expected %a", code, (double)got, (double)want);
  }
}

static const struct small {
  const char *values, *rounded;
  int n_codes;
  float (*decode)(uint8_t code);
  uint8_t (*encode)(float x);
} smalls[] = {
    {"e4m3fn.f32", "round.e4m3fn.sat.bin", 256, vise_e4m3_to_f32, vise_f32_to_e4m3},
    {"e5m2.f32", "round.e5m2.sat.bin", 256, vise_e5m2_to_f32, vise_f32_to_e5m2},
    {"e2m3.f32", "round.e2m3.sat.bin", 64, vise_e2m3_to_f32, vise_f32_to_e2m3},
    {"e3m2.f32", "round.e3m2.sat.bin", 64, vise_e3m2_to_f32, vise_f32_to_e3m2},
    {"e2m1.f32", "round.e2m1.sat.bin", 16, vise_e2m1_to_f32, vise_f32_to_e2m1},
};
enum { N_SMALLS = sizeof smalls / sizeof smalls[0] };

static void every_code_of_8_bits_or_fewer_has_its_value(void **state) {
  (void)state;
  if (test_shared_is_missing(GOLDEN)) {
    skip();
  }
  for (int i = 0; i < N_SMALLS; i++) {
    size_t bytes;
    float *values = load(smalls[i].values, &bytes);
    assert_int_equal(bytes, (size_t)smalls[i].n_codes * sizeof(float));
    for (int code = 0; code < 256; code++) { /* bits above the code are not looked at */
      assert_same_float(smalls[i].decode((uint8_t)code), values[code % smalls[i].n_codes], code);
    }
    vise_mem_free(values);
  }
}

static void
assert_rounds_to_16_bits(const char *name, uint16_t (*encode)(float x), const float *x, size_t n) {
  size_t bytes;
  uint16_t *want = load(name, &bytes);
  assert_int_equal(bytes, n * sizeof *want);
  for (size_t i = 0; i < n; i++) {
    const unsigned got = encode(x[i]);
    if (got != want[i]) {
      fail_msg("%s: input %zu, %a, gives %x, expected %x", name, i, (double)x[i], got, want[i]);
    }
  }
  vise_mem_free(want);
}

static void assert_rounds(const struct small *s, const float *x, size_t n) {
  size_t bytes;
  uint8_t *want = load(s->rounded, &bytes);
  assert_int_equal(bytes, n);
  for (size_t i = 0; i < n; i++) {
    const unsigned got = s->encode(x[i]);
    const bool is_undefined = isnan(x[i]) && s->n_codes < 256; /* no code for NaN */
    if (got != want[i] && !is_undefined) {
      fail_msg("%s: input %zu, %a, gives %x, expected %x", s->rounded, i, (double)x[i], got,
               want[i]);
    }
  }
  vise_mem_free(want);
}

static void values_round_to_the_codes_of_other_programs(void **state) {
  (void)state;
  if (test_shared_is_missing(GOLDEN)) {
    skip();
  }
  size_t bytes;
  float *x = load("round.src.f32", &bytes);
  const size_t n = bytes / sizeof *x;

  assert_rounds_to_16_bits("round.f16.bin", vise_f32_to_f16, x, n);
  assert_rounds_to_16_bits("round.bf16.bin", vise_f32_to_bf16, x, n);
  for (int i = 0; i < N_SMALLS; i++) {
    assert_rounds(&smalls[i], x, n);
  }
  vise_mem_free(x);
}

static void every_16_bit_code_that_is_a_number_survives_a_round_trip(void **state) {
  (void)state;
  for (uint32_t code = 0; code < 65536; code++) {
    const float f16 = vise_f16_to_f32((uint16_t)code), bf16 = vise_bf16_to_f32((uint16_t)code);
    if (!isnan(f16)) {
      assert_int_equal(vise_f32_to_f16(f16), code);
    }
    if (!isnan(bf16)) {
      assert_int_equal(vise_f32_to_bf16(bf16), code);
    }
  }
}

/* Chosen values of IEEE 754 binary16, worked out from its definition. */
static void f16_codes_have_the_values_of_the_standard(void **state) {
  (void)state;
  assert_true(vise_f16_to_f32(0x0001) == 0x1p-24f);
  assert_true(vise_f16_to_f32(0x03ff) == 1023.0f * 0x1p-24f);
  assert_true(vise_f16_to_f32(0x0400) == 0x1p-14f);
  assert_true(vise_f16_to_f32(0x3c00) == 1.0f);
  assert_true(vise_f16_to_f32(0xc000) == -2.0f);
  assert_true(vise_f16_to_f32(0x7bff) == 65504.0f);
  assert_true(isinf(vise_f16_to_f32(0x7c00)));
  assert_true(isnan(vise_f16_to_f32(0x7c01)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_of_8_bits_or_fewer_has_its_value),
      cmocka_unit_test(values_round_to_the_codes_of_other_programs),
      cmocka_unit_test(every_16_bit_code_that_is_a_number_survives_a_round_trip),
      cmocka_unit_test(f16_codes_have_the_values_of_the_standard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
