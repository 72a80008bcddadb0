/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method/chances.h -- how likely each output of a softmax over W x is on average, from the mean and
 * the second moments of x alone: x is drawn from the normal distribution that has them.
 */
#ifndef VISE_METHOD_CHANCES_H
#define VISE_METHOD_CHANCES_H

#include "stats/moments.h"
#include "weight/weight.h"

/* p_out [m], above 0, of w [m, k]. `seed` and `name` are the key of random numbers. Cost: 256 tokens
   through W. Errors: VISE_ENUMERIC (moments that are not finite), VISE_ENOMEM, VISE_ECANCELLED. */
vise_status vise_chances(double *p_out,
                         const vise_weight *w,
                         const vise_moments *moments,
                         uint64_t seed,
                         const char *name,
                         vise_err *err) VISE_MUST_USE;

#endif
