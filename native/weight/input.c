/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `input`: a child C whose products Y = X W' are those of rounded activations. Attributes
 * `format` and `per`; a part `scale` where it is one for all tokens.
 */
#include "weight/input.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "kernels/qgemm.h"
#include "weight/kind.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

extern const vise_weight_kind vise_weight_kind_input;

enum { CHUNK_VALUES = 1 << 14, PIECE = 256 };

static const char *const formats[] = {[VISE_INPUT_INT8] = "int8", [VISE_INPUT_FP8] = "fp8"};

typedef struct input {
  vise_weight base;
  vise_rounding rounding;
  vise_tensor *scale; /* retained; NULL where each token has its own */
} input;

static input *as_input(const vise_weight *w) {
  return (input *)(uintptr_t)w;
}

/* ---- rounding ---- */

float vise_rounding_scale(float *r_out, const vise_rounding *rounding, const float *x, int64_t n) {
  const uint32_t bits = vise_qgemm()->greatest(x, n);
  float greatest;
  memcpy(&greatest, &bits, sizeof greatest);
  *r_out = 0.0f;
  if (!isfinite(greatest)) {
    return NAN;
  }
  const float most = rounding->format == VISE_INPUT_INT8 ? 127.0f : 448.0f;
  const float scale = rounding->scale > 0.0f ? rounding->scale : greatest / most;
  if (scale < FLT_MIN) {
    return 0.0f;
  }
  *r_out = 1.0f / scale;
  return scale;
}

typedef struct task {
  const vise_rounding *rounding;
  float *out;
  const float *x;
  int64_t ldx, k;
} task;

/* out[j] = scale q, n <= PIECE. */
static void
round_piece(float *out, vise_input_format format, const float *x, int64_t n, float r, float scale) {
  if (format == VISE_INPUT_INT8) {
    int8_t q[PIECE];
    vise_qgemm()->round(q, x, n, r);
    for (int64_t j = 0; j < n; j++) {
      out[j] = scale * (float)q[j];
    }
    return;
  }
  uint8_t codes[PIECE];
  for (int64_t j = 0; j < n; j++) {
    out[j] = x[j] * r;
  }
  vise_convert()->e4m3_encode(codes, out, n);
  vise_convert()->e4m3_decode(out, codes, n);
  for (int64_t j = 0; j < n; j++) {
    out[j] *= scale;
  }
}

static void round_tokens(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const task *a = arg;
  for (int64_t s = begin; s < end; s++) {
    const float *x = a->x + s * a->ldx;
    float r;
    const float scale = vise_rounding_scale(&r, a->rounding, x, a->k);
    for (int64_t j = 0; j < a->k; j += PIECE) {
      const int64_t n = a->k - j < PIECE ? a->k - j : PIECE;
      round_piece(a->out + s * a->k + j, a->rounding->format, x + j, n, r, scale);
    }
  }
}

vise_status vise_rounding_run(float *out,
                              const vise_rounding *rounding,
                              const float *x,
                              int64_t ldx,
                              int64_t t,
                              int64_t k,
                              vise_err *err) {
  task a = {rounding, out, x, ldx, k};
  return vise_parallel_for(t, 1 + CHUNK_VALUES / (k + 1), round_tokens, &a, err);
}

/* ---- questions ---- */

static vise_status
input_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  return vise_weight_rows(w->children[0], rows, out, ld, err);
}

static vise_status input_matmul(const vise_weight *w,
                                float *y,
                                int64_t ldy,
                                const float *x,
                                int64_t ldx,
                                int64_t t,
                                vise_err *err) {
  const vise_rounding *rounding = &as_input(w)->rounding;
  const vise_weight *child = w->children[0];
  bool is_done = false;
  if (rounding->format == VISE_INPUT_INT8) {
    VISE_TRY(vise_weight_matmul_integer(&is_done, child, rounding, y, ldy, x, ldx, t, err));
  }
  if (is_done) {
    return VISE_OK;
  }
  void *rounded;
  VISE_TRY(vise_mem_alloc_array(&rounded, t * w->k, sizeof(float), err));
  vise_status st = vise_rounding_run(rounded, rounding, x, ldx, t, w->k, err);
  if (st == VISE_OK) {
    st = vise_weight_matmul(child, y, ldy, rounded, w->k, t, err);
  }
  vise_mem_free(rounded);
  return st;
}

/* As if rounding were no rounding: the gradient that is passed straight through. */
static vise_status input_matmul_t(const vise_weight *w,
                                  float *y,
                                  int64_t ldy,
                                  const float *x,
                                  int64_t ldx,
                                  int64_t t,
                                  vise_err *err) {
  return vise_weight_matmul_t(w->children[0], y, ldy, x, ldx, t, err);
}

/* ---- trees ---- */

static vise_status save_into(const input *a, vise_tree *t, vise_err *err) {
  VISE_TRY(vise_tree_add_text(t, "format", formats[a->rounding.format], err));
  VISE_TRY(vise_tree_add_text(t, "per", a->scale == NULL ? "token" : "tensor", err));
  return a->scale == NULL ? VISE_OK : vise_tree_add_part(t, "scale", a->scale, err);
}

static vise_status input_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  VISE_TRY(vise_tree_create(out, "input", w->m, w->k, err));
  return vise_weight_saved(out, save_into(as_input(w), *out, err));
}

/* The attributes: a format, and whether all tokens share a scale. */
static vise_status read_attributes(vise_input_format *format_out,
                                   bool *is_shared_out,
                                   const vise_tree *t,
                                   vise_err *err) {
  const char *format, *per;
  VISE_TRY(vise_tree_get_text(&format, t, "format", err));
  VISE_TRY(vise_tree_get_text(&per, t, "per", err));
  const bool is_int8 = strcmp(format, "int8") == 0, is_token = strcmp(per, "token") == 0;
  if (!is_int8 && strcmp(format, "fp8") != 0) {
    return vise_fail(err, VISE_EFORMAT, "input: format is '%s', expected int8 or fp8", format);
  }
  if (!is_token && strcmp(per, "tensor") != 0) {
    return vise_fail(err, VISE_EFORMAT, "input: per is '%s', expected token or tensor", per);
  }
  if (t->n_parts != (is_token ? 0 : 1)) {
    return vise_fail(err, VISE_EFORMAT, "input: has %d parts, expected %d per %s", t->n_parts,
                     is_token ? 0 : 1, per);
  }
  *format_out = is_int8 ? VISE_INPUT_INT8 : VISE_INPUT_FP8;
  *is_shared_out = !is_token;
  return VISE_OK;
}

static vise_status input_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  vise_input_format format;
  bool is_shared;
  float scale = 0.0f;
  vise_weight *child;
  VISE_TRY(read_attributes(&format, &is_shared, t, err));
  if (is_shared) {
    vise_tensor *part;
    VISE_TRY(vise_tree_get_part(&part, t, "scale", VISE_DTYPE_F32, 1, (const int64_t[]){1}, err));
    scale = *(const float *)vise_tensor_data(part);
  }
  VISE_TRY(vise_weight_load_children(&child, t, 1, err));
  vise_status st;
  if (child->m != t->m || child->k != t->k || (is_shared && scale == 0.0f)) {
    st = vise_fail(err, VISE_EFORMAT,
                   "input: [%lld, %lld] with scale %g, expected [%lld, %lld] and a number above 0",
                   (long long)t->m, (long long)t->k, (double)scale, (long long)child->m,
                   (long long)child->k);
  } else {
    st = vise_weight_load_status(vise_weight_input(out, child, format, scale, err), err);
  }
  vise_weight_release(child);
  return st;
}

/* "input(int8, int4/g64)" */
static vise_status input_describe(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  char child[VISE_WEIGHT_DESCRIPTION];
  vise_input_format format;
  bool is_shared;
  VISE_TRY(read_attributes(&format, &is_shared, t, err));
  VISE_TRY(vise_weight_check_children(t, 1, err));
  VISE_TRY(vise_weight_describe_tree(t->children[0], child, sizeof child, err));
  snprintf(out, out_bytes, "input(%s%s, %s)", formats[format], is_shared ? "/tensor" : "", child);
  return VISE_OK;
}

static void input_free(vise_weight *w) {
  vise_tensor_release(as_input(w)->scale);
}

static vise_status keep_scale(input *a, float scale, vise_err *err) {
  if (scale == 0.0f) {
    return VISE_OK;
  }
  VISE_TRY(vise_tensor_create(&a->scale, VISE_DTYPE_F32, 1, (const int64_t[]){1}, err));
  *(float *)vise_tensor_data(a->scale) = scale;
  return VISE_OK;
}

vise_status vise_weight_input(
    vise_weight **out, vise_weight *c, vise_input_format format, float scale, vise_err *err) {
  vise_weight *w;
  *out = NULL;
  if (scale != 0.0f && !(scale >= FLT_MIN && isfinite(scale))) {
    return vise_fail(err, VISE_EARG, "input: scale is %g, expected a normal number above 0",
                     (double)scale);
  }
  VISE_TRY(vise_weight_create(&w, sizeof(input), &vise_weight_kind_input, c->m, c->k, &c, 1, err));
  as_input(w)->rounding = (vise_rounding){format, scale};
  const vise_status st = keep_scale(as_input(w), scale, err);
  if (st != VISE_OK) {
    vise_weight_release(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}

const vise_weight_kind vise_weight_kind_input = {
    .name = "input",
    .summary = "a weight whose products take activations of 8 bits",
    .rows = input_rows,
    .matmul = input_matmul,
    .matmul_t = input_matmul_t,
    .save = input_save,
    .load = input_load,
    .describe = input_describe,
    .free = input_free,
};
