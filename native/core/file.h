/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/file.h -- files as vise uses them: mapped for reading, replaced as a whole for writing.
 *
 * Every message starts with the path. All failures are VISE_EIO unless said.
 */
#ifndef VISE_CORE_FILE_H
#define VISE_CORE_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A read-only mapping of a whole file, reference counted. */
typedef struct vise_file_map vise_file_map;

vise_status vise_file_map_open(vise_file_map **out, const char *path, vise_err *err) VISE_MUST_USE;
vise_file_map *vise_file_map_retain(vise_file_map *map);
void vise_file_map_release(vise_file_map *map);              /* accepts NULL */
const uint8_t *vise_file_map_data(const vise_file_map *map); /* borrowed from the map */
size_t vise_file_map_bytes(const vise_file_map *map);
const char *vise_file_map_path(const vise_file_map *map);

/* Copy bytes [offset, offset + bytes) of the file to `out` without touching the mapping's pages:
   for one pass over much data. False if the file cannot be read there any more. Thread safe. */
bool vise_file_map_read(const vise_file_map *map, size_t offset, void *out, size_t bytes);

/*
 * Let go of the memory behind [data, data + bytes) of a mapping; it is read again when touched.
 * Only whole pages inside the range are dropped. A hint: cannot fail, `data` may be on the heap's
 * side only if the caller likes to lose it, so callers ask the storage first.
 */
void vise_file_drop_pages(const void *data, size_t bytes);

/*
 * A file that appears under its name complete or not at all: written beside it under a temporary
 * name, flushed, then renamed. Writes may come from several threads at different offsets.
 */
typedef struct vise_file_writer vise_file_writer;

vise_status
vise_file_writer_create(vise_file_writer **out, const char *path, vise_err *err) VISE_MUST_USE;
vise_status vise_file_writer_write_at(vise_file_writer *w,
                                      uint64_t offset,
                                      const void *data,
                                      size_t bytes,
                                      vise_err *err) VISE_MUST_USE;
vise_status
vise_file_writer_truncate(vise_file_writer *w, uint64_t bytes, vise_err *err) VISE_MUST_USE;

/* fsync (unless `is_synced` is false), rename, free. On failure the temporary file is gone too. */
vise_status
vise_file_writer_commit(vise_file_writer *w, bool is_synced, vise_err *err) VISE_MUST_USE;

/* Remove the temporary file, free. Accepts NULL. */
void vise_file_writer_abort(vise_file_writer *w);

/* A whole file of at most `limit` bytes into owned memory, NUL-terminated. EFORMAT if longer. */
vise_status vise_file_read(
    char **out, size_t *bytes_out, const char *path, size_t limit, vise_err *err) VISE_MUST_USE;

/* Replace `path` as a whole by `bytes` of `data`, atomically. */
vise_status
vise_file_replace(const char *path, const void *data, size_t bytes, vise_err *err) VISE_MUST_USE;

vise_status vise_file_make_dirs(const char *path, vise_err *err) VISE_MUST_USE; /* mkdir -p */

/* rm -r: what links lead to stays; a path that is not there is fine. */
vise_status vise_file_remove_tree(const char *path, vise_err *err) VISE_MUST_USE;

/*
 * Bytes on disk of a folder and all in it, at least 4 KiB for each; a number above `stop_at` as soon
 * as that is passed. What vanishes meanwhile is not counted; 0 for a path that is not there.
 * One thread at a time.
 */
uint64_t vise_file_tree_bytes(const char *path, uint64_t stop_at);

/* Bytes that may still be written to the file system on which a path is. */
vise_status vise_file_free_bytes(uint64_t *out, const char *path, vise_err *err) VISE_MUST_USE;

vise_status vise_file_rename(const char *from, const char *to, vise_err *err) VISE_MUST_USE;

/* What a path leads to, links followed. Device, inode, size and time together say "unchanged". */
typedef enum vise_file_kind { VISE_FILE_PLAIN, VISE_FILE_FOLDER, VISE_FILE_OTHER } vise_file_kind;

typedef struct vise_file_info {
  vise_file_kind kind;
  uint64_t bytes, device, inode;
  int64_t changed_ns; /* since 1970; ctime, which unlike mtime nobody sets back */
} vise_file_info;

vise_status vise_file_stat(vise_file_info *out, const char *path, vise_err *err) VISE_MUST_USE;

/* Make the file's times those of now. */
vise_status vise_file_touch(const char *path, vise_err *err) VISE_MUST_USE;

/* Is the path itself a symbolic link, whether or not it leads anywhere? */
bool vise_file_is_link(const char *path);

/* The names in a folder, "." and ".." left out, in byte order. Owned; free with names_free. */
typedef struct vise_file_names {
  char **names;
  int64_t n;
} vise_file_names;

vise_status vise_file_list(vise_file_names *out, const char *path, vise_err *err) VISE_MUST_USE;
void vise_file_names_free(vise_file_names *names); /* safe on a zeroed or freed list */

#endif
