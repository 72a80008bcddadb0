/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/feedback_levels.h"

#include "kernels/feedback_body.h"

void vise_feedback_fill_avx2(vise_feedback_kernels *table) {
  fill(table);
}
