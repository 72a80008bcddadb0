/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/rsvd.h -- randomized truncated SVD.
 *
 *   W ~= U diag(s) V'      W [m, k] f32   U [m, r]   s [r], descending, >= 0   V [k, r]
 *
 * Cost: 2 m k (r + p) flops a pass, 2 q + 2 passes over W, all but the last in f32.
 * Scratch: (m + k) (r + p) doubles, about six times.
 * Error before it is known: with l = r + p columns, E|W - QQ'W| is at most
 * (1 + sqrt(r / (p - 1)) + e sqrt(l) / p sqrt(min(m, k) - r))^(1 / (2 q + 1)) sigma_{r+1}.
 * Source: Halko, Martinsson, Tropp, SIAM Review 53 (2011), algorithms 4.4 and 5.1, equation 4.3. We
 * differ: the last product and every QR in f64.
 */
#ifndef VISE_LINALG_RSVD_H
#define VISE_LINALG_RSVD_H

#include "linalg/project.h"

typedef struct vise_rsvd_opts {
  int64_t oversample; /* p >= 0 */
  int64_t passes;     /* q >= 0: power steps */
  uint64_t seed;
  const char *name; /* with the seed, names the stream of random numbers: that of the weight */
} vise_rsvd_opts;

enum { VISE_RSVD_OVERSAMPLE = 10, VISE_RSVD_PASSES = 2 }; /* defaults */

/* Of |W - U diag(s) V'|, both after the fact. */
typedef struct vise_rsvd_error {
  double frobenius; /* as vise_project_error */
  double spectral;  /* a bound, missed with probability 1e-6; loose, often 5 to 10 times the norm */
} vise_rsvd_error;

/*
 * u [m, r], s [r], vt [r, k]: contiguous, owned by the caller; signs as in linalg/svd.h.
 * 1 <= r <= min(m, k); r + p is cut to min(m, k).
 *
 * Deterministic in (w, r, opts) but for the small SVD, which is exact for one LAPACK build and
 * core type (linalg/svd.h).
 * Errors: VISE_EARG (r or an option out of range), VISE_ENUMERIC (NaN or infinity, its place named),
 * VISE_ESHAPE (r + p above 20000), VISE_ENOMEM, VISE_ECANCELLED.
 */
vise_status vise_rsvd(double *u,
                      double *s,
                      double *vt,
                      vise_rsvd_error *error_out,
                      const vise_matrix_f32 *w,
                      int64_t r,
                      const vise_rsvd_opts *opts,
                      vise_err *err) VISE_MUST_USE;

#endif
