/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_spawn neither copies our memory nor runs our code in the child, so it is as safe with
 * threads as without. Input goes through a file in memory, not a pipe: nobody can block on it.
 */
#include "core/process.h"

#include "core/mem.h"
#include "core/parallel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
  PIECE = 1 << 16,
  LINE_BYTES = 64 << 20,
  ERROR_BYTES = 64 << 10,
  POLL_MS = 50,
  TERM_MS = 2000,
};

struct vise_process {
  pid_t pid;
  int output; /* -1 when not captured */
  int errors; /* -1 when not kept */
  size_t line_bytes;
  bool is_reaped;
  int code, signal_number;
  char *buffer; /* owned; bytes [begin, end) were read and not yet handed out */
  size_t begin, end, room;
};

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_named(const char *entry, const char *name, size_t n) {
  return strncmp(entry, name, n) == 0 && (entry[n] == '=' || entry[n] == '\0');
}

/* Our environment with `changes` applied: an owned array of borrowed strings. */
static vise_status make_environment(char ***out, const char *const *changes, vise_err *err) {
  size_t n = 0, n_changes = 0;
  while (environ[n] != NULL) {
    n++;
  }
  while (changes != NULL && changes[n_changes] != NULL) {
    n_changes++;
  }
  void *memory;
  VISE_TRY(vise_mem_alloc(&memory, (n + n_changes + 1) * sizeof(char *), err));
  char **entries = memory;
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    bool is_changed = false;
    for (size_t c = 0; c < n_changes; c++) {
      is_changed |= is_named(environ[i], changes[c], strcspn(changes[c], "="));
    }
    if (!is_changed) {
      entries[kept++] = environ[i];
    }
  }
  for (size_t c = 0; c < n_changes; c++) {
    if (strchr(changes[c], '=') != NULL) {
      entries[kept++] = (char *)(uintptr_t)changes[c];
    }
  }
  entries[kept] = NULL;
  *out = entries;
  return VISE_OK;
}

static void close_if_open(int fd) {
  if (fd >= 0) {
    close(fd);
  }
}

static int open_input(const vise_process_options *o) {
  if (o->input == NULL) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  const int fd = memfd_create("vise-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  bool is_written = fd >= 0;
  for (size_t at = 0; is_written && at < o->input_bytes;) {
    const ssize_t n = pwrite(fd, o->input + at, o->input_bytes - at, (off_t)at);
    is_written = n >= 0 || errno == EINTR;
    at += n > 0 ? (size_t)n : 0;
  }
  /* for reading only: whoever could write to it would have memory that no limit counts */
  const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (is_written && fcntl(fd, F_ADD_SEALS, seals) == 0) {
    return fd;
  }
  close_if_open(fd);
  return -1;
}

/* A file in memory that cannot grow: whoever writes more has a failed write. */
static int open_errors(void) {
  const int fd = memfd_create("vise-errors", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0 && (ftruncate(fd, ERROR_BYTES) != 0 ||
                  fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Its standard input, output and error; below 0: ours. */
typedef struct ends {
  int input, output, errors;
} ends;

/* posix_spawn's way: an error number, 0 for none. */
static int spawn(pid_t *pid, const vise_process_options *o, char **env, ends its) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, ours;
  sigemptyset(&none);
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  sigaddset(&ours, SIGXFSZ);
  sigaddset(&ours, SIGINT);
  sigaddset(&ours, SIGTERM);
  int e = posix_spawn_file_actions_init(&files);
  if (e != 0) {
    return e;
  }
  e = posix_spawnattr_init(&attributes);
  if (e == 0) {
    e = posix_spawn_file_actions_adddup2(&files, its.input, STDIN_FILENO);
    if (e == 0 && its.output >= 0) {
      e = posix_spawn_file_actions_adddup2(&files, its.output, STDOUT_FILENO);
    }
    if (e == 0 && its.errors >= 0) {
      e = posix_spawn_file_actions_adddup2(&files, its.errors, STDERR_FILENO);
    }
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ours);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (e == 0) {
      e = posix_spawnp(pid, o->argv[0], &files, &attributes, (char **)(uintptr_t)o->argv, env);
    }
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&files);
  return e;
}

vise_status vise_process_spawn(vise_process **out, const vise_process_options *o, vise_err *err) {
  *out = NULL;
  void *memory = NULL;
  char **env;
  VISE_TRY(make_environment(&env, o->env, err));
  vise_status st = vise_mem_zalloc(&memory, sizeof(vise_process), err);
  if (st != VISE_OK) {
    vise_mem_free(env);
    return st;
  }
  vise_process *p = memory;
  int pipe_ends[2] = {-1, -1};
  p->errors = o->is_error_kept ? open_errors() : -1;
  ends its = {.input = open_input(o), .errors = p->errors};
  const bool is_open = its.input >= 0 && (p->errors >= 0 || !o->is_error_kept) &&
                       (!o->is_captured || pipe2(pipe_ends, O_CLOEXEC) == 0);
  its.output = pipe_ends[1];
  const int e = is_open ? spawn(&p->pid, o, env, its) : errno;
  close_if_open(its.input);
  close_if_open(its.output);
  vise_mem_free(env);
  if (e != 0) {
    close_if_open(pipe_ends[0]);
    close_if_open(p->errors);
    vise_mem_free(p);
    return vise_fail(err, VISE_EIO, "%s: cannot start: %s", o->argv[0], strerror(e));
  }
  p->output = pipe_ends[0];
  p->line_bytes = o->line_bytes > 0 ? o->line_bytes : LINE_BYTES;
  *out = p;
  return VISE_OK;
}

static vise_status make_room(vise_process *p, vise_err *err) {
  if (p->begin > 0) {
    memmove(p->buffer, p->buffer + p->begin, p->end - p->begin);
    p->end -= p->begin;
    p->begin = 0;
  }
  if (p->room - p->end >= PIECE) {
    return VISE_OK;
  }
  if (p->end - p->begin > p->line_bytes) {
    return vise_fail(err, VISE_EFORMAT, "a program printed a line of more than %zu bytes",
                     p->line_bytes);
  }
  void *grown = p->buffer;
  VISE_TRY(vise_mem_resize(&grown, 2 * p->room + PIECE, err));
  p->buffer = grown;
  p->room = 2 * p->room + PIECE;
  return VISE_OK;
}

/* Milliseconds from now as a moment of now_ms(). */
static int64_t deadline_after(int64_t wait_ms) {
  return wait_ms < 0 || wait_ms > INT64_MAX / 2 ? INT64_MAX : now_ms() + wait_ms;
}

/* Wait for more output and append it; *is_end when there will be none. */
static vise_status
read_more(vise_process *p, int64_t deadline_ms, bool *is_end, bool *is_late, vise_err *err) {
  VISE_TRY(make_room(p, err));
  for (;;) {
    VISE_TRY(vise_cancel_check(err));
    if (now_ms() >= deadline_ms) {
      *is_late = true;
      return VISE_OK;
    }
    struct pollfd wait = {.fd = p->output, .events = POLLIN};
    const int ready = poll(&wait, 1, POLL_MS);
    if (ready == 0 || (ready < 0 && errno == EINTR)) {
      continue;
    }
    const ssize_t n = ready < 0 ? -1 : read(p->output, p->buffer + p->end, p->room - p->end);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return vise_fail(err, VISE_EIO, "cannot read from a program: %s", strerror(errno));
    }
    *is_end = n == 0;
    p->end += (size_t)n;
    return VISE_OK;
  }
}

vise_status vise_process_read_line(vise_process *p,
                                   int64_t wait_ms,
                                   const char **out,
                                   size_t *bytes_out,
                                   bool *is_late,
                                   vise_err *err) {
  *out = NULL;
  *bytes_out = 0;
  *is_late = false;
  const int64_t deadline_ms = deadline_after(wait_ms);
  bool is_end = p->output < 0;
  size_t seen = 0; /* bytes of the line that hold no end */
  for (;;) {
    const size_t have = p->end - p->begin;
    const char *line = p->buffer + p->begin;
    const char *stop = have == seen ? NULL : memchr(line + seen, '\n', have - seen);
    if (stop != NULL || (is_end && have > 0)) {
      *out = line;
      *bytes_out = stop != NULL ? (size_t)(stop - line) : have;
      p->begin += *bytes_out + (stop != NULL);
      return VISE_OK;
    }
    if (is_end || *is_late) {
      return VISE_OK;
    }
    seen = have;
    VISE_TRY(read_more(p, deadline_ms, &is_end, is_late, err));
  }
}

void vise_process_kill(vise_process *p, int signal_number) {
  if (!p->is_reaped) {
    kill(p->pid, signal_number);
  }
}

static void sleep_ms(int ms) {
  const struct timespec t = {.tv_nsec = ms * 1000000L};
  nanosleep(&t, NULL);
}

/* Reap the child if it has ended. */
static vise_status reap(vise_process *p, vise_err *err) {
  int status;
  const pid_t pid = waitpid(p->pid, &status, WNOHANG);
  if (pid < 0 && errno != EINTR) {
    return vise_fail(err, VISE_EIO, "cannot wait for a program: %s", strerror(errno));
  }
  if (pid > 0) {
    p->is_reaped = true;
    p->signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    p->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return VISE_OK;
}

vise_status vise_process_wait(vise_process *p,
                              int64_t wait_ms,
                              int *code_out,
                              int *signal_out,
                              bool *is_late,
                              vise_err *err) {
  *code_out = 0;
  *signal_out = 0;
  *is_late = false;
  const int64_t deadline_ms = deadline_after(wait_ms);
  for (;;) {
    if (!p->is_reaped) {
      VISE_TRY(reap(p, err));
    }
    if (p->is_reaped) {
      *code_out = p->code;
      *signal_out = p->signal_number;
      return VISE_OK;
    }
    VISE_TRY(vise_cancel_check(err));
    if (now_ms() >= deadline_ms) {
      *is_late = true;
      return VISE_OK;
    }
    sleep_ms(2);
  }
}

size_t vise_process_errors(const vise_process *p, char *out, size_t room) {
  const ssize_t n = p->errors < 0 ? 0 : pread(p->errors, out, room - 1, 0);
  out[n > 0 ? n : 0] = '\0';
  return strlen(out);
}

size_t vise_process_peak_bytes(void) {
  /* getrusage would count what the program that started this one had. The file stays open: in a
     sandbox it has no path. */
  static int fd = -1;
  if (fd < 0) {
    fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  }
  char text[4096] = "";
  const ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
  const char *row = n > 0 ? strstr(text, "VmHWM:") : NULL;
  unsigned long long kib = 0;
  return row != NULL && sscanf(row, "VmHWM: %llu", &kib) == 1 ? (size_t)kib * 1024 : 0;
}

vise_status vise_process_limit_memory(size_t bytes, vise_err *err) {
  /* The sixth number of statm is the pages of data and stack: more than RLIMIT_DATA counts. */
  unsigned long long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "re");
  const bool is_read = statm != NULL && fscanf(statm, "%*u %*u %*u %*u %*u %llu", &pages) == 1;
  if (statm != NULL) {
    fclose(statm);
  }
  struct rlimit limit;
  if (!is_read || getrlimit(RLIMIT_DATA, &limit) != 0) {
    return vise_fail(err, VISE_EIO, "cannot tell how much memory this process has");
  }
  const rlim_t wanted = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
  if (wanted < limit.rlim_cur) {
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_DATA, &limit) != 0) {
      return vise_fail(err, VISE_EIO, "cannot limit memory: %s", strerror(errno));
    }
  }
  return VISE_OK;
}

void vise_process_close(vise_process *p) {
  if (p == NULL) {
    return;
  }
  close_if_open(p->errors);
  close_if_open(p->output); /* a child that prints on learns that nobody listens */
  vise_process_kill(p, SIGTERM);
  const int64_t deadline = now_ms() + TERM_MS;
  while (!p->is_reaped && now_ms() < deadline) {
    if (reap(p, NULL) != VISE_OK) {
      p->is_reaped = true; /* somebody else waited for it */
    } else if (!p->is_reaped) {
      sleep_ms(2);
    }
  }
  if (!p->is_reaped) {
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
    }
  }
  vise_mem_free(p->buffer);
  vise_mem_free(p);
}
