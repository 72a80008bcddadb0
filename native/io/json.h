/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/json.h -- JSON from strangers, by jansson with its generous limits tightened.
 *
 * Refused besides bad JSON: nesting deeper than 64, an object with the same key twice, text that is
 * not UTF-8, numbers that int64 or a double cannot hold. Strings may hold NUL, keys may not.
 */
#ifndef VISE_IO_JSON_H
#define VISE_IO_JSON_H

#include "core/status.h"

#include <jansson.h>
#include <stddef.h>

enum { VISE_JSON_DEPTH_MAX = 64 };

/*
 * Parse `bytes` of `text`.
 *
 * out    the value; owned by the caller, free with json_decref().
 * text   need not end in NUL. Borrowed.
 *
 * Errors: VISE_EFORMAT "line 3, column 14: ...", for the caller to prefix with the file;
 * VISE_ENOMEM.
 */
vise_status
vise_json_parse(json_t **out, const char *text, size_t bytes, vise_err *err) VISE_MUST_USE;

#endif
