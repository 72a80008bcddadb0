/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/entropy.h"

#include <math.h>
#include <string.h>

void vise_byte_histogram(uint32_t *inout, const uint8_t *data, size_t n) {
  size_t i = 0;
  if (n >= 4096) {
    uint32_t lanes[4][256] = {{0}}; /* equal neighbours do not wait for each other */
    for (; i + 8 <= n; i += 8) {
      uint64_t eight;
      memcpy(&eight, data + i, sizeof eight);
      for (int j = 0; j < 8; j++) {
        lanes[j % 4][eight >> (8 * j) & 255]++;
      }
    }
    for (int v = 0; v < 256; v++) {
      inout[v] += lanes[0][v] + lanes[1][v] + lanes[2][v] + lanes[3][v];
    }
  }
  for (; i < n; i++) {
    inout[data[i]]++;
  }
}

void vise_byte_counts_add(vise_byte_counts *counts, const uint8_t *data, size_t n) {
  uint32_t seen[256] = {0};
  vise_byte_histogram(seen, data, n);
  for (int v = 0; v < 256; v++) {
    if (seen[v] != 0) {
      atomic_fetch_add(&counts->of[v], seen[v]);
    }
  }
}

uint64_t vise_byte_counts_entropy(const vise_byte_counts *counts) {
  double n = 0.0, bits = 0.0;
  for (int v = 0; v < 256; v++) {
    n += (double)counts->of[v];
  }
  for (int v = 0; v < 256; v++) {
    const double c = (double)counts->of[v];
    bits += c > 0.0 ? c * log2(n / c) : 0.0;
  }
  return (uint64_t)(bits / 8.0 + 0.5);
}
