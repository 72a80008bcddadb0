/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/loss.h"

#include "kernels/dispatch.h"
#include "kernels/loss_levels.h"

VISE_DISPATCH(vise_loss_kernels, vise_loss_init, vise_loss_fill, vise_loss)
