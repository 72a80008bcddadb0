/* SPDX-License-Identifier: Apache-2.0 */
#include "format/element.h"

#include "core/checked.h"
#include "core/parallel.h"
#include "kernels/convert.h"
#include "kernels/intq.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <threads.h>

static const struct {
  const char *name;
  int bits;
  float largest;
} elements[] = {
    [VISE_E4M3] = {"e4m3", 8, 448.0f}, [VISE_E5M2] = {"e5m2", 8, 57344.0f},
    [VISE_E2M3] = {"e2m3", 6, 7.5f},   [VISE_E3M2] = {"e3m2", 6, 28.0f},
    [VISE_E2M1] = {"e2m1", 4, 6.0f},   [VISE_NF4] = {"nf4", 4, 1.0f},
};

float vise_element_largest(vise_element e) {
  return elements[e].largest;
}

const char *vise_element_name(vise_element e) {
  return elements[e].name;
}

int64_t vise_element_row_bytes(vise_element e, int64_t k) {
  return vise_ceil_div(k * elements[e].bits, 8);
}

/* ---- encode ---- */

size_t vise_element_scratch_bytes(int64_t k) {
  return (size_t)k * (sizeof(float) + 1);
}

static vise_encode8_fn *encoder(vise_element e) {
  const vise_convert_kernels *convert = vise_convert();
  switch (e) {
  case VISE_E4M3: return convert->e4m3_encode;
  case VISE_E5M2: return convert->e5m2_encode;
  case VISE_E2M3: return convert->e2m3_encode;
  case VISE_E3M2: return convert->e3m2_encode;
  case VISE_E2M1: return convert->e2m1_encode;
  case VISE_NF4: break;
  }
  return NULL;
}

void vise_element_pack(uint8_t *out, const uint8_t *codes, int64_t k, vise_element e) {
  if (e == VISE_NF4) {
    vise_scaled()->pack_high(out, codes, k);
  } else if (elements[e].bits == 8) {
    memcpy(out, codes, (size_t)k);
  } else {
    vise_intq()->pack(out, codes, k, elements[e].bits);
  }
}

void vise_element_encode(uint8_t *out,
                         const float *x,
                         int64_t k,
                         int64_t group,
                         const float *scales,
                         vise_element e,
                         void *scratch) {
  float *t = scratch;
  uint8_t *codes = (uint8_t *)(t + k);
  if (e == VISE_NF4) {
    vise_scaled()->nf4(codes, x, k, group, scales);
  } else {
    vise_scaled()->divide(t, x, k, group, scales);
    encoder(e)(elements[e].bits == 8 ? out : codes, t, k);
  }
  if (elements[e].bits < 8) {
    vise_element_pack(out, codes, k, e);
  }
}

/* ---- decode ---- */

enum { STEP = 256 }; /* columns decoded at a time, so that scales and codes have a fixed room */

static const float *table_of_e2m1(void) {
  static const float table[VISE_SCALED_TABLE] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,
                                                 4.0f,  6.0f,  -0.0f, -0.5f, -1.0f, -1.5f,
                                                 -2.0f, -3.0f, -4.0f, -6.0f};
  return table;
}

/* n codes from the beginning of a byte, value `phase` of the first group first. */
static void decode_step(float *out,
                        const uint8_t *packed,
                        int64_t n,
                        int64_t phase,
                        int64_t group,
                        const float *scales,
                        vise_element e) {
  const vise_convert_kernels *convert = vise_convert();
  const vise_scaled_kernels *scaled = vise_scaled();
  uint8_t codes[STEP];
  switch (e) {
  case VISE_E2M1:
    scaled->table(out, packed, n, false, table_of_e2m1(), phase, group, scales);
    return;
  case VISE_NF4: scaled->table(out, packed, n, true, vise_nf4_table, phase, group, scales); return;
  case VISE_E4M3: convert->e4m3_decode(out, packed, n); break;
  case VISE_E5M2: convert->e5m2_decode(out, packed, n); break;
  case VISE_E2M3:
    scaled->unpack6(codes, packed, n);
    convert->e2m3_decode(out, codes, n);
    break;
  case VISE_E3M2:
    scaled->unpack6(codes, packed, n);
    convert->e3m2_decode(out, codes, n);
    break;
  }
  scaled->multiply(out, n, phase, group, scales);
}

/* ---- the grid ---- */

static float tables[VISE_NF4][VISE_GRID_CODES]; /* of each element but NF4: all codes decoded */
static once_flag tables_once = ONCE_FLAG_INIT;

static void fill_tables(void) {
  const vise_convert_kernels *convert = vise_convert();
  uint8_t codes[VISE_GRID_CODES];
  for (int i = 0; i < VISE_GRID_CODES; i++) {
    codes[i] = (uint8_t)i;
  }
  convert->e4m3_decode(tables[VISE_E4M3], codes, 256);
  convert->e5m2_decode(tables[VISE_E5M2], codes, 256);
  convert->e2m3_decode(tables[VISE_E2M3], codes, 64);
  convert->e3m2_decode(tables[VISE_E3M2], codes, 64);
  memcpy(tables[VISE_E2M1], table_of_e2m1(), VISE_SCALED_TABLE * sizeof(float));
}

vise_grid vise_element_grid(int64_t group, vise_element e) {
  call_once(&tables_once, fill_tables);
  return (vise_grid){.group = group,
                     .n_codes = 1 << elements[e].bits,
                     .table = e == VISE_NF4 ? vise_nf4_table : tables[e]};
}

void vise_element_cells(const vise_format_spec *s,
                        const void *const *parts,
                        int64_t row,
                        int64_t n,
                        vise_element_scales_fn *scales,
                        vise_grid_cell *cells_out) {
  float by[STEP];
  for (int64_t first = 0; first < n; first += STEP) {
    const int64_t count = n - first < STEP ? n - first : STEP;
    scales(by, s, parts, row, first, count);
    for (int64_t i = 0; i < count; i++) {
      cells_out[first + i] = (vise_grid_cell){.scale = by[i], .offset = -0.0f};
    }
  }
}

void vise_element_decode(const vise_format_spec *s,
                         const void *const *parts,
                         int64_t row,
                         int64_t n_rows,
                         int64_t col,
                         int64_t n_cols,
                         float *out,
                         int64_t ld,
                         int64_t group,
                         vise_element e,
                         vise_element_scales_fn *scales) {
  float by[STEP + 1];
  const int64_t row_bytes = vise_element_row_bytes(e, s->k);
  const int64_t step_bytes = vise_element_row_bytes(e, STEP);
  for (int64_t i = row; i < row + n_rows; i++, out += ld) {
    const uint8_t *codes =
        (const uint8_t *)parts[0] + i * row_bytes + vise_element_row_bytes(e, col);
    for (int64_t j = 0; j < n_cols; j += STEP, codes += step_bytes) {
      const int64_t n = n_cols - j < STEP ? n_cols - j : STEP;
      const int64_t first = (col + j) / group, last = (col + j + n - 1) / group;
      scales(by, s, parts, i, first, last - first + 1);
      decode_step(out + j, codes, n, (col + j) % group, group, by, e);
    }
  }
}

/* ---- one token ---- */

int64_t vise_element_prepared(int64_t k, int64_t group) {
  vise_qdot_layout layout;
  if (!vise_qdot_takes(4, group, k)) {
    return 0;
  }
  vise_qdot_pairs(&layout, false);
  return vise_qdot_prepared(&layout, k);
}

void vise_element_prepare(float *out, const float *x, int64_t k, vise_element e) {
  vise_qdot_layout layout;
  vise_qdot_pairs(&layout, e == VISE_NF4);
  vise_qdot_prepare(out, &layout, x, k);
}

vise_qdot_ints
vise_element_qdot(const uint8_t *codes, int64_t row, int64_t k, int64_t group, vise_element e) {
  const int64_t row_bytes = vise_element_row_bytes(e, k);
  return (vise_qdot_ints){
      .codes = codes + row * row_bytes,
      .row_bytes = row_bytes,
      .k = k,
      .group = group,
      .bits = 4,
      .table = e == VISE_NF4 ? vise_nf4_table : table_of_e2m1(),
  };
}

vise_status vise_element_check(
    const uint8_t *codes, int64_t m, int64_t k, vise_element e, const char *who, vise_err *err) {
  if (elements[e].bits < 8) {
    return VISE_OK; /* every code is a number */
  }
  const uint8_t largest = e == VISE_E4M3 ? 0x7e : 0x7b;
  for (int64_t i = 0; i < m; i++) {
    uint8_t greatest = 0;
    for (int64_t j = 0; j < k; j++) {
      const uint8_t code = codes[i * k + j] & 0x7f;
      greatest = code > greatest ? code : greatest;
    }
    if (greatest > largest) {
      return vise_fail(err, VISE_EFORMAT,
                       "%s: row %lld has the code 0x%02x, expected numbers only, at most 0x%02x",
                       who, (long long)i, greatest, largest);
    }
  }
  return VISE_OK;
}

/* ---- search ---- */

static void run_trials(const vise_element_patch *p,
                       vise_scaled_trials_fn *run,
                       vise_scaled_trial *trials,
                       const float *scales,
                       int n,
                       vise_element e) {
  for (int i = 0; i < n; i++) {
    trials[i] = (vise_scaled_trial){.scale = scales[i]};
  }
  for (int64_t i = 0; i < p->n_rows && !(p->n_rows > 1 && vise_cancelled()); i++) {
    run(trials, n, p->x + i * p->ld, p->v, p->n, e);
  }
}

enum { TRIALS = 16 };

void vise_element_errors(
    double *out, const vise_element_patch *p, const float *scales, int n, vise_element e) {
  vise_scaled_trial trials[TRIALS];
  assert(n <= TRIALS);
  run_trials(p, vise_scaled()->errors, trials, scales, n, e);
  for (int i = 0; i < n; i++) {
    out[i] = (double)scales[i] * (double)scales[i] * trials[i].error;
  }
}

/*
 * For fixed codes the best scale is closed form. With e = t - l in units of the scale s,
 *
 *   sum v (x - s (1 + d) l)^2 = s^2 (sum v e^2 - 2 d sum v e l + d^2 sum v l^2)
 *   least at d = (sum v e l) / (sum v l^2):   s^2 (sum v e^2 - (sum v e l)^2 / sum v l^2)
 *
 * so a trial is judged by what it would reach after that fit.
 */
static double fitted_error(const vise_scaled_trial *t) {
  const double s = (double)t->scale;
  const double gain = t->mass > 0.0 ? t->slope * t->slope / t->mass : 0.0;
  return s * s * (t->error - gain);
}

static float fitted_scale(const vise_scaled_trial *t) {
  return t->mass > 0.0 ? (float)((double)t->scale * (1.0 + t->slope / t->mass)) : t->scale;
}

/* Below, 1 / scale may be infinite; above, products with elements may be. */
static bool is_usable(float scale) {
  return fabsf(scale) >= 0x1p-120f && fabsf(scale) <= 0x1p100f;
}

enum { REFITS = 3 };

float vise_element_search(
    const vise_element_patch *p, float plain, const float *multiples, int n, vise_element e) {
  if (!is_usable(plain)) {
    return plain;
  }
  float scales[TRIALS];
  vise_scaled_trial trials[TRIALS];
  assert(n <= TRIALS);
  for (int i = 0; i < n; i++) {
    scales[i] = plain * multiples[i];
  }
  run_trials(p, vise_scaled()->trials, trials, scales, n, e);
  vise_scaled_trial best = trials[0];
  for (int i = 1; i < n; i++) {
    best = fitted_error(&trials[i]) < fitted_error(&best) ? trials[i] : best;
  }
  float found = fitted_scale(&best);
  for (int i = 0; i < REFITS && is_usable(found); i++) {
    vise_scaled_trial next;
    run_trials(p, vise_scaled()->trials, &next, &found, 1, e);
    if (!(fitted_error(&next) < fitted_error(&best))) {
      break;
    }
    best = next;
    found = fitted_scale(&best);
  }
  return is_usable(found) ? found : plain;
}
