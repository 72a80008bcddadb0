/* SPDX-License-Identifier: Apache-2.0 */
#include "core/param.h"

#include <math.h>
#include <string.h>

int vise_param_choices(const char *choices) {
  int n = 1;
  for (const char *p = choices; *p != '\0'; p++) {
    n += *p == ' ';
  }
  return n;
}

void vise_param_choice(char *out, int out_bytes, const char *choices, int i) {
  const char *word = choices;
  for (; i > 0 && word != NULL; i--) {
    word = strchr(word, ' ');
    word = word == NULL ? NULL : word + 1;
  }
  const size_t n = word == NULL ? 0 : strcspn(word, " ");
  const size_t room = (size_t)out_bytes - 1;
  memcpy(out, n == 0 ? "" : word, n < room ? n : room);
  out[n < room ? n : room] = '\0';
}

int vise_param_find(const char *choices, const char *word) {
  const size_t bytes = strlen(word);
  for (int i = 0; choices != NULL; i++) {
    if (strcspn(choices, " ") == bytes && strncmp(choices, word, bytes) == 0) {
      return i;
    }
    choices = strchr(choices, ' ');
    choices = choices == NULL ? NULL : choices + 1;
  }
  return -1;
}

static vise_status check_one(const vise_param *p, double v, const char *who, vise_err *err) {
  switch (p->kind) {
  case VISE_PARAM_INT:
    if (!(v >= p->min && v <= p->max) || v != floor(v)) {
      return vise_fail(err, VISE_EARG, "%s: %s is %.17g, expected an integer in [%.0f, %.0f]", who,
                       p->name, v, p->min, p->max);
    }
    break;
  case VISE_PARAM_REAL:
    if (!(v >= p->min && v <= p->max)) {
      return vise_fail(err, VISE_EARG, "%s: %s is %.17g, expected a number in [%g, %g]", who,
                       p->name, v, p->min, p->max);
    }
    break;
  case VISE_PARAM_BOOL:
    if (v != 0.0 && v != 1.0) {
      return vise_fail(err, VISE_EARG, "%s: %s is %.17g, expected true or false", who, p->name, v);
    }
    break;
  case VISE_PARAM_CHOICE:
    if (!(v >= 0.0 && v < vise_param_choices(p->choices)) || v != floor(v)) {
      return vise_fail(err, VISE_EARG, "%s: %s is choice %.17g, expected one of: %s", who, p->name,
                       v, p->choices);
    }
    break;
  }
  return VISE_OK;
}

vise_status
vise_param_check(const vise_param *params, const double *values, const char *who, vise_err *err) {
  for (int i = 0; params[i].name != NULL; i++) {
    VISE_TRY(check_one(&params[i], values[i], who, err));
  }
  return VISE_OK;
}

void vise_param_defaults(const vise_param *params, double *values) {
  for (int i = 0; params[i].name != NULL; i++) {
    values[i] = params[i].def;
  }
}
