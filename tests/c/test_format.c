/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Number formats: what holds for every row of formats.def, and the numbers of the format `int`.
 *
 * The expected D / sigma^2 are the measured table of algorithms.md, section 13.1 (an independent
 * program, 2 million Gaussian samples); ours must be within 2 % of them, or better.
 */
#include "core/parallel.h"
#include "format/int_affine.h"
#include "kernels/convert.h"
#include "support/weights.h"
#include "weight/quant.h"

static vise_format_spec
int_spec(int bits_choice, vise_int_per per, int group, bool is_symmetric, bool is_searched) {
  vise_format_spec s = {.format = &vise_format_int};
  vise_param_defaults(s.format->params, s.values);
  s.values[VISE_INT_BITS] = bits_choice;
  s.values[VISE_INT_PER] = per;
  s.values[VISE_INT_GROUP] = group;
  s.values[VISE_INT_SYMMETRIC] = is_symmetric;
  s.values[VISE_INT_SEARCH] = is_searched;
  return s;
}

static vise_weight *
quantized(const vise_weight *w, const vise_format_spec *s, const float *importance) {
  vise_weight *q;
  TRY_OK(vise_weight_quantize(&q, w, s, importance, &test_err));
  return q;
}

/* ---- every format ---- */

/* Give `inout` the shape [m, k], or with whole blocks of columns; false if it takes neither. */
static bool fits(vise_format_spec *inout, int64_t m, int64_t k) {
  inout->m = m;
  inout->k = k;
  if (vise_format_check(inout, &test_err) == VISE_OK) {
    return true;
  }
  inout->k = whole_blocks(k);
  return vise_format_check(inout, &test_err) == VISE_OK;
}

static void values_have_room_for_every_parameter(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    has_room_for_values(vise_formats[i]->params);
  }
}

static void every_format_keeps_the_contract_of_weights(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    vise_format_spec s = {.format = vise_formats[i]};
    char text[64];
    for (int n = 0; setting(s.values, text, vise_formats[i]->params, n); n++) {
      for (int c = 0; c < N_INPUTS; c++) {
        if (fits(&s, input_cases[c].m, input_cases[c].k)) {
          vise_weight *w = dense_f32(s.m, s.k, input_cases[c].value), *q = quantized(w, &s, NULL);
          keeps_the_contract_of_weights(q);
          vise_weight_release(q);
          vise_weight_release(w);
        }
      }
    }
  }
}

static float away_from_zero(int64_t i, int64_t j) {
  const float x = gaussian(i, j);
  return x < 0.0f ? x - 0.5f : x + 0.5f;
}

/* Invariant I9 of algorithms.md: Q(2^p W) = 2^p Q(W), bit for bit, while scales stay normal. */
static void formats_commute_with_powers_of_two(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    vise_format_spec s = {.format = vise_formats[i]};
    char text[64];
    for (int n = 0; setting(s.values, text, vise_formats[i]->params, n); n++) {
      if (!fits(&s, 4, 192)) {
        assert_int_not_equal(n, 0);
        continue;
      }
      vise_weight *w = dense_f32(4, s.k, away_from_zero), *v = dense_f32(4, s.k, away_from_zero);
      for (int64_t j = 0; j < 4 * s.k; j++) {
        dense_data(v)[j] *= 8.0f;
      }
      vise_weight *q = quantized(w, &s, NULL), *r = quantized(v, &s, NULL);

      float *a = values_of(q), *b = values_of(r);

      for (int64_t j = 0; j < 4 * s.k; j++) {
        assert_true(8.0f * a[j] == b[j]);
      }
      vise_mem_free(a);
      vise_mem_free(b);
      vise_weight_release(q);
      vise_weight_release(r);
      vise_weight_release(w);
      vise_weight_release(v);
    }
  }
}

/* `w` cast to bf16, and that cast back in f32. */
static void both_types(vise_weight **bf16_out, vise_weight **f32_out, const vise_weight *w) {
  vise_tensor *b, *f;
  TRY_OK(vise_tensor_convert(&b, vise_weight_dense_tensor(w), VISE_DTYPE_BF16, &test_err));
  TRY_OK(vise_tensor_convert(&f, b, VISE_DTYPE_F32, &test_err));
  TRY_OK(vise_weight_dense(bf16_out, b, &test_err));
  TRY_OK(vise_weight_dense(f32_out, f, &test_err));
  vise_tensor_release(b);
  vise_tensor_release(f);
}

static void parts_are_equal(const vise_weight *a, const vise_weight *b) {
  vise_tree *s, *t;
  TRY_OK(vise_weight_save(a, &s, &test_err));
  TRY_OK(vise_weight_save(b, &t, &test_err));
  assert_int_equal(s->n_parts, t->n_parts);
  for (int i = 0; i < s->n_parts; i++) {
    const vise_tensor *x = s->parts[i].tensor, *y = t->parts[i].tensor;
    assert_int_equal(vise_tensor_bytes(x), vise_tensor_bytes(y));
    assert_memory_equal(vise_tensor_data(x), vise_tensor_data(y), vise_tensor_bytes(x));
  }
  vise_tree_free(s);
  vise_tree_free(t);
}

static void bf16_is_coded_as_the_same_values_in_f32(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    vise_format_spec s = {.format = vise_formats[i]};
    char text[64];
    for (int n = 0; setting(s.values, text, vise_formats[i]->params, n); n++) {
      s.values[VISE_INT_SEARCH] = s.format == &vise_format_int ? 0.0 : s.values[VISE_INT_SEARCH];
      if (!fits(&s, 5, 172)) {
        continue;
      }
      vise_weight *w = dense_f32(s.m, s.k, gaussian), *b, *f, *bad;
      both_types(&b, &f, w);
      vise_weight *from_b = quantized(b, &s, NULL), *from_f = quantized(f, &s, NULL);

      parts_are_equal(from_b, from_f);

      uint16_t *values = vise_tensor_data(vise_weight_dense_tensor(b));
      values[3 * s.k + 70] = 0xff80;
      assert_int_equal(vise_weight_quantize(&bad, b, &s, NULL, &test_err), VISE_ENUMERIC);
      assert_string_equal(test_err.msg,
                          "w: row 3, column 70 (from 0) is -inf, expected a finite number");
      vise_weight_release(from_b);
      vise_weight_release(from_f);
      vise_weight_release(w);
      vise_weight_release(b);
      vise_weight_release(f);
    }
  }
}

/* ---- int ---- */

static double distortion(const vise_weight *w, const vise_format_spec *s, const float *importance) {
  double squared, norm;
  vise_weight *q = quantized(w, s, importance);
  TRY_OK(vise_weight_difference(&squared, &norm, w, q, NULL, &test_err));
  vise_weight_release(q);
  return squared / norm;
}

static void gaussian_errors_are_those_of_the_table(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int bits_choice, group;
    bool is_symmetric, is_searched;
    double expected;
  } rows[] = {
      {"int4 g32 symmetric", 2, 32, true, false, .00738},
      {"int4 g32 symmetric, searched", 2, 32, true, true, .0066},
      {"int4 g128 symmetric, searched", 2, 128, true, true, .0093},
      {"int3 g128 symmetric, searched", 1, 128, true, true, .0344},
      {"int2 g64 symmetric, searched", 0, 64, true, true, .123},
      {"int4 g32 asymmetric", 2, 32, false, false, .00652},
      {"int4 g32 asymmetric, searched", 2, 32, false, true, .00607},
      {"int2 g64 asymmetric", 0, 64, false, false, .208},
      {"int2 g64 asymmetric, searched", 0, 64, false, true, .1261},
      {"int8 g32 symmetric", 5, 32, true, false, .000029},
  };
  vise_weight *w = dense_f32(256, 2048, gaussian);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const vise_format_spec s = int_spec(rows[i].bits_choice, VISE_PER_GROUP, rows[i].group,
                                        rows[i].is_symmetric, rows[i].is_searched);

    const double d = distortion(w, &s, NULL);

    printf("%-32s D %.6f, table %.6f\n", rows[i].name, d, rows[i].expected);
    assert_true(d <= 1.02 * rows[i].expected);
  }
  vise_weight_release(w);
}

/* The squared error of symmetric codes at reciprocal scale r, the scale refitted to them. */
static double fitted_error(const float *x, int n, double half, double r) {
  double error = 0, slope = 0, mass = 0;
  for (int j = 0; j < n; j++) {
    const double t = (double)x[j] * r, code = rint(fmin(fmax(t, -half), half - 1));
    error += (t - code) * (t - code);
    slope += (t - code) * code;
    mass += code * code;
  }
  return (error - (mass > 0 ? slope * slope / mass : 0)) / (r * r);
}

/* The least over both signs and a dense scan of scales: every 1/20 of a code to 2 codes around the
   plain one, and steps of 2 % to 50 times it. */
static double least_error(const float *x, int n, int bits) {
  const double half = 1 << (bits - 1);
  double extreme = 0, least = INFINITY;
  for (int j = 0; j < n; j++) {
    extreme = fmax(extreme, fabs((double)x[j]));
  }
  for (int i = -40; i <= 240; i++) {
    const double r = i <= 40 ? (half + i / 20.0) / extreme : half / extreme * pow(1.02, i - 40);
    if (r > 0) {
      least = fmin(least, fmin(fitted_error(x, n, half, r), fitted_error(x, n, half, -r)));
    }
  }
  return least;
}

/* Student's t with 5 degrees of freedom: a few values far out. */
static float heavy(int64_t i, int64_t j) {
  float squares = 0.0f;
  for (int64_t d = 1; d <= 5; d++) {
    squares += gaussian(i + 1000 * d, j) * gaussian(i + 1000 * d, j);
  }
  return gaussian(i, j) / sqrtf(squares / 5.0f);
}

static void searched_scales_are_near_the_best_of_a_dense_scan(void **state) {
  (void)state;
  enum { M = 16, K = 1024 };
  static const struct {
    int bits_choice, bits;
    vise_int_per per;
    int group;
    float (*value)(int64_t i, int64_t j);
    double allowed;
  } rows[] = {
      {2, 4, VISE_PER_GROUP, 32, gaussian, 1.02},    {2, 4, VISE_PER_GROUP, 128, gaussian, 1.02},
      {4, 6, VISE_PER_GROUP, 32, gaussian, 1.03},    {4, 6, VISE_PER_GROUP, 128, gaussian, 1.03},
      {5, 8, VISE_PER_GROUP, 32, gaussian, 1.03},    {5, 8, VISE_PER_GROUP, 128, gaussian, 1.03},
      {2, 4, VISE_PER_ROW, K, heavy, 1.02},          {2, 4, VISE_PER_TENSOR, M * K, heavy, 1.02},
      {4, 6, VISE_PER_TENSOR, M * K, heavy, 1.03},   {5, 8, VISE_PER_TENSOR, M * K, heavy, 1.03},
      {0, 2, VISE_PER_TENSOR, M * K, outlier, 1.02}, {2, 4, VISE_PER_TENSOR, M * K, outlier, 1.02},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const int n = rows[i].group;
    vise_weight *w = dense_f32(M, K, rows[i].value);
    const vise_format_spec s = int_spec(rows[i].bits_choice, rows[i].per, n, true, true);
    double best = 0, norm = 0;
    for (int at = 0; at < M * K; at += n) {
      best += least_error(dense_data(w) + at, n, rows[i].bits);
    }
    for (int j = 0; j < M * K; j++) {
      norm += (double)dense_data(w)[j] * (double)dense_data(w)[j];
    }

    const double excess = distortion(w, &s, NULL) * norm / best;

    printf("int%d, %5d together: %.4f of the least error\n", rows[i].bits, n, excess);
    assert_true(excess <= rows[i].allowed);
    vise_weight_release(w);
  }
}

static void a_group_worked_by_hand(void **state) {
  (void)state;
  /* symmetric, 2 bits: M = -4, scale 4 / 2 = 2; codes -2 (-4), -1, 0, +1 (clamped from 1.5) */
  vise_weight *w = dense_f32(1, 4, zero);
  memcpy(dense_data(w), (const float[]){-4.0f, -1.5f, 0.9f, 3.0f}, 16);
  const vise_format_spec s = int_spec(0, VISE_PER_ROW, 64, true, false);

  vise_weight *q = quantized(w, &s, NULL);

  float *out = values_of(q);
  assert_memory_equal(out, ((const float[]){-4.0f, -2.0f, 0.0f, 2.0f}), 16);
  const uint8_t *codes = vise_tensor_data(vise_weight_quant_part(q, "codes"));
  assert_int_equal(codes[0], 0 | 1 << 2 | 2 << 4 | 3 << 6);
  const uint16_t *scales = vise_tensor_data(vise_weight_quant_part(q, "scales"));
  assert_int_equal(scales[0], vise_f32_to_f16(2.0f));
  vise_mem_free(out);
  vise_weight_release(q);
  vise_weight_release(w);
}

static void an_asymmetric_group_worked_by_hand(void **state) {
  (void)state;
  /* 2 bits: low -1, high 2, scale 3 / 3 = 1, zero 1; 0.5 is a tie that goes to the even 0 */
  vise_weight *w = dense_f32(1, 4, zero);
  memcpy(dense_data(w), (const float[]){-1.0f, 0.0f, 0.5f, 2.0f}, 16);
  const vise_format_spec s = int_spec(0, VISE_PER_TENSOR, 64, false, false);

  vise_weight *q = quantized(w, &s, NULL);

  float *out = values_of(q);
  assert_memory_equal(out, ((const float[]){-1.0f, 0.0f, 0.0f, 2.0f}), 16);
  const uint8_t *zeros = vise_tensor_data(vise_weight_quant_part(q, "zeros"));
  assert_int_equal(zeros[0], 1);
  vise_mem_free(out);
  vise_weight_release(q);
  vise_weight_release(w);
}

/* Invariant I5. Symmetric: the extreme is kept as -2^(bits - 1) times the stored scale, so the
   second time finds the same scale. Asymmetric grids may lose a code at an end to the rounding of
   zero. */
static void plain_symmetric_codes_are_idempotent(void **state) {
  (void)state;
  for (int c = 0; c < 6 * 3; c++) {
    const vise_format_spec s = int_spec(c % 6, (vise_int_per)(c / 6), 48, true, false);
    vise_weight *w = dense_f32(5, 172, gaussian), *q = quantized(w, &s, NULL);
    float *once = values_of(q);
    memcpy(dense_data(w), once, 5 * 172 * sizeof(float));

    vise_weight *r = quantized(w, &s, NULL);

    assert_same_parts(q, r);
    vise_mem_free(once);
    vise_weight_release(q);
    vise_weight_release(r);
    vise_weight_release(w);
  }
}

static void values_inside_the_range_err_by_half_a_step(void **state) {
  (void)state;
  for (int bits_choice = 0; bits_choice < 6; bits_choice++) {
    vise_format_spec s = int_spec(bits_choice, VISE_PER_ROW, 64, false, false);
    s.values[VISE_INT_SCALE] = 2; /* f32 */
    vise_weight *w = dense_f32(6, 172, gaussian), *q = quantized(w, &s, NULL);
    float *out = values_of(q);
    const float *scales = vise_tensor_data(vise_weight_quant_part(q, "scales"));

    for (int i = 0; i < 6; i++) {
      for (int j = 0; j < 172; j++) {
        /* zero is rounded too, so a value at an end may be half a step outside */
        assert_true(fabsf(out[i * 172 + j] - dense_data(w)[i * 172 + j]) <= 1.001f * scales[i]);
      }
    }
    vise_mem_free(out);
    vise_weight_release(q);
    vise_weight_release(w);
  }
}

static void searching_never_loses(void **state) {
  (void)state;
  static float importance[320];
  for (int j = 0; j < 320; j++) {
    importance[j] = j % 7 == 0 ? 0.0f : expf(gaussian(99, j));
  }
  for (int c = 0; c < 6 * 2 * 2 * 3; c++) {
    const vise_int_per per = (vise_int_per)(c / 24);
    const float *v = c / 12 % 2 == 0 ? NULL : importance;
    vise_weight *w = dense_f32(4, 320, c % 2 == 0 ? gaussian : outlier);
    double error[2] = {0, 0};
    for (int searched = 0; searched < 2; searched++) {
      const vise_format_spec s = int_spec(c % 6, per, 32, c / 6 % 2 == 0, searched == 1);
      vise_weight *q = quantized(w, &s, v);
      float *out = values_of(q);
      for (int j = 0; j < 4 * 320; j++) {
        const double d = (double)dense_data(w)[j] - (double)out[j];
        error[searched] += (v == NULL ? 1.0 : (double)v[j % 320]) * d * d;
      }
      vise_mem_free(out);
      vise_weight_release(q);
    }
    /* both were compared by f32 sums of about 20 steps */
    assert_true(error[1] <= error[0] * (1 + 0x1p-19));
    vise_weight_release(w);
  }
}

static void scales_out_of_range_are_cut_or_zero(void **state) {
  (void)state;
  vise_weight *w = dense_f32(2, 64, zero);
  dense_data(w)[5] = 3e38f;      /* scale above f16 */
  dense_data(w)[64 + 5] = 1e-8f; /* scale below half of the smallest f16 */
  const vise_format_spec s = int_spec(2, VISE_PER_ROW, 64, true, true);

  vise_weight *q = quantized(w, &s, NULL);

  float *out = values_of(q);
  assert_true(out[5] == 8.0f * 65504.0f);
  assert_true(out[6] == 0.0f);
  assert_true(out[64 + 5] == 0.0f);
  vise_mem_free(out);
  vise_weight_release(q);
  vise_weight_release(w);
}

static void wrong_parts_are_refused_when_loaded(void **state) {
  (void)state;
  static const struct {
    const char *part;
    int bytes;
    uint8_t value[2];
    const char *message;
  } rows[] = {
      {"scales", 2, {0x00, 0x7c}, "int: scale 0 is inf, expected at most 65504 in magnitude"},
      {"scales", 2, {0x01, 0x7e}, "int: scale 0 is nan, expected at most 65504 in magnitude"},
      {"zeros", 1, {16, 0}, "int: zero 0 is 16, expected at most 15"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const vise_format_spec s = int_spec(2, VISE_PER_GROUP, 32, false, false);
    vise_weight *w = dense_f32(2, 64, gaussian), *q = quantized(w, &s, NULL);
    refuses_damaged_part(q, vise_weight_quant_part(q, rows[i].part), rows[i].value, rows[i].bytes,
                         rows[i].message);
    vise_weight_release(w);
  }
}

static void importance_must_be_finite_and_not_negative(void **state) {
  (void)state;
  const vise_format_spec s = int_spec(2, VISE_PER_ROW, 64, true, true);
  const float importance[3] = {1.0f, -1.0f, 1.0f};
  vise_weight *w = dense_f32(2, 3, gaussian), *q;

  const vise_status st = vise_weight_quantize(&q, w, &s, importance, &test_err);

  assert_int_equal(st, VISE_ENUMERIC);
  assert_string_equal(test_err.msg, "importance: of column 1 is -1, expected 0 or more");
  vise_weight_release(w);
}

static void names_say_what_is_stored(void **state) {
  (void)state;
  static const struct {
    vise_int_per per;
    bool is_symmetric;
    int scale;
    const char *name;
  } rows[] = {{VISE_PER_GROUP, true, 0, "int3/g48"},
              {VISE_PER_ROW, false, 1, "int3/row/asym/bf16"},
              {VISE_PER_TENSOR, true, 2, "int3/tensor/f32"}};
  for (int i = 0; i < 3; i++) {
    vise_format_spec s = int_spec(1, rows[i].per, 48, rows[i].is_symmetric, false);
    s.values[VISE_INT_SCALE] = rows[i].scale;
    char name[64];

    s.format->describe(&s, name, sizeof name);

    assert_string_equal(name, rows[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_have_room_for_every_parameter),
      cmocka_unit_test(every_format_keeps_the_contract_of_weights),
      cmocka_unit_test(formats_commute_with_powers_of_two),
      cmocka_unit_test(bf16_is_coded_as_the_same_values_in_f32),
      cmocka_unit_test(gaussian_errors_are_those_of_the_table),
      cmocka_unit_test(searched_scales_are_near_the_best_of_a_dense_scan),
      cmocka_unit_test(a_group_worked_by_hand),
      cmocka_unit_test(an_asymmetric_group_worked_by_hand),
      cmocka_unit_test(plain_symmetric_codes_are_idempotent),
      cmocka_unit_test(values_inside_the_range_err_by_half_a_step),
      cmocka_unit_test(searching_never_loses),
      cmocka_unit_test(scales_out_of_range_are_cut_or_zero),
      cmocka_unit_test(wrong_parts_are_refused_when_loaded),
      cmocka_unit_test(importance_must_be_finite_and_not_negative),
      cmocka_unit_test(names_say_what_is_stored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
