/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a tokenizer.model and a text; see tokenizer_input.h. */
#include "fuzz/tokenizer_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  fuzz_tokenizer(vise_tokenizer_create_sentencepiece, data, n);
  return 0;
}
