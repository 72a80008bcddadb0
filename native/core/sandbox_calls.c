/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed is listed; all else fails with EPERM, as a library that tries something for
 * comfort expects. Calls that no library makes by accident end the process, so that an attack is
 * seen and named. Numbers in arguments are all that a filter can look at: never a path.
 */
#include "core/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_OF(list) (sizeof(list) / sizeof(list)[0])

static const int allowed[] = {
    /* files, which Landlock chooses */
    SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(flock),
    SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(msync),
    SCMP_SYS(mincore),
    /* threads that are there */
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* signals and time */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(poll), SCMP_SYS(ppoll),
    /* what a process may know of itself and the machine */
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom)};

/* Each of these is the whole of an attack, or its beginning. `clone` is below. */
static const int fatal[] = {SCMP_SYS(execve),
                            SCMP_SYS(execveat),
                            SCMP_SYS(fork),
                            SCMP_SYS(vfork),
                            SCMP_SYS(ptrace),
                            SCMP_SYS(process_vm_readv),
                            SCMP_SYS(process_vm_writev),
                            SCMP_SYS(process_madvise),
                            SCMP_SYS(pidfd_open),
                            SCMP_SYS(pidfd_getfd),
                            SCMP_SYS(pidfd_send_signal),
                            SCMP_SYS(kcmp),
                            SCMP_SYS(kill),
                            SCMP_SYS(tkill),
                            SCMP_SYS(rt_sigqueueinfo),
                            SCMP_SYS(rt_tgsigqueueinfo),
                            SCMP_SYS(socket),
                            SCMP_SYS(socketpair),
                            SCMP_SYS(connect),
                            SCMP_SYS(bind),
                            SCMP_SYS(listen),
                            SCMP_SYS(accept),
                            SCMP_SYS(accept4),
                            SCMP_SYS(sendto),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(sendmmsg),
                            SCMP_SYS(io_uring_setup),
                            SCMP_SYS(io_uring_enter),
                            SCMP_SYS(io_uring_register),
                            SCMP_SYS(bpf),
                            SCMP_SYS(perf_event_open),
                            SCMP_SYS(userfaultfd),
                            SCMP_SYS(keyctl),
                            SCMP_SYS(add_key),
                            SCMP_SYS(request_key),
                            SCMP_SYS(unshare),
                            SCMP_SYS(setns),
                            SCMP_SYS(mount),
                            SCMP_SYS(umount2),
                            SCMP_SYS(pivot_root),
                            SCMP_SYS(chroot),
                            SCMP_SYS(open_tree),
                            SCMP_SYS(move_mount),
                            SCMP_SYS(fsopen),
                            SCMP_SYS(open_by_handle_at),
                            SCMP_SYS(symlink),
                            SCMP_SYS(symlinkat),
                            SCMP_SYS(link),
                            SCMP_SYS(linkat),
                            SCMP_SYS(mknod),
                            SCMP_SYS(mknodat),
                            SCMP_SYS(chmod),
                            SCMP_SYS(fchmod),
                            SCMP_SYS(fchmodat),
                            SCMP_SYS(chown),
                            SCMP_SYS(fchown),
                            SCMP_SYS(lchown),
                            SCMP_SYS(fchownat),
                            SCMP_SYS(setxattr),
                            SCMP_SYS(lsetxattr),
                            SCMP_SYS(fsetxattr),
                            SCMP_SYS(truncate),
                            SCMP_SYS(memfd_create),
                            SCMP_SYS(shmget),
                            SCMP_SYS(shmat),
                            SCMP_SYS(msgget),
                            SCMP_SYS(semget),
                            SCMP_SYS(mq_open),
                            SCMP_SYS(setuid),
                            SCMP_SYS(setgid),
                            SCMP_SYS(setresuid),
                            SCMP_SYS(setresgid),
                            SCMP_SYS(setgroups),
                            SCMP_SYS(capset),
                            SCMP_SYS(personality),
                            SCMP_SYS(init_module),
                            SCMP_SYS(finit_module),
                            SCMP_SYS(kexec_load),
                            SCMP_SYS(reboot),
                            SCMP_SYS(swapon),
                            SCMP_SYS(syslog),
                            SCMP_SYS(acct),
                            SCMP_SYS(iopl),
                            SCMP_SYS(ioperm),
                            SCMP_SYS(modify_ldt),
                            SCMP_SYS(vmsplice),
                            SCMP_SYS(chdir),
                            SCMP_SYS(fchdir),
                            SCMP_SYS(setsid),
                            SCMP_SYS(setpgid)};

/* A call whose argument number `arg`, masked, must have that value. */
typedef struct condition {
  int call;
  unsigned arg;
  uint64_t mask, value;
} condition;

static const uint64_t WHOLE = UINT64_MAX, INT = UINT32_MAX;

static vise_status refuse(int code, vise_err *err) {
  return vise_fail(err, VISE_EIO, "sandbox: cannot filter system calls: %s", strerror(-code));
}

static int allow_if(scmp_filter_ctx filter, condition c) {
  const struct scmp_arg_cmp compare = {
      .arg = c.arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = c.mask, .datum_b = c.value};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, c.call, 1, &compare);
}

/* Two conditions on one call, both to be met. */
static int allow_if_both(scmp_filter_ctx filter, condition a, condition b) {
  const struct scmp_arg_cmp compare[] = {
      {.arg = a.arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = a.mask, .datum_b = a.value},
      {.arg = b.arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = b.mask, .datum_b = b.value}};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, a.call, 2, compare);
}

/*
 * fcntl    no F_SETOWN, which would let the kernel send signals to another process
 * ioctl    no TIOCSTI, which types on the user's terminal
 * openat   O_TRUNC needs the right to write, which kernels before Landlock's third form do not ask
 * mkdir    no folder that its owner cannot clear
 * mmap     no code; no shared memory without a file, which no limit counts
 * prlimit  asks, does not set;  utimensat  of an open file only
 */
static int add_conditions(scmp_filter_ctx filter) {
  const condition conditions[] = {
      {SCMP_SYS(fcntl), 1, INT, F_GETFD},
      {SCMP_SYS(fcntl), 1, INT, F_SETFD},
      {SCMP_SYS(fcntl), 1, INT, F_GETFL},
      {SCMP_SYS(fcntl), 1, INT, F_DUPFD_CLOEXEC},
      {SCMP_SYS(fcntl), 1, INT, F_GETLK},
      {SCMP_SYS(fcntl), 1, INT, F_SETLK},
      {SCMP_SYS(fcntl), 1, INT, F_SETLKW},
      {SCMP_SYS(fcntl), 1, INT, F_OFD_SETLK},
      {SCMP_SYS(fcntl), 1, INT, F_OFD_SETLKW},
      {SCMP_SYS(ioctl), 1, INT, TCGETS},
      {SCMP_SYS(ioctl), 1, INT, TIOCGWINSZ},
      {SCMP_SYS(openat), 2, O_TRUNC, 0},
      {SCMP_SYS(openat), 2, O_TRUNC | O_ACCMODE, O_TRUNC | O_WRONLY},
      {SCMP_SYS(openat), 2, O_TRUNC | O_ACCMODE, O_TRUNC | O_RDWR},
      {SCMP_SYS(mkdir), 1, S_IRWXU, S_IRWXU},
      {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
      {SCMP_SYS(prlimit64), 2, WHOLE, 0},
      {SCMP_SYS(utimensat), 1, WHOLE, 0},
      {SCMP_SYS(tgkill), 0, INT, (uint64_t)getpid()},
  };
  int code = 0;
  for (size_t i = 0; code == 0 && i < N_OF(conditions); i++) {
    code = allow_if(filter, conditions[i]);
  }
  const condition no_code = {SCMP_SYS(mmap), 2, PROT_EXEC, 0};
  const condition is_private = {SCMP_SYS(mmap), 3, MAP_TYPE, MAP_PRIVATE};
  const condition is_of_file = {SCMP_SYS(mmap), 3, MAP_TYPE | MAP_ANONYMOUS, MAP_SHARED};
  const condition is_here = {SCMP_SYS(mkdirat), 0, INT, (uint32_t)AT_FDCWD};
  const condition is_open = {SCMP_SYS(mkdirat), 2, S_IRWXU, S_IRWXU};
  code = code != 0 ? code : allow_if_both(filter, is_here, is_open);
  code = code != 0 ? code : allow_if_both(filter, no_code, is_private);
  return code != 0 ? code : allow_if_both(filter, no_code, is_of_file);
}

static int add_rules(scmp_filter_ctx filter) {
  int code = 0;
  for (size_t i = 0; code == 0 && i < N_OF(allowed); i++) {
    code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
  }
  for (size_t i = 0; code == 0 && i < N_OF(fatal); i++) {
    code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
  }
  if (code ==
      0) { /* a process: fatal; a thread fails, which a library may try: EPERM as the rest */
    const struct scmp_arg_cmp is_process = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
    code = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, &is_process);
  }
  if (code == 0) { /* its flags are in memory, where no filter looks; libraries then use clone */
    code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  }
  return code != 0 ? code : add_conditions(filter);
}

vise_status vise_sandbox_filter_calls(vise_err *err) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == NULL) {
    return vise_fail(err, VISE_EIO, "sandbox: cannot filter system calls");
  }
  int code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  if (code == 0) {
    code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }
  if (code == 0) {
    code = add_rules(filter);
  }
  if (code == 0) {
    code = seccomp_load(filter);
  }
  seccomp_release(filter);
  return code == 0 ? VISE_OK : refuse(code, err);
}
