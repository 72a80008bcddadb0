/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rans.h"

#include "kernels/dispatch.h"
#include "kernels/rans_levels.h"

VISE_DISPATCH(vise_rans_kernels, vise_rans_init, vise_rans_fill, vise_rans)
