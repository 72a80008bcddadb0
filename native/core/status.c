/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

vise_status vise_fail(vise_err *err, vise_status code, const char *fmt, ...) {
  if (err != NULL) {
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
  }
  return code;
}

vise_status vise_fail_in(vise_err *err, vise_status code, const char *prefix) {
  if (err != NULL) {
    char inner[sizeof err->msg];
    memcpy(inner, err->msg, sizeof inner);
    err->code = code;
    const int n = snprintf(err->msg, sizeof err->msg, "%s: ", prefix);
    const size_t at = n < 0 ? 0 : (size_t)n < sizeof err->msg ? (size_t)n : sizeof err->msg - 1;
    snprintf(err->msg + at, sizeof err->msg - at, "%s", inner);
  }
  return code;
}

const char *vise_status_name(vise_status code) {
  switch (code) {
  case VISE_OK: return "ok";
  case VISE_EARG: return "argument";
  case VISE_ESHAPE: return "shape";
  case VISE_EDTYPE: return "dtype";
  case VISE_ENUMERIC: return "numeric";
  case VISE_ENOMEM: return "memory";
  case VISE_EIO: return "io";
  case VISE_EFORMAT: return "format";
  case VISE_EUNSUPPORTED: return "unsupported";
  case VISE_ECANCELLED: return "cancelled";
  }
  return "unknown";
}
