/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convert.h"

#include "kernels/convert_levels.h"
#include "kernels/dispatch.h"

VISE_DISPATCH(vise_convert_kernels, vise_convert_init, vise_convert_fill, vise_convert)
