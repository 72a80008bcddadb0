/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format's own search chooses the scales, each column counting by the power of its input; then
 * they stay, and feedback chooses the codes. With drift, the targets are the weights that fit best:
 * with o and x the inputs before and after compression,
 *
 *   min over V of E |W o - V x|^2 + d |W - V|^2     V = W (C + d I) (S + d I)^-1
 *   C = E[o x']    S = E[x x']    d = damping times the mean of S's diagonal
 *
 * and what Q misses of that best fit is tr((V - Q) (S + d I) (V - Q)'), the feedback's loss.
 */
#include "method/feedback_quantize.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/triangular.h"
#include "method/feedback.h"
#include "weight/quant.h"

vise_status vise_feedback_options_check(const vise_feedback_options *o,
                                        const vise_format_spec *format,
                                        const char *who,
                                        vise_err *err) {
  if (!o->is_dynamic) {
    return VISE_OK;
  } else if (o->order == VISE_ORDER_ACT) {
    return vise_fail(err, VISE_EARG,
                     "%s: groups is dynamic, expected static with order = \"act\", which takes "
                     "groups apart",
                     who);
  } else if (vise_feedback_grid_unit(format) == 0) {
    return vise_fail(err, VISE_EARG,
                     "%s: groups is dynamic, expected static: '%s' has no scales of at most %d "
                     "columns of one row with these options",
                     who, format->format->name, VISE_FEEDBACK_UNIT);
  }
  return VISE_OK;
}

/* ---- drift ---- */

enum { SLAB = 512 };

/* c [n, n]: drift C + (1 - drift) S + d I, its columns by place, turned; of an input that is always
   0 what H has, so that its weights stay. */
static void
mix_moments(double *c, const vise_moments *s, const vise_feedback_factor *f, double drift) {
  const int64_t n = s->n;
  const double per_token = 1.0 / (double)s->count;
  for (int64_t p = 0; p < n; p++) {
    const int64_t x = f->columns[p];
    double *row = c + p * n;
    for (int64_t o = 0; o < n; o++) {
      const double second = s->second[o > x ? o * n + x : x * n + o];
      row[o] = (drift * s->cross[o * n + x] + (1.0 - drift) * second) * per_token;
    }
    const bool is_dead = s->second[x * n + x] == 0.0;
    row[x] = is_dead ? f->pivots[p] * f->pivots[p] : row[x] + f->ridge;
  }
}

/* Rows of w, in the order of columns, to the best fit in that of places. */
static vise_status fit_rows(float *w,
                            int64_t n_rows,
                            const double *c,
                            const vise_feedback_factor *f,
                            double *rows,
                            double *fitted,
                            vise_err *err) {
  const int64_t n = f->n;
  for (int64_t i = 0; i < n_rows * n; i++) {
    rows[i] = (double)w[i];
  }
  VISE_TRY(vise_gemm_f64(fitted, n, rows, n, n_rows, c, n, n, n, err));
  VISE_TRY(vise_triangular_solve(fitted, n, n_rows, f->l, n, n, false, err));
  VISE_TRY(vise_triangular_solve(fitted, n, n_rows, f->l, n, n, true, err));
  for (int64_t i = 0; i < n_rows * n; i++) {
    w[i] = (float)fitted[i];
  }
  return VISE_OK;
}

static vise_status fit(float *w,
                       int64_t m,
                       const vise_moments *s,
                       const vise_feedback_factor *f,
                       double drift,
                       vise_err *err) {
  double *c, *rows = NULL, *fitted = NULL;
  const int64_t n = f->n, slab = m < SLAB ? m : SLAB;
  VISE_TRY(vise_matrix_alloc(&c, n, n, err));
  vise_status st = vise_matrix_alloc(&rows, slab, n, err);
  if (st == VISE_OK) {
    st = vise_matrix_alloc(&fitted, slab, n, err);
  }
  if (st == VISE_OK) {
    mix_moments(c, s, f, drift);
  }
  for (int64_t row = 0; row < m && st == VISE_OK; row += SLAB) {
    const int64_t n_rows = m - row < SLAB ? m - row : SLAB;
    st = fit_rows(w + row * n, n_rows, c, f, rows, fitted, err);
  }
  vise_mem_free(fitted);
  vise_mem_free(rows);
  vise_mem_free(c);
  return st;
}

/* ---- rounding ---- */

typedef struct quantizing {
  const vise_method_input *in;
  const vise_feedback_options *o;
  vise_format_spec spec;
  float *importance; /* [k], owned, or NULL */
  vise_feedback_factor *factor;
  vise_weight *q; /* its scales are used, its codes become the result's */
  float *w;
  uint8_t *codes;
} quantizing;

static vise_status choose_codes(quantizing *a, const vise_feedback_grid *grid, vise_err *err) {
  const int64_t m = a->in->w->m, n = a->in->w->k;
  void *w = NULL, *codes = NULL;
  VISE_TRY(vise_mem_alloc_array(&w, m * n, sizeof *a->w, err));
  a->w = w;
  vise_mem_want_large_pages(w);
  VISE_TRY(vise_mem_alloc_array(&codes, m * n, sizeof *a->codes, err));
  a->codes = codes;
  VISE_TRY(vise_weight_dense_rows(a->in->w, 0, m, a->w, n, err));
  if (a->o->drift > 0.0) {
    VISE_TRY(fit(a->w, m, a->in->moments, a->factor, a->o->drift, err));
  } else {
    VISE_TRY(vise_feedback_to_places(a->w, m, a->factor, err));
  }
  const vise_feedback f = {.factor = a->factor, .m = m, .w = a->w, .grid = grid, .codes = a->codes};
  VISE_TRY(vise_feedback_run(NULL, &f, err));
  return vise_feedback_put_codes(grid, a->codes, a->factor, err);
}

static vise_status work_on_grid(quantizing *a, vise_err *err) {
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  void *parts[VISE_FORMAT_PARTS];
  vise_feedback_grid grid;
  const int n_parts = a->spec.format->parts(&a->spec, shapes);
  for (int i = 0; i < n_parts; i++) { /* nobody else has seen q yet */
    parts[i] = vise_tensor_data(vise_weight_quant_part(a->q, shapes[i].name));
  }
  VISE_TRY(vise_feedback_grid_init(&grid, &a->spec, parts, err));
  if (a->o->is_dynamic) {
    vise_feedback_grid_make_dynamic(&grid, vise_feedback_grid_unit(&a->spec), a->importance);
  }
  const vise_status st = choose_codes(a, &grid, err);
  vise_feedback_grid_clear(&grid);
  return st;
}

static vise_status quantize(quantizing *a, vise_err *err) {
  const vise_moments *moments = a->in->moments;
  const vise_format *format = a->spec.format;
  if (format->uses_importance != NULL && format->uses_importance(&a->spec)) {
    void *importance = NULL;
    VISE_TRY(vise_mem_alloc_array(&importance, moments->n, sizeof(float), err));
    a->importance = importance;
    vise_moments_importance(a->importance, moments);
  }
  VISE_TRY(vise_weight_quantize(&a->q, a->in->w, &a->spec, a->importance, err));
  if (a->in->w->m == 0 || a->in->w->k == 0) {
    return VISE_OK;
  }
  const int64_t unit = vise_feedback_grid_unit(&a->spec);
  const int64_t group = unit > 0 ? unit : format->grid->of(&a->spec).group;
  VISE_TRY(vise_feedback_factor_create(&a->factor, moments, a->o->order, group, a->o->damping,
                                       a->o->drift > 0.0, err));
  vise_feedback_factor_note(a->in->note, a->factor, a->o->damping);
  return work_on_grid(a, err);
}

vise_status vise_feedback_quantize(vise_weight **out,
                                   const vise_method_input *in,
                                   const vise_feedback_options *o,
                                   const char *who,
                                   vise_err *err) {
  *out = NULL;
  if (in->importance != NULL) {
    return vise_fail(err, VISE_EARG,
                     "%s: importance is given, expected only statistics of the inputs, which say "
                     "more",
                     who);
  }
  quantizing a = {.in = in, .o = o, .spec = *in->format};
  const vise_status st = quantize(&a, err);
  vise_mem_free(a.codes);
  vise_mem_free(a.w);
  vise_feedback_factor_free(a.factor);
  vise_mem_free(a.importance);
  if (st != VISE_OK) {
    vise_weight_release(a.q);
    return st;
  }
  *out = a.q;
  return VISE_OK;
}
