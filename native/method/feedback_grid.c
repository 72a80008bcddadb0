/* SPDX-License-Identifier: Apache-2.0 */
#include "method/feedback_grid.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = VISE_FEEDBACK_ROWS };

static vise_status floats(float **out, int64_t n, vise_err *err) {
  void *p = NULL;
  VISE_TRY(vise_mem_alloc_array(&p, n, sizeof **out, err));
  *out = p;
  return VISE_OK;
}

/* ---- tables ---- */

typedef struct element {
  float value;
  int code;
} element;

/* Of equal ones, +0 and -0 among them, the lowest code first. */
static int ascending(const void *a, const void *b) {
  const element *x = a, *y = b;
  if (x->value != y->value) {
    return x->value < y->value ? -1 : 1;
  }
  return x->code - y->code;
}

static void fill_table(vise_feedback_table *out, const vise_grid *grid) {
  element sorted[VISE_GRID_CODES];
  int n = 0;
  for (int i = 0; i < grid->n_codes; i++) {
    if (isfinite(grid->table[i])) {
      sorted[n++] = (element){grid->table[i], i};
    }
  }
  qsort(sorted, (size_t)n, sizeof *sorted, ascending);
  int kept = 0;
  for (int i = 0; i < n; i++) {
    if (i == 0 || sorted[i].value != sorted[i - 1].value) {
      out->elements[kept] = sorted[i].value;
      out->codes[kept++] = (uint8_t)sorted[i].code;
    }
  }
  for (out->size = 2; out->size < kept; out->size *= 2) {
  }
  for (int i = kept; i < out->size; i++) { /* never reached: their limits are infinite */
    out->elements[i] = out->elements[kept - 1];
    out->codes[i] = out->codes[kept - 1];
  }
  for (int i = 0; i < out->size; i++) {
    out->limits[i] =
        i + 1 < kept ? 0.5f * out->elements[i] + 0.5f * out->elements[i + 1] : INFINITY;
  }
}

/* ---- cells ---- */

static float inverse_of(float scale) {
  const float inverse = 1.0f / scale;
  return isfinite(inverse) ? inverse : 0.0f;
}

static void set_cell(const vise_feedback_grid *g, int64_t i, int64_t row, vise_grid_cell cell) {
  const int64_t at = i * g->n_rows + row;
  g->scale[at] = cell.scale;
  g->inverse[at] = inverse_of(cell.scale);
  g->zero[at] = cell.zero;
  g->offset[at] = cell.offset;
}

typedef struct reading {
  const vise_feedback_grid *g;
  vise_grid_cell *cells; /* of each worker: those of a row */
} reading;

/* Tiles of rows; those beyond the last are cells of zeros. */
static void read_tiles(void *arg, int64_t begin, int64_t end, int worker) {
  const reading *r = arg;
  const vise_feedback_grid *g = r->g;
  vise_grid_cell *cells = r->cells + worker * g->n_cells;
  const void *parts[VISE_FORMAT_PARTS];
  memcpy(parts, g->parts, sizeof parts);
  for (int64_t row = begin * ROWS; row < end * ROWS; row++) {
    memset(cells, 0, (size_t)g->n_cells * sizeof *cells);
    if (row < g->spec->m) {
      g->spec->format->grid->cells(g->spec, parts, row, cells);
    }
    for (int64_t i = 0; i < g->n_cells; i++) {
      set_cell(g, i, row, cells[i]);
    }
  }
}

static vise_status fill(vise_feedback_grid *g, vise_err *err) {
  void *memory = NULL;
  const int64_t n = g->n_cells * g->n_rows;
  float **const arrays[] = {&g->scale, &g->inverse, &g->zero, &g->offset};
  for (int i = 0; i < 4; i++) {
    VISE_TRY(floats(arrays[i], n, err));
  }
  if (g->grid.table != NULL) {
    VISE_TRY(vise_mem_alloc(&memory, sizeof *g->table, err));
    g->table = memory;
    fill_table(g->table, &g->grid);
  }
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads() * g->n_cells, sizeof(vise_grid_cell), err));
  reading r = {g, memory};
  const vise_status st = vise_parallel_for(g->n_rows / ROWS, 1, read_tiles, &r, err);
  vise_mem_free(memory);
  return st;
}

vise_status vise_feedback_grid_init(vise_feedback_grid *out,
                                    const vise_format_spec *spec,
                                    void *const *parts,
                                    vise_err *err) {
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  *out = (vise_feedback_grid){.spec = spec, .grid = spec->format->grid->of(spec)};
  out->n_parts = spec->format->parts(spec, shapes);
  memcpy(out->parts, parts, (size_t)out->n_parts * sizeof *parts);
  out->n_rows = vise_ceil_div(spec->m, ROWS) * ROWS;
  out->n_cells = spec->k == 0 ? 0 : vise_ceil_div(spec->k, out->grid.group);
  const vise_status st = fill(out, err);
  if (st != VISE_OK) {
    vise_feedback_grid_clear(out);
  }
  return st;
}

void vise_feedback_grid_clear(vise_feedback_grid *g) {
  vise_mem_free(g->scale);
  vise_mem_free(g->inverse);
  vise_mem_free(g->zero);
  vise_mem_free(g->offset);
  vise_mem_free(g->table);
  *g = (vise_feedback_grid){0};
}

vise_feedback_cells
vise_feedback_grid_cells(const vise_feedback_grid *g, int64_t row, int64_t column) {
  const int64_t at = column / g->grid.group * g->n_rows + row;
  return (vise_feedback_cells){g->scale + at, g->inverse + at, g->zero + at, g->offset + at};
}

void vise_feedback_grid_nearest(const vise_feedback_grid *g,
                                const vise_feedback_cells *cells,
                                float *value_out,
                                uint8_t *code_out,
                                const float *x) {
  const vise_feedback_kernels *kernels = vise_feedback_kernels_used();
  if (g->table != NULL) {
    kernels->look_up(value_out, code_out, x, cells, g->table);
  } else {
    kernels->round(value_out, code_out, x, cells, g->grid.n_codes - 1);
  }
}

/* ---- dynamic ---- */

/* The format of `n` columns of a tile by themselves. */
static vise_format_spec unit_spec(const vise_format_spec *spec, int64_t n_rows, int64_t n) {
  vise_format_spec u = *spec;
  u.m = n_rows;
  u.k = n;
  return u;
}

static size_t part_row_bytes(const vise_part_shape *s) {
  return (size_t)(s->rank == 2 ? s->shape[1] : 1) * vise_dtype_bytes(s->dtype);
}

int64_t vise_feedback_grid_unit(const vise_format_spec *spec) {
  const int64_t group = spec->format->grid->of(spec).group;
  if (group == 0 || spec->format->rows_together(spec) != 1) {
    return 0;
  }
  for (int64_t unit = group; unit <= VISE_FEEDBACK_UNIT; unit *= 2) {
    const vise_format_spec u = unit_spec(spec, 1, unit);
    if (vise_format_check(&u, NULL) == VISE_OK) {
      return unit;
    }
  }
  return 0;
}

/* Sizes of the parts of `n` columns of a tile, and where each begins in scratch; returns all bytes. */
static size_t lay_out_parts(size_t at_out[VISE_FORMAT_PARTS],
                            vise_part_shape shapes[VISE_FORMAT_PARTS],
                            const vise_format_spec *u) {
  const int n = u->format->parts(u, shapes);
  size_t used = 0;
  for (int i = 0; i < n; i++) {
    at_out[i] = used;
    used += vise_arena_need((size_t)shapes[i].shape[0] * part_row_bytes(&shapes[i]));
  }
  return used;
}

void vise_feedback_grid_make_dynamic(vise_feedback_grid *g, int64_t unit, const float *importance) {
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  size_t at[VISE_FORMAT_PARTS];
  const vise_format_spec u = unit_spec(g->spec, ROWS, unit);
  g->unit = unit;
  g->importance = importance;
  g->unit_bytes = lay_out_parts(at, shapes, &u) + vise_arena_need(u.format->scratch_bytes(&u));
}

void vise_feedback_grid_choose(const vise_feedback_grid *g,
                               int64_t row,
                               int64_t n_rows,
                               int64_t column,
                               int64_t n,
                               const float *x,
                               int64_t ld,
                               void *scratch) {
  vise_part_shape shapes[VISE_FORMAT_PARTS], whole[VISE_FORMAT_PARTS], units[VISE_FORMAT_PARTS];
  size_t at[VISE_FORMAT_PARTS];
  const vise_format_spec u = unit_spec(g->spec, n_rows, n), full = unit_spec(g->spec, 1, g->unit);
  char *memory = scratch;
  const size_t used = lay_out_parts(at, shapes, &u);
  void *parts[VISE_FORMAT_PARTS];
  const void *read[VISE_FORMAT_PARTS];
  for (int i = 0; i < g->n_parts; i++) {
    parts[i] = memory + at[i];
    read[i] = parts[i];
  }
  const float *importance = g->importance == NULL ? NULL : g->importance + column;
  u.format->encode(&u, parts, x, ld, 0, n_rows, importance, memory + used);
  (void)u.format->parts(&full, units);
  (void)u.format->parts(g->spec, whole);
  for (int i = 0; i < g->n_parts; i++) { /* codes, which need not fit, are put there at the end */
    const size_t bytes = part_row_bytes(&shapes[i]), row_bytes = part_row_bytes(&whole[i]);
    const size_t place = (size_t)(column / g->unit) * part_row_bytes(&units[i]);
    for (int64_t r = 0; r < n_rows && place + bytes <= row_bytes; r++) {
      memcpy((char *)g->parts[i] + (size_t)(row + r) * row_bytes + place,
             (char *)parts[i] + (size_t)r * bytes, bytes);
    }
  }
  vise_grid_cell cells[VISE_FEEDBACK_UNIT];
  for (int64_t r = 0; r < n_rows; r++) {
    u.format->grid->cells(&u, read, r, cells);
    const int64_t first = column / g->grid.group, count = vise_ceil_div(n, g->grid.group);
    for (int64_t i = 0; i < count; i++) {
      set_cell(g, first + i, row + r, cells[i]);
    }
  }
}
