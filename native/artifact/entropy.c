/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/entropy.h"

#include <math.h>

void vise_byte_counts_add(vise_byte_counts *counts, const uint8_t *data, size_t n) {
  uint32_t lanes[4][256] = {{0}}; /* equal neighbours do not wait for each other */
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t j = 0; j < 4; j++) {
      lanes[j][data[i + j]]++;
    }
  }
  for (; i < n; i++) {
    lanes[0][data[i]]++;
  }
  for (int v = 0; v < 256; v++) {
    const uint64_t sum = (uint64_t)lanes[0][v] + lanes[1][v] + lanes[2][v] + lanes[3][v];
    if (sum != 0) {
      atomic_fetch_add(&counts->of[v], sum);
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
