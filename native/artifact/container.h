/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/container.h -- what writer and reader of artifacts share: the constants of the format,
 * digests and bounds-checked access to bytes. Internal to this folder.
 */
#ifndef VISE_ARTIFACT_CONTAINER_H
#define VISE_ARTIFACT_CONTAINER_H

#include "core/hash.h"
#include "core/status.h"
#include "tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  VISE_ARTIFACT_VERSION = 3, /* of what is written; 1, without rANS, and 2, without stretches, are
                                read too */
  VISE_FRAME_BYTES = VISE_LEAF_BYTES, /* a frame is a leaf of its part's tree hash */
  VISE_HEADER_BYTES = 64,
  VISE_TRAILER_BYTES = 152,
  VISE_SEALED_BYTES = 112, /* of the trailer, before the seal */
  VISE_PART_ALIGN = 64,
  VISE_NAME_MAX = 255,
};

/* Coder of a part in the layout; in the u32 of each frame, whether it is one by rANS. */
enum { VISE_PART_RAW = 0, VISE_PART_CODED = 1 };
#define VISE_FRAME_BY_RANS 0x80000000u

enum { VISE_OBJECT_TENSOR = 0, VISE_OBJECT_WEIGHT = 1 };

/* The first VISE_HEADER_BYTES of every artifact of this version. */
void vise_container_header(uint8_t out[VISE_HEADER_BYTES]);
extern const char vise_container_end[8]; /* the last bytes of the file */

/* Code of a dtype in the file, and back; false for a number that is none. */
uint8_t vise_container_dtype_code(vise_dtype d);
bool vise_container_dtype_find(vise_dtype *out, uint8_t code);

/* Frames of a part: ceil(bytes / 1 MiB), and the bytes of content of frame `i`. */
uint64_t vise_container_frames(uint64_t bytes);
size_t vise_container_frame_bytes(uint64_t part_bytes, uint64_t i);

/* The tree hash of a part from `hashed`: the leaves' digests followed by its bytes as a u64. */
void vise_container_part_digest(uint8_t out[VISE_SHA256_BYTES],
                                const uint8_t *hashed,
                                uint64_t n_leaves);

/* The artifact hash, from the SHA-256 of contents and manifest. */
void vise_container_hash(uint8_t out[VISE_SHA256_BYTES],
                         const uint8_t contents[VISE_SHA256_BYTES],
                         const uint8_t manifest[VISE_SHA256_BYTES]);

/* Valid UTF-8 without control characters, so that it can be shown. */
bool vise_container_is_text(const char *s, size_t bytes);

/* Bytes that grow. A zeroed struct is empty. */
typedef struct vise_buffer {
  void *data; /* owned */
  size_t bytes, capacity;
} vise_buffer;

void vise_buffer_free(vise_buffer *b);
vise_status vise_buffer_reserve(vise_buffer *b, size_t more, vise_err *err) VISE_MUST_USE;
vise_status
vise_buffer_add(vise_buffer *b, const void *data, size_t bytes, vise_err *err) VISE_MUST_USE;
vise_status vise_buffer_add_u8(vise_buffer *b, uint8_t v, vise_err *err) VISE_MUST_USE;
vise_status vise_buffer_add_u32(vise_buffer *b, uint32_t v, vise_err *err) VISE_MUST_USE;
vise_status vise_buffer_add_u64(vise_buffer *b, uint64_t v, vise_err *err) VISE_MUST_USE;
/* A length byte and up to 255 bytes of text. */
vise_status vise_buffer_add_text(vise_buffer *b, const char *text, vise_err *err) VISE_MUST_USE;

/* Reading: each call moves on, and fails with `is_bad` set for good when the bytes run out. */
typedef struct vise_cursor {
  const uint8_t *at, *end; /* borrowed */
  bool is_bad;
} vise_cursor;

const uint8_t *vise_cursor_take(vise_cursor *c, uint64_t bytes); /* NULL when bad */
uint8_t vise_cursor_u8(vise_cursor *c);                          /* 0 when bad */
uint32_t vise_cursor_u32(vise_cursor *c);
uint64_t vise_cursor_u64(vise_cursor *c);
/* `out` has room for `room` bytes with the NUL; bad if longer or no text. */
void vise_cursor_text(vise_cursor *c, char *out, size_t room);

/* Digest -> index, open addressing. A zeroed struct is empty. */
typedef struct vise_digest_map {
  struct vise_digest_slot {
    uint8_t digest[VISE_SHA256_BYTES];
    int64_t index; /* -1: free */
  } * slots;       /* owned, capacity a power of two */
  size_t count, capacity;
} vise_digest_map;

void vise_digest_map_free(vise_digest_map *m);
/* *out: the index of `digest`, which becomes `index` if it was not there. Errors: VISE_ENOMEM. */
vise_status vise_digest_map_intern(int64_t *out,
                                   vise_digest_map *m,
                                   const uint8_t digest[VISE_SHA256_BYTES],
                                   int64_t index,
                                   vise_err *err) VISE_MUST_USE;

#endif
