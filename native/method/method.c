/* SPDX-License-Identifier: Apache-2.0 */
#include "method/method.h"

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

vise_status vise_method_check(
    const vise_method *method, int64_t m, int64_t k, const double *values, vise_err *err) {
  VISE_TRY(vise_param_check(method->params, values, method->name, err));
  return method->check(m, k, values, err);
}
