/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/grad.h"

#include "kernels/dispatch.h"
#include "kernels/grad_levels.h"

VISE_DISPATCH(vise_grad_kernels, vise_grad_init, vise_grad_fill, vise_grad)
