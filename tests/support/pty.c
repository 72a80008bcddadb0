/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/pty.c -- a program at a terminal of its own, typed to by a script.
 *
 *   pty SCRIPT PROGRAM [ARGUMENT ...]
 *
 * Lines of the script, in order; \n, \t, \\ and \xNN stand for what they do in C:
 *   send TEXT   types it
 *   wait TEXT   until the program has written it, after what the last wait found
 *   busy N      until it has computed for N ms of processor time since the last send
 *   cpu         writes "[cpu N ms]": the processor time of the program since the last send
 * What the program writes goes to standard output. The exit code is the program's; 99 when a wait
 * takes longer than a minute, 98 when the script is wrong.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_S = 60, OUTPUT_MAX = 1 << 20 };

static int terminal;
static pid_t program;
static char output[OUTPUT_MAX];
static size_t n_output, n_found;

/* Take what the program has written; false when it has gone. */
static bool take(int wait_ms) {
  struct pollfd readable = {.fd = terminal, .events = POLLIN};
  if (poll(&readable, 1, wait_ms) <= 0) {
    return true;
  }
  if (n_output + 1 >= OUTPUT_MAX) {
    return false;
  }
  const ssize_t n = read(terminal, output + n_output, OUTPUT_MAX - 1 - n_output);
  if (n <= 0) {
    return false;
  }
  fwrite(output + n_output, 1, (size_t)n, stdout);
  n_output += (size_t)n;
  output[n_output] = '\0';
  return true;
}

static bool wait_for(const char *text) {
  const time_t begin = time(NULL);
  bool is_there = true;
  for (;;) {
    const char *at = memmem(output + n_found, n_output - n_found, text, strlen(text));
    if (at != NULL) {
      n_found = (size_t)(at - output) + strlen(text);
      return true;
    }
    if (!is_there || time(NULL) - begin > WAIT_S) {
      printf("\n[no '%s']\n", text);
      return false;
    }
    is_there = take(100);
  }
}

/* Processor time of the program so far. */
static long cpu_ms(void) {
  char path[64], line[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)program);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return -1;
  }
  const char *name_end = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
  fclose(file);
  if (name_end == NULL ||
      sscanf(name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) !=
          2) {
    return -1;
  }
  return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

/* Put what is escaped in place of the escapes; the length. */
static size_t unescape(char *text) {
  size_t n = 0;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p != '\\' || p[1] == '\0') {
      text[n++] = *p;
      continue;
    }
    p++;
    if (*p == 'x' && p[1] != '\0' && p[2] != '\0') {
      const char digits[3] = {p[1], p[2], '\0'};
      text[n++] = (char)strtol(digits, NULL, 16);
      p += 2;
    } else {
      text[n++] = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
    }
  }
  text[n] = '\0';
  return n;
}

static bool wait_busy(long until_ms) {
  const time_t begin = time(NULL);
  while (cpu_ms() < until_ms && time(NULL) - begin <= WAIT_S) {
    take(10);
  }
  return cpu_ms() >= until_ms;
}

static int follow(FILE *script) {
  char line[4096];
  long cpu_at_send = 0;
  while (fgets(line, sizeof line, script) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const size_t n = strlen(line) > 5 ? unescape(line + 5) : 0;
    if (strncmp(line, "send ", 5) == 0) {
      cpu_at_send = cpu_ms();
      if (write(terminal, line + 5, n) != (ssize_t)n) {
        return 98;
      }
    } else if (strncmp(line, "wait ", 5) == 0) {
      if (!wait_for(line + 5)) {
        return 99;
      }
    } else if (strncmp(line, "busy ", 5) == 0) {
      if (!wait_busy(cpu_at_send + atol(line + 5))) {
        return 99;
      }
    } else if (strcmp(line, "cpu") == 0) {
      printf("\n[cpu %ld ms]\n", cpu_ms() - cpu_at_send);
    } else {
      fprintf(stderr, "pty: '%s' is no line of a script\n", line);
      return 98;
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  FILE *script = argc < 3 ? NULL : fopen(argv[1], "r");
  struct winsize size = {.ws_row = 40, .ws_col = 100};
  if (script == NULL) {
    fputs("usage: pty SCRIPT PROGRAM [ARGUMENT ...]\n", stderr);
    return 98;
  }
  program = forkpty(&terminal, NULL, NULL, &size);
  if (program == 0) {
    execvp(argv[2], argv + 2);
    _exit(97);
  }
  int code = follow(script);
  fclose(script);
  if (code != 0) {
    kill(program, SIGKILL);
  }
  while (code == 0 && take(1000)) {
  }
  int status;
  waitpid(program, &status, 0);
  return code != 0 ? code : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
