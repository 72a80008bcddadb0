/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a .gz file. What is refused leaves nothing, what is accepted is no larger than asked. */
#include "core/mem.h"
#include "io/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const size_t live = vise_mem_live_blocks(), limit = 1 << 20;
  uint8_t *out;
  size_t n_out;
  const vise_status st = vise_gzip_unpack(&out, &n_out, data, n, limit, NULL);
  if ((st != VISE_OK && out != NULL) || n_out > limit) {
    __builtin_trap();
  }
  vise_mem_free(out);
  if (vise_mem_live_blocks() != live) {
    __builtin_trap();
  }
  return 0;
}
