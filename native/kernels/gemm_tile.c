/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tile.h"

#include "kernels/dispatch.h"
#include "kernels/gemm_tile_levels.h"

VISE_DISPATCH(vise_gemm_kernels,
              vise_gemm_kernels_init,
              vise_gemm_kernels_fill,
              vise_gemm_kernels_used)
