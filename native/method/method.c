/* SPDX-License-Identifier: Apache-2.0 */
#include "method/method.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VISE_METHOD(name) extern const vise_method vise_method_##name;
#include "method/methods.def"
#undef VISE_METHOD

const vise_method *const vise_methods[] = {
#define VISE_METHOD(name) &vise_method_##name,
#include "method/methods.def"
#undef VISE_METHOD
    NULL,
};

const vise_method *vise_method_find(const char *name) {
  for (int i = 0; vise_methods[i] != NULL; i++) {
    if (strcmp(vise_methods[i]->name, name) == 0) {
      return vise_methods[i];
    }
  }
  return NULL;
}

static int count(const vise_param *params) {
  int n = 0;
  while (params[n].name != NULL) {
    n++;
  }
  return n;
}

/* `n` rows of out and those of `params` after them; returns how many. */
static int append(vise_param out[VISE_PARAM_MAX + 1], int n, const vise_param *params) {
  const int more = count(params);
  assert(n + more <= VISE_PARAM_MAX);
  memcpy(out + n, params, (size_t)more * sizeof *params);
  return n + more;
}

void vise_method_params(vise_param out[VISE_PARAM_MAX + 1],
                        const vise_method *method,
                        const vise_format *format) {
  int n = append(out, 0, method->params);
  if (format != NULL) {
    n = append(out, n, format->params);
  }
  out[n] = (vise_param){0};
}

static vise_format_spec format_spec(const vise_method *method,
                                    const vise_format *format,
                                    int64_t m,
                                    int64_t k,
                                    const double *values) {
  vise_format_spec s = {.format = format, .m = m, .k = k};
  memcpy(s.values, values + count(method->params), (size_t)count(format->params) * sizeof *values);
  return s;
}

vise_status vise_method_check(const vise_method *method,
                              const vise_format *format,
                              int64_t m,
                              int64_t k,
                              const double *values,
                              vise_err *err) {
  vise_param params[VISE_PARAM_MAX + 1];
  vise_method_params(params, method, format);
  VISE_TRY(vise_param_check(params, values, method->name, err));
  vise_format_spec s;
  if (format != NULL) {
    s = format_spec(method, format, m, k, values);
    VISE_TRY(vise_format_check(&s, err));
  }
  if (method->check != NULL) {
    VISE_TRY(method->check(format != NULL ? &s : NULL, m, k, values, err));
  }
  return VISE_OK;
}

bool vise_method_uses_importance(const vise_method *method,
                                 const vise_format *format,
                                 int64_t m,
                                 int64_t k,
                                 const double *values) {
  if (format == NULL || !method->takes_importance || format->uses_importance == NULL) {
    return format == NULL && method->takes_importance;
  }
  const vise_format_spec s = format_spec(method, format, m, k, values);
  return format->uses_importance(&s);
}

static vise_status
check_moments(const vise_method *method, const vise_method_input *in, vise_err *err) {
  const unsigned bits = VISE_NEEDS_MOMENTS | VISE_NEEDS_CROSS;
  if (in->moments == NULL && (method->needs & bits) != 0) {
    return vise_fail(err, VISE_EARG, "%s: needs statistics of the inputs, which are not given",
                     method->name);
  } else if (in->moments == NULL) {
    return VISE_OK;
  } else if (in->moments->n != in->w->k) {
    return vise_fail(err, VISE_ESHAPE, "%s: statistics are of %lld columns, expected %lld",
                     method->name, (long long)in->moments->n, (long long)in->w->k);
  } else if ((method->needs & VISE_NEEDS_CROSS) != 0 && in->moments->cross == NULL) {
    return vise_fail(err, VISE_EARG, "%s: needs cross moments, which are not in the statistics",
                     method->name);
  } else if (in->moments->count < 1) {
    return vise_fail(err, VISE_EARG, "%s: statistics are of 0 tokens, expected some", method->name);
  }
  return VISE_OK;
}

vise_status vise_method_run(vise_weight **out,
                            const vise_method *method,
                            const vise_format *format,
                            const vise_method_input *in,
                            char note_out[VISE_NOTE_BYTES],
                            vise_err *err) {
  *out = NULL;
  note_out[0] = '\0';
  VISE_TRY(vise_method_check(method, format, in->w->m, in->w->k, in->values, err));
  VISE_TRY(check_moments(method, in, err));
  vise_method_input full = *in;
  full.note = note_out;
  vise_format_spec s;
  if (format != NULL) {
    s = format_spec(method, format, in->w->m, in->w->k, in->values);
    full.format = &s;
  }
  return method->run(out, &full, err);
}

void vise_method_note(char *note, const char *format, ...) {
  char text[VISE_NOTE_BYTES];
  const size_t used = strlen(note);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  snprintf(note + used, VISE_NOTE_BYTES - used, "%s%s", used > 0 ? "; " : "", text);
}
