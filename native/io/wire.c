/* SPDX-License-Identifier: Apache-2.0 */
#include "io/wire.h"

static bool read_varint(uint64_t *out, vise_wire *w) {
  uint64_t v = 0;
  for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
    const uint8_t byte = *w->at++;
    v |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *out = v;
      return true;
    }
  }
  return false;
}

static bool read_fixed(uint64_t *out, vise_wire *w, int n) {
  if (w->end - w->at < n) {
    return false;
  }
  *out = 0;
  for (int i = n - 1; i >= 0; i--) {
    *out = *out << 8 | w->at[i];
  }
  w->at += n;
  return true;
}

vise_status vise_wire_next(bool *more_out, vise_wire_field *out, vise_wire *w, vise_err *err) {
  *more_out = w->at < w->end;
  if (!*more_out) {
    return VISE_OK;
  }
  uint64_t key, length;
  if (!read_varint(&key, w) || key >> 3 == 0 || key >> 3 > UINT32_MAX) {
    return vise_fail(err, VISE_EFORMAT, "protocol buffer: bad key of a field");
  }
  *out = (vise_wire_field){.number = (uint32_t)(key >> 3), .type = (vise_wire_type)(key & 7)};
  bool is_whole = false;
  switch (out->type) {
  case VISE_WIRE_VARINT: is_whole = read_varint(&out->value, w); break;
  case VISE_WIRE_FIXED64: is_whole = read_fixed(&out->value, w, 8); break;
  case VISE_WIRE_FIXED32: is_whole = read_fixed(&out->value, w, 4); break;
  case VISE_WIRE_BYTES:
    is_whole = read_varint(&length, w) && length <= (uint64_t)(w->end - w->at);
    if (is_whole) {
      out->bytes = (vise_wire){w->at, w->at + length};
      w->at += length;
    }
    break;
  default:
    return vise_fail(err, VISE_EFORMAT, "protocol buffer: field %u has unknown type %d",
                     out->number, (int)out->type);
  }
  if (!is_whole) {
    return vise_fail(err, VISE_EFORMAT, "protocol buffer: field %u is cut off", out->number);
  }
  return VISE_OK;
}
