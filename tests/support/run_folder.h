/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/run_folder.h -- one folder for all tests of a program: its set-up and tear-down. */
#ifndef VISE_TESTS_SUPPORT_RUN_FOLDER_H
#define VISE_TESTS_SUPPORT_RUN_FOLDER_H

#include "support/folder.h"

static const char *folder; /* of this run */

static inline int make_folder(void **state) {
  (void)state;
  folder = test_folder();
  return 0;
}

static inline int remove_folder(void **state) {
  (void)state;
  return vise_file_remove_tree(folder, NULL) == VISE_OK ? 0 : -1;
}

#endif
