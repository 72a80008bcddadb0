/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson recurses up to 2048 levels deep; a scan of the brackets outside strings bounds that
 * before it starts, at a fraction of its cost.
 */
#include "io/json.h"

#include <stdbool.h>

static vise_status check_depth(const char *text, size_t bytes, vise_err *err) {
  int depth = 0, line = 1;
  bool in_string = false;
  for (size_t i = 0; i < bytes; i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        i++;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    switch (c) {
    case '"': in_string = true; break;
    case '\n': line++; break;
    case ']':
    case '}': depth--; break;
    case '[':
    case '{':
      if (++depth > VISE_JSON_DEPTH_MAX) {
        return vise_fail(err, VISE_EFORMAT, "line %d: nested deeper than %d levels", line,
                         VISE_JSON_DEPTH_MAX);
      }
      break;
    default: break;
    }
  }
  return VISE_OK;
}

vise_status vise_json_parse(json_t **out, const char *text, size_t bytes, vise_err *err) {
  *out = NULL;
  VISE_TRY(check_depth(text, bytes, err));
  json_error_t problem;
  *out =
      json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
  if (*out != NULL) {
    return VISE_OK;
  }
  if (json_error_code(&problem) == json_error_out_of_memory) {
    return vise_fail(err, VISE_ENOMEM, "out of memory parsing %zu bytes of JSON", bytes);
  }
  return vise_fail(err, VISE_EFORMAT, "line %d, column %d: %s", problem.line, problem.column,
                   problem.text);
}
