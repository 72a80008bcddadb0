/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats of small floats and tables, beyond the contract that test_format holds every format
 * to: bits against ../shared/golden (torchao 0.18.0, bitsandbytes 0.50.2), errors against the
 * measured table of algorithms.md, section 13.1.
 */
#include "core/file.h"
#include "format/format.h"
#include "support/folder.h"
#include "support/weights.h"
#include "weight/quant.h"

static void *load(const char *folder, const char *name, size_t bytes) {
  char *data, path[128];
  size_t found;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  TRY_OK(vise_file_read(&data, &found, path, 1 << 20, &test_err));
  assert_int_equal(found, bytes);
  return data;
}

/* The format `name` with its defaults and the options of `text`, "option=word" or "option=number"
   with blanks between. */
static vise_format_spec spec_of(const char *name, const char *text) {
  vise_format_spec s = {.format = vise_format_find(name)};
  assert_non_null(s.format);
  const vise_param *params = s.format->params;
  vise_param_defaults(params, s.values);
  char copy[128];
  snprintf(copy, sizeof copy, "%s", text);
  for (char *rest = copy, *option; (option = strtok_r(rest, " ", &rest)) != NULL;) {
    char *value = strchr(option, '='), word[32];
    assert_non_null(value);
    *value++ = '\0';
    int i = 0;
    while (params[i].name != NULL && strcmp(params[i].name, option) != 0) {
      i++;
    }
    assert_non_null(params[i].name);
    s.values[i] = strtod(value, NULL);
    if (params[i].kind == VISE_PARAM_CHOICE) {
      const int n = vise_param_choices(params[i].choices);
      int c = 0;
      do {
        vise_param_choice(word, sizeof word, params[i].choices, c);
      } while (strcmp(word, value) != 0 && ++c < n);
      assert_true(c < n);
      s.values[i] = c;
    }
  }
  return s;
}

static vise_weight *
quantized(const vise_weight *w, const vise_format_spec *s, const float *importance) {
  vise_weight *q;
  TRY_OK(vise_weight_quantize(&q, w, s, importance, &test_err));
  return q;
}

static const void *part(const vise_weight *q, const char *name) {
  return vise_tensor_data(vise_weight_quant_part(q, name));
}

static vise_weight *dense_of(const float *x, int64_t m, int64_t k) {
  vise_weight *w = dense_f32(m, k, zero);
  memcpy(dense_data(w), x, (size_t)(m * k) * sizeof(float));
  return w;
}

static void assert_same_values(const vise_weight *q, const float *want) {
  float *got = values_of(q);
  for (int64_t i = 0; i < q->m * q->k; i++) {
    if (got[i] != want[i]) {
      fail_msg("value %lld is %a, expected %a", (long long)i, (double)got[i], (double)want[i]);
    }
  }
  vise_mem_free(got);
}

static unsigned bits_at(const uint8_t *packed, int64_t j, int bits) {
  unsigned u = 0;
  for (int b = 0; b < bits; b++) {
    const int64_t at = j * bits + b;
    u |= (packed[at / 8] >> (at % 8) & 1u) << b;
  }
  return u;
}

static double weighted_error(const vise_weight *w, const vise_weight *q, const float *importance) {
  float *out = values_of(q);
  double error = 0.0;
  for (int64_t i = 0; i < w->m * w->k; i++) {
    const double d = (double)dense_data(w)[i] - (double)out[i];
    error += (importance == NULL ? 1.0 : (double)importance[i % w->k]) * d * d;
  }
  vise_mem_free(out);
  return error;
}

/* ---- golden ---- */

#define MX "../shared/golden/mx"

static void mx_codes_and_scales_are_those_of_torchao(void **state) {
  (void)state;
  if (test_shared_is_missing(MX)) {
    skip();
  }
  static const struct {
    const char *file, *format, *element;
    int bits;
  } rows[] = {
      {"mxfp4", "mxfp4", "", 4},
      {"mxfp6_e2m3", "mxfp6", "element=e2m3 ", 6},
      {"mxfp6_e3m2", "mxfp6", "element=e3m2 ", 6},
      {"mxfp8_e4m3", "mxfp8", "element=e4m3 ", 8},
      {"mxfp8_e5m2", "mxfp8", "element=e5m2 ", 8},
  };
  static const char *const rules[] = {"floor", "rceil"};
  enum { M = 64, K = 32 };
  float *x = load(MX, "src.f32", M * K * sizeof(float));
  vise_weight *w = dense_of(x, M, K);
  for (int c = 0; c < 10; c++) {
    char name[64], options[64];
    snprintf(options, sizeof options, "%srule=%s", rows[c / 2].element, rules[c % 2]);
    const vise_format_spec s = spec_of(rows[c / 2].format, options);
    snprintf(name, sizeof name, "%s.%s.scale.bin", rows[c / 2].file, rules[c % 2]);
    uint8_t *scales = load(MX, name, M);
    snprintf(name, sizeof name, "%s.%s.codes.bin", rows[c / 2].file, rules[c % 2]);
    uint8_t *codes = load(MX, name, M * K);
    snprintf(name, sizeof name, "%s.%s.f32", rows[c / 2].file, rules[c % 2]);
    float *values = load(MX, name, M * K * sizeof(float));

    vise_weight *q = quantized(w, &s, NULL);

    for (int i = 0; i < M; i++) {
      const uint8_t *got = part(q, "scales");
      if (got[i] != scales[i]) {
        fail_msg("%s: scale %d is %d, expected %d", name, i, got[i], scales[i]);
      }
    }
    for (int j = 0; j < M * K; j++) {
      if (bits_at(part(q, "codes"), j, rows[c / 2].bits) != codes[j]) {
        fail_msg("%s: code %d of %a", name, j, (double)x[j]);
      }
    }
    assert_same_values(q, values);
    vise_weight_release(q);
    vise_mem_free(scales);
    vise_mem_free(codes);
    vise_mem_free(values);
  }
  vise_weight_release(w);
  vise_mem_free(x);
}

#define NVFP4 "../shared/golden/nvfp4"

static void nvfp4_parts_are_those_of_torchao(void **state) {
  (void)state;
  if (test_shared_is_missing(NVFP4)) {
    skip();
  }
  enum { M = 64, K = 64 };
  float *x = load(NVFP4, "src.f32", M * K * sizeof(float));
  uint8_t *scales = load(NVFP4, "scale.bin", M * K / 16),
          *codes = load(NVFP4, "packed.bin", M * K / 2);
  float *values = load(NVFP4, "decoded.f32", M * K * sizeof(float));
  float *tensor_scale = load(NVFP4, "tensor_scale.f32", sizeof(float));
  vise_weight *w = dense_of(x, M, K);
  const vise_format_spec s = spec_of("nvfp4", "search=none");

  vise_weight *q = quantized(w, &s, NULL);

  assert_memory_equal(part(q, "tensor_scale"), tensor_scale, sizeof(float));
  assert_memory_equal(part(q, "scales"), scales, M * K / 16);
  assert_memory_equal(part(q, "codes"), codes, M * K / 2);
  assert_same_values(q, values);
  vise_weight_release(q);
  vise_weight_release(w);
  vise_mem_free(x);
  vise_mem_free(scales);
  vise_mem_free(codes);
  vise_mem_free(values);
  vise_mem_free(tensor_scale);
}

#define NF4 "../shared/golden/nf4"

static void nf4_parts_are_those_of_bitsandbytes(void **state) {
  (void)state;
  if (test_shared_is_missing(NF4)) {
    skip();
  }
  enum { M = 64, K = 64 };
  float *x = load(NF4, "src.f32", M * K * sizeof(float));
  uint8_t *codes = load(NF4, "packed.bin", M * K / 2);
  float *absmax = load(NF4, "absmax.f32", M * sizeof(float));
  float *values = load(NF4, "decoded.f32", M * K * sizeof(float));
  vise_weight *w = dense_of(x, M, K);
  const vise_format_spec s = spec_of("nf4", "group=64 scale=f32 search=none");

  vise_weight *q = quantized(w, &s, NULL);

  assert_memory_equal(part(q, "scales"), absmax, M * sizeof(float));
  assert_memory_equal(part(q, "codes"), codes, M * K / 2);
  assert_same_values(q, values);
  vise_weight_release(q);
  vise_weight_release(w);
  vise_mem_free(x);
  vise_mem_free(codes);
  vise_mem_free(absmax);
  vise_mem_free(values);
}

/* Columns of one: the scales are the magnitudes, and every value is its scale up to the sign. */
static void double_scales_are_those_of_bitsandbytes(void **state) {
  (void)state;
  if (test_shared_is_missing(NF4)) {
    skip();
  }
  enum { N = 600 };
  float *x = load(NF4, "double.absmax.f32", N * sizeof(float));
  uint8_t *codes = load(NF4, "double.codes.bin", N);
  float *offset = load(NF4, "double.offset.f32", sizeof(float));
  float *absmax = load(NF4, "double.nested_absmax.f32", 3 * sizeof(float));
  float *values = load(NF4, "double.decoded.f32", N * sizeof(float));
  for (int i = 0; i < 2; i++) { /* blocks of scales run on from row to row */
    vise_weight *w = i == 0 ? dense_of(x, N, 1) : dense_of(x, 6, N / 6);
    const vise_format_spec s = spec_of("nf4", "group=1 scale=double search=none");

    vise_weight *q = quantized(w, &s, NULL);

    assert_memory_equal(part(q, "mean"), offset, sizeof(float));
    assert_memory_equal(part(q, "absmax"), absmax, 3 * sizeof(float));
    assert_memory_equal(part(q, "scales"), codes, N);
    assert_same_values(q, values);
    vise_weight_release(q);
    vise_weight_release(w);
  }
  vise_mem_free(x);
  vise_mem_free(codes);
  vise_mem_free(offset);
  vise_mem_free(absmax);
  vise_mem_free(values);
}

/* A block of 2 x 3 with a short one at its right and below it: scales are the
   greatest magnitudes / 448. */
static void fp8_blocks_worked_by_hand(void **state) {
  (void)state;
  const float x[] = {1.0f,  -448.0f, 17.0f, 0.0f,  /* */
                     19.0f, 2.0f,    3.0f,  -7.0f, /* */
                     0.5f,  0.25f,   0.0f,  0.0f};
  const float want[] = {1.0f,  -448.0f, 16.0f, 0.0f,  /* 17 lies between 16 and 18: even */
                        20.0f, 2.0f,    3.0f,  -7.0f, /* 19 between 18 and 20 */
                        0.5f,  0.25f,   0.0f,  0.0f};
  const float scales[] = {1.0f, 7.0f / 448.0f, 0.5f / 448.0f, 0.0f};
  vise_weight *w = dense_of(x, 3, 4);
  const vise_format_spec s = spec_of("fp8", "rows=2 columns=3 search=none");

  vise_weight *q = quantized(w, &s, NULL);

  assert_memory_equal(part(q, "scales"), scales, sizeof scales);
  assert_same_values(q, want);
  vise_weight_release(q);
  vise_weight_release(w);
}

/* 330 columns: one piece of 64 bytes and one of 2. Expected bytes from the definition, one trit at a
   time. */
static void ternary_bytes_are_those_of_the_layout(void **state) {
  (void)state;
  enum { K = 330, BYTES = 66 };
  vise_weight *w = dense_f32(1, K, gaussian);
  for (int j = 0; j < K; j++) {
    const float x = dense_data(w)[j];
    dense_data(w)[j] = x > 0.5f ? 0.75f : x < -0.5f ? -0.75f : 0.0f;
  }
  const vise_format_spec s = spec_of("ternary", "search=mse");

  vise_weight *q = quantized(w, &s, NULL);

  assert_same_values(q, dense_data(w));
  const uint8_t *codes = part(q, "codes");
  for (int i = 0; i < BYTES; i++) {
    const int begin = i < 64 ? 0 : 320, b = i < 64 ? 64 : 2;
    int v = 0;
    for (int t = 0; t < 5; t++) {
      const float x = dense_data(w)[begin + (i - (i < 64 ? 0 : 64)) + t * b];
      v = 3 * v + (x > 0.0f ? 2 : x < 0.0f ? 0 : 1);
    }
    assert_int_equal(codes[i], (v * 256 + 242) / 243);
  }
  int64_t bytes;
  TRY_OK(vise_weight_bytes(&bytes, q, &test_err));
  assert_int_equal(bytes, BYTES + 2);
  vise_weight_release(q);
  vise_weight_release(w);
}

/* Against all 3^9 sets of signs, each with the scale that is best for it. */
static void searched_trits_are_the_best_there_are(void **state) {
  (void)state;
  enum { K = 9, SETS = 19683 };
  for (int row = 0; row < 20; row++) {
    float v[K];
    vise_weight *w = dense_f32(1, K, gaussian);
    double least = INFINITY;
    for (int j = 0; j < K; j++) {
      dense_data(w)[j] = gaussian(row, j);
      v[j] = row % 2 == 0 ? 1.0f : fabsf(gaussian(row + 100, j));
    }
    for (int set = 0; set < SETS; set++) {
      double xx = 0, xc = 0, cc = 0;
      for (int j = 0, rest = set; j < K; j++, rest /= 3) {
        const double x = (double)dense_data(w)[j], c = rest % 3 - 1;
        xx += (double)v[j] * x * x;
        xc += (double)v[j] * x * c;
        cc += (double)v[j] * c * c;
      }
      least = fmin(least, xx - (cc > 0 ? xc * xc / cc : 0));
    }
    const vise_format_spec s = spec_of("ternary", "scale=f32");

    vise_weight *q = quantized(w, &s, v);

    assert_true(weighted_error(w, q, v) <= least * (1 + 1e-6));
    vise_weight_release(q);
    vise_weight_release(w);
  }
}

/* ---- errors ---- */

static float laplace(int64_t i, int64_t j) {
  const float a = gaussian(i, j), b = gaussian(i + 500, j), c = gaussian(i + 1000, j),
              d = gaussian(i + 1500, j);
  return a * b + c * d; /* density exp(-|x|) / 2, variance 2 */
}

static float student(int64_t i, int64_t j) { /* 5 degrees of freedom, variance 5 / 3 */
  float squares = 0.0f;
  for (int64_t d = 1; d <= 5; d++) {
    squares += gaussian(i + 1000 * d, j) * gaussian(i + 1000 * d, j);
  }
  return gaussian(i, j) / sqrtf(squares / 5.0f);
}

static const struct error_row {
  const char *format, *options;
  double expected[3]; /* D / sigma^2, of Gaussian, Laplace, Student's t */
} error_rows[] = {
    {"mxfp4", "rule=floor", {.01322, .01589, .01589}},
    {"mxfp4", "rule=rceil", {.01330, .01754, .01755}},
    {"mxfp4", "rule=mse", {.01244, .01498, .01498}},
    {"nvfp4", "search=none", {.00905, .00860, .00852}},
    {"nvfp4", "search=mse", {.00660, .00679, .00674}},
    {"nf4", "group=64 search=none", {.00846, .01075, .01096}},
    {"nf4", "group=64 search=mse", {.00685, .00895, .00923}},
    {"nf4", "group=64 scale=double", {.00685, .00895, .00923}},
    {"fp8", "element=e4m3 per=row", {.000707, .00089, .0040}},
    {"fp8", "element=e5m2 per=row search=none", {.00279, .00278, .00278}},
    {"mxfp8", "element=e4m3 rule=floor", {.00086, .00098, .00099}},
};

static void errors_are_those_of_the_table(void **state) {
  (void)state;
  enum { M = 256, K = 1024 };
  float (*const sources[])(int64_t, int64_t) = {gaussian, laplace, student};
  static const char *const names[] = {"gaussian", "laplace", "student"};
  for (int c = 0; c < 3; c++) {
    vise_weight *w = dense_f32(M, K, sources[c]);
    double norm = 0.0;
    for (int j = 0; j < M * K; j++) {
      norm += (double)dense_data(w)[j] * (double)dense_data(w)[j];
    }
    for (size_t i = 0; i < sizeof error_rows / sizeof error_rows[0]; i++) {
      const struct error_row *row = &error_rows[i];
      const vise_format_spec s = spec_of(row->format, row->options);
      vise_weight *q = quantized(w, &s, NULL);

      const double d = weighted_error(w, q, NULL) / norm;

      printf("%-8s %-24s %-8s D %.6f, table %.6f\n", row->format, row->options, names[c], d,
             row->expected[c]);
      /* the heavy tails of this many samples are themselves known to a few percent */
      assert_true(d <= (c == 0 ? 1.02 : 1.05) * row->expected[c]);
      vise_weight_release(q);
    }
    vise_weight_release(w);
  }
}

static void searching_never_loses(void **state) {
  (void)state;
  static const struct {
    const char *format, *searched, *plain;
  } rows[] = {
      {"mxfp4", "rule=mse", "rule=floor"},
      {"mxfp4", "rule=mse", "rule=rceil"},
      {"mxfp6", "element=e2m3 rule=mse", "element=e2m3 rule=rceil"},
      {"mxfp6", "element=e3m2 rule=mse", "element=e3m2 rule=floor"},
      {"mxfp8", "element=e4m3 rule=mse", "element=e4m3 rule=floor"},
      {"mxfp8", "element=e5m2 rule=mse", "element=e5m2 rule=rceil"},
      {"nvfp4", "search=mse", "search=none"},
      {"ternary", "search=mse scale=f32", "search=none scale=f32"},
      {"ternary", "search=mse scale=f32 per=group group=50",
       "search=none scale=f32 per=group group=50"},
      {"fp8", "search=mse", "search=none"},
      {"fp8", "search=mse rows=3 columns=50 element=e5m2",
       "search=none rows=3 columns=50 element=e5m2"},
      {"fp8", "search=mse per=tensor", "search=none per=tensor"},
      {"nf4", "search=mse", "search=none"},
      {"nf4", "search=mse scale=f32 group=320", "search=none scale=f32 group=320"},
  };
  enum { M = 4, K = 320 };
  static float importance[K];
  for (int j = 0; j < K; j++) {
    importance[j] = j % 7 == 0 ? 0.0f : expf(gaussian(99, j));
  }
  for (size_t i = 0; i < 4 * sizeof rows / sizeof rows[0]; i++) {
    const float *v = i % 2 == 0 ? NULL : importance;
    vise_weight *w = dense_f32(M, K, i / 2 % 2 == 0 ? gaussian : outlier);
    const vise_format_spec better = spec_of(rows[i / 4].format, rows[i / 4].searched),
                           plain = spec_of(rows[i / 4].format, rows[i / 4].plain);

    vise_weight *q = quantized(w, &better, v), *r = quantized(w, &plain, v);

    /* both were compared by f32 sums of a few steps */
    const double a = weighted_error(w, q, v), b = weighted_error(w, r, v);
    if (!(a <= b * (1 + 0x1p-19))) {
      fail_msg("%s %s: %g, plain %g", rows[i / 4].format, rows[i / 4].searched, a, b);
    }
    vise_weight_release(q);
    vise_weight_release(r);
    vise_weight_release(w);
  }
}

/* ---- refusals ---- */

static void columns_that_blocks_do_not_divide_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *format, *message;
  } rows[] = {
      {"mxfp4", "mxfp4: blocks of 32 do not divide the 172 columns of w"},
      {"mxfp6", "mxfp6: blocks of 32 do not divide the 172 columns of w"},
      {"mxfp8", "mxfp8: blocks of 32 do not divide the 172 columns of w"},
      {"nvfp4", "nvfp4: blocks of 16 do not divide the 172 columns of w"},
  };
  vise_weight *w = dense_f32(2, 172, gaussian), *q;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const vise_format_spec s = spec_of(rows[i].format, "");

    assert_int_equal(vise_weight_quantize(&q, w, &s, NULL, &test_err), VISE_ESHAPE);

    assert_string_equal(test_err.msg, rows[i].message);
  }
  vise_weight_release(w);
}

static void wrong_parts_are_refused_when_loaded(void **state) {
  (void)state;
  static const struct {
    const char *format, *options, *part;
    int bytes;
    uint8_t value[4];
    const char *message;
  } rows[] = {
      {"mxfp4", "", "scales", 1, {255}, "mxfp4: scale 0 is 255, expected at most 252"},
      {"mxfp8", "element=e5m2", "scales", 1, {240}, "mxfp8: scale 0 is 240, expected at most 239"},
      {"mxfp8",
       "element=e4m3",
       "codes",
       1,
       {0xff},
       "mxfp8: row 0 has the code 0x7f, expected numbers only, at most 0x7e"},
      {"mxfp8",
       "element=e5m2",
       "codes",
       1,
       {0x7c},
       "mxfp8: row 0 has the code 0x7c, expected numbers only, at most 0x7b"},
      {"nvfp4", "", "scales", 1, {0x7f}, "nvfp4: scale 0 is nan, expected 0 to 448"},
      {"nvfp4", "", "scales", 1, {0x81}, "nvfp4: scale 0 is -0.00195312, expected 0 to 448"},
      {"nvfp4",
       "",
       "tensor_scale",
       4,
       {0, 0, 0x80, 0x7f},
       "nvfp4: tensor_scale is inf, expected 0 to 8.30767e+34"},
  };
  vise_weight *w = dense_f32(2, 64, gaussian);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const vise_format_spec s = spec_of(rows[i].format, rows[i].options);
    vise_weight *q = quantized(w, &s, NULL);
    refuses_damaged_part(q, vise_weight_quant_part(q, rows[i].part), rows[i].value, rows[i].bytes,
                         rows[i].message);
  }
  vise_weight_release(w);
}

static void names_say_what_is_stored(void **state) {
  (void)state;
  static const struct {
    const char *format, *options, *name;
  } rows[] = {
      {"mxfp4", "", "mxfp4"},
      {"mxfp6", "element=e3m2", "mxfp6/e3m2"},
      {"mxfp8", "element=e5m2", "mxfp8/e5m2"},
      {"nvfp4", "", "nvfp4"},
      {"ternary", "", "ternary/row"},
      {"ternary", "per=group group=64 scale=bf16", "ternary/g64/bf16"},
      {"fp8", "", "fp8/e4m3/128x128"},
      {"fp8", "per=row element=e5m2", "fp8/e5m2/row"},
      {"fp8", "per=tensor", "fp8/e4m3/tensor"},
      {"nf4", "", "nf4/g64"},
      {"nf4", "group=32 scale=f32", "nf4/g32/f32"},
      {"nf4", "scale=double", "nf4/g64/double"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const vise_format_spec s = spec_of(rows[i].format, rows[i].options);
    char name[64];

    s.format->describe(&s, name, sizeof name);

    assert_string_equal(name, rows[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mx_codes_and_scales_are_those_of_torchao),
      cmocka_unit_test(nvfp4_parts_are_those_of_torchao),
      cmocka_unit_test(nf4_parts_are_those_of_bitsandbytes),
      cmocka_unit_test(double_scales_are_those_of_bitsandbytes),
      cmocka_unit_test(fp8_blocks_worked_by_hand),
      cmocka_unit_test(ternary_bytes_are_those_of_the_layout),
      cmocka_unit_test(searched_trits_are_the_best_there_are),
      cmocka_unit_test(errors_are_those_of_the_table),
      cmocka_unit_test(searching_never_loses),
      cmocka_unit_test(columns_that_blocks_do_not_divide_are_refused),
      cmocka_unit_test(wrong_parts_are_refused_when_loaded),
      cmocka_unit_test(names_say_what_is_stored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
