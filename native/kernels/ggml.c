/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ggml.h"

#include "kernels/dispatch.h"
#include "kernels/ggml_levels.h"

VISE_DISPATCH(vise_ggml_kernels, vise_ggml_init, vise_ggml_fill, vise_ggml)
