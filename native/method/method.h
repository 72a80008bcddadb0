/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/method.h -- methods of scope weight: from one weight (and statistics) to a compressed one.
 *
 * A method is one descriptor in native/method/FAMILY_NAME.c and one row in methods.def. From it
 * come `W:quantize { method = "rtn" }`, range checks, `vise explain` and the contract test. Lua's
 * registry (vise.method) takes in these rows beside its own methods.
 */
#ifndef VISE_METHOD_METHOD_H
#define VISE_METHOD_METHOD_H

#include "core/param.h"
#include "core/status.h"
#include "format/format.h"
#include "stats/moments.h"
#include "weight/weight.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vise_needs { /* a bit set: what must be collected before */
                          VISE_NEEDS_NOTHING = 0,
                          VISE_NEEDS_MOMENTS = 1,
                          VISE_NEEDS_CROSS = 2,
                          VISE_NEEDS_GRADIENTS = 4,
                          VISE_NEEDS_DATA = 8
} vise_needs;

enum { VISE_NOTE_BYTES = 256 };

typedef struct vise_method_input {
  const vise_weight *w;           /* [m, k], borrowed, unchanged */
  const float *importance;        /* [k] >= 0, E[x_j^2] of the inputs; NULL: all equal. EARG from a
                                    method that would not use it with these values */
  const vise_moments *moments;    /* of the inputs, n = k; not NULL if the method needs them, else
                                    NULL unless it `uses` them and they were collected */
  const double *values;           /* one per row of `params` */
  const vise_format_spec *format; /* what to write; NULL unless the method takes a format */
  const char *name;               /* the place, "" if none: the key of random numbers */
  uint64_t seed;                  /* of the run: the other half of that key */
  char *note; /* [VISE_NOTE_BYTES], "" before: one line on numerical trouble that was got over
                 ("damping raised to 0.1"), which the run reports */
} vise_method_input;

typedef struct vise_method {
  const char *name, *family, *summary, *source; /* family: "quant", "prune", "factor", "share" */
  int version;                                  /* raised when the result changes */
  unsigned needs, uses;     /* of vise_needs: what must be there, and what else is looked at */
  bool is_exact;            /* the same parts at every level and thread count */
  bool takes_format;        /* writes any number format, whose options follow its own */
  bool takes_importance;    /* looks at it, if the format that it takes does */
  double max_rel_error;     /* |W - Q|_F / |W|_F at the defaults, Gaussian weights, measured: the
                           contract test wants 0.9 to 1 times it; 0 with takes_format: that of the
                           format. Of methods that need moments: of the outputs; with takes_format,
                           as a part of what plain rounding does to them, measured with `int` */
  const vise_param *params; /* its own options; ends with a NULL name */

  /* What vise_param_check and the format's check do not know. `format` is NULL unless the method
     takes one. NULL: nothing. */
  vise_status (*check)(
      const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err);

  /* *out: a new weight [m, k]. Errors: those of the file's comment; ENUMERIC for NaN or infinity.
   */
  vise_status (*run)(vise_weight **out, const vise_method_input *in, vise_err *err);
} vise_method;

extern const vise_method *const vise_methods[];        /* ends with NULL */
const vise_method *vise_method_find(const char *name); /* NULL if none */

/* All options: the method's own, then those of `format` (NULL: none); ends with a NULL name. */
void vise_method_params(vise_param out[VISE_PARAM_MAX + 1],
                        const vise_method *method,
                        const vise_format *format);

/* Everything that can be known without the values of a weight [m, k]: options in range (messages
   begin with the method's name), then what method and format check. */
vise_status vise_method_check(const vise_method *method,
                              const vise_format *format,
                              int64_t m,
                              int64_t k,
                              const double *values,
                              vise_err *err) VISE_MUST_USE;

/* Would `run` look at an importance with these values, instead of refusing it? */
bool vise_method_uses_importance(const vise_method *method,
                                 const vise_format *format,
                                 int64_t m,
                                 int64_t k,
                                 const double *values);

/* Check, then run: *out is a new weight [m, k]. Of `in`, `values` has one per row of
   vise_method_params; `format` and `note` are filled here.
   Errors: VISE_EARG (moments that are needed and absent), VISE_ESHAPE (moments of other columns),
   and those of `run`. */
vise_status vise_method_run(vise_weight **out,
                            const vise_method *method,
                            const vise_format *format,
                            const vise_method_input *in,
                            char note_out[VISE_NOTE_BYTES],
                            vise_err *err) VISE_MUST_USE;

/* Add a line to a note [VISE_NOTE_BYTES], after "; " where it has one already; what does not fit is
   cut. */
void vise_method_note(char *note, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
