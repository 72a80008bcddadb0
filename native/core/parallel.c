/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job at a time. Workers sleep on a condition until the job number changes, then take chunks
 * from an atomic counter until none is left. The caller is worker 0. Which thread runs a chunk is
 * a race; what the chunks are is not.
 *
 * fork(): only the forking thread lives on in the child, so the child's pool is reset to "no
 * threads yet". Locks are taken around fork() so that the child gets them in a known state.
 */
#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

static struct {
  pthread_mutex_t call; /* held by the thread whose job runs */
  pthread_mutex_t lock; /* guards the fields below */
  pthread_cond_t start, finish;
  pthread_t threads[MAX_THREADS];
  int n_started; /* threads besides the caller */
  int n_busy;    /* of those, how many are still in the job */
  int n_wanted;  /* threads that join in: vise_threads() - 1 */
  uint64_t job;
  bool is_closing;
  vise_chunk_fn *fn;
  void *arg;
  int64_t n, grain;
  atomic_llong next;
} pool = {.call = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .start = PTHREAD_COND_INITIALIZER,
          .finish = PTHREAD_COND_INITIALIZER};

static atomic_int thread_count = 0; /* 0: not chosen yet */
static atomic_bool cancel_flag = false;
static _Thread_local int current_worker = -1; /* >= 0 inside a chunk */
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

void vise_cancel(void) {
  cancel_flag = true;
}

void vise_cancel_clear(void) {
  cancel_flag = false;
}

bool vise_cancelled(void) {
  return atomic_load_explicit(&cancel_flag, memory_order_relaxed);
}

vise_status vise_cancel_check(vise_err *err) {
  return vise_cancelled() ? vise_fail(err, VISE_ECANCELLED, "interrupted") : VISE_OK;
}

static int clamp_threads(long n) {
  return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

int vise_threads(void) {
  if (thread_count == 0) {
    const char *wish = getenv("VISE_THREADS");
    const long n = wish == NULL ? 0 : strtol(wish, NULL, 10);
    cpu_set_t set;
    const int usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    thread_count = clamp_threads(n > 0 ? n : usable);
  }
  return thread_count;
}

static void run_chunks(int worker) {
  const int outer = current_worker;
  current_worker = worker;
  for (;;) {
    const int64_t begin = atomic_fetch_add(&pool.next, pool.grain);
    if (begin >= pool.n || vise_cancelled()) {
      break;
    }
    const int64_t end = pool.n - begin < pool.grain ? pool.n : begin + pool.grain;
    pool.fn(pool.arg, begin, end, worker);
  }
  current_worker = outer;
}

static void *worker_main(void *arg) {
  const int worker = (int)(intptr_t)arg;
  uint64_t seen = 0;
  pthread_mutex_lock(&pool.lock);
  for (;;) {
    while (!pool.is_closing && pool.job == seen) {
      pthread_cond_wait(&pool.start, &pool.lock);
    }
    if (pool.is_closing) {
      break;
    }
    seen = pool.job;
    if (worker <= pool.n_wanted) {
      pthread_mutex_unlock(&pool.lock);
      run_chunks(worker);
      pthread_mutex_lock(&pool.lock);
      if (--pool.n_busy == 0) {
        pthread_cond_signal(&pool.finish);
      }
    }
  }
  pthread_mutex_unlock(&pool.lock);
  return NULL;
}

static void before_fork(void) {
  pthread_mutex_lock(&pool.call);
  pthread_mutex_lock(&pool.lock);
}

static void in_parent(void) {
  pthread_mutex_unlock(&pool.lock);
  pthread_mutex_unlock(&pool.call);
}

static void in_child(void) {
  pool.n_started = 0;
  pool.n_busy = 0;
  pthread_cond_init(&pool.start, NULL);
  pthread_cond_init(&pool.finish, NULL);
  in_parent();
}

static void stop_threads(void) {
  pthread_mutex_lock(&pool.lock);
  pool.is_closing = true;
  pthread_cond_broadcast(&pool.start);
  pthread_mutex_unlock(&pool.lock);
  for (int i = 0; i < pool.n_started; i++) {
    pthread_join(pool.threads[i], NULL);
  }
  pool.n_started = 0;
  pool.is_closing = false;
}

static void install_hooks(void) {
  pthread_atfork(before_fork, in_parent, in_child);
  atexit(stop_threads);
}

/* Threads that cannot be had are done without: the chunks are the same. Call with pool.lock held.
 */
static void start_threads(int wanted) {
  while (pool.n_started < wanted) {
    const intptr_t worker = pool.n_started + 1;
    if (pthread_create(&pool.threads[pool.n_started], NULL, worker_main, (void *)worker) != 0) {
      break;
    }
    pool.n_started++;
  }
}

void vise_threads_start(void) {
  pthread_once(&hooks_once, install_hooks);
  pthread_mutex_lock(&pool.lock);
  start_threads(vise_threads() - 1);
  pthread_mutex_unlock(&pool.lock);
}

void vise_threads_set(int count) {
  pthread_mutex_lock(&pool.call);
  thread_count = clamp_threads(count);
  pthread_mutex_unlock(&pool.call);
}

static vise_status
run_alone(int64_t n, int64_t grain, vise_chunk_fn *fn, void *arg, vise_err *err) {
  const int outer = current_worker;
  const int worker = outer < 0 ? 0 : outer;
  current_worker = worker;
  int64_t begin = 0;
  for (; begin < n && !vise_cancelled(); begin += grain) {
    fn(arg, begin, n - begin < grain ? n : begin + grain, worker);
  }
  current_worker = outer;
  return begin < n ? vise_cancel_check(err) : VISE_OK;
}

vise_status
vise_parallel_for(int64_t n, int64_t grain, vise_chunk_fn *fn, void *arg, vise_err *err) {
  const int wanted = vise_threads() - 1;
  if (current_worker >= 0 || wanted == 0 || n <= grain) {
    return run_alone(n, grain, fn, arg, err);
  }
  pthread_once(&hooks_once, install_hooks);
  pthread_mutex_lock(&pool.call);
  pthread_mutex_lock(&pool.lock);
  start_threads(wanted);
  pool.fn = fn;
  pool.arg = arg;
  pool.n = n;
  pool.grain = grain;
  pool.next = 0;
  pool.n_wanted = wanted < pool.n_started ? wanted : pool.n_started;
  pool.n_busy = pool.n_wanted;
  pool.job++;
  pthread_cond_broadcast(&pool.start);
  pthread_mutex_unlock(&pool.lock);

  run_chunks(0);

  pthread_mutex_lock(&pool.lock);
  while (pool.n_busy > 0) {
    pthread_cond_wait(&pool.finish, &pool.lock);
  }
  pthread_mutex_unlock(&pool.lock);
  pthread_mutex_unlock(&pool.call);
  return vise_cancel_check(err); /* raised in the middle, some chunk may have been skipped */
}
