/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers >= 0 are ordered as their bits are, so the greatest score to go is found digit by digit: a
 * count of each value of the digit among the scores that begin with what is known of it.
 */
#include "method/feedback_mask.h"

#include <string.h>

enum { DIGITS = 3, VALUES = 1 << 11 };

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* The bits of the score number `count` (from 1) in ascending order; *equal_out: how many of that
   score are among the first `count`. */
static uint32_t find_threshold(const float *scores, int64_t n, int64_t count, int64_t *equal_out) {
  static const int shifts[DIGITS] = {21, 10, 0}, widths[DIGITS] = {11, 11, 10};
  uint32_t known = 0, mask = 0;
  for (int d = 0; d < DIGITS; d++) {
    int64_t counts[VALUES] = {0};
    const uint32_t digit = (1u << widths[d]) - 1;
    for (int64_t i = 0; i < n; i++) {
      const uint32_t bits = bits_of(scores[i]);
      counts[bits >> shifts[d] & digit] += (bits & mask) == known;
    }
    uint32_t value = 0;
    while (count > counts[value]) {
      count -= counts[value++];
    }
    known |= value << shifts[d];
    mask |= digit << shifts[d];
  }
  *equal_out = count;
  return known;
}

void vise_feedback_mask_share(
    uint8_t *pruned, int64_t ld, const float *scores, int64_t m, int64_t n, int64_t count) {
  if (count == 0) {
    return;
  }
  int64_t n_equal;
  const uint32_t threshold = find_threshold(scores, m * n, count, &n_equal);
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < m; i++) {
      const uint32_t bits = bits_of(scores[j * m + i]);
      if (bits < threshold || (bits == threshold && n_equal-- > 0)) {
        pruned[j * ld + i] = 1;
      }
    }
  }
}

void vise_feedback_mask_least(
    uint8_t *pruned, int64_t ld, const float *scores, int64_t rows, int64_t n, int64_t kept) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < n; j++) {
      int64_t n_above = 0; /* and equal ones that come later */
      for (int64_t l = 0; l < n; l++) {
        const float other = scores[l * rows + i], own = scores[j * rows + i];
        n_above += other > own || (other == own && l > j);
      }
      pruned[j * ld + i] = n_above >= kept;
    }
  }
}
