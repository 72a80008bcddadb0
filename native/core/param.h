/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/param.h -- typed, ranged options of methods and formats, described as data.
 *
 * From one row come: the check and its message, `--help` and `vise explain`. Lua resolves names and
 * texts to numbers (vise.check), so C only ever sees one double per row, in the order of the rows.
 */
#ifndef VISE_CORE_PARAM_H
#define VISE_CORE_PARAM_H

#include "core/status.h"

enum { VISE_PARAM_MAX = 16 };

typedef enum vise_param_kind {
  VISE_PARAM_INT,   /* an integer in [min, max] */
  VISE_PARAM_REAL,  /* a number in [min, max] */
  VISE_PARAM_BOOL,  /* 0 or 1 */
  VISE_PARAM_CHOICE /* index, from 0, into `choices`; in Lua one of the words (or numbers) */
} vise_param_kind;

typedef struct vise_param {
  const char *name;
  vise_param_kind kind;
  double def, min, max; /* for a choice: def is an index, min and max are not used */
  const char *choices;  /* CHOICE: words separated by one space, e.g. "f16 bf16 f32" */
  const char *doc;      /* what it is, units included */
} vise_param;

/*
 * Check `values`, one per row of `params` (ended by a NULL name). `who` begins the message:
 * "rtn: group is 0, expected an integer in [1, 1048576]".
 * Errors: VISE_EARG.
 */
vise_status vise_param_check(const vise_param *params,
                             const double *values,
                             const char *who,
                             vise_err *err) VISE_MUST_USE;

/* Fill `values` with the defaults. */
void vise_param_defaults(const vise_param *params, double *values);

/* The number of words in `choices`, and word `i` copied into `out` (NUL-terminated). */
int vise_param_choices(const char *choices);
void vise_param_choice(char *out, int out_bytes, const char *choices, int i);
/* The index of a word in `choices`, or -1. */
int vise_param_find(const char *choices, const char *word);

#endif
