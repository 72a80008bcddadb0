/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/status.h -- how every fallible function in vise reports failure.
 *
 * A function that can fail returns a vise_status and takes `vise_err *err` as its last parameter.
 * On failure it fills `err` once, at the place that knows most, and callers pass it up unchanged.
 * `err` may be NULL. No allocation, no globals.
 */
#ifndef VISE_CORE_STATUS_H
#define VISE_CORE_STATUS_H

typedef enum vise_status {
  VISE_OK = 0,
  VISE_EARG,         /* an argument outside its documented range */
  VISE_ESHAPE,       /* shapes that do not fit together */
  VISE_EDTYPE,       /* a dtype or format this function does not accept */
  VISE_ENUMERIC,     /* NaN/Inf in the input, or a factorization broke down */
  VISE_ENOMEM,       /* the allocator said no */
  VISE_EIO,          /* the operating system said no; the reason is in the message */
  VISE_EFORMAT,      /* a file that contradicts its own specification */
  VISE_EUNSUPPORTED, /* valid, but not implemented here */
  VISE_ECANCELLED    /* the user interrupted */
} vise_status;

typedef struct vise_err {
  vise_status code;
  char msg[1024]; /* always NUL-terminated; long enough for a path and a sentence */
} vise_err;

#if defined(__GNUC__)
#define VISE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define VISE_MUST_USE          __attribute__((warn_unused_result))
#else
#define VISE_PRINTF(fmt, args)
#define VISE_MUST_USE
#endif

/* Fill `err` (if any) and return `code`, so that a failure is one statement. */
vise_status vise_fail(vise_err *err, vise_status code, const char *fmt, ...) VISE_PRINTF(3, 4);

/* Put "`prefix`: " before the message in `err`; for the one caller that knows the file or place. */
vise_status vise_fail_in(vise_err *err, vise_status code, const char *prefix);

/* "argument", "shape", "dtype", ...: the word that reaches Lua as the third result. Static. */
const char *vise_status_name(vise_status code);

/* Leave the function with the status of `expr` unless it is VISE_OK. Owns nothing. */
#define VISE_TRY(expr)                                                                             \
  do {                                                                                             \
    const vise_status vise_try_status_ = (expr);                                                   \
    if (vise_try_status_ != VISE_OK) {                                                             \
      return vise_try_status_;                                                                     \
    }                                                                                              \
  } while (0)

#endif
