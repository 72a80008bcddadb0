/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/expand.h"

#include "kernels/dispatch.h"
#include "kernels/expand_levels.h"

VISE_DISPATCH(vise_expand_kernels, vise_expand_init, vise_expand_fill, vise_expand)
