/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg/kmeans.h -- weighted k-means of numbers, solved exactly.
 *
 *   least over c centres of  sum_i weight_i (value_i - nearest centre)^2
 *
 * Cost: O(c n log n) or less. Source: Grønlund et al., "Fast exact k-means, k-medians and Bregman
 * divergence clustering in 1D", arXiv:1701.07204, section 2.
 */
#ifndef VISE_LINALG_KMEANS_H
#define VISE_LINALG_KMEANS_H

#include <stddef.h>
#include <stdint.h>

typedef struct vise_kmeans_point {
  double value, weight; /* weight > 0 */
} vise_kmeans_point;

/* Sort by value and make one of those that are equal; returns how many are left. The result does not
   depend on the order they came in, but for the rounding of sums of more than two weights. */
int64_t vise_kmeans_sort(vise_kmeans_point *points, int64_t n);

size_t vise_kmeans_scratch_bytes(int64_t n, int64_t c);

/*
 * centres_out [c], ascending, for n points as vise_kmeans_sort leaves them: the means of runs of
 * points. With no more points than centres every point is a centre, and the last one fills the rest;
 * without any, all are 0. 1 <= c, n < 2^32. Scratch: vise_kmeans_scratch_bytes. Cannot fail.
 */
void vise_kmeans(
    double *centres_out, int64_t c, const vise_kmeans_point *points, int64_t n, void *scratch);

#endif
