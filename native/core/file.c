/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct vise_file_map {
  atomic_int refs;
  int fd;
  void *data; /* NULL when the file is empty */
  size_t bytes;
  char *path; /* owned */
};

static vise_status io_error(vise_err *err, const char *path, const char *doing) {
  return vise_fail(err, VISE_EIO, "%s: cannot %s: %s", path, doing, strerror(errno));
}

static const char *kind_words(mode_t mode) {
  return S_ISDIR(mode)    ? "a folder"
         : S_ISFIFO(mode) ? "a FIFO"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

/* Open a regular file for reading; a folder or a device gets a message of its own. */
static vise_status open_regular(int *fd_out, size_t *bytes_out, const char *path, vise_err *err) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return io_error(err, path, "open");
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    const vise_status st = io_error(err, path, "stat");
    close(fd);
    return st;
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return vise_fail(err, VISE_EIO, "%s: is %s, expected a file", path, kind_words(info.st_mode));
  }
  *fd_out = fd;
  *bytes_out = (size_t)info.st_size;
  return VISE_OK;
}

vise_status vise_file_map_open(vise_file_map **out, const char *path, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_file_map), err));
  vise_file_map *map = memory;
  *map = (vise_file_map){.refs = 1, .fd = -1};
  vise_status st = vise_mem_strdup(&map->path, path, strlen(path), err);
  if (st == VISE_OK) {
    st = open_regular(&map->fd, &map->bytes, path, err);
  }
  if (st == VISE_OK && map->bytes > 0) {
    void *data = mmap(NULL, map->bytes, PROT_READ, MAP_SHARED, map->fd, 0);
    if (data == MAP_FAILED) {
      st = io_error(err, path, "map");
    } else {
      map->data = data;
    }
  }
  if (st != VISE_OK) {
    vise_file_map_release(map);
    return st;
  }
  *out = map;
  return VISE_OK;
}

vise_file_map *vise_file_map_retain(vise_file_map *map) {
  atomic_fetch_add(&map->refs, 1);
  return map;
}

void vise_file_map_release(vise_file_map *map) {
  if (map != NULL && atomic_fetch_sub(&map->refs, 1) == 1) {
    if (map->data != NULL) {
      munmap(map->data, map->bytes);
    }
    if (map->fd >= 0) {
      close(map->fd);
    }
    vise_mem_free(map->path);
    vise_mem_free(map);
  }
}

const uint8_t *vise_file_map_data(const vise_file_map *map) {
  return map->data;
}

size_t vise_file_map_bytes(const vise_file_map *map) {
  return map->bytes;
}

const char *vise_file_map_path(const vise_file_map *map) {
  return map->path;
}

bool vise_file_map_read(const vise_file_map *map, size_t offset, void *out, size_t bytes) {
  char *p = out;
  while (bytes > 0) {
    const ssize_t n = pread(map->fd, p, bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    p += n;
    offset += (size_t)n;
    bytes -= (size_t)n;
  }
  return true;
}

void vise_file_drop_pages(const void *data, size_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t first = ((uintptr_t)data + page - 1) & ~(page - 1);
  const uintptr_t last = ((uintptr_t)data + bytes) & ~(page - 1);
  if (first < last) {
    (void)madvise((void *)first, last - first, MADV_DONTNEED);
  }
}

struct vise_file_writer {
  int fd;
  atomic_ullong reserved; /* bytes whose blocks the file system has chosen */
  char *path, *temporary; /* owned */
};

static void writer_free(vise_file_writer *w) {
  if (w->fd >= 0) {
    close(w->fd);
  }
  vise_mem_free(w->path);
  vise_mem_free(w->temporary);
  vise_mem_free(w);
}

/*
 * Open a name that nobody has: a process that was killed may have left one with our number, so
 * there are several tries.
 */
static int open_temporary(char *name, size_t room, const char *path) {
  static atomic_int serial = 0;
  int fd = -1;
  for (int tries = 0; fd < 0 && tries < 1000; tries++) {
    snprintf(name, room, "%s.tmp-%ld-%d", path, (long)getpid(), serial++);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) {
      break;
    }
  }
  return fd;
}

vise_status vise_file_writer_create(vise_file_writer **out, const char *path, vise_err *err) {
  *out = NULL;
  void *memory = NULL, *temporary = NULL;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_file_writer), err));
  vise_file_writer *w = memory;
  w->fd = -1;
  const size_t room = strlen(path) + 48;
  vise_status st = vise_mem_strdup(&w->path, path, strlen(path), err);
  if (st == VISE_OK) {
    st = vise_mem_alloc(&temporary, room, err);
    w->temporary = temporary;
  }
  if (st == VISE_OK) {
    w->fd = open_temporary(w->temporary, room, path);
    if (w->fd < 0) {
      st = io_error(err, path, "create");
    }
  }
  if (st != VISE_OK) {
    writer_free(w);
    return st;
  }
  *out = w;
  return VISE_OK;
}

enum { RESERVE_BYTES = 16 << 20 };

/*
 * Let the file system choose the blocks of a long file many at a time: page by page takes a third of
 * the time of writing (ext4). A hint: what does not fit or is not supported is found by the write.
 */
static void reserve(vise_file_writer *w, uint64_t end) {
  const uint64_t from = w->reserved;
  if (end > from && end > RESERVE_BYTES) {
    const uint64_t to = (end + RESERVE_BYTES - 1) / RESERVE_BYTES * RESERVE_BYTES;
    (void)fallocate(w->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
    w->reserved = to;
  }
}

/* Give back what was reserved beyond the end. */
static void end_reserve(const vise_file_writer *w) {
  struct stat info;
  if (w->reserved > 0 && fstat(w->fd, &info) == 0) {
    (void)!ftruncate(w->fd, info.st_size);
  }
}

vise_status vise_file_writer_write_at(
    vise_file_writer *w, uint64_t offset, const void *data, size_t bytes, vise_err *err) {
  const char *p = data;
  reserve(w, offset + bytes);
  while (bytes > 0) {
    const ssize_t n = pwrite(w->fd, p, bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return io_error(err, w->path, "write");
    }
    p += n;
    offset += (uint64_t)n;
    bytes -= (size_t)n;
  }
  return VISE_OK;
}

vise_status vise_file_writer_truncate(vise_file_writer *w, uint64_t bytes, vise_err *err) {
  return ftruncate(w->fd, (off_t)bytes) == 0 ? VISE_OK : io_error(err, w->path, "truncate");
}

/* Make a rename last through a power cut. Some file systems cannot, which is not our failure. */
static void sync_folder_of(char *path) {
  char *slash = strrchr(path, '/');
  const char *folder = slash == NULL ? "." : slash == path ? "/" : path;
  if (slash != NULL && slash != path) {
    *slash = '\0';
  }
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
}

vise_status vise_file_writer_commit(vise_file_writer *w, bool is_synced, vise_err *err) {
  vise_status st = VISE_OK;
  end_reserve(w);
  if (is_synced && fsync(w->fd) != 0) {
    st = io_error(err, w->path, "flush");
  } else if (close(w->fd) != 0) {
    w->fd = -1;
    st = io_error(err, w->path, "close");
  } else {
    w->fd = -1;
    if (rename(w->temporary, w->path) != 0) {
      st = io_error(err, w->path, "rename into place");
    }
  }
  if (st != VISE_OK) {
    unlink(w->temporary);
  } else if (is_synced) {
    sync_folder_of(w->path);
  }
  writer_free(w);
  return st;
}

void vise_file_writer_abort(vise_file_writer *w) {
  if (w != NULL) {
    unlink(w->temporary);
    writer_free(w);
  }
}

vise_status
vise_file_read(char **out, size_t *bytes_out, const char *path, size_t limit, vise_err *err) {
  *out = NULL;
  int fd;
  size_t bytes;
  VISE_TRY(open_regular(&fd, &bytes, path, err));
  if (bytes > limit) {
    close(fd);
    return vise_fail(err, VISE_EFORMAT, "%s: has %zu bytes, expected at most %zu", path, bytes,
                     limit);
  }
  void *buffer;
  vise_status st = vise_mem_alloc(&buffer, bytes + 1, err);
  if (st != VISE_OK) {
    close(fd);
    return st;
  }
  size_t got = 0;
  while (got < bytes) {
    const ssize_t n = read(fd, (char *)buffer + got, bytes - got);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      st = io_error(err, path, "read");
      vise_mem_free(buffer);
      close(fd);
      return st;
    }
    if (n == 0) {
      break; /* it shrank meanwhile: what is there is what we give */
    }
    got += (size_t)n;
  }
  close(fd);
  *out = buffer;
  (*out)[got] = '\0';
  *bytes_out = got;
  return VISE_OK;
}

vise_status vise_file_replace(const char *path, const void *data, size_t bytes, vise_err *err) {
  vise_file_writer *w;
  VISE_TRY(vise_file_writer_create(&w, path, err));
  const vise_status st = vise_file_writer_write_at(w, 0, data, bytes, err);
  if (st != VISE_OK) {
    vise_file_writer_abort(w);
    return st;
  }
  return vise_file_writer_commit(w, true, err);
}

vise_status vise_file_make_dirs(const char *path, vise_err *err) {
  char *copy;
  VISE_TRY(vise_mem_strdup(&copy, path, strlen(path), err));
  vise_status st = VISE_OK;
  for (char *p = copy + 1; st == VISE_OK && *copy != '\0'; p++) {
    const char c = *p;
    if (c == '/' || c == '\0') {
      *p = '\0';
      struct stat info;
      if (mkdir(copy, 0777) != 0 &&
          !(errno == EEXIST && stat(copy, &info) == 0 && S_ISDIR(info.st_mode))) {
        st = io_error(err, copy, "make the folder");
      }
      *p = c;
    }
    if (c == '\0') {
      break;
    }
  }
  vise_mem_free(copy);
  return st;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
  (void)info;
  (void)type;
  (void)ftw;
  return remove(path);
}

vise_status vise_file_remove_tree(const char *path, vise_err *err) {
  if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
    return io_error(err, path, "remove");
  }
  return VISE_OK;
}

static uint64_t counted_bytes, stop_counting_at; /* nftw hands nothing on to count_one */

static int count_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
  (void)path;
  (void)ftw;
  const uint64_t bytes = type == FTW_NS ? 0 : 512 * (uint64_t)info->st_blocks;
  counted_bytes += bytes < 4096 ? 4096 : bytes;
  return counted_bytes > stop_counting_at;
}

uint64_t vise_file_tree_bytes(const char *path, uint64_t stop_at) {
  counted_bytes = 0;
  stop_counting_at = stop_at;
  (void)nftw(path, count_one, 32, FTW_PHYS);
  return counted_bytes;
}

vise_status vise_file_free_bytes(uint64_t *out, const char *path, vise_err *err) {
  struct statvfs info;
  *out = 0;
  if (statvfs(path, &info) != 0) {
    return io_error(err, path, "statvfs");
  }
  *out = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
  return VISE_OK;
}

vise_status vise_file_rename(const char *from, const char *to, vise_err *err) {
  if (rename(from, to) != 0) {
    return vise_fail(err, VISE_EIO, "%s: cannot rename to %s: %s", from, to, strerror(errno));
  }
  return VISE_OK;
}

vise_status vise_file_stat(vise_file_info *out, const char *path, vise_err *err) {
  struct stat info;
  if (stat(path, &info) != 0) {
    return io_error(err, path, "stat");
  }
  *out = (vise_file_info){
      .kind = S_ISREG(info.st_mode)   ? VISE_FILE_PLAIN
              : S_ISDIR(info.st_mode) ? VISE_FILE_FOLDER
                                      : VISE_FILE_OTHER,
      .bytes = (uint64_t)info.st_size,
      .device = (uint64_t)info.st_dev,
      .inode = (uint64_t)info.st_ino,
      .changed_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec,
  };
  return VISE_OK;
}

vise_status vise_file_touch(const char *path, vise_err *err) {
  const int fd =
      open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a sandbox asks for an open file */
  const vise_status st =
      fd >= 0 && futimens(fd, NULL) == 0 ? VISE_OK : io_error(err, path, "touch");
  if (fd >= 0) {
    close(fd);
  }
  return st;
}

bool vise_file_is_link(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static vise_status add_name(vise_file_names *list, const char *name, vise_err *err) {
  if ((list->n & (list->n - 1)) == 0) { /* full at every power of two */
    void *grown = list->names;
    const size_t room = list->n == 0 ? 1 : 2 * (size_t)list->n;
    VISE_TRY(vise_mem_resize(&grown, room * sizeof *list->names, err));
    list->names = grown;
  }
  VISE_TRY(vise_mem_strdup(&list->names[list->n], name, strlen(name), err));
  list->n++;
  return VISE_OK;
}

vise_status vise_file_list(vise_file_names *out, const char *path, vise_err *err) {
  *out = (vise_file_names){0};
  DIR *folder = opendir(path);
  if (folder == NULL) {
    return io_error(err, path, "list");
  }
  vise_status st = VISE_OK;
  while (st == VISE_OK) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (entry == NULL) {
      st = errno == 0 ? VISE_OK : io_error(err, path, "list");
      break;
    }
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      st = add_name(out, entry->d_name, err);
    }
  }
  closedir(folder);
  if (st != VISE_OK) {
    vise_file_names_free(out);
    return st;
  }
  if (out->n > 1) {
    qsort(out->names, (size_t)out->n, sizeof *out->names, compare_names);
  }
  return VISE_OK;
}

void vise_file_names_free(vise_file_names *names) {
  for (int64_t i = 0; i < names->n; i++) {
    vise_mem_free(names->names[i]);
  }
  vise_mem_free(names->names);
  *names = (vise_file_names){0};
}
