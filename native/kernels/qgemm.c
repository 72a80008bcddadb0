/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/qgemm.h"

#include "kernels/dispatch.h"
#include "kernels/qgemm_levels.h"

VISE_DISPATCH(vise_qgemm_kernels, vise_qgemm_init, vise_qgemm_fill, vise_qgemm)
