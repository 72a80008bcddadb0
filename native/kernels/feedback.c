/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/feedback.h"

#include "kernels/dispatch.h"
#include "kernels/feedback_levels.h"

VISE_DISPATCH(vise_feedback_kernels,
              vise_feedback_kernels_init,
              vise_feedback_fill,
              vise_feedback_kernels_used)
