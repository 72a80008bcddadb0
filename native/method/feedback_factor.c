/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead inputs first, then the order, the damping, the factor: damping is a part of the mean power,
 * which dead inputs must not lower.
 */
#include "method/feedback_factor.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/cholesky.h"
#include "linalg/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRAIN = 16, TILE = 64 };

/* ---- order ---- */

typedef struct ranked {
  double group_power, power; /* greater ones are worked on first */
  int64_t group, column;     /* then the lower ones */
} ranked;

/* The last place is worked on first. */
static int by_place(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->group_power != y->group_power) {
    return x->group_power < y->group_power ? -1 : 1;
  }
  if (x->group != y->group) {
    return x->group > y->group ? -1 : 1;
  }
  if (x->power != y->power) {
    return x->power < y->power ? -1 : 1;
  }
  return x->column > y->column ? -1 : 1;
}

/* power: [n], the diagonal of H */
static vise_status choose_order(int64_t *columns,
                                const double *power,
                                int64_t n,
                                vise_feedback_order order,
                                int64_t group,
                                vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, n, sizeof(ranked), err));
  ranked *r = memory;
  for (int64_t j = 0; j < n; j++) {
    r[j] = (ranked){.power = order == VISE_ORDER_NONE ? 0.0 : power[j], .column = j};
  }
  for (int64_t first = 0; order == VISE_ORDER_GAR && first < n; first += group) {
    const int64_t end = n - first < group ? n : first + group;
    double greatest = 0.0;
    for (int64_t j = first; j < end; j++) {
      greatest = power[j] > greatest ? power[j] : greatest;
    }
    for (int64_t j = first; j < end; j++) {
      r[j].group_power = greatest;
      r[j].group = first;
    }
  }
  qsort(r, (size_t)n, sizeof *r, by_place);
  for (int64_t p = 0; p < n; p++) {
    columns[p] = r[p].column;
  }
  vise_mem_free(memory);
  return VISE_OK;
}

/* ---- the matrix ---- */

/* The diagonal of H, dead inputs given the mean of the others (1 if there are none); returns how
   many those are. */
static int64_t powers(double *out, const vise_moments *s) {
  int64_t n_dead = 0;
  double sum = 0.0;
  for (int64_t j = 0; j < s->n; j++) {
    out[j] = s->second[j * s->n + j] / (double)s->count;
    sum += out[j];
    n_dead += out[j] == 0.0;
  }
  const double mean = sum == 0.0 ? 1.0 : sum / (double)(s->n - n_dead);
  for (int64_t j = 0; j < s->n; j++) {
    out[j] = out[j] == 0.0 ? mean : out[j];
  }
  return n_dead;
}

typedef struct matrices {
  const vise_moments *moments;
  const double *power;
  double *a; /* [n, n] H in the order of places, on and below the diagonal */
  const double *l;
  vise_feedback_factor *f;
} matrices;

static void order_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const matrices *m = arg;
  const int64_t n = m->moments->n, *columns = m->f->columns;
  const double per_token = 1.0 / (double)m->moments->count;
  for (int64_t p = begin; p < end; p++) {
    double *row = m->a + p * n;
    const int64_t c = columns[p];
    for (int64_t q = 0; q < p; q++) {
      const int64_t d = columns[q];
      row[q] = m->moments->second[c > d ? c * n + d : d * n + c] * per_token;
    }
    row[p] = m->power[c];
    memset(row + p + 1, 0, (size_t)(n - p - 1) * sizeof *row);
  }
}

/* Rows [begin, end) of the ratios: columns of L, turned in tiles. */
static void turn_columns(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const matrices *m = arg;
  const int64_t n = m->f->n;
  for (int64_t first = 0; first < n; first += TILE) {
    const int64_t last = n - first < TILE ? n : first + TILE;
    for (int64_t j = begin; j < end; j++) {
      float *row = m->f->ratios + j * n;
      const double pivot = m->f->pivots[j];
      for (int64_t i = first; i < last; i++) {
        row[i] = i > j ? (float)(m->l[i * n + j] / pivot) : 0.0f;
      }
    }
  }
}

static vise_status factor(vise_feedback_factor *f, matrices *m, double damping, vise_err *err) {
  const int64_t n = f->n;
  VISE_TRY(vise_parallel_for(n, GRAIN, order_rows, m, err));
  VISE_TRY(vise_matrix_alloc(&f->l, n, n, err));
  vise_mem_want_large_pages(f->l);
  VISE_TRY(vise_cholesky_damped(f->l, &f->damping, m->a, n, n, damping, err));
  double sum = 0.0;
  for (int64_t j = 0; j < n; j++) {
    f->pivots[j] = f->l[j * n + j];
    sum += m->power[j];
  }
  f->ridge = n == 0 ? 0.0 : f->damping * sum / (double)n;
  m->l = f->l;
  return VISE_OK;
}

static vise_status allocate(vise_feedback_factor *f, vise_err *err) {
  void *columns = NULL;
  VISE_TRY(vise_mem_alloc_array(&columns, f->n, sizeof(int64_t), err));
  f->columns = columns;
  return vise_matrix_alloc(&f->pivots, f->n, 1, err);
}

static vise_status fill(vise_feedback_factor *f,
                        matrices *m,
                        vise_feedback_order order,
                        int64_t group,
                        double damping,
                        vise_err *err) {
  void *ratios = NULL;
  const int64_t n = f->n;
  double *power;
  VISE_TRY(allocate(f, err));
  VISE_TRY(vise_matrix_alloc(&power, n, 1, err));
  f->n_dead = powers(power, m->moments);
  m->power = power;
  vise_status st = choose_order(f->columns, power, n, order, group, err);
  if (st == VISE_OK) {
    st = vise_matrix_alloc(&m->a, n, n, err);
  }
  if (st == VISE_OK) {
    vise_mem_want_large_pages(m->a);
    st = factor(f, m, damping, err);
  }
  vise_mem_free(m->a);
  vise_mem_free(power);
  VISE_TRY(st);
  VISE_TRY(vise_mem_alloc_array(&ratios, n * n, sizeof(float), err));
  f->ratios = ratios;
  vise_mem_want_large_pages(ratios);
  return vise_parallel_for(n, TILE, turn_columns, m, err);
}

vise_status vise_feedback_factor_create(vise_feedback_factor **out,
                                        const vise_moments *moments,
                                        vise_feedback_order order,
                                        int64_t group,
                                        double damping,
                                        bool keeps_l,
                                        vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_feedback_factor), err));
  vise_feedback_factor *f = memory;
  f->n = moments->n;
  matrices m = {.moments = moments, .f = f};
  const vise_status st = fill(f, &m, order, group, damping, err);
  if (st != VISE_OK) {
    vise_feedback_factor_free(f);
    return st;
  }
  if (!keeps_l) {
    vise_mem_free(f->l);
    f->l = NULL;
  }
  *out = f;
  return VISE_OK;
}

void vise_feedback_factor_free(vise_feedback_factor *f) {
  if (f == NULL) {
    return;
  }
  vise_mem_free(f->l);
  vise_mem_free(f->ratios);
  vise_mem_free(f->pivots);
  vise_mem_free(f->columns);
  vise_mem_free(f);
}

void vise_feedback_factor_note(char *note,
                               size_t note_bytes,
                               const vise_feedback_factor *f,
                               double damping) {
  size_t used = strlen(note);
  if (f->n_dead > 0) {
    snprintf(note + used, note_bytes - used, "%s%lld of %lld inputs are always 0",
             used > 0 ? "; " : "", (long long)f->n_dead, (long long)f->n);
    used = strlen(note);
  }
  if (f->damping > damping) {
    snprintf(note + used, note_bytes - used, "%sdamping raised from %g to %g", used > 0 ? "; " : "",
             damping, f->damping);
  }
}
