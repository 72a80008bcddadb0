/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml.h -- ggml's block formats: rows of blocks of 32 or 256 values.
 *
 * The layouts are those of share/doc/weights.md and of GGUF files. All exact: every level agrees
 * with ref bit for bit, and nothing is contracted to FMA. Any alignment, no overlap.
 */
#ifndef VISE_KERNELS_GGML_H
#define VISE_KERNELS_GGML_H

#include "core/cpu.h"
#include "kernels/grid.h"

#include <stdint.h>

typedef enum vise_ggml_type {
  VISE_GGML_Q4_0,
  VISE_GGML_Q4_1,
  VISE_GGML_Q5_0,
  VISE_GGML_Q5_1,
  VISE_GGML_Q8_0,
  VISE_GGML_TQ2_0,
  VISE_GGML_Q2_K,
  VISE_GGML_Q3_K,
  VISE_GGML_Q4_K,
  VISE_GGML_Q5_K,
  VISE_GGML_Q6_K,
  VISE_GGML_IQ4_NL,
  VISE_GGML_IQ4_XS,
  VISE_GGML_TYPES
} vise_ggml_type;

typedef enum vise_ggml_search {
  VISE_GGML_MSE,    /* ours: least squared error, by importance */
  VISE_GGML_THEIRS, /* as ggml searches, to the bit */
  VISE_GGML_NONE    /* scales from the extremes */
} vise_ggml_search;

/* out[j] = value j of n_blocks blocks; their f16 scales are finite. */
typedef void vise_ggml_decode_fn(float *out, const uint8_t *blocks, int64_t n_blocks);

/*
 * The n_blocks blocks of a whole row. x: finite. v: importance of the columns, finite and >= 0, or
 * NULL: all the same. Stored scales are finite: cut to f16's range.
 */
typedef void vise_ggml_encode_fn(
    uint8_t *out, const float *x, const float *v, int64_t n_blocks, vise_ggml_search search);

/* The cells of a block, as kernels/grid.h has them: every 16 or 32 values (TQ2_0: 256), except that
   a code of Q8_0 is counted from -127 on. */
typedef void vise_ggml_cells_fn(vise_grid_cell *out, const uint8_t *block);

/* Codes, one a byte, into a block whose scales stay as they are. */
typedef void vise_ggml_put_fn(uint8_t *block, const uint8_t *codes);

typedef struct vise_ggml_kernels {
  vise_ggml_decode_fn *decode[VISE_GGML_TYPES];
  vise_ggml_encode_fn *encode[VISE_GGML_TYPES];
  vise_ggml_cells_fn *cells[VISE_GGML_TYPES];
  vise_ggml_put_fn *put[VISE_GGML_TYPES];
  const float *iq4_values; /* [16]: the elements of IQ4_NL and IQ4_XS */
} vise_ggml_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_ggml_init(vise_ggml_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_ggml_kernels *vise_ggml(void);

#endif
