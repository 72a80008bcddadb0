/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/qdot_ggml.h against its contract, written out one column at a time. */
#include "kernels/check.h"
#include "kernels/convert.h"
#include "kernels/qdot_ggml.h"

#include <math.h>

enum { LONGEST = 1536, LANES = 16 };

typedef struct type_facts {
  vise_ggml_type type;
  int block, bytes, scales[2]; /* columns and bytes of a block, where its f16 are (-1: none) */
  int run, span;               /* r of the header; columns that lie in words together */
  float bias;                  /* 0: with m */
} type_facts;

static const type_facts types[] = {
    {VISE_GGML_Q4_0, 32, 18, {0, -1}, 16, 128, -8.0f},
    {VISE_GGML_Q8_0, 32, 34, {0, -1}, 64, 64, -128.0f},
    {VISE_GGML_Q4_K, 256, 144, {0, 2}, 32, 256, 0.0f},
    {VISE_GGML_Q5_K, 256, 176, {0, 2}, 32, 256, 0.0f},
    {VISE_GGML_Q6_K, 256, 210, {208, -1}, 64, 256, -32.0f},
    {VISE_GGML_IQ4_NL, 32, 18, {0, -1}, 16, 128, -128.0f},
    {VISE_GGML_IQ4_XS, 256, 136, {0, -1}, 16, 256, -128.0f},
};

/* What a weight is made of: e (code + bias), or e code - m. */
typedef struct weight {
  float code, e, m;
} weight;

static float half(const uint8_t *p) {
  return vise_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static weight weight_of(const type_facts *t, const uint8_t *row, int64_t column) {
  static const int iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};
  const uint8_t *p = row + column / t->block * t->bytes;
  const int j = (int)(column % t->block), g = j / 32, l = j % 32;
  const float d = half(p + t->scales[0]);
  switch (t->type) {
  case VISE_GGML_Q4_0: return (weight){(float)(p[2 + l % 16] >> l / 16 * 4 & 15), d, 0.0f};
  case VISE_GGML_Q8_0: return (weight){(float)((int8_t)p[2 + l] + 128), d, 0.0f};
  case VISE_GGML_IQ4_NL:
    return (weight){(float)(iq4[p[2 + l % 16] >> l / 16 * 4 & 15] + 128), d, 0.0f};
  case VISE_GGML_IQ4_XS: {
    const int sc = (p[4 + g / 2] >> g % 2 * 4 & 15) | ((p[2] | p[3] << 8) >> 2 * g & 3) << 4;
    const int code = p[8 + 16 * g + l % 16] >> l / 16 * 4 & 15;
    return (weight){(float)(iq4[code] + 128), d * (float)(sc - 32), 0.0f};
  }
  case VISE_GGML_Q6_K: {
    const int h = j / 128, plane = j % 128 / 32;
    const int low = p[64 * h + plane % 2 * 32 + l] >> plane / 2 * 4 & 15;
    const int code = low | (p[128 + 32 * h + l] >> plane * 2 & 3) << 4;
    return (weight){(float)code, d * (float)(int8_t)p[192 + j / 16], 0.0f};
  }
  default: break;
  }
  const uint8_t *s = p + 4;
  const int sc = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
  const int mn = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
  const int has_fifth = t->type == VISE_GGML_Q5_K;
  const int low = p[(has_fifth ? 48 : 16) + g / 2 * 32 + l] >> g % 2 * 4 & 15;
  const int code = has_fifth ? low | (p[16 + l] >> g & 1) << 4 : low;
  return (weight){(float)code, d * (float)sc, half(p + t->scales[1]) * (float)mn};
}

static int64_t column_of(const type_facts *t, int64_t quad, int lane, int i) {
  const int b = 4 * lane + i;
  return 128 * (quad / 2) + 2 * t->run * (b / t->run) + t->run * (quad % 2) + b % t->run;
}

static void
add_lows(const type_facts *t, float *total, const uint8_t *row, int64_t at, const float *x) {
  for (int l = 0; l < LANES; l++) {
    const int64_t first = at + 32 * (l % 8) + 16 * (l / 8);
    float sum = 0.0f;
    for (int i = 0; i < 16; i++) {
      sum += x[first + i];
    }
    total[l] = fmaf(-weight_of(t, row, first).m, sum, total[l]);
  }
}

static float slow(const type_facts *t, const uint8_t *row, int64_t k, const float *x) {
  float total[LANES] = {0.0f};
  const int64_t quads = (k + t->span - 1) / t->span * t->span / 64;
  for (int64_t q = 0; q < quads; q++) {
    for (int l = 0; l < LANES; l++) {
      if (column_of(t, q, l, 0) >= k) {
        continue;
      }
      float sum = 0.0f;
      for (int i = 0; i < 4; i++) {
        sum += x[column_of(t, q, l, i)];
      }
      float p = t->bias == 0.0f ? 0.0f : t->bias * sum;
      for (int i = 0; i < 4; i++) {
        const int64_t c = column_of(t, q, l, i);
        p = fmaf(weight_of(t, row, c).code, x[c], p);
      }
      total[l] = fmaf(weight_of(t, row, column_of(t, q, l, 0)).e, p, total[l]);
    }
    if (t->bias == 0.0f && q % 4 == 3) {
      add_lows(t, total, row, q / 4 * 256, x);
    }
  }
  for (int half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
    for (int l = 0; l < half_lanes; l++) {
      total[l] += total[l + half_lanes];
    }
  }
  return total[0];
}

/* Random blocks with finite scales, in buffers that end where they end. */
static void row_agrees(vise_cpu_level level, const type_facts *t, int64_t k) {
  static uint32_t seed = 5;
  vise_qdot_ggml_kernels table;
  vise_qdot_ggml_init(&table, level);
  const int64_t n = k / t->block * t->bytes;
  check_buffer row = check_create((size_t)n, 1), x = check_create((size_t)k * 4, 4);
  check_buffer prepared = check_create((size_t)vise_qdot_ggml_prepared(t->type, k) * 4, 4);
  uint8_t *bytes = row.data;
  float *xs = x.data;
  for (int64_t i = 0; i < n; i++) {
    bytes[i] = (uint8_t)check_random(&seed);
  }
  for (int64_t i = 0; i < k / t->block; i++) {
    for (int s = 0; s < 2 && t->scales[s] >= 0; s++) {
      const uint16_t scale = vise_f32_to_f16(fmodf(check_number(&seed), 100.0f));
      memcpy(bytes + i * t->bytes + t->scales[s], &scale, 2);
    }
  }
  for (int64_t j = 0; j < k; j++) {
    xs[j] = fmodf(check_number(&seed), 1000.0f);
  }
  vise_qdot_ggml_prepare(prepared.data, t->type, xs, k);
  const float want = slow(t, bytes, k, xs);

  const float y = table.row[t->type](bytes, k, prepared.data);

  if (memcmp(&want, &y, sizeof want) != 0) {
    fail_msg("%s: type %d, k %lld: %.9g, expected %.9g", vise_cpu_name(level), (int)t->type,
             (long long)k, (double)y, (double)want);
  }
  check_free(&row, "row");
  check_free(&x, "x");
  check_free(&prepared, "prepared");
}

static void every_level_keeps_the_contract(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
      for (int64_t k = types[i].block; k <= LONGEST; k += types[i].block) {
        row_agrees(level, &types[i], k);
      }
    }
  }
}

static void types_without_a_row_function_say_so(void **state) {
  (void)state;
  assert_int_equal(vise_qdot_ggml_prepared(VISE_GGML_Q2_K, 256), 0);
  assert_int_equal(vise_qdot_ggml_prepared(VISE_GGML_Q5_1, 256), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_level_keeps_the_contract),
      cmocka_unit_test(types_without_a_row_function_say_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
