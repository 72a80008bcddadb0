/* SPDX-License-Identifier: Apache-2.0 */
/* method/feedback_mask.h -- the least of many scores, exactly as many as asked for. */
#ifndef VISE_METHOD_FEEDBACK_MASK_H
#define VISE_METHOD_FEEDBACK_MASK_H

#include <stdint.h>

/*
 * pruned[j * ld + i] = 1 for the `count` least of scores [n, m] >= 0 (finite or not, not NaN), where
 * 0 <= count <= n m; of equal ones the first. Others are left alone.
 */
void vise_feedback_mask_share(
    uint8_t *pruned, int64_t ld, const float *scores, int64_t m, int64_t n, int64_t count);

/* In each of `rows` rows i: pruned[j * ld + i] = 0 for the `kept` greatest of n scores[j * rows + i],
   of equal ones the last, and 1 for the others. */
void vise_feedback_mask_least(
    uint8_t *pruned, int64_t ld, const float *scores, int64_t rows, int64_t n, int64_t kept);

#endif
