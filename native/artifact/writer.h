/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact/writer.h -- an artifact being written: frames and parts in writer.c, what is said about
 * them in writer_index.c. Internal to this folder.
 */
#ifndef VISE_ARTIFACT_WRITER_H
#define VISE_ARTIFACT_WRITER_H

#include "artifact/artifact.h"
#include "artifact/container.h"
#include "artifact/frame.h"
#include "core/file.h"

typedef struct vise_writer_slot {
  vise_tensor *tensor; /* retained: whose part the frame is of; NULL when free */
  const uint8_t *content;
  size_t content_bytes;
  int width;             /* of its planes, 0 for none */
  uint8_t *buffer;       /* owned, 1 MiB; NULL with coder raw */
  const uint8_t *stored; /* what to write: `buffer` or `content` */
  vise_frame_form form;
  uint64_t check;
  uint8_t leaf[VISE_SHA256_BYTES];
  uint64_t offset, padding; /* of the stored bytes; zeros before them */
  bool is_last;             /* of its part */
  bool is_dropped;          /* its part is in the file already */
  vise_status status;
  vise_err err;
} vise_writer_slot;

typedef struct vise_writer_batch {
  vise_writer_slot *slots; /* owned, n_slots of them */
  int count;
} vise_writer_batch;

/* The part whose frames are coming in. */
typedef struct vise_writer_part {
  vise_buffer leaves; /* digests */
  vise_buffer stored; /* u32 each: bytes and coder */
  vise_buffer checks; /* u64 each */
  uint64_t bytes, begin, end;
  int first_slot; /* of this batch that belongs to it */
  int width;
  bool is_open, is_coded; /* some frame is smaller than its content */
} vise_writer_part;

struct vise_artifact_writer {
  vise_file_writer *file; /* owned */
  vise_artifact_options options;
  bool is_broken;
  int n_slots;
  vise_writer_batch batches[2]; /* the current one and the one being written */
  int current;
  vise_frame_coder **coders; /* owned, one per thread */
  int n_coders;
  vise_writer_part part;
  uint64_t end; /* of the parts so far */
  uint32_t n_parts, n_objects, n_names;
  vise_digest_map part_map, object_map, name_map;
  vise_buffer parts, objects, names, layout, descriptions;
  vise_buffer numbers; /* u32: of the part that each use is of, in the order of the uses */
  vise_buffer encoded, gaps, drafts, texts; /* objects waiting for the numbers, writer_index.c */
};

/* Cut `t` into frames; its number comes to the end of `numbers` once they have been run. */
vise_status
vise_writer_add_part(vise_artifact_writer *w, vise_tensor *t, vise_err *err) VISE_MUST_USE;

/* Code the frames that wait for it, and write those whose place is known. */
vise_status vise_writer_run_batch(vise_artifact_writer *w, vise_err *err) VISE_MUST_USE;

#endif
