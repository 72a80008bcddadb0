/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/sandbox.h -- this process gives up, for good, all that it was not allowed by name.
 *
 * Landlock takes the files and the TCP ports, seccomp the system calls, limits of the system what
 * may be used of memory, time, disk and files. Works for any user; the kernel must have both.
 * What stays possible and cannot be had otherwise: to ask whether a path exists and how large it is.
 */
#ifndef VISE_CORE_SANDBOX_H
#define VISE_CORE_SANDBOX_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Lists of paths end with NULL; a NULL list is an empty one. A limit of 0 is none. */
typedef struct vise_sandbox_options {
  const char *const *read;  /* files to read; folders whose names may be listed */
  const char *const *trees; /* folders to read with all in them */
  const char *const *write; /* folders in which plain files and folders may be made and changed */
  uint64_t memory_bytes;    /* writable memory beyond what the process has now */
  uint64_t cpu_seconds;     /* of all threads together */
  uint64_t file_bytes;      /* of any one file */
  uint64_t open_files;
} vise_sandbox_options;

/* Does the kernel offer both? Errors: VISE_EUNSUPPORTED naming what it lacks. */
vise_status vise_sandbox_check(vise_err *err) VISE_MUST_USE;

/*
 * Enter the sandbox. The process must have one thread; the pool of vise_parallel_for gets its
 * threads here, and afterwards nobody starts another. Open files but the standard three are closed,
 * the environment is wiped but for what begins with VISE_.
 * Afterwards a system call that only an attack makes (a program, a process, the network) ends the
 * process by SIGSYS; any other that is not allowed fails.
 * Errors: VISE_EUNSUPPORTED as vise_sandbox_check; VISE_EARG more than one thread, or a path that
 * cannot be opened; VISE_EIO the system refused, the process is to end.
 */
vise_status vise_sandbox_enter(const vise_sandbox_options *options, vise_err *err) VISE_MUST_USE;

/* Is this process in it? */
bool vise_sandbox_is_entered(void);

#endif
