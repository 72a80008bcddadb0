/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVFP4: blocks of 16 columns of a row share an E4M3 scale, and all of them an f32 one.
 *
 *   value = E2M1(code) f32(scale tensor_scale)
 *
 * Parts of W [m, k]:
 *   codes         u8 [m, k / 2]            code j in the low half of byte j / 2 for even j
 *   scales        E4M3 [m, k / 16]         not negative
 *   tensor_scale  f32 [1], [0] if W is empty
 *
 * tensor_scale = a / 2688 for the greatest magnitude a of W: 2688 = 448 6, so that the scale of the
 * block with a is the greatest of E4M3. Plain, a block of greatest magnitude b has
 * the scale RNE((b / 6) / tensor_scale), at most 448, and codes of x / f32(scale tensor_scale).
 *
 * Searched: of the E4M3 numbers around the plain scale (6 below to 8 above: b / 6 times .6 to 2) the
 * one of the least (weighted) squared error, the plain one on a tie.
 *
 * Source: NVIDIA, arXiv:2509.25149, appendix; the rounding of the scales as torchao 0.18.0. Searching
 * among the neighbours: arXiv:2606.07618.
 */
#include "core/parallel.h"
#include "format/element.h"
#include "kernels/convert.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 16, BELOW = 6, ABOVE = 8, TOP = 0x7e };

static const float TENSOR_RANGE = 2688.0f;
static const float LARGEST = 0x1p116f; /* 2688 times it is finite */

static const vise_param params[] = {
    {"search", VISE_PARAM_CHOICE, 1, 0, 0, "none mse",
     "none: scale from the greatest magnitude; mse: the scale of least (weighted) squared error"},
    {0},
};

static bool is_searched(const vise_format_spec *s) {
  return s->values[0] != 0.0;
}

static vise_status nvfp4_check(const vise_format_spec *s, vise_err *err) {
  if (s->k % BLOCK != 0) {
    return vise_fail(err, VISE_ESHAPE, "nvfp4: blocks of %d do not divide the %lld columns of w",
                     BLOCK, (long long)s->k);
  }
  return VISE_OK;
}

static int nvfp4_parts(const vise_format_spec *s, vise_part_shape out[VISE_FORMAT_PARTS]) {
  out[0] = (vise_part_shape){"codes", VISE_DTYPE_U8, 2, {s->m, s->k / 2}};
  out[1] = (vise_part_shape){"scales", VISE_DTYPE_F8_E4M3, 2, {s->m, s->k / BLOCK}};
  out[2] = (vise_part_shape){"tensor_scale", VISE_DTYPE_F32, 1, {s->m > 0 && s->k > 0}};
  return 3;
}

static int64_t nvfp4_rows_together(const vise_format_spec *s) {
  return s->m;
}

static size_t nvfp4_scratch_bytes(const vise_format_spec *s) {
  return (size_t)(s->k / BLOCK) * sizeof(float) + vise_element_scratch_bytes(s->k);
}

static uint8_t plain_scale(float greatest, float tensor_scale) {
  return tensor_scale == 0.0f ? 0 : vise_f32_to_e4m3((greatest / 6.0f) / tensor_scale);
}

static uint8_t
searched_scale(uint8_t plain, float tensor_scale, const float *x, const float *importance) {
  float scales[1 + BELOW + ABOVE];
  uint8_t codes[1 + BELOW + ABOVE];
  double errors[1 + BELOW + ABOVE];
  int n = 0, best = 0;
  for (int d = 0; d <= BELOW + ABOVE; d++) {
    const int code = d == 0 ? plain : plain - BELOW + d - (d <= BELOW);
    const float scale = vise_e4m3_to_f32((uint8_t)(code < 0 ? 0 : code)) * tensor_scale;
    if (code <= TOP && code >= 0 && scale > 0.0f) {
      codes[n] = (uint8_t)code;
      scales[n++] = scale;
    }
  }
  const vise_element_patch p = {.x = x, .n_rows = 1, .n = BLOCK, .v = importance};
  vise_element_errors(errors, &p, scales, n, VISE_E2M1);
  for (int i = 1; i < n; i++) {
    best = errors[i] < errors[best] ? i : best;
  }
  return n == 0 ? plain : codes[best];
}

static void nvfp4_encode(const vise_format_spec *s,
                         void *const *parts,
                         const float *w,
                         int64_t ld,
                         int64_t row,
                         int64_t n_rows,
                         const float *importance,
                         void *scratch) {
  const int64_t n_blocks = s->k / BLOCK;
  float *by = scratch; /* greatest magnitudes, then scales */
  float greatest = 0.0f;
  for (int64_t i = 0; i < n_rows && !vise_cancelled(); i++) {
    float own = 0.0f;
    vise_scaled()->extremes(&own, w + i * ld, s->k, s->k);
    greatest = own > greatest ? own : greatest;
  }
  const float wanted = greatest / TENSOR_RANGE;
  const float tensor_scale = wanted < LARGEST ? wanted : LARGEST;
  memcpy(parts[2], &tensor_scale, sizeof tensor_scale);
  for (int64_t i = row; i < row + n_rows && !vise_cancelled(); i++, w += ld) {
    uint8_t *scales = (uint8_t *)parts[1] + i * n_blocks;
    vise_scaled()->extremes(by, w, s->k, BLOCK);
    for (int64_t b = 0; b < n_blocks; b++) {
      scales[b] = plain_scale(by[b], tensor_scale);
      if (is_searched(s) && by[b] > 0.0f) {
        const float *v = importance == NULL ? NULL : importance + b * BLOCK;
        scales[b] = searched_scale(scales[b], tensor_scale, w + b * BLOCK, v);
      }
      by[b] = vise_e4m3_to_f32(scales[b]) * tensor_scale;
    }
    vise_element_encode((uint8_t *)parts[0] + i * (s->k / 2), w, s->k, BLOCK, by, VISE_E2M1,
                        by + n_blocks);
  }
}

static void scales_of(float *out,
                      const vise_format_spec *s,
                      const void *const *parts,
                      int64_t row,
                      int64_t first,
                      int64_t n) {
  const float tensor_scale = *(const float *)parts[2];
  vise_convert()->e4m3_decode(out, (const uint8_t *)parts[1] + row * (s->k / BLOCK) + first, n);
  for (int64_t i = 0; i < n; i++) {
    out[i] *= tensor_scale;
  }
}

static void nvfp4_decode(const vise_format_spec *s,
                         const void *const *parts,
                         int64_t row,
                         int64_t n_rows,
                         int64_t col,
                         int64_t n_cols,
                         float *out,
                         int64_t ld) {
  vise_element_decode(s, parts, row, n_rows, col, n_cols, out, ld, BLOCK, VISE_E2M1, scales_of);
}

static vise_grid nvfp4_grid_of(const vise_format_spec *s) {
  (void)s;
  return vise_element_grid(BLOCK, VISE_E2M1);
}

static void nvfp4_cells(const vise_format_spec *s,
                        const void *const *parts,
                        int64_t row,
                        vise_grid_cell *cells_out) {
  vise_element_cells(s, parts, row, s->k / BLOCK, scales_of, cells_out);
}

static void
nvfp4_put(const vise_format_spec *s, void *const *parts, int64_t row, const uint8_t *codes) {
  vise_element_pack((uint8_t *)parts[0] + row * (s->k / 2), codes, s->k, VISE_E2M1);
}

static const vise_format_grid nvfp4_grid = {nvfp4_grid_of, nvfp4_cells, nvfp4_put};

static vise_status
nvfp4_check_parts(const vise_format_spec *s, const void *const *parts, vise_err *err) {
  if (s->m == 0 || s->k == 0) {
    return VISE_OK;
  }
  const float tensor_scale = *(const float *)parts[2];
  if (!(tensor_scale >= 0.0f && tensor_scale <= LARGEST)) {
    return vise_fail(err, VISE_EFORMAT, "nvfp4: tensor_scale is %g, expected 0 to %g",
                     (double)tensor_scale, (double)LARGEST);
  }
  const uint8_t *scales = parts[1];
  for (int64_t i = 0; i < s->m * (s->k / BLOCK); i++) {
    if (scales[i] > TOP) {
      return vise_fail(err, VISE_EFORMAT, "nvfp4: scale %lld is %g, expected 0 to 448",
                       (long long)i, (double)vise_e4m3_to_f32(scales[i]));
    }
  }
  return VISE_OK;
}

static void nvfp4_describe(const vise_format_spec *s, char *out, size_t out_bytes) {
  (void)s;
  snprintf(out, out_bytes, "nvfp4");
}

const vise_format vise_format_nvfp4 = {
    .name = "nvfp4",
    .summary = "4-bit floats (E2M1), an E4M3 scale per block of 16 and one f32 scale",
    .source = "NVIDIA 2025, arXiv:2509.25149; arXiv:2606.07618 (search)",
    .version = 1,
    .params = params,
    .n_layout = 0,
    .max_rel_error = 0.083,
    .check = nvfp4_check,
    .uses_importance = is_searched,
    .parts = nvfp4_parts,
    .rows_together = nvfp4_rows_together,
    .encode = nvfp4_encode,
    .scratch_bytes = nvfp4_scratch_bytes,
    .decode = nvfp4_decode,
    .grid = &nvfp4_grid,
    .check_parts = nvfp4_check_parts,
    .describe = nvfp4_describe,
};
