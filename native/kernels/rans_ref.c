/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rans_levels.h"

#include "kernels/rans_body.h"

static uint8_t *encode(uint32_t *inout,
                       uint8_t *begin,
                       uint8_t *end,
                       const uint8_t *data,
                       size_t n,
                       const uint32_t *symbols) {
  return encode_bytes(inout, begin, end, data, 0, n, symbols);
}

static const uint8_t *decode(uint8_t *out,
                             size_t n,
                             uint32_t *inout,
                             const uint8_t *words,
                             const uint8_t *end,
                             const uint32_t *slots) {
  return decode_bytes(out, 0, n, inout, words, end, slots);
}

void vise_rans_fill_ref(vise_rans_kernels *table) {
  table->encode = encode;
  table->decode = decode;
}
