/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `quant`: the parts of a number format. The tree has the attributes `format` and the
 * layout parameters of that format (a choice whose word is a number is stored as that number), and
 * its parts.
 */
#include "weight/quant.h"

#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "tensor/cast.h"
#include "weight/kind.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_quant;

typedef struct quant {
  vise_weight base;
  vise_format_spec spec;
  int n_parts;
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  vise_tensor *parts[VISE_FORMAT_PARTS]; /* retained, contiguous */
  const void *data[VISE_FORMAT_PARTS];   /* of the parts */
} quant;

static quant *as_quant(const vise_weight *w) {
  return (quant *)(uintptr_t)w;
}

/* An empty weight of `spec`, which is checked; parts are set by the caller. */
static vise_status new_quant(quant **out, const vise_format_spec *spec, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(quant), err));
  quant *q = memory;
  vise_weight_init(&q->base, &vise_weight_kind_quant, spec->m, spec->k);
  q->spec = *spec;
  q->n_parts = spec->format->parts(spec, q->shapes);
  *out = q;
  return VISE_OK;
}

static void set_part(quant *q, int i, vise_tensor *t) {
  q->parts[i] = t;
  q->data[i] = vise_tensor_data(t);
}

static void quant_free(vise_weight *w) {
  const quant *q = as_quant(w);
  for (int i = 0; i < q->n_parts; i++) {
    vise_tensor_release(q->parts[i]);
  }
}

static void quant_decode(const vise_weight *w,
                         int64_t row,
                         int64_t n_rows,
                         int64_t col,
                         int64_t n_cols,
                         float *out,
                         int64_t ld) {
  const quant *q = as_quant(w);
  q->spec.format->decode(&q->spec, q->data, row, n_rows, col, n_cols, out, ld);
}

/* ---- trees ---- */

static bool is_number(const char *word) {
  return *word != '\0' && word[strspn(word, "0123456789")] == '\0';
}

static vise_status save_value(vise_tree *t, const vise_param *p, double v, vise_err *err) {
  char word[VISE_TREE_NAME];
  switch (p->kind) {
  case VISE_PARAM_REAL: return vise_tree_add_real(t, p->name, v, err);
  case VISE_PARAM_CHOICE:
    vise_param_choice(word, sizeof word, p->choices, (int)v);
    if (!is_number(word)) {
      return vise_tree_add_text(t, p->name, word, err);
    }
    return vise_tree_add_int(t, p->name, strtol(word, NULL, 10), err);
  case VISE_PARAM_INT:
  case VISE_PARAM_BOOL: break;
  }
  return vise_tree_add_int(t, p->name, (int64_t)v, err);
}

static vise_status
load_choice(double *out, const vise_tree *t, const vise_param *p, vise_err *err) {
  char word[VISE_TREE_NAME], found[VISE_TREE_NAME];
  vise_param_choice(word, sizeof word, p->choices, 0);
  if (is_number(word)) {
    int64_t i;
    VISE_TRY(vise_tree_get_int(&i, t, p->name, err));
    snprintf(found, sizeof found, "%lld", (long long)i);
  } else {
    const char *text;
    VISE_TRY(vise_tree_get_text(&text, t, p->name, err));
    snprintf(found, sizeof found, "%s", text);
  }
  const int index = vise_param_find(p->choices, found);
  if (index < 0) {
    return vise_fail(err, VISE_EFORMAT, "quant: attribute '%s' is %s, expected one of: %s", p->name,
                     found, p->choices);
  }
  *out = index;
  return VISE_OK;
}

static vise_status load_value(double *out, const vise_tree *t, const vise_param *p, vise_err *err) {
  if (p->kind == VISE_PARAM_CHOICE) {
    return load_choice(out, t, p, err);
  }
  if (p->kind == VISE_PARAM_REAL) {
    return vise_tree_get_real(out, t, p->name, err);
  }
  int64_t i;
  VISE_TRY(vise_tree_get_int(&i, t, p->name, err));
  *out = (double)i;
  return VISE_OK;
}

static vise_status save_into(const quant *q, vise_tree *t, vise_err *err) {
  const vise_format *format = q->spec.format;
  VISE_TRY(vise_tree_add_text(t, "format", format->name, err));
  for (int i = 0; i < format->n_layout; i++) {
    VISE_TRY(save_value(t, &format->params[i], q->spec.values[i], err));
  }
  for (int i = 0; i < q->n_parts; i++) {
    VISE_TRY(vise_tree_add_part(t, q->shapes[i].name, q->parts[i], err));
  }
  return VISE_OK;
}

static vise_status quant_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "quant", w->m, w->k, err));
  const vise_status st = save_into(as_quant(w), *out, err);
  if (st != VISE_OK) {
    vise_tree_free(*out);
    *out = NULL;
  }
  return st;
}

static vise_status load_spec(vise_format_spec *out, const vise_tree *t, vise_err *err) {
  const char *name;
  VISE_TRY(vise_tree_get_text(&name, t, "format", err));
  *out = (vise_format_spec){.format = vise_format_find(name), .m = t->m, .k = t->k};
  if (out->format == NULL) {
    return vise_fail(err, VISE_EFORMAT, "quant: unknown format '%s'", name);
  }
  vise_param_defaults(out->format->params, out->values);
  for (int i = 0; i < out->format->n_layout; i++) {
    VISE_TRY(load_value(&out->values[i], t, &out->format->params[i], err));
  }
  if (vise_format_check(out, err) != VISE_OK) {
    if (err != NULL) {
      err->code = VISE_EFORMAT; /* a file is at fault, not the caller */
    }
    return VISE_EFORMAT;
  }
  return VISE_OK;
}

static vise_status quant_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  vise_format_spec spec;
  VISE_TRY(load_spec(&spec, t, err));
  spec.format->describe(&spec, out, out_bytes);
  return VISE_OK;
}

static vise_status load_parts(quant *q, const vise_tree *t, vise_err *err) {
  for (int i = 0; i < q->n_parts; i++) {
    const vise_part_shape *s = &q->shapes[i];
    vise_tensor *part;
    VISE_TRY(vise_tree_get_part(&part, t, s->name, s->dtype, s->rank, s->shape, err));
    set_part(q, i, vise_tensor_retain(part));
  }
  return q->spec.format->check_parts(&q->spec, q->data, err);
}

static vise_status quant_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  vise_format_spec spec;
  quant *q;
  VISE_TRY(load_spec(&spec, t, err));
  VISE_TRY(new_quant(&q, &spec, err));
  const vise_status st = load_parts(q, t, err);
  if (st != VISE_OK) {
    vise_weight_release(&q->base);
    return st;
  }
  *out = &q->base;
  return VISE_OK;
}

/* ---- quantize ---- */

enum { CHUNK_WEIGHTS = 1 << 16, STAGE_BYTES = 1 << 17 };

typedef struct job {
  const vise_weight *w;
  const quant *q;
  void *parts[VISE_FORMAT_PARTS];
  const float *importance;
  int64_t rows; /* decoded and encoded by one call */
  /* Rows of a dense weight that are taken as they are stored, NULL: decoded in place. Those of a
     file are read, n_staged at a time: cheaper than mapping each page once and letting go of it,
     and nothing becomes resident. */
  const vise_tensor *stored;
  const vise_format_bf16 *bf16; /* encodes them, or NULL: cast first */
  int64_t n_staged;
  char *scratch;
  size_t worker_bytes, row_bytes, stage_bytes; /* of a worker: decoded rows, stage, the format's */
  atomic_bool has_nonfinite, is_unreadable;
} job;

static size_t round_up(size_t bytes) {
  return (bytes + 63) & ~(size_t)63;
}

static void choose_source(job *a) {
  const vise_tensor *t = vise_weight_dense_tensor(a->w);
  if (t == NULL || a->rows != 1) {
    return;
  }
  const vise_dtype dtype = vise_tensor_dtype(t);
  const vise_format_spec *spec = &a->q->spec;
  const vise_format_bf16 *bf16 = spec->format->bf16;
  if (dtype == VISE_DTYPE_BF16 && bf16 != NULL && bf16->takes(spec)) {
    a->bf16 = bf16;
    a->stored = t;
  }
  if (vise_tensor_is_mapped(t)) {
    const size_t row = (size_t)a->w->k * vise_dtype_bytes(dtype);
    a->stored = t;
    a->n_staged = STAGE_BYTES / row < 1 ? 1 : (int64_t)(STAGE_BYTES / row);
    a->stage_bytes = round_up((size_t)a->n_staged * row);
  }
}

/* Row `row` as it is stored; of a file, it is read with those after it below `end` when its turn
   comes. NULL: it cannot be. */
static const char *stored_row(const job *a, char *stage, int64_t begin, int64_t end, int64_t row) {
  const size_t bytes = (size_t)a->w->k * vise_dtype_bytes(vise_tensor_dtype(a->stored));
  if (a->n_staged == 0) {
    return (const char *)vise_tensor_data(a->stored) + (size_t)row * bytes;
  }
  const int64_t i = (row - begin) % a->n_staged;
  const int64_t n = end - row < a->n_staged ? end - row : a->n_staged;
  if (i == 0 && !vise_tensor_read(a->stored, (size_t)row * bytes, stage, (size_t)n * bytes)) {
    return NULL;
  }
  return stage + (size_t)i * bytes;
}

/* Rows [row, row + n), the first of them as it is stored or NULL. False: some value is not finite. */
static bool
encode_rows(job *a, const char *stored, float *x, int64_t row, int64_t n, void *scratch) {
  const vise_format_spec *spec = &a->q->spec;
  const int64_t k = a->w->k;
  if (a->bf16 != NULL) {
    return a->bf16->encode(spec, a->parts, (const uint16_t *)(const void *)stored, row, scratch);
  }
  if (stored == NULL) {
    a->w->kind->decode(a->w, row, n, 0, k, x, k);
  } else {
    vise_cast_to_f32(x, stored, vise_tensor_dtype(a->stored), k);
  }
  if (vise_convert()->has_nonfinite(x, n * k)) {
    return false;
  }
  spec->format->encode(spec, a->parts, x, k, row, n, a->importance, scratch);
  return true;
}

static void quantize_rows(void *arg, int64_t begin, int64_t end, int worker) {
  job *a = arg;
  char *own = a->scratch + (size_t)worker * a->worker_bytes;
  char *stage = own + a->row_bytes, *scratch = stage + a->stage_bytes;
  for (int64_t row = begin; row < end; row += a->rows) {
    const int64_t n = end - row < a->rows ? end - row : a->rows;
    const char *stored = a->stored == NULL ? NULL : stored_row(a, stage, begin, end, row);
    if (a->stored != NULL && stored == NULL) {
      a->is_unreadable = true;
      return;
    }
    if (!encode_rows(a, stored, (float *)(void *)own, row, n, scratch)) {
      a->has_nonfinite = true;
      return;
    }
  }
}

static vise_status fill(quant *q, const vise_weight *w, const float *importance, vise_err *err) {
  job a = {.w = w, .q = q, .importance = importance};
  for (int i = 0; i < q->n_parts; i++) {
    const vise_part_shape *s = &q->shapes[i];
    vise_tensor *t;
    VISE_TRY(vise_tensor_create(&t, s->dtype, s->rank, s->shape, err));
    set_part(q, i, t);
    a.parts[i] = vise_tensor_data(t);
  }
  if (w->m == 0 || w->k == 0) {
    return VISE_OK;
  }
  const int64_t together = q->spec.format->rows_together(&q->spec);
  const int64_t fit = CHUNK_WEIGHTS / w->k;
  const int64_t grain = fit < together ? together : fit - fit % together;
  a.rows = together;
  choose_source(&a);
  a.row_bytes = round_up((size_t)(together * w->k) * sizeof(float));
  a.worker_bytes = a.row_bytes + a.stage_bytes + round_up(q->spec.format->scratch_bytes(&q->spec));
  void *scratch;
  const int64_t n_chunks = vise_ceil_div(w->m, grain);
  const int64_t n_workers = n_chunks == 1 ? 1 : vise_threads();
  VISE_TRY(vise_mem_alloc_array(&scratch, n_workers, a.worker_bytes, err));
  a.scratch = scratch;
  vise_status st = vise_parallel_for(w->m, grain, quantize_rows, &a, err);
  if (st == VISE_OK && together > 1) {
    st = vise_cancel_check(err); /* encode may have stopped in the middle */
  }
  vise_mem_free(scratch);
  VISE_TRY(st);
  if (a.is_unreadable) {
    return vise_fail(err, VISE_EIO, "w: its file cannot be read any more");
  }
  if (a.has_nonfinite) {
    VISE_TRY(vise_weight_check_finite(w, err));
  }
  return VISE_OK;
}

vise_status vise_weight_quantize(vise_weight **out,
                                 const vise_weight *w,
                                 const vise_format_spec *spec,
                                 const float *importance,
                                 vise_err *err) {
  *out = NULL;
  if (w->kind->decode == NULL) {
    vise_weight *expanded;
    VISE_TRY(vise_weight_expand(&expanded, w, err));
    const vise_status st = vise_weight_quantize(out, expanded, spec, importance, err);
    vise_weight_release(expanded);
    return st;
  }
  vise_format_spec full = *spec;
  full.m = w->m;
  full.k = w->k;
  quant *q;
  VISE_TRY(vise_format_check(&full, err));
  VISE_TRY(vise_weight_check_importance(importance, w->k, err));
  VISE_TRY(new_quant(&q, &full, err));
  const vise_status st = fill(q, w, importance, err);
  if (st != VISE_OK) {
    vise_weight_release(&q->base);
    return st;
  }
  *out = &q->base;
  return VISE_OK;
}

vise_tensor *vise_weight_quant_part(const vise_weight *w, const char *name) {
  const quant *q = as_quant(w);
  for (int i = 0; w->kind == &vise_weight_kind_quant && i < q->n_parts; i++) {
    if (strcmp(q->shapes[i].name, name) == 0) {
      return q->parts[i];
    }
  }
  return NULL;
}

const vise_format_spec *vise_weight_quant_spec(const vise_weight *w,
                                               const void *const **parts_out) {
  if (w->kind != &vise_weight_kind_quant) {
    return NULL;
  }
  *parts_out = as_quant(w)->data;
  return &as_quant(w)->spec;
}

static int64_t quant_prepared(const vise_weight *w) {
  const vise_format_spec *s = &as_quant(w)->spec;
  return s->format->dot == NULL ? 0 : s->format->dot->prepared(s);
}

static void quant_prepare(const vise_weight *w, float *out, const float *x) {
  const vise_format_spec *s = &as_quant(w)->spec;
  s->format->dot->prepare(s, out, x);
}

static void
quant_dot_rows(const vise_weight *w, int64_t row, int64_t n_rows, const float *prepared, float *y) {
  const quant *q = as_quant(w);
  q->spec.format->dot->rows(&q->spec, q->data, row, n_rows, prepared, y);
}

static const vise_weight_dot quant_dot = {quant_prepared, quant_prepare, quant_dot_rows};

const vise_weight_kind vise_weight_kind_quant = {
    .name = "quant",
    .summary = "codes and scales in a number format",
    .decode = quant_decode,
    .dot = &quant_dot,
    .save = quant_save,
    .load = quant_load,
    .describe = quant_describe,
    .free = quant_free,
};
