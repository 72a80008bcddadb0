/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead inputs first, then the order, the damping, the factor: damping is a part of the mean power,
 * which dead inputs must not lower.
 *
 * The factor by strips of L' from the left, J a block of 128 places, R its ratios, P = diag(pivots):
 *
 *   A        = H[J, J..] - sum over chunks of 512 places K before: (P_K^2 R[K, J])' R[K, J..]
 *   A[J, J]  = D D'                       L'[J, after] = D^-1 A[J, after]
 *
 * f64 but for the products of a chunk, in f32: what they miss is about 1e-6 of the products of the
 * inputs' norms, as H itself is made of f32 products; damping of 1e-2 of the mean power is far above
 * that. A factor of L in f64 takes twice the time, and its ratios are rounded to f32 all the same.
 */
#include "method/feedback_factor.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "linalg/cholesky.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "method/method.h"

#include <stdlib.h>
#include <string.h>

enum { GRAIN = 16, TILE = 64, BLOCK = 128, CHUNK = 512, ESCALATIONS = 6 };

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

typedef struct strip {
  vise_feedback_factor *f;
  const vise_moments *moments;
  const double *power;
  int64_t first, nb;   /* the block's places: [first, first + nb) */
  double *a;           /* [BLOCK, n]: row j is place first + j of H, then of L'; from `first` on */
  double *solved;      /* [BLOCK, n]: L' after the block */
  float *known;        /* [BLOCK, n]: what places before contribute */
  float *factors;      /* [BLOCK, CHUNK] */
  double *d, *inverse; /* [BLOCK, BLOCK]: the block on the diagonal, and its inverse */
} strip;

/* Columns [begin, end) of the strip, from `first` on. */
static void take_columns(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const strip *s = arg;
  const int64_t n = s->f->n, *columns = s->f->columns;
  const double per_token = 1.0 / (double)s->moments->count;
  for (int64_t i = begin; i < end; i++) {
    const int64_t c = columns[s->first + i];
    for (int64_t j = 0; j < s->nb; j++) {
      const int64_t d = columns[s->first + j];
      s->a[j * n + i] = s->moments->second[c > d ? c * n + d : d * n + c] * per_token;
    }
    if (i < s->nb) {
      s->a[i * n + i] = s->power[c] + s->f->ridge;
    }
  }
}

static void subtract_columns(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const strip *s = arg;
  const int64_t n = s->f->n;
  for (int64_t j = 0; j < s->nb; j++) {
    for (int64_t i = begin; i < end; i++) {
      s->a[j * n + i] -= (double)s->known[j * n + i];
    }
  }
}

/* What places [from, from + count) contribute to the strip: the sum of ratios times squared pivots
   times ratios. */
static vise_status subtract_places(strip *s, int64_t from, int64_t count, vise_err *err) {
  const int64_t n = s->f->n;
  const float *ratios = s->f->ratios + from * n + s->first;
  for (int64_t l = 0; l < count; l++) {
    const double pivot = s->f->pivots[from + l];
    for (int64_t j = 0; j < s->nb; j++) {
      s->factors[j * CHUNK + l] = (float)((double)ratios[l * n + j] * (pivot * pivot));
    }
  }
  vise_rows_dense dense;
  const vise_rows rows = vise_rows_f32(&dense, s->factors, s->nb, count, CHUNK);
  VISE_TRY(vise_gemm_plain_f32(s->known, n, &rows, ratios, n, n - s->first, err));
  return vise_parallel_for(n - s->first, TILE, subtract_columns, s, err);
}

/* d = D D', lower; then its inverse. */
static vise_status factor_block(strip *s, vise_err *err) {
  for (int64_t j = 0; j < s->nb; j++) {
    for (int64_t i = j; i < s->nb; i++) {
      s->d[i * BLOCK + j] = s->a[j * s->f->n + i];
    }
  }
  VISE_TRY(vise_cholesky(s->d, BLOCK, s->nb, err));
  memset(s->inverse, 0, BLOCK * BLOCK * sizeof *s->inverse);
  for (int64_t i = 0; i < s->nb; i++) {
    double *row = s->inverse + i * BLOCK;
    const double *l = s->d + i * BLOCK;
    row[i] = 1.0;
    for (int64_t j = 0; j < i; j++) {
      for (int64_t c = 0; c <= j; c++) {
        row[c] -= l[j] * s->inverse[j * BLOCK + c];
      }
    }
    for (int64_t c = 0; c <= i; c++) {
      row[c] /= l[i];
    }
  }
  return VISE_OK;
}

/* Rows of the ratios, and of `l` if that is wanted. */
static void store_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const strip *s = arg;
  const int64_t n = s->f->n, after = n - s->first - s->nb;
  for (int64_t j = begin; j < end; j++) {
    float *row = s->f->ratios + (s->first + j) * n + s->first;
    const double pivot = s->d[j * BLOCK + j], *solved = s->solved + j * n;
    for (int64_t i = j + 1; i < s->nb; i++) {
      row[i] = (float)(s->d[i * BLOCK + j] / pivot);
    }
    for (int64_t i = 0; i < after; i++) {
      row[s->nb + i] = (float)(solved[i] / pivot);
    }
    s->f->pivots[s->first + j] = pivot;
  }
}

static void keep_l(const strip *s) {
  const int64_t n = s->f->n, after = n - s->first - s->nb;
  double *l = s->f->l + s->first * n + s->first;
  for (int64_t i = 0; i < s->nb; i++) {
    memcpy(l + i * n, s->d + i * BLOCK, (size_t)s->nb * sizeof *l);
    memset(l + i * n + s->nb, 0, (size_t)after * sizeof *l);
  }
  vise_matrix_transpose(l + s->nb * n, n, s->solved, n, s->nb, after);
}

static vise_status factor_strip(strip *s, vise_err *err) {
  const int64_t n = s->f->n, after = n - s->first - s->nb;
  VISE_TRY(vise_parallel_for(n - s->first, TILE, take_columns, s, err));
  for (int64_t from = 0; from < s->first; from += CHUNK) {
    const int64_t count = s->first - from < CHUNK ? s->first - from : CHUNK;
    VISE_TRY(subtract_places(s, from, count, err));
  }
  VISE_TRY(factor_block(s, err));
  VISE_TRY(vise_gemm_plain_f64(s->solved, n, s->inverse, BLOCK, s->nb, s->nb, s->a + s->nb, n,
                               after, err));
  VISE_TRY(vise_parallel_for(s->nb, GRAIN, store_rows, s, err));
  if (s->f->l != NULL) {
    keep_l(s);
  }
  return VISE_OK;
}

static vise_status factor(strip *s, double damping, double mean, vise_err *err) {
  vise_status st = VISE_ENUMERIC;
  for (int i = 0; i <= ESCALATIONS && st == VISE_ENUMERIC; i++, damping *= 10.0) {
    s->f->damping = damping;
    s->f->ridge = damping * mean;
    st = VISE_OK;
    for (s->first = 0; s->first < s->f->n && st == VISE_OK; s->first += BLOCK) {
      s->nb = s->f->n - s->first < BLOCK ? s->f->n - s->first : BLOCK;
      st = factor_strip(s, err);
    }
  }
  return st;
}

/* The same, in scratch. */
static vise_status work(vise_feedback_factor *f,
                        const vise_moments *moments,
                        const double *power,
                        double damping,
                        vise_err *err) {
  const int64_t n = f->n;
  double sum = 0.0, *a;
  void *known;
  for (int64_t j = 0; j < n; j++) {
    sum += power[j];
  }
  VISE_TRY(vise_matrix_alloc(&a, 2 * (n + BLOCK), BLOCK, err));
  vise_status st = vise_mem_alloc_array(&known, BLOCK * (n + CHUNK), sizeof(float), err);
  if (st == VISE_OK) {
    strip s = {.f = f, .moments = moments, .power = power, .a = a, .known = known};
    s.solved = a + BLOCK * n;
    s.d = s.solved + BLOCK * n;
    s.inverse = s.d + BLOCK * BLOCK;
    s.factors = s.known + BLOCK * n;
    st = factor(&s, damping, n == 0 ? 0.0 : sum / (double)n, err);
  }
  vise_mem_free(known);
  vise_mem_free(a);
  return st;
}

static vise_status allocate(vise_feedback_factor *f, bool keeps_l, vise_err *err) {
  void *columns = NULL, *ratios = NULL;
  VISE_TRY(vise_mem_alloc_array(&columns, f->n, sizeof(int64_t), err));
  f->columns = columns;
  VISE_TRY(vise_matrix_alloc(&f->pivots, f->n, 1, err));
  if (keeps_l) {
    VISE_TRY(vise_matrix_alloc(&f->l, f->n, f->n, err));
    vise_mem_want_large_pages(f->l);
  }
  VISE_TRY(vise_mem_alloc_array(&ratios, f->n * f->n, sizeof(float), err));
  f->ratios = ratios;
  vise_mem_want_large_pages(ratios);
  return VISE_OK;
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
  double *power = NULL;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_feedback_factor), err));
  vise_feedback_factor *f = memory;
  f->n = moments->n;
  vise_status st = allocate(f, keeps_l, err);
  st = st == VISE_OK ? vise_matrix_alloc(&power, f->n, 1, err) : st;
  if (st == VISE_OK) {
    f->n_dead = powers(power, moments);
    st = choose_order(f->columns, power, f->n, order, group, err);
  }
  st = st == VISE_OK ? work(f, moments, power, damping, err) : st;
  vise_mem_free(power);
  if (st != VISE_OK) {
    vise_feedback_factor_free(f);
    return st;
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

void vise_feedback_factor_note(char *note, const vise_feedback_factor *f, double damping) {
  if (f->n_dead > 0) {
    vise_method_note(note, "%lld of %lld inputs are always 0", (long long)f->n_dead,
                     (long long)f->n);
  }
  if (f->damping > damping) {
    vise_method_note(note, "damping raised from %g to %g", damping, f->damping);
  }
}
