/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/folder.h -- a folder of one's own for a test, and the data shared between projects.
 */
#ifndef VISE_TESTS_SUPPORT_FOLDER_H
#define VISE_TESTS_SUPPORT_FOLDER_H

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A new empty folder; its path is valid until the next call. */
static inline const char *test_folder(void) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/vise-test-XXXXXX");
  return mkdtemp(path) == NULL ? "/nonexistent" : path;
}

/* `folder`/`name`; valid until the fourth call after. */
static inline const char *test_path(const char *folder, const char *name) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

/* True, with a message, if ../shared is not there: the caller then skips. */
static inline int test_shared_is_missing(const char *path) {
  if (access(path, R_OK) == 0) {
    return 0;
  }
  printf("skipped: %s is not here\n", path);
  return 1;
}

#endif
