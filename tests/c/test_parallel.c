/* SPDX-License-Identifier: Apache-2.0 */
#include "core/parallel.h"
#include "support/test.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 1000 };

static const int thread_counts[] = {1, 2, 3, 8};

typedef struct record {
  atomic_int times[N]; /* how often each index was run */
  int64_t end_of[N];   /* the end of the chunk that began here, or 0 */
  atomic_int bad_worker;
} record;

static void note(void *arg, int64_t begin, int64_t end, int worker) {
  record *r = arg;
  if (worker < 0 || worker >= vise_threads()) {
    r->bad_worker = 1;
  }
  r->end_of[begin] = end;
  for (int64_t i = begin; i < end; i++) {
    r->times[i]++;
  }
}

static void each_index_runs_once_in_the_same_chunks_for_any_number_of_threads(void **state) {
  (void)state;
  static const int64_t grains[] = {1, 3, 64, N, 5000};
  for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
    for (size_t t = 0; t < sizeof thread_counts / sizeof thread_counts[0]; t++) {
      for (int64_t n = 0; n <= N; n += 1 + n * n / 4) {
        record r = {0};
        vise_threads_set(thread_counts[t]);

        assert_int_equal(vise_parallel_for(n, grains[g], note, &r, NULL), VISE_OK);

        assert_int_equal(r.bad_worker, 0);
        for (int64_t i = 0; i < N; i++) {
          const int64_t end = i + grains[g] < n ? i + grains[g] : n;
          assert_int_equal(r.times[i], i < n);
          assert_int_equal(r.end_of[i], i < n && i % grains[g] == 0 ? end : 0);
        }
      }
    }
  }
}

typedef struct nest {
  atomic_int inner, wrong;
} nest;

typedef struct inner_arg {
  nest *all;
  int worker;
} inner_arg;

static void inner(void *arg, int64_t begin, int64_t end, int worker) {
  inner_arg *a = arg;
  a->all->inner += (int)(end - begin);
  a->all->wrong += worker != a->worker;
}

static void outer(void *arg, int64_t begin, int64_t end, int worker) {
  (void)begin;
  (void)end;
  inner_arg a = {arg, worker};
  ((nest *)arg)->wrong += vise_parallel_for(10, 1, inner, &a, NULL) != VISE_OK;
}

static void a_call_from_inside_a_chunk_stays_on_its_thread(void **state) {
  (void)state;
  for (size_t t = 0; t < sizeof thread_counts / sizeof thread_counts[0]; t++) {
    nest n = {0};
    vise_threads_set(thread_counts[t]);

    assert_int_equal(vise_parallel_for(50, 1, outer, &n, NULL), VISE_OK);

    assert_int_equal(n.inner, 500);
    assert_int_equal(n.wrong, 0);
  }
}

static void a_child_of_fork_has_threads_of_its_own(void **state) {
  (void)state;
  record r = {0};
  vise_threads_set(3);
  assert_int_equal(vise_parallel_for(N, 1, note, &r, NULL), VISE_OK);

  const pid_t child = fork();
  if (child == 0) {
    memset(&r, 0, sizeof r);
    alarm(10); /* a deadlock shall fail, not hang */
    const vise_status st = vise_parallel_for(N, 1, note, &r, NULL);
    _exit(st == VISE_OK && r.times[0] == 1 && r.times[N - 1] == 1 ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);

  assert_int_equal(status, 0);
  memset(&r, 0, sizeof r);
  assert_int_equal(vise_parallel_for(N, 1, note, &r, NULL), VISE_OK);
}

static void cancel_in_the_middle(void *arg, int64_t begin, int64_t end, int worker) {
  (void)end;
  (void)worker;
  atomic_int *n_run = arg;
  (*n_run)++;
  if (begin == 3) {
    vise_cancel();
  }
}

static void cancel_stops_the_chunks_that_have_not_begun(void **state) {
  (void)state;
  for (size_t t = 0; t < sizeof thread_counts / sizeof thread_counts[0]; t++) {
    atomic_int n_run = 0;
    vise_err err;
    vise_threads_set(thread_counts[t]);

    const vise_status st = vise_parallel_for(1 << 20, 1, cancel_in_the_middle, &n_run, &err);
    const bool is_up = vise_cancelled();
    vise_cancel_clear();

    assert_int_equal(st, VISE_ECANCELLED);
    assert_string_equal(err.msg, "interrupted");
    assert_true(is_up);
    assert_true(n_run < 1 << 20);
    assert_int_equal(vise_parallel_for(2, 1, cancel_in_the_middle, &n_run, &err), VISE_OK);
  }
}

static void the_number_of_threads_is_kept_in_range(void **state) {
  (void)state;
  vise_threads_set(0);
  assert_int_equal(vise_threads(), 1);
  vise_threads_set(100000);
  assert_int_equal(vise_threads(), 256);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_index_runs_once_in_the_same_chunks_for_any_number_of_threads),
      cmocka_unit_test(a_call_from_inside_a_chunk_stays_on_its_thread),
      cmocka_unit_test(a_child_of_fork_has_threads_of_its_own),
      cmocka_unit_test(cancel_stops_the_chunks_that_have_not_begun),
      cmocka_unit_test(the_number_of_threads_is_kept_in_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
