/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a tokenizer.json and a text; see tokenizer_input.h. */
#include "fuzz/tokenizer_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static vise_status create(vise_tokenizer **out, const void *data, size_t bytes, vise_err *err) {
  return vise_tokenizer_create_bpe(out, data, bytes, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  fuzz_tokenizer(create, data, n);
  return 0;
}
