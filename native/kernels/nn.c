/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nn.h"

#include "kernels/dispatch.h"
#include "kernels/nn_levels.h"

VISE_DISPATCH(vise_nn_kernels, vise_nn_init, vise_nn_fill, vise_nn)
