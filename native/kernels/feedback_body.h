/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/feedback_body.h -- the bodies of feedback_ref.c, feedback_avx2.c and feedback_avx512.c.
 *
 * Vectors are 8 floats at every level, the compiler's generic ones: rows never meet, so their
 * width cannot be seen. Sums of a whole column stay in registers.
 */
#include <string.h>

enum { LANES = 8, PARTS = VISE_FEEDBACK_ROWS / LANES };

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t flags __attribute__((vector_size(4 * LANES))); /* all bits or none */

#define INLINE static inline __attribute__((always_inline))

INLINE void load(vec *out, const float *x) {
  memcpy(out, x, sizeof *out);
}

INLINE void store(float *out, const vec *x) {
  memcpy(out, x, sizeof *x);
}

static void target(float *out,
                   const float *w,
                   const float *known,
                   const float *delta,
                   const float *factors,
                   int64_t n) {
  vec sum[PARTS];
  for (int p = 0; p < PARTS; p++) {
    vec a, b;
    load(&a, w + p * LANES);
    load(&b, known + p * LANES);
    sum[p] = a + b;
  }
  for (int64_t i = 0; i < n; i++, delta += VISE_FEEDBACK_ROWS) {
    const float factor = factors[i];
#pragma GCC unroll 8
    for (int p = 0; p < PARTS; p++) {
      vec d;
      load(&d, delta + p * LANES);
      sum[p] += d * factor;
    }
  }
  for (int p = 0; p < PARTS; p++) {
    store(out + p * LANES, &sum[p]);
  }
}

INLINE void choose(vec *out, flags mask, const vec *yes, const vec *no) {
  *out = (vec)((mask & (flags)*yes) | (~mask & (flags)*no));
}

/* (x - offset) inverse of part p. */
INLINE void steps(vec *out, const float *x, const vise_feedback_cells *cells, int p) {
  vec value, offset, inverse;
  load(&value, x + p * LANES);
  load(&offset, cells->offset + p * LANES);
  load(&inverse, cells->inverse + p * LANES);
  *out = (value - offset) * inverse;
}

/* value = scale element + offset, and the codes of part p. */
INLINE void finish(float *value_out,
                   uint8_t *code_out,
                   const vec *element,
                   const flags *code,
                   const vise_feedback_cells *cells,
                   int p) {
  vec scale, offset;
  load(&scale, cells->scale + p * LANES);
  load(&offset, cells->offset + p * LANES);
  const vec value = scale * *element + offset;
  store(value_out + p * LANES, &value);
  for (int i = 0; i < LANES; i++) {
    code_out[p * LANES + i] = (uint8_t)(*code)[i];
  }
}

static void round_codes(float *value_out,
                        uint8_t *code_out,
                        const float *x,
                        const vise_feedback_cells *cells,
                        int top) {
  for (int p = 0; p < PARTS; p++) {
    vec t, zero;
    steps(&t, x, cells, p);
    load(&zero, cells->zero + p * LANES);
    const vec low = -zero, high = (float)top - zero;
    choose(&t, t > low, &t, &low);
    choose(&t, t < high, &t, &high);
    t = (t + 12582912.0f) - 12582912.0f; /* RNE of |t| < 2^22 */
    const flags code = __builtin_convertvector(t + zero, flags);
    finish(value_out, code_out, &t, &code, cells, p);
  }
}

/* A search by halves, the same steps for every target. */
static void look_up(float *value_out,
                    uint8_t *code_out,
                    const float *x,
                    const vise_feedback_cells *cells,
                    const vise_feedback_table *table) {
  for (int p = 0; p < PARTS; p++) {
    vec t, element;
    steps(&t, x, cells, p);
    flags place = {0}, code;
    for (int half = table->size / 2; half > 0; half /= 2) {
      vec limit;
      for (int i = 0; i < LANES; i++) {
        limit[i] = table->limits[place[i] + half - 1];
      }
      place += (flags)(t > limit) & half;
    }
    for (int i = 0; i < LANES; i++) {
      element[i] = table->elements[place[i]];
      code[i] = table->codes[place[i]];
    }
    finish(value_out, code_out, &element, &code, cells, p);
  }
}

static void fill(vise_feedback_kernels *table) {
  *table = (vise_feedback_kernels){target, round_codes, look_up};
}
