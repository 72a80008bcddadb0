/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Truncated singular value decomposition, whitened by the inputs: with H = E[x x'] (or its diagonal,
 * or I without either) and U the r leading eigenvectors of W H W', W ~= U (U' W) is the product of
 * rank r of least error under the inputs, sum of s_i^2 for i > r (linalg/whitened.h). No factor of H
 * is needed, so inputs that never occur or depend on each other are no trouble.
 *
 * Both factors are stored with columns and rows of equal length: B = U diag(c), A = diag(1 / c) U' W,
 * c_i^2 = |u_i' W|. Stored as integers, A is searched under the importance of its columns.
 *
 * Differs from the paper, which multiplies by a Cholesky factor of H and its inverse: the factors are
 * the same.
 */
#include "core/mem.h"
#include "core/param.h"
#include "format/int_affine.h"
#include "linalg/gemm.h"
#include "linalg/matrix.h"
#include "linalg/whitened.h"
#include "method/method.h"
#include "tensor/cast.h"
#include "tensor/tensor.h"
#include "weight/compose.h"
#include "weight/quant.h"

#include <math.h>
#include <string.h>

enum { RANK, KEEP, VALUES, EXACT };

static const vise_param svd_params[] = {
    {"rank", VISE_PARAM_INT, 0, 0, 1 << 20, NULL,
     "columns of B, rows of A; 0: as many as `keep` says"},
    {"keep", VISE_PARAM_REAL, 0.5, 0.0, 1.0, NULL,
     "with rank 0: numbers of both factors as a share of those of w; at least rank 1"},
    {"values", VISE_PARAM_CHOICE, 1, 0, 0, "f32 f16 bf16 int8 int4",
     "how both factors are stored; integers in groups of 64"},
    {"exact", VISE_PARAM_BOOL, 0, 0, 1, NULL,
     "all singular vectors, not those of a random subspace: much slower, error up to 1 % smaller"},
    {0},
};

static int64_t rank_of(int64_t m, int64_t k, const double *values) {
  if (values[RANK] > 0.0) {
    return (int64_t)values[RANK];
  }
  const double rank = floor(values[KEEP] * (double)m * (double)k / (double)(m + k));
  return rank < 1.0 ? 1 : (int64_t)rank;
}

static vise_status svd_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err) {
  (void)format;
  if (m == 0 || k == 0) {
    return vise_fail(err, VISE_ESHAPE, "svd: w is [%lld, %lld], expected some numbers",
                     (long long)m, (long long)k);
  }
  const vise_matrix_f32 w = {.m = m, .k = k};
  return vise_project_check_rank("svd", rank_of(m, k, values), &w, err);
}

typedef struct svd {
  const vise_method_input *in;
  int64_t m, k, r;
  float *w;           /* [m, k] */
  double *h;          /* [k, k] or NULL */
  float *importance;  /* [k]: the diagonal of h, or NULL */
  double *ut, *s, *p; /* [r, m], [whitened_size], [r, k] */
} svd;

static vise_status find_factors(svd *f, vise_err *err) {
  const vise_method_input *in = f->in;
  const vise_matrix_f32 w = {f->w, f->m, f->k, f->k, 1};
  const bool is_exact = in->values[EXACT] != 0.0;
  if (in->importance == NULL && in->moments != NULL) {
    void *memory;
    VISE_TRY(vise_mem_alloc_array(&memory, f->k, sizeof(float), err));
    f->importance = memory;
    VISE_TRY(vise_matrix_alloc(&f->h, f->k, f->k, err));
    vise_moments_second(f->h, in->moments);
    vise_moments_importance(f->importance, in->moments);
  }
  VISE_TRY(vise_matrix_alloc(&f->ut, f->r, f->m, err));
  VISE_TRY(vise_matrix_alloc(&f->p, f->r, f->k, err));
  VISE_TRY(vise_matrix_alloc(&f->s, vise_whitened_size(&w, f->r, is_exact), 1, err));
  const vise_whitened_opts opts = {.h = f->h,
                                   .diagonal = in->importance,
                                   .is_exact = is_exact,
                                   .seed = in->seed,
                                   .name = in->name};
  VISE_TRY(vise_whitened(f->ut, f->s, &w, f->r, &opts, err));
  vise_matrix_fix_signs(f->ut, f->r, f->m, NULL, 0);
  return vise_whitened_rows(f->p, f->ut, f->r, &w, err);
}

/* *out: [n, columns] of `dtype`; row i of x, or column i where `is_turned`, times scale[i]. */
static vise_status store_dense(vise_weight **out,
                               const double *x,
                               const double *scale,
                               int64_t n,
                               int64_t columns,
                               bool is_turned,
                               vise_dtype dtype,
                               vise_err *err) {
  const int64_t shape[2] = {is_turned ? columns : n, is_turned ? n : columns};
  vise_tensor *t;
  VISE_TRY(vise_tensor_create(&t, dtype, 2, shape, err));
  void *memory;
  vise_status st = vise_mem_alloc_array(&memory, n * columns, sizeof(float), err);
  if (st == VISE_OK) {
    float *values = memory;
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < columns; j++) {
        values[is_turned ? j * n + i : i * columns + j] = (float)(x[i * columns + j] * scale[i]);
      }
    }
    vise_cast_cut(values, dtype, n * columns);
    vise_cast_from_f32(vise_tensor_data(t), dtype, values, n * columns);
    st = vise_weight_dense(out, t, err);
  }
  vise_mem_free(memory);
  vise_tensor_release(t);
  return st;
}

/* The same, as integers where `values` says so. */
static vise_status store(vise_weight **out,
                         const double *x,
                         const double *scale,
                         int64_t n,
                         int64_t columns,
                         bool is_turned,
                         const float *importance,
                         int values,
                         vise_err *err) {
  static const vise_dtype dtypes[] = {VISE_DTYPE_F32, VISE_DTYPE_F16, VISE_DTYPE_BF16};
  if (values < 3) {
    return store_dense(out, x, scale, n, columns, is_turned, dtypes[values], err);
  }
  vise_format_spec spec = {.format = &vise_format_int};
  vise_param_defaults(vise_format_int.params, spec.values);
  spec.values[VISE_INT_BITS] =
      vise_param_find(vise_format_int.params[VISE_INT_BITS].choices, values == 3 ? "8" : "4");
  vise_weight *dense;
  VISE_TRY(store_dense(&dense, x, scale, n, columns, is_turned, VISE_DTYPE_F32, err));
  const vise_status st = vise_weight_quantize(out, dense, &spec, importance, err);
  vise_weight_release(dense);
  return st;
}

static vise_status store_product(vise_weight **out, const svd *f, vise_err *err) {
  const int values = (int)f->in->values[VALUES];
  const float *importance = f->in->importance != NULL ? f->in->importance : f->importance;
  double *scales;
  VISE_TRY(vise_matrix_alloc(&scales, 2, f->r, err));
  for (int64_t i = 0; i < f->r; i++) {
    double square = 0.0;
    for (int64_t j = 0; j < f->k; j++) {
      square += f->p[i * f->k + j] * f->p[i * f->k + j];
    }
    scales[i] = sqrt(sqrt(square));
    scales[f->r + i] = square > 0.0 ? 1.0 / scales[i] : 0.0;
  }
  vise_weight *b = NULL, *a = NULL;
  vise_status st = store(&b, f->ut, scales, f->r, f->m, true, NULL, values, err);
  if (st == VISE_OK) {
    st = store(&a, f->p, scales + f->r, f->r, f->k, false, importance, values, err);
  }
  if (st == VISE_OK) {
    st = vise_weight_lowrank(out, b, a, err);
  }
  vise_weight_release(b);
  vise_weight_release(a);
  vise_mem_free(scales);
  return st;
}

static vise_status svd_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  svd f = {.in = in, .m = in->w->m, .k = in->w->k};
  f.r = rank_of(f.m, f.k, in->values);
  *out = NULL;
  VISE_TRY(vise_weight_check_finite(in->w, err));
  if (in->importance != NULL) {
    VISE_TRY(vise_weight_check_importance(in->importance, f.k, err));
  }
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, f.m * f.k, sizeof(float), err));
  f.w = memory;
  vise_status st = vise_weight_dense_rows(in->w, 0, f.m, f.w, f.k, err);
  st = st == VISE_OK ? find_factors(&f, err) : st;
  st = st == VISE_OK ? store_product(out, &f, err) : st;
  vise_mem_free(f.w);
  vise_mem_free(f.h);
  vise_mem_free(f.importance);
  vise_mem_free(f.ut);
  vise_mem_free(f.s);
  vise_mem_free(f.p);
  return st;
}

const vise_method vise_method_svd = {
    .name = "svd",
    .family = "factor",
    .summary = "product of two factors of a rank, the nearest one under the inputs",
    .source = "Wang et al. 2024, arXiv:2403.07378 (SVD-LLM)",
    .version = 1,
    .uses = VISE_NEEDS_MOMENTS,
    .is_exact = false,
    .takes_importance = true,
    .max_rel_error = 0.67,
    .params = svd_params,
    .check = svd_check,
    .run = svd_run,
};
