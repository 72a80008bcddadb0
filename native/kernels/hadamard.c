/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/hadamard.h"

#include "kernels/dispatch.h"
#include "kernels/hadamard_levels.h"

VISE_DISPATCH(vise_hadamard_kernels,
              vise_hadamard_kernels_init,
              vise_hadamard_fill,
              vise_hadamard_kernels_used)
