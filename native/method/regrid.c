/* SPDX-License-Identifier: Apache-2.0 */
#include "method/regrid.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "format/scale.h"
#include "kernels/convert.h"
#include "weight/quant.h"
#include "weight/tree.h"

#include <math.h>
#include <string.h>

enum { NUMBERS_PER_CHUNK = 1 << 14 };

vise_status vise_weight_grid_of(vise_weight_grid *out, const vise_weight *w, vise_err *err) {
  const void *const *parts;
  const vise_format_spec *spec = vise_weight_quant_spec(w, &parts);
  vise_tensor *scales = spec == NULL ? NULL : vise_weight_quant_part(w, "scales");
  if (scales != NULL && spec->format->grid != NULL) {
    const vise_grid grid = spec->format->grid->of(spec);
    const int64_t n_groups = vise_ceil_div(w->k, grid.group);
    if (grid.table == NULL && vise_tensor_rank(scales) == 2 && vise_tensor_dim(scales, 0) == w->m &&
        vise_tensor_dim(scales, 1) == n_groups) {
      *out = (vise_weight_grid){.m = w->m,
                                .n_groups = n_groups,
                                .group = grid.group,
                                .n_codes = grid.n_codes,
                                .dtype = vise_tensor_dtype(scales)};
      return VISE_OK;
    }
  }
  return vise_fail(err, VISE_EARG,
                   "the weight has no scales for groups of a row, expected one in the format int "
                   "(per group or row) or ternary");
}

vise_status
vise_weight_grid_read(float *scales_out, float *zeros_out, const vise_weight *w, vise_err *err) {
  vise_weight_grid g;
  void *memory;
  const void *const *parts;
  VISE_TRY(vise_weight_grid_of(&g, w, err));
  VISE_TRY(vise_mem_alloc_array(&memory, g.n_groups, sizeof(vise_grid_cell), err));
  vise_grid_cell *cells = memory;
  const vise_format_spec *spec = vise_weight_quant_spec(w, &parts);
  for (int64_t row = 0; row < w->m; row++) {
    spec->format->grid->cells(spec, parts, row, cells);
    for (int64_t i = 0; i < g.n_groups; i++) {
      scales_out[row * g.n_groups + i] = cells[i].scale;
      zeros_out[row * g.n_groups + i] = cells[i].zero;
    }
  }
  vise_mem_free(memory);
  return VISE_OK;
}

/* ---- offsets ---- */

typedef struct offsets {
  vise_weight_grid g;
  int64_t k;
  const float *from, *values, *scales; /* values: of the weight */
  float *out;
} offsets;

static void offset_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const offsets *a = arg;
  const float reach = 0.49f;
  (void)worker;
  for (int64_t at = begin * a->k; at < end * a->k; at++) {
    const float s = a->scales[at / a->k * a->g.n_groups + at % a->k / a->g.group];
    const float step = s == 0.0f ? 0.0f : rintf(a->values[at] / s);
    const float ratio = s == 0.0f ? 0.0f : a->from[at] / s;
    const float v = step - ratio;
    a->out[at] = v > reach ? v - reach : v < -reach ? v + reach : 0.0f;
  }
}

static int64_t rows_per_chunk(int64_t k) {
  return k >= NUMBERS_PER_CHUNK ? 1 : NUMBERS_PER_CHUNK / (k + 1);
}

vise_status
vise_weight_grid_offsets(float *v_out, const vise_weight *w, const float *from, vise_err *err) {
  offsets a = {.k = w->k, .from = from, .out = v_out};
  void *memory;
  VISE_TRY(vise_weight_grid_of(&a.g, w, err));
  const int64_t n = w->m * a.g.n_groups;
  VISE_TRY(vise_mem_alloc_array(&memory, 2 * n + w->m * w->k, sizeof(float), err));
  float *scales = memory, *values = scales + 2 * n;
  vise_status st = vise_weight_grid_read(scales, scales + n, w, err);
  if (st == VISE_OK) {
    st = vise_weight_dense_rows(w, 0, w->m, values, w->k, err);
  }
  if (st == VISE_OK) {
    a.scales = scales;
    a.values = values;
    st = vise_parallel_for(w->m, rows_per_chunk(w->k), offset_rows, &a, err);
  }
  vise_mem_free(memory);
  return st;
}

/* ---- other values ---- */

typedef struct job {
  const vise_format_spec *spec;
  vise_weight_grid g;
  vise_intq_scale type;
  void *parts[VISE_FORMAT_PARTS];
  const float *values, *zeros;
  float *scales;  /* as they are stored, once the parts are there */
  uint8_t *codes; /* [m, k] */
} job;

static void code_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const job *j = arg;
  const int64_t k = j->spec->k;
  const float top = (float)(j->g.n_codes - 1);
  (void)worker;
  for (int64_t row = begin; row < end; row++) {
    uint8_t *codes = j->codes + row * k;
    for (int64_t i = 0; i < k; i++) {
      const int64_t cell = row * j->g.n_groups + i / j->g.group;
      const float s = j->scales[cell];
      const float code = (s == 0.0f ? 0.0f : rintf(j->values[row * k + i] / s)) + j->zeros[cell];
      codes[i] = (uint8_t)(code < 0.0f ? 0.0f : code > top ? top : code);
    }
    j->spec->format->grid->put(j->spec, j->parts, row, codes);
  }
}

/* Copies of the parts of the tree, the scales those of the job. */
static vise_status replace_parts(job *j, vise_tree *t, vise_err *err) {
  for (int i = 0; i < t->n_parts; i++) {
    const vise_tensor *old = t->parts[i].tensor;
    vise_tensor *copy;
    VISE_TRY(vise_tensor_create(&copy, vise_tensor_dtype(old), vise_tensor_rank(old),
                                vise_tensor_shape(old), err));
    memcpy(vise_tensor_data(copy), vise_tensor_data(old), (size_t)vise_tensor_bytes(old));
    if (strcmp(t->parts[i].name, "scales") == 0) {
      vise_scale_round(vise_tensor_data(copy), j->scales, j->g.m * j->g.n_groups, j->type);
    }
    vise_tensor_release(t->parts[i].tensor);
    t->parts[i].tensor = copy;
    j->parts[i] = vise_tensor_data(copy);
  }
  return VISE_OK;
}

static vise_status run(vise_weight **out, job *j, vise_tree *t, vise_err *err) {
  VISE_TRY(replace_parts(j, t, err));
  VISE_TRY(vise_parallel_for(j->g.m, rows_per_chunk(j->spec->k), code_rows, j, err));
  return vise_weight_load(out, t, err);
}

/* Scales, zeros and room for the codes, in one piece of memory. */
static vise_status
prepare(job *j, void **memory, const vise_weight *w, const float *scales, vise_err *err) {
  const int64_t n = j->g.m * j->g.n_groups;
  VISE_TRY(vise_mem_alloc_array(memory, 2 * n * (int64_t)sizeof(float) + w->m * w->k, 1, err));
  float *zeros = (float *)*memory + n;
  j->scales = *memory;
  j->zeros = zeros;
  j->codes = (uint8_t *)(zeros + n);
  j->type = j->g.dtype == VISE_DTYPE_F16    ? VISE_INTQ_F16
            : j->g.dtype == VISE_DTYPE_BF16 ? VISE_INTQ_BF16
                                            : VISE_INTQ_F32;
  VISE_TRY(vise_weight_grid_read(j->scales, zeros, w, err));
  memcpy(j->scales, scales, (size_t)n * sizeof *scales);
  return VISE_OK;
}

vise_status vise_weight_regrid(vise_weight **out,
                               const vise_weight *w,
                               const float *values,
                               const float *scales,
                               vise_err *err) {
  *out = NULL;
  const void *const *parts;
  job j = {.spec = vise_weight_quant_spec(w, &parts), .values = values};
  VISE_TRY(vise_weight_grid_of(&j.g, w, err));
  if (vise_convert()->has_nonfinite(values, w->m * w->k) ||
      vise_convert()->has_nonfinite(scales, j.g.m * j.g.n_groups)) {
    return vise_fail(err, VISE_ENUMERIC, "a value or scale is not finite");
  }
  void *memory = NULL;
  vise_tree *t = NULL;
  vise_status st = prepare(&j, &memory, w, scales, err);
  if (st == VISE_OK) {
    st = vise_weight_save(w, &t, err);
  }
  if (st == VISE_OK) {
    st = run(out, &j, t, err);
  }
  vise_tree_free(t);
  vise_mem_free(memory);
  return st;
}
