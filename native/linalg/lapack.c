/* SPDX-License-Identifier: Apache-2.0 */
#include "linalg/lapack.h"

#include "core/mem.h"

#include <cblas.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

/* Fortran: everything by reference, lengths of the texts last. */
typedef void dgesdd_fn(const char *job,
                       const int *m,
                       const int *n,
                       double *a,
                       const int *lda,
                       double *s,
                       double *u,
                       const int *ldu,
                       double *vt,
                       const int *ldvt,
                       double *work,
                       const int *lwork,
                       int *iwork,
                       int *info,
                       size_t job_length);
typedef void sgesdd_fn(const char *job,
                       const int *m,
                       const int *n,
                       float *a,
                       const int *lda,
                       float *s,
                       float *u,
                       const int *ldu,
                       float *vt,
                       const int *ldvt,
                       float *work,
                       const int *lwork,
                       int *iwork,
                       int *info,
                       size_t job_length);
typedef void dsyevd_fn(const char *job,
                       const char *triangle,
                       const int *n,
                       double *a,
                       const int *lda,
                       double *w,
                       double *work,
                       const int *lwork,
                       int *iwork,
                       const int *liwork,
                       int *info,
                       size_t job_length,
                       size_t triangle_length);

/* What is used of the library, which is loaded when it is first asked for: loading takes as long as
   all else that starts a process, and most processes never compute with it. */
static struct {
  __typeof__(openblas_get_corename) *get_corename;
  __typeof__(openblas_get_config) *get_config;
  __typeof__(openblas_get_num_threads) *get_num_threads;
  __typeof__(openblas_set_num_threads) *set_num_threads;
  __typeof__(cblas_sgemm) *sgemm;
  dgesdd_fn *dgesdd;
  sgesdd_fn *sgesdd;
  dsyevd_fn *dsyevd;
} blas;
static bool is_loaded;

static bool find_symbol(void *library, const char *name, void *function_out) {
  void *symbol = dlsym(library, name);
  *(void **)function_out = symbol;
  return symbol != NULL;
}

static void load_once(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1); /* or it starts as many at once */
  void *library = dlopen(VISE_OPENBLAS, RTLD_LAZY | RTLD_LOCAL);
  is_loaded = library != NULL &&
              find_symbol(library, "openblas_get_corename", &blas.get_corename) &&
              find_symbol(library, "openblas_get_config", &blas.get_config) &&
              find_symbol(library, "openblas_get_num_threads", &blas.get_num_threads) &&
              find_symbol(library, "openblas_set_num_threads", &blas.set_num_threads) &&
              find_symbol(library, "cblas_sgemm", &blas.sgemm) &&
              find_symbol(library, "dgesdd_", &blas.dgesdd) &&
              find_symbol(library, "sgesdd_", &blas.sgesdd) &&
              find_symbol(library, "dsyevd_", &blas.dsyevd);
}

bool vise_blas_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_once);
  return is_loaded;
}

static vise_status check_loaded(const char *what, vise_err *err) {
  if (!vise_blas_load()) {
    return vise_fail(err, VISE_EUNSUPPORTED,
                     "%s: " VISE_OPENBLAS " cannot be loaded, expected "
                     "OpenBLAS with its LAPACK",
                     what);
  }
  return VISE_OK;
}

const char *vise_blas_core(void) {
  return vise_blas_load() ? blas.get_corename() : "none";
}

const char *vise_blas_config(void) {
  return vise_blas_load() ? blas.get_config() : "none";
}

int vise_blas_threads(void) {
  return vise_blas_load() ? blas.get_num_threads() : 1;
}

void vise_blas_threads_set(int count) {
  if (vise_blas_load()) {
    blas.set_num_threads(count);
  }
}

vise_status vise_blas_sgemm(float *y,
                            int64_t ldy,
                            const float *x,
                            int64_t ldx,
                            int64_t t,
                            const float *w,
                            int64_t ldw,
                            int64_t m,
                            int64_t k,
                            vise_err *err) {
  if (ldy > INT_MAX || ldx > INT_MAX || ldw > INT_MAX || t > INT_MAX) {
    return vise_fail(err, VISE_ESHAPE,
                     "sgemm: x [%lld, %lld], w [%lld, %lld], expected at most "
                     "2147483647 rows and columns",
                     (long long)t, (long long)k, (long long)m, (long long)k);
  }
  VISE_TRY(check_loaded("sgemm", err));
  if (t > 0 && m > 0) { /* it refuses strides of 0 */
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)t, (int)m, (int)k, 1.0f, x,
               ldx < 1 ? 1 : (int)ldx, w, ldw < 1 ? 1 : (int)ldw, 0.0f, y, (int)ldy);
  }
  return VISE_OK;
}

/* Can LAPACK take a matrix of these sides, and is it there? */
static vise_status check_sides(const char *what, int64_t m, int64_t k, vise_err *err) {
  const int64_t least = m < k ? m : k, greatest = m < k ? k : m;
  if (least > VISE_LAPACK_SIDE_MAX || greatest > INT_MAX) {
    return vise_fail(err, VISE_ESHAPE, "%s: matrix is [%lld, %lld], expected a side of at most %d",
                     what, (long long)m, (long long)k, VISE_LAPACK_SIDE_MAX);
  }
  return check_loaded(what, err);
}

static vise_status check_info(const char *what, int info, vise_err *err) {
  if (info != 0) {
    return vise_fail(err, VISE_ENUMERIC, "%s: LAPACK gave up, info %d, expected convergence", what,
                     info);
  }
  return VISE_OK;
}

/* Row-major A is column-major A' = V diag(s) U': LAPACK's U is V, its V' is U', and both come
   out row-major as they are wanted. So is a symmetric matrix, its lower triangle the upper one. */
typedef struct gesdd {
  int rows, cols, rank; /* of A' */
  int lwork;
  void *work, *iwork; /* owned */
} gesdd;

/* `wanted`: numbers of `size` bytes that the routine asked for. */
static vise_status alloc_work(gesdd *g, double wanted, size_t size, vise_err *err) {
  g->lwork = (int)wanted;
  VISE_TRY(vise_mem_alloc_array(&g->work, g->lwork, size, err));
  const vise_status st = vise_mem_alloc_array(&g->iwork, 8 * (int64_t)g->rank, sizeof(int), err);
  if (st != VISE_OK) {
    vise_mem_free(g->work);
  }
  return st;
}

static void free_work(gesdd *g) {
  vise_mem_free(g->work);
  vise_mem_free(g->iwork);
}

static gesdd gesdd_of(int64_t m, int64_t k) {
  return (gesdd){.rows = (int)k, .cols = (int)m, .rank = (int)(m < k ? m : k)};
}

vise_status
vise_lapack_svd(double *u, double *s, double *vt, double *a, int64_t m, int64_t k, vise_err *err) {
  VISE_TRY(check_sides("svd", m, k, err));
  if (m == 0 || k == 0) {
    return VISE_OK;
  }
  gesdd g = gesdd_of(m, k);
  double wanted;
  const int query = -1;
  int info;
  blas.dgesdd("S", &g.rows, &g.cols, a, &g.rows, s, vt, &g.rows, u, &g.rank, &wanted, &query, NULL,
              &info, 1);
  VISE_TRY(check_info("svd", info, err));
  VISE_TRY(alloc_work(&g, wanted, sizeof(double), err));
  const int threads = vise_blas_threads();
  vise_blas_threads_set(1);
  blas.dgesdd("S", &g.rows, &g.cols, a, &g.rows, s, vt, &g.rows, u, &g.rank, g.work, &g.lwork,
              g.iwork, &info, 1);
  vise_blas_threads_set(threads);
  free_work(&g);
  return check_info("svd", info, err);
}

vise_status
vise_lapack_svd_f32(float *u, float *s, float *vt, float *a, int64_t m, int64_t k, vise_err *err) {
  VISE_TRY(check_sides("svd", m, k, err));
  if (m == 0 || k == 0) {
    return VISE_OK;
  }
  gesdd g = gesdd_of(m, k);
  float wanted;
  const int query = -1;
  int info;
  blas.sgesdd("S", &g.rows, &g.cols, a, &g.rows, s, vt, &g.rows, u, &g.rank, &wanted, &query, NULL,
              &info, 1);
  VISE_TRY(check_info("svd", info, err));
  VISE_TRY(alloc_work(&g, (double)wanted * 1.0000002 + 1.0, sizeof(float), err)); /* f32 rounds */
  blas.sgesdd("S", &g.rows, &g.cols, a, &g.rows, s, vt, &g.rows, u, &g.rank, g.work, &g.lwork,
              g.iwork, &info, 1);
  free_work(&g);
  return check_info("svd", info, err);
}

vise_status vise_lapack_eigh(double *values_out, double *a, int64_t n, vise_err *err) {
  VISE_TRY(check_sides("eigh", n, n, err));
  if (n == 0) {
    return VISE_OK;
  }
  const int order = (int)n, query = -1;
  double wanted;
  int wanted_int, info;
  blas.dsyevd("V", "U", &order, a, &order, values_out, &wanted, &query, &wanted_int, &query, &info,
              1, 1);
  VISE_TRY(check_info("eigh", info, err));
  const int lwork = (int)wanted;
  void *work, *iwork;
  VISE_TRY(vise_mem_alloc_array(&work, lwork, sizeof(double), err));
  const vise_status st = vise_mem_alloc_array(&iwork, wanted_int, sizeof(int), err);
  if (st == VISE_OK) {
    const int threads = vise_blas_threads();
    vise_blas_threads_set(1);
    blas.dsyevd("V", "U", &order, a, &order, values_out, work, &lwork, iwork, &wanted_int, &info, 1,
                1);
    vise_blas_threads_set(threads);
  }
  vise_mem_free(work);
  vise_mem_free(iwork);
  return st == VISE_OK ? check_info("eigh", info, err) : st;
}
