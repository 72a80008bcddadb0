/* SPDX-License-Identifier: Apache-2.0 */
#include "method/prune.h"

#include "core/mem.h"
#include "linalg/refit.h"
#include "weight/quant.h"
#include "weight/sparse.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { F32, F16, BF16, INT8, INT4 }; /* the choices of `values` */

static const double GREATEST_F16 = 65504.0, GREATEST_BF16 = 0x1.FEp127;

/* ---- options ---- */

enum { SPARSITY, PATTERN, PER, VALUES, REFIT, DAMPING };

static const char patterns[] =
    "unstructured 1:2 2:4 4:8 8:16 1:4 2:8 4:16 1x4 1x16 4x1 16x1 32x1 4x4 8x8 16x4 16x16";

/* kind, default, min, max, choices, doc */
const vise_param vise_prune_params[] = {
    [SPARSITY] = {"sparsity", VISE_PARAM_REAL, 0.5, 0.0, 0.999, NULL,
                  "share of the weights that become 0; an N:M pattern has its own"},
    [PATTERN] = {"pattern", VISE_PARAM_CHOICE, 0, 0, 0, patterns,
                 "N:M keeps N of every M columns; RxC keeps or drops blocks of R rows, C columns"},
    [PER] = {"per", VISE_PARAM_CHOICE, 0, 0, 0, "row tensor",
             "what is compared: each row (of blocks) by itself, or all of the tensor"},
    [VALUES] = {"values", VISE_PARAM_CHOICE, 0, 0, 0, "f32 f16 bf16 int8 int4",
                "how the weights that stay are stored; int8 and int4 in groups of 64"},
    [REFIT] = {"refit", VISE_PARAM_BOOL, 0, 0, 1, NULL,
               "set the weights that stay to the least squares of the outputs; needs statistics"},
    [DAMPING] = {"damping", VISE_PARAM_REAL, 0.01, 0.0, 1.0, NULL,
                 "of refit: added to the diagonal of the second moments, in units of its mean"},
    {0},
};

void vise_prune_options_of(vise_prune_options *out, const double *values) {
  *out = (vise_prune_options){.sparsity = values[SPARSITY],
                              .rows = 1,
                              .columns = 1,
                              .is_per_row = values[PER] == 0.0,
                              .is_refit = values[REFIT] != 0.0,
                              .values = (int)values[VALUES],
                              .damping = values[DAMPING]};
  char word[32], separator;
  int first, second;
  vise_param_choice(word, sizeof word, patterns, (int)values[PATTERN]);
  if (sscanf(word, "%d%c%d", &first, &separator, &second) != 3) {
    return;
  } else if (separator == ':') {
    out->n = first;
    out->group = second;
  } else {
    out->rows = first;
    out->columns = second;
  }
}

vise_status vise_prune_check_groups(const vise_prune_options *o, int64_t k, vise_err *err) {
  if (o->group == 0) {
    return VISE_OK;
  } else if (k % o->group != 0) {
    return vise_fail(err, VISE_ESHAPE,
                     "pattern: groups of %d (%d:%d) do not divide the %lld columns of w", o->group,
                     o->n, o->group, (long long)k);
  }
  const double own = 1.0 - (double)o->n / (double)o->group;
  if (o->sparsity != 0.5 && fabs(o->sparsity - own) > 1e-9) {
    return vise_fail(err, VISE_EARG, "sparsity: is %g, expected %g, that of the pattern %d:%d",
                     o->sparsity, own, o->n, o->group);
  }
  return VISE_OK;
}

vise_status vise_prune_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err) {
  (void)format;
  vise_prune_options o;
  vise_prune_options_of(&o, values);
  if (m % o.rows != 0 || k % o.columns != 0) {
    return vise_fail(err, VISE_ESHAPE, "pattern: blocks of %dx%d do not divide w [%lld, %lld]",
                     o.rows, o.columns, (long long)m, (long long)k);
  }
  return vise_prune_check_groups(&o, k, err);
}

/* ---- storing ---- */

/* Those beyond `greatest` become it; how many there were. */
static int64_t cut_range(float *x, int64_t n, float greatest) {
  int64_t n_cut = 0;
  for (int64_t i = 0; i < n; i++) {
    n_cut += fabsf(x[i]) > greatest;
    x[i] = fminf(fmaxf(x[i], -greatest), greatest);
  }
  return n_cut;
}

static vise_status with_integers(vise_weight **inout, const char *bits, vise_err *err) {
  vise_format_spec spec = {.format = vise_format_find("int")};
  vise_param_defaults(spec.format->params, spec.values);
  spec.values[0] = vise_param_find(spec.format->params[0].choices, bits);
  vise_weight *floats = *inout, *values;
  *inout = NULL;
  vise_status st =
      vise_weight_quantize(&values, vise_weight_sparse_values(floats), &spec, NULL, err);
  if (st == VISE_OK) {
    st = vise_weight_sparse_with(inout, floats, values, err);
    vise_weight_release(values);
  }
  vise_weight_release(floats);
  return st;
}

vise_status vise_prune_pack(
    vise_weight **out, vise_weight *w, const vise_prune_options *o, char *note, vise_err *err) {
  *out = NULL;
  const vise_dtype dtype = o->values == F16    ? VISE_DTYPE_F16
                           : o->values == BF16 ? VISE_DTYPE_BF16
                                               : VISE_DTYPE_F32;
  if (dtype != VISE_DTYPE_F32) {
    const double greatest = dtype == VISE_DTYPE_F16 ? GREATEST_F16 : GREATEST_BF16;
    const int64_t n_cut =
        cut_range(vise_tensor_data(vise_weight_dense_tensor(w)), w->m * w->k, (float)greatest);
    if (n_cut > 0) {
      vise_method_note(note, "%lld values beyond the range of %s were cut to %g", (long long)n_cut,
                       vise_dtype_name(dtype), greatest);
    }
  }
  vise_sparse_options layouts[3] = {{.layout = VISE_SPARSE_BITMASK, .values = dtype},
                                    {.layout = VISE_SPARSE_CSR, .values = dtype}};
  int n_layouts = 2;
  if (o->group > 0) {
    layouts[n_layouts++] =
        (vise_sparse_options){.layout = VISE_SPARSE_NM, .n = o->n, .m = o->group, .values = dtype};
  } else if (o->rows * o->columns > 1) {
    layouts[n_layouts++] = (vise_sparse_options){
        .layout = VISE_SPARSE_BLOCK, .rows = o->rows, .columns = o->columns, .values = dtype};
  }
  VISE_TRY(vise_weight_sparse_smallest(out, w, layouts, n_layouts, err));
  if (o->values == INT8 || o->values == INT4) {
    return with_integers(out, o->values == INT8 ? "8" : "4", err);
  }
  return VISE_OK;
}

/* ---- running ---- */

void vise_prune_powers(double *out, const vise_method_input *in) {
  const int64_t k = in->w->k;
  double greatest = 0.0;
  for (int64_t j = 0; j < k; j++) {
    out[j] = in->importance != NULL ? (double)in->importance[j] : in->moments->second[j * k + j];
    greatest = out[j] > greatest ? out[j] : greatest;
  }
  for (int64_t j = 0; j < k; j++) {
    out[j] = greatest > 0.0 ? out[j] / greatest : 1.0;
  }
}

static vise_status
damped_moments(double **out, const vise_method_input *in, double damping, vise_err *err) {
  const int64_t k = in->w->k;
  void *h = NULL;
  VISE_TRY(vise_mem_alloc_array(&h, k * k, sizeof(double), err));
  *out = h;
  vise_moments_second(*out, in->moments);
  double sum = 0.0;
  for (int64_t j = 0; j < k; j++) {
    sum += (*out)[j * k + j];
  }
  for (int64_t j = 0; j < k; j++) {
    (*out)[j * k + j] += damping * sum / (double)k;
  }
  return VISE_OK;
}

vise_status vise_prune_refit(float *x,
                             const vise_method_input *in,
                             const vise_prune_options *o,
                             vise_err *err) {
  vise_weight *original;
  double *h = NULL;
  int64_t n_left = 0;
  VISE_TRY(vise_weight_expand(&original, in->w, err));
  vise_status st = damped_moments(&h, in, o->damping, err);
  if (st == VISE_OK) {
    st = vise_refit(x, in->w->k, &n_left, vise_tensor_data(vise_weight_dense_tensor(original)),
                    in->w->k, in->w->m, in->w->k, h, err);
  }
  if (n_left > 0) {
    vise_method_note(in->note, "refit stopped early in %lld of %lld rows", (long long)n_left,
                     (long long)in->w->m);
  }
  vise_mem_free(h);
  vise_weight_release(original);
  return st;
}

static vise_status mask(float *x,
                        const vise_method_input *in,
                        vise_prune_factors_fn *fill,
                        const vise_prune_options *o,
                        vise_err *err) {
  const int64_t m = in->w->m, k = in->w->k;
  void *numbers = NULL;
  VISE_TRY(vise_mem_zalloc(&numbers, (size_t)(m + 2 * k) * sizeof(double), err));
  vise_prune_factors f = {.row = numbers};
  f.a = f.row + m;
  f.b = f.a + k;
  vise_status st = fill(&f, in, x, err);
  st = st == VISE_OK ? vise_prune_mask(x, m, k, &f, o, err) : st;
  vise_mem_free(numbers);
  return st;
}

vise_status vise_prune_run(vise_weight **out,
                           const vise_method_input *in,
                           vise_prune_factors_fn *factors,
                           vise_err *err) {
  *out = NULL;
  vise_prune_options o;
  vise_prune_options_of(&o, in->values);
  if (o.is_refit && in->moments == NULL) {
    return vise_fail(err, VISE_EARG,
                     "refit: needs statistics of the inputs, which are not given (stats = ...)");
  }
  VISE_TRY(vise_weight_check_finite(in->w, err));
  vise_weight *w;
  VISE_TRY(vise_weight_expand(&w, in->w, err));
  float *x = vise_tensor_data(vise_weight_dense_tensor(w));
  vise_status st = mask(x, in, factors, &o, err);
  st = st == VISE_OK && o.is_refit ? vise_prune_refit(x, in, &o, err) : st;
  st = st == VISE_OK ? vise_prune_pack(out, w, &o, in->note, err) : st;
  vise_weight_release(w);
  return st;
}
