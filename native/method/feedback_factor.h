/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/feedback_factor.h -- the second moments of the inputs of a weight, as feedback wants them:
 * damped, in the order of work, factored.
 *
 *   H = L L'      H [n, n] with rows and columns in the order of `columns`
 *
 * Places are worked on from the last to the first, so column columns[n - 1] is rounded first, while
 * all others can still make up for it. Pivots, blocks on the diagonal and sums in f64, products in f32
 * (see the .c): bits do not depend on threads or CPU level.
 */
#ifndef VISE_METHOD_FEEDBACK_FACTOR_H
#define VISE_METHOD_FEEDBACK_FACTOR_H

#include "stats/moments.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum vise_feedback_order {
  VISE_ORDER_ACT,  /* the strongest input first */
  VISE_ORDER_NONE, /* as the columns are */
  VISE_ORDER_GAR   /* groups that stay together, by their strongest input, and so within a group */
} vise_feedback_order;

typedef struct vise_feedback_factor {
  int64_t n, n_dead; /* inputs that are always 0 */
  int64_t *columns;  /* [n] the column at each place */
  float *ratios;     /* [n, n] L_ij / L_jj in row j for i > j; the rest is not set */
  double *pivots;    /* [n] L_jj */
  double *l;         /* [n, n] L, or NULL */
  double damping;    /* what was asked for or more */
  double ridge;      /* what that adds to the diagonal of H: damping times its mean */
} vise_feedback_factor;

/*
 * *out is owned, freed by vise_feedback_factor_free.
 *
 * An input that is always 0 gets the mean power of the others, so its column is rounded by itself.
 *
 * group    columns of a group, for VISE_ORDER_GAR
 * damping  > 0; ten times as much, several times, where the factor asks for it
 * keeps_l  whether `l` is wanted
 *
 * Scratch: 2.5 KiB times n. Errors: VISE_ENUMERIC (moments that are not finite), VISE_ENOMEM,
 * VISE_ECANCELLED.
 */
vise_status vise_feedback_factor_create(vise_feedback_factor **out,
                                        const vise_moments *moments,
                                        vise_feedback_order order,
                                        int64_t group,
                                        double damping,
                                        bool keeps_l,
                                        vise_err *err) VISE_MUST_USE;
void vise_feedback_factor_free(vise_feedback_factor *f); /* accepts NULL */

/* Add what there is to report to a note (method/method.h): damping that was raised, dead inputs. */
void vise_feedback_factor_note(char *note, const vise_feedback_factor *f, double damping);

#endif
