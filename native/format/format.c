/* SPDX-License-Identifier: Apache-2.0 */
#include "format/format.h"

#include <string.h>

#define VISE_FORMAT(name) extern const vise_format vise_format_##name;
#include "format/formats.def"
#undef VISE_FORMAT

const vise_format *const vise_formats[] = {
#define VISE_FORMAT(name) &vise_format_##name,
#include "format/formats.def"
#undef VISE_FORMAT
    NULL,
};

const vise_format *vise_format_find(const char *name) {
  for (int i = 0; vise_formats[i] != NULL; i++) {
    if (strcmp(vise_formats[i]->name, name) == 0) {
      return vise_formats[i];
    }
  }
  return NULL;
}

vise_status vise_format_check(const vise_format_spec *s, vise_err *err) {
  VISE_TRY(vise_param_check(s->format->params, s->values, s->format->name, err));
  return s->format->check(s, err);
}
