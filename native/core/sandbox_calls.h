/* SPDX-License-Identifier: Apache-2.0 */
/* core/sandbox_calls.h -- the system calls of a sandboxed process, for core/sandbox.c alone. */
#ifndef VISE_CORE_SANDBOX_CALLS_H
#define VISE_CORE_SANDBOX_CALLS_H

#include "core/status.h"

/* Allow this process, all its threads, the listed calls only. Errors: VISE_EIO. */
vise_status vise_sandbox_filter_calls(vise_err *err) VISE_MUST_USE;

#endif
