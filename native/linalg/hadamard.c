/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With chi the quadratic character of the field of q elements (0 of 0, 1 of squares, else -1), Q[a][b]
 * = chi(a - b), and j a column of ones:
 *
 *   I     H = I + S,                                  S = [0, j'; -j, Q], skew
 *   II    H = C (x) [1, 1; 1, -1] + I (x) [1, -1; -1, -1],     C = [0, j'; j, Q], symmetric
 *
 * A field of p^2 elements is made of numbers a + b t with t^2 = c, the least non-square of p;
 * element a + b t has the number a p + b.
 */
#include "linalg/hadamard.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/hadamard.h"

#include <math.h>

enum { ORDER_MAX = VISE_HADAMARD_MIX_MAX, GRAIN_ELEMENTS = 1 << 14 };

struct vise_hadamard {
  int64_t n, m, p;
  bool is_symmetric;
  float *signs; /* [m, m] H_m, then its transpose; NULL if m == 1. Owned */
};

typedef struct field {
  int p, q; /* q = p or p^2 */
} field;

static bool is_prime(int p) {
  for (int d = 2; d * d <= p; d++) {
    if (p % d == 0) {
      return false;
    }
  }
  return p > 1;
}

/* A field of q elements, if there is one that this file can make. */
static bool find_field(field *out, int q) {
  for (int p = 2; p <= q; p++) {
    if ((p == q || p * p == q) && is_prime(p)) {
      *out = (field){p, q};
      return true;
    }
  }
  return false;
}

/* The field and which construction gives order m, a multiple of 4. */
static bool find_paley(field *out, bool *out_is_second, int m) {
  const int second = m / 2 - 1, first = m - 1;
  *out_is_second = second % 4 == 1 && find_field(out, second);
  return *out_is_second || (first % 4 == 3 && find_field(out, first) && out->p == out->q);
}

/* chi[i] for each element. */
static void fill_character(int *chi, field f) {
  const int p = f.p;
  bool is_square[ORDER_MAX] = {false};
  for (int a = 1; a < p; a++) {
    is_square[a * a % p] = true;
  }
  int c = 1; /* the least non-square: there is one below an odd p */
  while (f.q > p && is_square[c]) {
    c++;
  }
  for (int i = 0; i < f.q; i++) {
    chi[i] = i == 0 ? 0 : -1;
  }
  for (int i = 1; i < f.q; i++) {
    const int a = f.q > p ? i / p : i, b = f.q > p ? i % p : 0;
    const int real = (a * a + c * b % p * b) % p, other = 2 * a * b % p;
    chi[f.q > p ? real * p + other : real] = 1;
  }
}

static int difference(field f, int i, int j) {
  const int p = f.p;
  if (f.q == p) {
    return (i - j + p) % p;
  }
  return (i / p - j / p + p) % p * p + (i % p - j % p + p) % p;
}

static void fill_paley(float *signs, int m, field f, bool is_second) {
  static const int sum[2][2] = {{1, 1}, {1, -1}}, unit[2][2] = {{1, -1}, {-1, -1}};
  int chi[ORDER_MAX];
  fill_character(chi, f);
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < m; j++) {
      const int a = is_second ? i / 2 : i, b = is_second ? j / 2 : j;
      int c = a == b ? 0 : 1; /* of C, or of S */
      if (a > 0 && b > 0) {
        c = chi[difference(f, a - 1, b - 1)];
      } else if (a > 0 && !is_second) {
        c = -1;
      }
      const int value =
          is_second ? c * sum[i % 2][j % 2] + (a == b) * unit[i % 2][j % 2] : c + (a == b);
      signs[i * m + j] = (float)value;
      signs[m * m + j * m + i] = (float)value;
    }
  }
}

/* n = m p with m as in the header; 0 if it is too large. */
static int split(int64_t n) {
  int64_t odd = n;
  while (odd % 2 == 0) {
    odd /= 2;
  }
  if (odd == 1) {
    return 1;
  }
  return n % 4 == 0 && odd <= ORDER_MAX / 4 ? (int)(4 * odd) : 0;
}

static bool is_known(int64_t n) {
  field f;
  bool is_second;
  const int m = split(n);
  return m == 1 || (m > 0 && find_paley(&f, &is_second, m));
}

int64_t vise_hadamard_block(int64_t n) {
  return is_known(n) ? n : n & -n;
}

vise_status vise_hadamard_create(vise_hadamard **out, int64_t n, vise_err *err) {
  *out = NULL;
  if (n < 1) {
    return vise_fail(err, VISE_EARG, "hadamard: order is %lld, expected at least 1", (long long)n);
  }
  if (!is_known(n)) {
    return vise_fail(err, VISE_ESHAPE,
                     "hadamard: no matrix of order %lld is known here, expected a power of two, or "
                     "4 m times one with m up to 63 and a matrix by Paley; use blocks of %lld",
                     (long long)n, (long long)vise_hadamard_block(n));
  }
  void *block;
  VISE_TRY(vise_mem_zalloc(&block, sizeof(vise_hadamard), err));
  vise_hadamard *h = block;
  const int m = split(n);
  *h = (vise_hadamard){.n = n, .m = m, .p = n / m, .is_symmetric = true};
  if (m > 1) {
    field f = {0, 0};
    (void)find_paley(&f, &h->is_symmetric, m);
    const vise_status st = vise_mem_alloc_array(&block, 2 * (int64_t)m * m, sizeof(float), err);
    if (st != VISE_OK) {
      vise_mem_free(h);
      return st;
    }
    h->signs = block;
    fill_paley(h->signs, m, f, h->is_symmetric);
  }
  *out = h;
  return VISE_OK;
}

void vise_hadamard_free(vise_hadamard *h) {
  if (h != NULL) {
    vise_mem_free(h->signs);
    vise_mem_free(h);
  }
}

int64_t vise_hadamard_order(const vise_hadamard *h) {
  return h->n;
}

bool vise_hadamard_is_symmetric(const vise_hadamard *h) {
  return h->is_symmetric;
}

typedef struct apply_job {
  const vise_hadamard *h;
  float *x, scale;
  bool is_inverse;
} apply_job;

static void apply_runs(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const apply_job *job = arg;
  const vise_hadamard *h = job->h;
  const vise_hadamard_kernels *kernels = vise_hadamard_kernels_used();
  for (int64_t run = begin; run < end; run++) {
    float *x = job->x + run * h->n;
    for (int64_t i = 0; i < h->m; i++) {
      kernels->butterfly(x + i * h->p, h->p, job->scale);
    }
    if (h->m > 1) {
      kernels->mix(x, h->signs + (job->is_inverse ? h->m * h->m : 0), h->m, h->p);
    }
  }
}

vise_status vise_hadamard_apply(
    const vise_hadamard *h, float *inout, int64_t rows, int64_t k, bool is_inverse, vise_err *err) {
  if (k % h->n != 0) {
    return vise_fail(err, VISE_ESHAPE, "hadamard: blocks of %lld do not divide the %lld columns",
                     (long long)h->n, (long long)k);
  }
  apply_job job = {h, inout, (float)(1.0 / sqrt((double)h->n)), is_inverse};
  const int64_t grain = h->n < GRAIN_ELEMENTS ? GRAIN_ELEMENTS / h->n : 1;
  return vise_parallel_for(rows * (k / h->n), grain, apply_runs, &job, err);
}
