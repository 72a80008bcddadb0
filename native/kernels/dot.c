/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dot.h"

#include "kernels/dispatch.h"
#include "kernels/dot_levels.h"

VISE_DISPATCH(vise_dot_kernels, vise_dot_init, vise_dot_fill, vise_dot)
