/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of kernels/rans.h against the contract of its header, written out lane by lane. */
#include "kernels/check.h"
#include "kernels/rans.h"

enum { VALUES = 256, LONGEST = 3000 };

static uint32_t seed = 11;

typedef struct distribution {
  const char *name;
  int values;    /* how many of 256 there are */
  uint32_t most; /* the first value's frequency; the others share the rest evenly */
} distribution;

static const distribution distributions[] = {
    {"two, one of them rare", 2, 4095},
    {"two, both frequent", 2, 2048},
    {"seven", 7, 100},
    {"all, as frequent as each other", 256, 16},
    {"all, one frequent", 256, 3841},
};
enum { DISTRIBUTIONS = sizeof distributions / sizeof distributions[0] };

static void frequencies(uint32_t *f, const distribution *d) {
  uint32_t left = VISE_RANS_TOTAL - d->most;
  memset(f, 0, VALUES * sizeof *f);
  f[0] = d->most;
  for (int v = 1; v < d->values; v++) {
    f[v * (VALUES / d->values)] = left / (uint32_t)(d->values - v);
    left -= left / (uint32_t)(d->values - v);
  }
}

/* Values come as often as `f` says, or, every third time, each as often as another. */
static void fill(uint8_t *data, size_t n, const uint32_t *f, bool is_even) {
  uint8_t of[VISE_RANS_TOTAL], present[VALUES];
  uint32_t at = 0, n_present = 0;
  for (int v = 0; v < VALUES; v++) {
    memset(of + at, v, f[v]);
    at += f[v];
    if (f[v] > 0) {
      present[n_present++] = (uint8_t)v;
    }
  }
  for (size_t i = 0; i < n; i++) {
    const uint32_t r = check_random(&seed) >> 8;
    data[i] = is_even ? present[r % n_present] : of[r % VISE_RANS_TOTAL];
  }
}

/* By the words of the header. Gives where the words begin. */
static uint8_t *
encode_as_written(uint64_t *lanes, uint8_t *end, const uint8_t *data, size_t n, const uint32_t *f) {
  uint64_t before[VALUES], sum = 0;
  for (int v = 0; v < VALUES; v++) {
    before[v] = sum;
    sum += f[v];
  }
  for (int l = 0; l < 32; l++) {
    lanes[l] = 32768;
  }
  for (size_t i = n; i-- > 0;) {
    uint64_t *x = &lanes[i % 32];
    if (*x >= (uint64_t)f[data[i]] * 524288) {
      *--end = (uint8_t)(*x / 256 % 256);
      *--end = (uint8_t)(*x % 256);
      *x /= 65536;
    }
    *x = *x / f[data[i]] * 4096 + *x % f[data[i]] + before[data[i]];
  }
  return end;
}

static void begin_lanes(uint32_t *lanes) {
  for (int l = 0; l < 32; l++) {
    lanes[l] = VISE_RANS_LOWEST;
  }
}

static void tables(uint32_t *symbols, uint32_t *slots, const uint32_t *f) {
  uint32_t before = 0;
  for (uint32_t v = 0; v < VALUES; v++) {
    symbols[v] = f[v] | before << 16;
    for (uint32_t i = 0; i < f[v]; i++) {
      slots[before++] = f[v] | i << 12 | v << 24;
    }
  }
}

static void check_one(const vise_rans_kernels *k, const char *what, size_t n, const uint32_t *f) {
  static uint8_t expected[2 * LONGEST];
  uint32_t symbols[VALUES], slots[VISE_RANS_TOTAL], lanes[32];
  uint64_t want_lanes[32];
  tables(symbols, slots, f);
  check_buffer data = check_create(n, n % 7), out = check_create(n, n % 5);
  fill(data.data, n, f, n % 3 == 0);
  const uint8_t *want = encode_as_written(want_lanes, expected + sizeof expected, data.data, n, f);
  const size_t bytes = (size_t)(expected + sizeof expected - want);

  check_buffer words = check_create(bytes, n % 3), few = check_create(bytes, 1);
  uint8_t *begin = words.data, *end = begin + bytes;
  begin_lanes(lanes);
  assert_ptr_equal(k->encode(lanes, begin, end, data.data, n, symbols), begin);
  if (memcmp(begin, want, bytes) != 0) {
    fail_msg("%s: %zu bytes: other words", what, n);
  }
  for (int l = 0; l < 32; l++) {
    assert_int_equal(lanes[l], want_lanes[l]);
  }
  assert_ptr_equal(k->decode(out.data, n, lanes, begin, end, slots), end);
  assert_memory_equal(out.data, data.data, n);
  for (int l = 0; l < 32; l++) {
    assert_int_equal(lanes[l], VISE_RANS_LOWEST);
  }

  if (bytes > 0) { /* a word less, and no byte beyond is touched or used */
    uint8_t *less = (uint8_t *)few.data + 2;
    uint32_t other[32];
    begin_lanes(other);
    assert_null(k->encode(other, less, less + bytes - 2, data.data, n, symbols));
    for (int l = 0; l < 32; l++) {
      other[l] = (uint32_t)want_lanes[l];
    }
    assert_null(k->decode(out.data, n, other, begin, end - 2, slots));
  }
  check_free(&words, what);
  check_free(&few, what);
  check_free(&out, what);
  check_free(&data, what);
}

static void words_are_those_of_the_header(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_rans_kernels k;
    vise_rans_init(&k, level);
    for (int d = 0; d < DISTRIBUTIONS; d++) {
      uint32_t f[VALUES];
      frequencies(f, &distributions[d]);
      for (size_t n = 0; n <= LONGEST; n += n < 200 ? 1 : 311) {
        check_one(&k, distributions[d].name, n, f);
      }
    }
  }
}

/* Whatever the words hold, every level ends in the same lanes, all of them in range. */
static void words_that_nobody_encoded_are_decoded_alike(void **state) {
  (void)state;
  for (vise_cpu_level level = check_first(); level <= check_last(); level++) {
    vise_rans_kernels k, ref;
    vise_rans_init(&k, level);
    vise_rans_init(&ref, VISE_CPU_REF);
    for (int d = 0; d < DISTRIBUTIONS * 8; d++) {
      uint32_t f[VALUES], symbols[VALUES], slots[VISE_RANS_TOTAL], lanes[32], want_lanes[32];
      uint8_t out[LONGEST], want[LONGEST];
      frequencies(f, &distributions[d % DISTRIBUTIONS]);
      tables(symbols, slots, f);
      for (int l = 0; l < 32; l++) {
        const uint32_t any = check_random(&seed);
        want_lanes[l] = lanes[l] = l == d ? INT32_MAX : l == d + 1 ? 32768 : any >> 1 | 32768;
      }
      check_buffer words = check_create(2 * LONGEST, (size_t)d % 4);
      for (size_t i = 0; i < words.bytes; i++) {
        ((uint8_t *)words.data)[i] = (uint8_t)(check_random(&seed) >> 9);
      }
      const uint8_t *begin = words.data, *end = begin + words.bytes;

      const uint8_t *stop = ref.decode(want, LONGEST, want_lanes, begin, end, slots);

      assert_non_null(stop);
      assert_ptr_equal(k.decode(out, LONGEST, lanes, begin, end, slots), stop);
      assert_memory_equal(out, want, LONGEST);
      assert_memory_equal(lanes, want_lanes, sizeof lanes);
      for (int l = 0; l < 32; l++) {
        assert_in_range(lanes[l], VISE_RANS_LOWEST, INT32_MAX);
      }
      check_free(&words, "words");
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_are_those_of_the_header),
      cmocka_unit_test(words_that_nobody_encoded_are_decoded_alike),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
