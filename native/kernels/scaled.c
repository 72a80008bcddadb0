/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/scaled.h"

#include "kernels/dispatch.h"
#include "kernels/scaled_levels.h"

VISE_DISPATCH(vise_scaled_kernels, vise_scaled_init, vise_scaled_fill, vise_scaled)
