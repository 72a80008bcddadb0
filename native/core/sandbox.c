/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock binds the thread that asks for it and those it starts later, so it comes first, while
 * there is one thread; then the pool's threads; then seccomp, for all threads, which forbids more.
 *
 * Headers lag behind kernels, so newer rights of Landlock are defined here, each with the ABI that
 * brought it; a kernel is only asked for what it knows. Rights that an older kernel lacks are held
 * by the filter of calls: truncate, IPC and signals to others are not on its list.
 */
#include "core/sandbox.h"

#include "core/file.h"
#include "core/parallel.h"
#include "core/process.h"
#include "core/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static bool is_entered;

/* struct landlock_ruleset_attr of ABI 6. */
typedef struct ruleset {
  uint64_t files, ports, scopes;
} ruleset;

static const uint64_t FS_TRUNCATE = UINT64_C(1) << 14, FS_IOCTL_DEV = UINT64_C(1) << 15;
static const uint64_t FS_ABI_1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* all rights up to it */
static const uint64_t NET_TCP = 3;                                       /* bind and connect */
static const uint64_t SCOPE_ALL = 3; /* abstract sockets, signals */

static const uint64_t READ = LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t LIST = LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t WRITE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                              LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                              LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                              LANDLOCK_ACCESS_FS_MAKE_REG | (UINT64_C(1) << 14); /* FS_TRUNCATE */

/* The version of Landlock this kernel has; below 1: none. */
static long landlock_abi(void) {
  return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* All that the kernel can take away. */
static ruleset everything(long abi) {
  ruleset r = {.files = FS_ABI_1};
  r.files |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
  r.files |= abi >= 3 ? FS_TRUNCATE : 0;
  r.ports = abi >= 4 ? NET_TCP : 0;
  r.files |= abi >= 5 ? FS_IOCTL_DEV : 0;
  r.scopes = abi >= 6 ? SCOPE_ALL : 0;
  return r;
}

static size_t ruleset_bytes(long abi) {
  return abi >= 6   ? sizeof(ruleset)
         : abi >= 4 ? offsetof(ruleset, scopes)
                    : offsetof(ruleset, ports);
}

vise_status vise_sandbox_check(vise_err *err) {
  const bool has_landlock = landlock_abi() >= 1;
  /* EFAULT: it went as far as looking for the filter, which is NULL. */
  const bool has_seccomp =
      syscall(SYS_seccomp, 1U /* SECCOMP_SET_MODE_FILTER */, 0U, NULL) < 0 && errno == EFAULT;
  if (has_landlock && has_seccomp) {
    return VISE_OK;
  }
  return vise_fail(err, VISE_EUNSUPPORTED, "sandbox: this kernel offers no %s",
                   has_landlock  ? "seccomp"
                   : has_seccomp ? "Landlock"
                                 : "Landlock and no seccomp");
}

static vise_status refused(const char *doing, vise_err *err) {
  return vise_fail(err, VISE_EIO, "sandbox: cannot %s: %s", doing, strerror(errno));
}

/* Allow `rights` to what is at `path` and below it; of a plain file only reading has a meaning. */
static vise_status
add_rule(int rules, const char *path, uint64_t rights, uint64_t known, vise_err *err) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    const int reason = errno;
    if (fd >= 0) {
      close(fd);
    }
    return vise_fail(err, VISE_EARG, "sandbox: %s: cannot open: %s", path, strerror(reason));
  }
  struct landlock_path_beneath_attr rule = {
      .allowed_access = (S_ISDIR(info.st_mode) ? rights : rights & READ) & known,
      .parent_fd = fd,
  };
  vise_status st = VISE_OK;
  if (rule.allowed_access != 0 &&
      syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U) != 0) {
    st = refused("add a rule", err);
  }
  close(fd);
  return st;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static vise_status
add_rules(int rules, const vise_sandbox_options *o, uint64_t known, vise_err *err) {
  for (size_t i = 0; o->read != NULL && o->read[i] != NULL; i++) {
    VISE_TRY(add_rule(rules, o->read[i], is_folder(o->read[i]) ? LIST : READ, known, err));
  }
  for (size_t i = 0; o->trees != NULL && o->trees[i] != NULL; i++) {
    VISE_TRY(add_rule(rules, o->trees[i], READ | LIST, known, err));
  }
  for (size_t i = 0; o->write != NULL && o->write[i] != NULL; i++) {
    VISE_TRY(add_rule(rules, o->write[i], WRITE, known, err));
  }
  return VISE_OK;
}

static vise_status restrict_files(const vise_sandbox_options *o, vise_err *err) {
  const long abi = landlock_abi();
  const ruleset all = everything(abi);
  const int rules = (int)syscall(SYS_landlock_create_ruleset, &all, ruleset_bytes(abi), 0U);
  if (rules < 0) {
    return refused("use Landlock", err);
  }
  vise_status st = add_rules(rules, o, all.files, err);
  if (st == VISE_OK && syscall(SYS_landlock_restrict_self, rules, 0U) != 0) {
    st = refused("use Landlock", err);
  }
  close(rules);
  return st;
}

static vise_status check_one_thread(vise_err *err) {
  vise_file_names threads;
  VISE_TRY(vise_file_list(&threads, "/proc/self/task", err));
  const int64_t n = threads.n;
  vise_file_names_free(&threads);
  if (n != 1) {
    return vise_fail(err, VISE_EARG, "sandbox: this process has %lld threads, expected one",
                     (long long)n);
  }
  return VISE_OK;
}

/* Keys and tokens of the user's are not a recipe's. The strings go too, not the list alone. */
static void wipe_environment(void) {
  size_t kept = 0;
  for (size_t i = 0; environ != NULL && environ[i] != NULL; i++) {
    if (strncmp(environ[i], "VISE_", 5) == 0) {
      environ[kept++] = environ[i];
    } else {
      memset(environ[i], 0, strlen(environ[i]));
    }
  }
  if (environ != NULL) {
    environ[kept] = NULL;
  }
}

static vise_status limit(int resource, uint64_t soft, uint64_t hard, vise_err *err) {
  const struct rlimit wanted = {.rlim_cur = soft, .rlim_max = hard};
  struct rlimit now;
  if (getrlimit((__rlimit_resource_t)resource, &now) != 0) {
    return refused("read a limit", err);
  }
  if (now.rlim_max <= soft) {
    return VISE_OK; /* somebody set a tighter one before us */
  }
  return setrlimit((__rlimit_resource_t)resource, &wanted) == 0 ? VISE_OK
                                                                : refused("set a limit", err);
}

static vise_status set_limits(const vise_sandbox_options *o, vise_err *err) {
  VISE_TRY(limit(RLIMIT_CORE, 0, 0, err)); /* a core file would be written for the user */
  if (o->memory_bytes > 0) {
    pthread_attr_t attributes;
    size_t stack_bytes = 0;
    pthread_attr_init(&attributes);
    pthread_attr_getstacksize(&attributes, &stack_bytes);
    pthread_attr_destroy(&attributes);
    const uint64_t stacks = (uint64_t)(vise_threads() - 1) * stack_bytes;
    VISE_TRY(vise_process_limit_memory(o->memory_bytes + stacks, err));
  }
  if (o->cpu_seconds > 0) {
    VISE_TRY(limit(RLIMIT_CPU, o->cpu_seconds, o->cpu_seconds + 1, err));
  }
  if (o->file_bytes > 0) {
    VISE_TRY(limit(RLIMIT_FSIZE, o->file_bytes, o->file_bytes, err));
  }
  if (o->open_files > 0) {
    VISE_TRY(limit(RLIMIT_NOFILE, o->open_files, o->open_files, err));
  }
  return VISE_OK;
}

vise_status vise_sandbox_enter(const vise_sandbox_options *options, vise_err *err) {
  VISE_TRY(vise_sandbox_check(err));
  VISE_TRY(check_one_thread(err));
  if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
    return refused("close files", err);
  }
  wipe_environment();
  (void)vise_process_peak_bytes(); /* keeps its source open, which has no path for us later */
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return refused("give up privileges", err);
  }
  VISE_TRY(set_limits(options, err));
  VISE_TRY(restrict_files(options, err));
  vise_threads_start();
  VISE_TRY(vise_sandbox_filter_calls(err));
  is_entered = true;
  return VISE_OK;
}

bool vise_sandbox_is_entered(void) {
  return is_entered;
}

#if defined(__SANITIZE_ADDRESS__)
/* The search for leaks at exit starts a process, which is over here. The name is the sanitizer's. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
  return is_entered;
}
#endif
