/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/process.h -- other programs: start one, read what it prints, wait for its end.
 *
 * The child has no other file of ours open, no signal of ours ignored or blocked. Waiting looks at
 * the cancel flag.
 */
#ifndef VISE_CORE_PROCESS_H
#define VISE_CORE_PROCESS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_process vise_process;

typedef struct vise_process_options {
  const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
  const char *const *env;  /* NULL, or NULL-terminated "NAME=value" to set and "NAME" to remove */
  const char *input;       /* what it reads from standard input, or NULL for nothing */
  size_t input_bytes;
  bool is_captured;   /* its standard output is read by read_line, not shared with ours */
  size_t line_bytes;  /* longest line of it, 0 for 64 MiB */
  bool is_error_kept; /* the first 64 KiB of its standard error are for vise_process_errors; all
                           of it is shared with ours otherwise */
} vise_process_options;

/* Errors: VISE_EIO naming the program; VISE_ENOMEM. */
vise_status vise_process_spawn(vise_process **out,
                               const vise_process_options *options,
                               vise_err *err) VISE_MUST_USE;

/*
 * The next line it printed, without its end, borrowed until the next call; *out NULL when there are
 * no more, or, with *is_late, when none is whole after `wait_ms` (below 0: wait for ever). A last
 * line without an end counts. A program that is not captured prints nothing here.
 * Errors: VISE_EIO; VISE_ENOMEM; VISE_EFORMAT, a line that is too long; VISE_ECANCELLED (call again
 * once the flag is down).
 */
vise_status vise_process_read_line(vise_process *p,
                                   int64_t wait_ms,
                                   const char **out,
                                   size_t *bytes_out,
                                   bool *is_late,
                                   vise_err *err) VISE_MUST_USE;

/* Send `signal_number`; does nothing once the program was waited for. */
void vise_process_kill(vise_process *p, int signal_number);

/*
 * Wait for its end. *signal_out: the signal that ended it, or 0; *code_out: its exit code, or 128 +
 * the signal. Again: the same answer. *is_late when it still runs after `wait_ms` (below 0: wait for
 * ever). Errors: VISE_ECANCELLED (it still runs); VISE_EIO.
 */
vise_status vise_process_wait(vise_process *p,
                              int64_t wait_ms,
                              int *code_out,
                              int *signal_out,
                              bool *is_late,
                              vise_err *err) VISE_MUST_USE;

/*
 * What it has written to its kept standard error, up to the first NUL byte, into `out`, which is
 * ended by one; the bytes of it, below `room`.
 */
size_t vise_process_errors(const vise_process *p, char *out, size_t room);

/*
 * This process gets no more writable memory than `bytes` beyond what it has now.
 * Errors: VISE_EIO where the system does not say what it has, or refuses.
 */
vise_status vise_process_limit_memory(size_t bytes, vise_err *err) VISE_MUST_USE;

/* The most memory this process ever had resident; 0 where the system does not say. */
size_t vise_process_peak_bytes(void);

/* Ask it to end (SIGTERM), after two seconds make it (SIGKILL), free. Accepts NULL. */
void vise_process_close(vise_process *p);

#endif
