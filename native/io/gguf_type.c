/* SPDX-License-Identifier: Apache-2.0 */
/* The types of GGUF: those of ggml's tensors, and those of metadata. */
#include "core/checked.h"
#include "io/gguf.h"

#include <string.h>

#define PLAIN(number, name, bytes, dtype)                                                          \
  { number, name, 1, bytes, true, dtype }
#define BLOCKS(number, name, block, bytes)                                                         \
  { number, name, block, bytes, false, VISE_DTYPE_U8 }

static const vise_gguf_type types[] = {
    PLAIN(0, "f32", 4, VISE_DTYPE_F32),  PLAIN(1, "f16", 2, VISE_DTYPE_F16),
    BLOCKS(2, "q4_0", 32, 18),           BLOCKS(3, "q4_1", 32, 20),
    BLOCKS(6, "q5_0", 32, 22),           BLOCKS(7, "q5_1", 32, 24),
    BLOCKS(8, "q8_0", 32, 34),           BLOCKS(9, "q8_1", 32, 36),
    BLOCKS(10, "q2_k", 256, 84),         BLOCKS(11, "q3_k", 256, 110),
    BLOCKS(12, "q4_k", 256, 144),        BLOCKS(13, "q5_k", 256, 176),
    BLOCKS(14, "q6_k", 256, 210),        BLOCKS(16, "iq2_xxs", 256, 66),
    BLOCKS(17, "iq2_xs", 256, 74),       BLOCKS(18, "iq3_xxs", 256, 98),
    BLOCKS(19, "iq1_s", 256, 50),        BLOCKS(20, "iq4_nl", 32, 18),
    BLOCKS(21, "iq3_s", 256, 110),       BLOCKS(22, "iq2_s", 256, 82),
    BLOCKS(23, "iq4_xs", 256, 136),      PLAIN(24, "i8", 1, VISE_DTYPE_I8),
    PLAIN(25, "i16", 2, VISE_DTYPE_I16), PLAIN(26, "i32", 4, VISE_DTYPE_I32),
    PLAIN(27, "i64", 8, VISE_DTYPE_I64), PLAIN(28, "f64", 8, VISE_DTYPE_F64),
    BLOCKS(29, "iq1_m", 256, 56),        PLAIN(30, "bf16", 2, VISE_DTYPE_BF16),
    BLOCKS(34, "tq1_0", 256, 54),        BLOCKS(35, "tq2_0", 256, 66),
    BLOCKS(39, "mxfp4", 32, 17),         BLOCKS(40, "nvfp4", 64, 36),
    BLOCKS(41, "q1_0", 128, 18),         BLOCKS(42, "q2_0", 64, 18),
};

static const struct {
  const char *name;
  size_t bytes;
} kinds[VISE_GGUF_KINDS] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

const vise_gguf_type *vise_gguf_type_find(const char *name) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(types[i].name, name) == 0) {
      return &types[i];
    }
  }
  return NULL;
}

const vise_gguf_type *vise_gguf_type_of_number(uint32_t number) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (types[i].number == number) {
      return &types[i];
    }
  }
  return NULL;
}

bool vise_gguf_type_bytes(uint64_t *out,
                          const vise_gguf_type *type,
                          int rank,
                          const int64_t shape[VISE_GGUF_RANK_MAX]) {
  const int64_t columns = rank == 0 ? 1 : shape[rank - 1];
  if (columns < 0 || columns % type->block != 0) {
    return false;
  }
  /* A shape of bytes has no more than 2^60 elements, as tensors of any dtype. */
  int64_t bytes[VISE_GGUF_RANK_MAX + 1] = {0};
  memcpy(bytes, shape, (size_t)rank * sizeof *bytes);
  if (rank > 0) {
    bytes[rank - 1] = columns / type->block;
  }
  bytes[rank] = type->bytes;
  return vise_tensor_shape_bytes(out, VISE_DTYPE_U8, rank + 1, bytes);
}

const char *vise_gguf_kind_name(vise_gguf_kind kind) {
  return kinds[kind].name;
}

bool vise_gguf_kind_find(vise_gguf_kind *out, const char *name) {
  for (int i = 0; i < VISE_GGUF_KINDS; i++) {
    if (strcmp(kinds[i].name, name) == 0) {
      *out = (vise_gguf_kind)i;
      return true;
    }
  }
  return false;
}

size_t vise_gguf_kind_bytes(vise_gguf_kind kind) {
  return kinds[kind].bytes;
}
