/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/successive.h -- successive cancellation: integers z for W ~= Z diag(a) by the factor of the
 * second moments, each column with a step of its own.
 *
 *   x_j = w_j + sum over i > j of (w_i - a_i z_i) L_ij / L_jj      z_j = RNE(x_j / step_j)
 *
 * Places go from n - 1 down, as in method/feedback.h; with step_j = c / L_jj every column loses
 * c^2 / 12. a_j is the step times its gain, which makes up for the shrinking of coarse steps.
 */
#ifndef VISE_METHOD_SUCCESSIVE_H
#define VISE_METHOD_SUCCESSIVE_H

#include "method/feedback_factor.h"

#include <stdint.h>

typedef struct vise_successive {
  const vise_feedback_factor *factor;
  int64_t m;
  const float *w;      /* [m, n] in the order of columns */
  const float *rows;   /* [m] what each row is divided by first */
  const double *steps; /* [n] by place, above 0 */
  double *gains;       /* [n] by place */
} vise_successive;

/*
 * codes_out  [m, n] in the order of columns: z + 128, |z| <= 127
 * best_out   [n] by place: the gains that would have been best, 1 where all z are 0; may be NULL
 *
 * Rows never meet: bits do not depend on threads or CPU level. Cost: m n^2 flops. Scratch: 64 n
 * floats a thread. Errors: VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_successive_run(uint8_t *codes_out,
                                double *best_out,
                                const vise_successive *s,
                                vise_err *err) VISE_MUST_USE;

/*
 * The factors a [n], in the order of columns, for the least tr(E H E') of E = W / rows - Z diag(a):
 *
 *   (H o Z'Z) a = diag(Z' (W / rows) H)       o: number by number
 *
 * H is that of `factor`, from the same moments. Cost: 4 m n^2 flops in f64. Errors: VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_successive_rescale(double *a_out,
                                    const uint8_t *codes,
                                    const vise_successive *s,
                                    const vise_moments *moments,
                                    vise_err *err) VISE_MUST_USE;

#endif
