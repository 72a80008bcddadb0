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

static void every_8_bit_code_has_its_value(void **state) {
  (void)state;
  if (test_shared_is_missing(GOLDEN)) {
    skip();
  }
  size_t bytes;
  float *e4m3 = load("e4m3fn.f32", &bytes);
  assert_int_equal(bytes, 256 * sizeof(float));
  float *e5m2 = load("e5m2.f32", &bytes);
  assert_int_equal(bytes, 256 * sizeof(float));

  for (int code = 0; code < 256; code++) {
    assert_same_float(vise_e4m3_to_f32((uint8_t)code), e4m3[code], code);
    assert_same_float(vise_e5m2_to_f32((uint8_t)code), e5m2[code], code);
  }
  vise_mem_free(e4m3);
  vise_mem_free(e5m2);
}

static void assert_rounds(const char *name, int element_bytes, const float *x, size_t n) {
  size_t bytes;
  const uint8_t *want = load(name, &bytes);
  assert_int_equal(bytes, n * (size_t)element_bytes);
  for (size_t i = 0; i < n; i++) {
    unsigned got, expected = want[i * (size_t)element_bytes];
    if (element_bytes == 2) {
      expected |= (unsigned)want[2 * i + 1] << 8;
      got = strstr(name, "bf16") != NULL ? vise_f32_to_bf16(x[i]) : vise_f32_to_f16(x[i]);
    } else {
      got = strstr(name, "e4m3") != NULL ? vise_f32_to_e4m3(x[i]) : vise_f32_to_e5m2(x[i]);
    }
    if (got != expected) {
      fail_msg("%s: input %zu, %a, gives %x, expected %x", name, i, (double)x[i], got, expected);
    }
  }
  vise_mem_free((void *)(uintptr_t)want);
}

static void values_round_to_the_codes_of_other_programs(void **state) {
  (void)state;
  if (test_shared_is_missing(GOLDEN)) {
    skip();
  }
  size_t bytes;
  float *x = load("round.src.f32", &bytes);
  const size_t n = bytes / sizeof *x;

  assert_rounds("round.f16.bin", 2, x, n);
  assert_rounds("round.bf16.bin", 2, x, n);
  assert_rounds("round.e4m3fn.sat.bin", 1, x, n);
  assert_rounds("round.e5m2.sat.bin", 1, x, n);
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
      cmocka_unit_test(every_8_bit_code_has_its_value),
      cmocka_unit_test(values_round_to_the_codes_of_other_programs),
      cmocka_unit_test(every_16_bit_code_that_is_a_number_survives_a_round_trip),
      cmocka_unit_test(f16_codes_have_the_values_of_the_standard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
