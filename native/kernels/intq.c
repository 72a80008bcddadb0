/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/intq.h"

#include "kernels/dispatch.h"
#include "kernels/intq_levels.h"

VISE_DISPATCH(vise_intq_kernels, vise_intq_init, vise_intq_fill, vise_intq)
