/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/wire.h -- protocol buffers' wire format over bytes somebody else owns.
 *
 * A message is a row of fields, each a number and a value of one of four shapes. The reader never
 * allocates and never reads past the end; a field inside a field is read by a reader of its own.
 */
#ifndef VISE_IO_WIRE_H
#define VISE_IO_WIRE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_wire {
  const uint8_t *at, *end; /* borrowed */
} vise_wire;

typedef enum vise_wire_type {
  VISE_WIRE_VARINT = 0,
  VISE_WIRE_FIXED64 = 1,
  VISE_WIRE_BYTES = 2,
  VISE_WIRE_FIXED32 = 5
} vise_wire_type;

typedef struct vise_wire_field {
  uint32_t number;
  vise_wire_type type;
  uint64_t value;  /* of VARINT, FIXED64, FIXED32 */
  vise_wire bytes; /* of BYTES, borrowed */
} vise_wire_field;

/*
 * The next field; false in *more_out at the end.
 * Errors: VISE_EFORMAT a field that does not fit its message, a number of 0, a group or unknown
 * type.
 */
vise_status
vise_wire_next(bool *more_out, vise_wire_field *out, vise_wire *w, vise_err *err) VISE_MUST_USE;

#endif
