/* SPDX-License-Identifier: Apache-2.0 */
/* A weight by the numbers of a table that is there: see codebook.h. */
#include "core/mem.h"
#include "core/parallel.h"
#include "weight/codebook.h"

enum { BLOCK = 256, GRAIN = 8 };

void vise_codebook_nearest(
    uint8_t *codes_out, const float *x, int64_t n, const float *values, int64_t c) {
  float middles[256];
  for (int64_t i = 0; i + 1 < c; i++) {
    middles[i] = 0.5f * values[i] + 0.5f * values[i + 1];
  }
  for (int64_t j = 0; j < n; j++) {
    int64_t code = 0;
    for (int64_t step = c / 2; step > 0; step /= 2) {
      code += x[j] > middles[code + step - 1] ? step : 0;
    }
    codes_out[j] = (uint8_t)code;
  }
}

typedef struct nearest {
  const float *x;
  uint8_t *codes;
  int64_t k, c;
  float values[256];
} nearest;

static void encode_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const nearest *a = arg;
  vise_codebook_nearest(a->codes + begin * a->k, a->x + begin * a->k, (end - begin) * a->k,
                        a->values, a->c);
}

static vise_status read_values(nearest *a, const vise_tensor *table, vise_err *err) {
  const bool is_one = vise_tensor_rank(table) == 3 && vise_tensor_dim(table, 0) == 1 &&
                      vise_tensor_dim(table, 2) == 1 && vise_tensor_is_contiguous(table);
  a->c = is_one ? vise_tensor_dim(table, 1) : 0;
  if (a->c < 2 || a->c > 256 || (a->c & (a->c - 1)) != 0) {
    char shape[160];
    return vise_fail(err, VISE_ESHAPE,
                     "codebook: table is %s, expected [1, 2^bits, 1], bits 1 to 8",
                     vise_tensor_shape_text(shape, sizeof shape, table));
  }
  vise_tensor_to_f32(table, 0, a->c, a->values);
  for (int64_t i = 0; i + 1 < a->c; i++) {
    if (!(a->values[i] <= a->values[i + 1])) {
      return vise_fail(err, VISE_EARG, "codebook: numbers %lld and %lld of table are not ascending",
                       (long long)i, (long long)(i + 1));
    }
  }
  return VISE_OK;
}

vise_status vise_weight_codebook_of(vise_weight **out,
                                    const vise_weight *w,
                                    vise_tensor *table,
                                    vise_err *err) {
  *out = NULL;
  nearest a = {.k = w->k};
  const int64_t shape[] = {w->m, w->k}, band = w->m < BLOCK ? w->m : BLOCK;
  VISE_TRY(read_values(&a, table, err));
  VISE_TRY(vise_weight_check_finite(w, err));
  vise_tensor *indices;
  VISE_TRY(vise_tensor_create(&indices, VISE_DTYPE_U8, 2, shape, err));
  void *x = NULL;
  vise_status st = vise_mem_alloc_array(&x, band * w->k, sizeof(float), err);
  a.x = x;
  for (int64_t row = 0; row < w->m && st == VISE_OK; row += BLOCK) {
    const int64_t n = w->m - row < BLOCK ? w->m - row : BLOCK;
    a.codes = (uint8_t *)vise_tensor_data(indices) + row * w->k;
    st = vise_weight_dense_rows(w, row, n, x, w->k, err);
    st = st == VISE_OK ? vise_parallel_for(n, GRAIN, encode_rows, &a, err) : st;
  }
  if (st == VISE_OK) {
    st = vise_weight_codebook(out, indices, table, w->k, VISE_CODEBOOK_TENSOR, 0, err);
  }
  vise_mem_free(x);
  vise_tensor_release(indices);
  return st;
}
