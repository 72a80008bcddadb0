/* SPDX-License-Identifier: Apache-2.0 */
/* The input is JSON text. What is accepted, written and read again is the same value. */
#include "io/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  json_t *value, *again;
  vise_err err;
  const vise_status st = vise_json_parse(&value, (const char *)data, n, &err);
  if (st != VISE_OK) {
    if (value != NULL || strlen(err.msg) >= sizeof err.msg) {
      __builtin_trap();
    }
    return 0;
  }
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
  if (text != NULL) {
    if (vise_json_parse(&again, text, strlen(text), &err) != VISE_OK || !json_equal(value, again)) {
      __builtin_trap();
    }
    json_decref(again);
    free(text);
  }
  json_decref(value);
  return 0;
}
