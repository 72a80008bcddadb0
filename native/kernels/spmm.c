/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/spmm.h"

#include "kernels/dispatch.h"
#include "kernels/spmm_levels.h"

VISE_DISPATCH(vise_spmm_kernels, vise_spmm_init, vise_spmm_fill, vise_spmm)
