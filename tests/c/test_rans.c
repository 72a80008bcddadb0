/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames by rANS: contents of every sort, against the entropy of their planes, and stored bytes
 * that nobody encoded. That the form is the one of share/doc/artifact.md is shown by the reader in
 * Python (tests/lua/test_artifact.lua).
 */
#include "artifact/rans.h"
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20, VALUES = 256, TABLE = 32 + 2 * VALUES + 128 + 1 };

static uint32_t seed = 5;

static uint32_t next_number(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}

/* Bytes of `kind`, of which there are KINDS. */
enum { ONE, TWO, RARE, GEOMETRIC, HALF, UNIFORM, EACH_ONCE, SORTED, KINDS };

static uint8_t byte_of(int kind, size_t i, size_t n) {
  const uint32_t r = next_number();
  switch (kind) {
  case ONE: return 7;
  case TWO: return r % 2 ? 255 : 0;
  case RARE: return i == n / 3 ? 200 : 100;
  case GEOMETRIC: return (uint8_t)(__builtin_ctz(r | 1u << 20) * 11);
  case HALF: return (uint8_t)(r % 16 * 3);
  case UNIFORM: return (uint8_t)r;
  case EACH_ONCE: return (uint8_t)(i * 37);
  default: return (uint8_t)(i * VALUES / n);
  }
}

/* Entropy of a plane in bytes, by its definition. */
static double entropy(const uint8_t *plane, size_t n) {
  double counts[VALUES] = {0}, bits = 0;
  for (size_t i = 0; i < n; i++) {
    counts[plane[i]]++;
  }
  for (int v = 0; v < VALUES; v++) {
    bits += counts[v] > 0 ? counts[v] * log2((double)n / counts[v]) : 0;
  }
  return bits / 8;
}

/* What coding may take: the entropy and half a percent (algorithms.md, section 11) and 0.0025 bits
   a byte for frequencies of 1/4096; or the plane, unless that is more than a 64th too much. */
static double most_bytes(const uint8_t *plane, size_t n) {
  const double coded = entropy(plane, n) * 1.005 + 0.0025 / 8 * (double)n + TABLE;
  return coded < (double)n * 62 / 64 ? coded : (double)n + 1;
}

static void frames_come_back_and_take_little_more_than_their_entropy(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 31, 32, 33, 255, 256, 1000, 65535, 65536, 300000, MIB};
  uint8_t *content = malloc(MIB), *coded = malloc(MIB), *back = malloc(MIB);
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int kind = 0; kind < KINDS * 4; kind++) {
      const int n_planes = 1 << kind / KINDS;
      const size_t n = sizes[s] / (size_t)n_planes, bytes = n * (size_t)n_planes;
      if (n == 0) {
        continue;
      }
      double most = 0;
      for (int p = 0; p < n_planes; p++) {
        uint8_t *plane = content + (size_t)p * n;
        for (size_t i = 0; i < n; i++) {
          plane[i] = byte_of((kind + p) % KINDS, i, n);
        }
        most += most_bytes(plane, n);
      }

      const size_t stored = vise_rans_encode_frame(coded, content, bytes, n_planes);

      if (stored > bytes || ((double)stored > most && most < (double)bytes)) {
        fail_msg("kind %d, %zu bytes: takes %zu, expected at most %.0f", kind, bytes, stored, most);
      }
      if (stored < bytes) {
        vise_err err = {0};
        assert_int_equal(vise_rans_decode_frame(back, bytes, n_planes, coded, stored, &err),
                         VISE_OK);
        assert_memory_equal(back, content, bytes);
      }
    }
  }
  free(content);
  free(coded);
  free(back);
}

/* A coded plane of 2000 bytes of 7 values. */
static size_t small(uint8_t *coded, uint8_t *content) {
  for (size_t i = 0; i < 2000; i++) {
    content[i] = (uint8_t)(next_number() % 7 * 40);
  }
  const size_t stored = vise_rans_encode_frame(coded, content, 2000, 1);
  assert_in_range(stored, 600, 1200); /* 2000 log2(7) / 8 = 702, and the table */
  assert_int_equal(coded[0], 2);
  return stored;
}

static vise_status decode_copy(const uint8_t *coded, size_t stored, size_t bytes, vise_err *err) {
  uint8_t *exact = malloc(stored + 1), *out = malloc(bytes); /* so that sanitizers see their ends */
  memcpy(exact, coded, stored);
  const vise_status st = vise_rans_decode_frame(out, bytes, 1, exact, stored, err);
  free(exact);
  free(out);
  return st;
}

static void a_frame_cut_off_or_with_more_or_fewer_bytes_than_it_says_is_refused(void **state) {
  (void)state;
  uint8_t coded[2000], content[2000];
  vise_err err;
  const size_t stored = small(coded, content);
  for (size_t n = 0; n < stored; n++) {
    assert_int_equal(decode_copy(coded, n, 2000, &err), VISE_EFORMAT);
  }
  coded[stored] = 0;
  assert_int_equal(decode_copy(coded, stored + 1, 2000, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, "has 1 bytes after its planes");
  assert_int_equal(decode_copy(coded, stored, 1999, &err), VISE_EFORMAT);
  assert_int_equal(decode_copy(coded, stored, 2001, &err), VISE_EFORMAT);
  assert_int_equal(decode_copy(coded, stored, 2000, &err), VISE_OK);
}

/* Lanes notice nearly all; what they cannot see is one value named in place of another. */
static void altered_bytes_do_no_harm(void **state) {
  (void)state;
  uint8_t coded[2000], content[2000];
  vise_err err;
  const size_t stored = small(coded, content);
  int refused = 0;
  for (size_t i = 0; i < stored; i++) {
    const uint8_t was = coded[i];
    for (unsigned by = 1; by < VALUES; by = 3 * by + 1) {
      coded[i] = (uint8_t)(was ^ by);
      refused += decode_copy(coded, stored, 2000, &err) == VISE_EFORMAT;
    }
    coded[i] = was;
  }
  assert_in_range(refused, 5 * stored - 10, 5 * stored);
}

/* A table of `n` values from 0 on with frequencies whose bytes are at `f`. */
static void assert_table_refused(int n, const char *f, size_t f_bytes, const char *message) {
  uint8_t frame[1 + 32 + 2 * VALUES + 128] = {2};
  for (int v = 0; v < n; v++) {
    frame[1 + v / 8] |= (uint8_t)(1 << v % 8);
  }
  memcpy(frame + 33, f, f_bytes);
  for (int l = 0; l < 32; l++) {
    frame[33 + f_bytes + 4 * (size_t)l + 1] = 0x80; /* 2^15 */
  }
  vise_err err = {0};
  assert_int_equal(decode_copy(frame, 33 + f_bytes + 128, 1, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, message);
}

static void hostile_tables_are_refused(void **state) {
  (void)state;
  const char *none = "has frequencies that are none";
  assert_table_refused(0, "", 0, none);
  assert_table_refused(1, "\xff\x1f", 2, none);                          /* one value, 4096 */
  assert_table_refused(2, "\xff\x0f\xff\x0f", 4, "lacks words of rANS"); /* 2048 */
  assert_table_refused(2, "\xff\x0f\xfe\x0f", 4, none);                  /* 4095 */
  assert_table_refused(2, "\xff\x0f\x80\x10", 4, none);                  /* 4097 */
  assert_table_refused(2, "\xff\xff\xff\xff", 4, none);                  /* 32768 twice */
  assert_table_refused(3, "\xff\x0f\xfe\x0f\x80\x00", 6, none);          /* 1, in two bytes */
  assert_table_refused(256, "", 0, none);                                /* cut off */
}

static void lanes_out_of_range_are_refused(void **state) {
  (void)state;
  uint8_t coded[2000], content[2000];
  const size_t stored = small(coded, content);
  uint8_t *lane = coded + 1 + 32; /* after at most two bytes of each of the seven frequencies */
  for (int v = 0; v < 7; v++) {
    lane += *lane < 128 ? 1 : 2;
  }
  const char low[4] = "\xff\x7f\0\0", high[4] = "\0\0\0\x80";
  vise_err err;
  memcpy(lane, low, 4);
  assert_int_equal(decode_copy(coded, stored, 2000, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, "has a lane of rANS out of range");
  memcpy(lane, high, 4);
  assert_int_equal(decode_copy(coded, stored, 2000, &err), VISE_EFORMAT);
  assert_string_equal(err.msg, "has a lane of rANS out of range");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_come_back_and_take_little_more_than_their_entropy),
      cmocka_unit_test(a_frame_cut_off_or_with_more_or_fewer_bytes_than_it_says_is_refused),
      cmocka_unit_test(altered_bytes_do_no_harm),
      cmocka_unit_test(hostile_tables_are_refused),
      cmocka_unit_test(lanes_out_of_range_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
