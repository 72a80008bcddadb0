/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/parallel.h -- one pool of threads, and the flag that stops them.
 *
 * Work [0, n) is cut into chunks of `grain`, whatever the number of threads, and each chunk is run
 * once by some thread. So a function whose chunks write disjoint outputs gives the same bits for
 * any number of threads; sums across chunks are kept per chunk and added in chunk order.
 */
#ifndef VISE_CORE_PARALLEL_H
#define VISE_CORE_PARALLEL_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

/* One chunk [begin, end) on thread `worker`, 0 <= worker < vise_threads(): which scratch to use. */
typedef void vise_chunk_fn(void *arg, int64_t begin, int64_t end, int worker);

/*
 * Run all chunks and wait. The caller works too. The cancel flag is looked at before every chunk.
 * A call from inside a chunk runs on that thread alone, with that thread's worker index.
 * After fork() the child makes threads of its own at the first call.
 * Errors: VISE_ECANCELLED (some chunks did not run).
 */
vise_status vise_parallel_for(int64_t n, int64_t grain, vise_chunk_fn *fn, void *arg, vise_err *err)
    VISE_MUST_USE;

int vise_threads(void);           /* VISE_THREADS, or the processors this process may use; 1..256 */
void vise_threads_set(int count); /* from the main thread, between parallel calls */

/* Start now the threads that the first call would start, for who is soon not allowed to. */
void vise_threads_start(void);

void vise_cancel(void); /* async-signal-safe */
void vise_cancel_clear(void);
bool vise_cancelled(void); /* polled by long loops outside the pool */
vise_status vise_cancel_check(vise_err *err) VISE_MUST_USE; /* VISE_ECANCELLED "interrupted" */

#endif
