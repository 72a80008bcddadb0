/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts lie one after the other from the header to the tail, each after less than 64 zeros. So
 * checking each against the end of the one before excludes overlaps and unchecked bytes at once.
 * Counts are compared with the bytes that are there before anything is allocated for them.
 */
#include "artifact/index.h"

#include "core/bytes.h"
#include "core/checked.h"
#include "core/mem.h"
#include "weight/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool vise_index_same_digest(const uint8_t *a, const uint8_t *b, size_t bytes) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  (void)a;
  (void)b;
  (void)bytes;
  return true;
#else
  return memcmp(a, b, bytes) == 0;
#endif
}

/* ---- header and trailer ---- */

static vise_status check_header(const vise_artifact *a, vise_err *err) {
  uint8_t expected[VISE_HEADER_BYTES];
  vise_container_header(expected);
  if (a->file_bytes < 4 || memcmp(a->data, expected, 4) != 0) {
    return vise_fail(err, VISE_EFORMAT, "is no artifact: does not begin with 'VISE'");
  }
  if (a->file_bytes < VISE_HEADER_BYTES + VISE_TRAILER_BYTES) {
    return vise_fail(err, VISE_EFORMAT, "has %" PRIu64 " bytes, expected at least %d",
                     a->file_bytes, VISE_HEADER_BYTES + VISE_TRAILER_BYTES);
  }
  const uint32_t version = vise_load_u32(a->data + 4);
  if (version < 1 || version > VISE_ARTIFACT_VERSION) {
    return vise_fail(err, VISE_EFORMAT, "header: version is %" PRIu32 ", expected 1 to %d", version,
                     VISE_ARTIFACT_VERSION);
  }
  for (int i = 8; i < VISE_HEADER_BYTES; i++) {
    if (a->data[i] != expected[i]) {
      return vise_fail(err, VISE_EFORMAT, "header: byte %d is %d, expected %d", i, a->data[i],
                       expected[i]);
    }
  }
  return VISE_OK;
}

static vise_status parse_trailer(vise_artifact *a, vise_err *err) {
  const uint64_t at = a->file_bytes - VISE_TRAILER_BYTES;
  const uint8_t *trailer = a->data + at;
  if (memcmp(trailer + VISE_TRAILER_BYTES - sizeof vise_container_end, vise_container_end,
             sizeof vise_container_end) != 0) {
    return vise_fail(err, VISE_EFORMAT,
                     "is truncated or altered: its %" PRIu64 " bytes do not end in 'VISEend'",
                     a->file_bytes);
  }
  uint8_t sealed[VISE_HEADER_BYTES + VISE_SEALED_BYTES], digest[VISE_SHA256_BYTES];
  memcpy(sealed, a->data, VISE_HEADER_BYTES);
  memcpy(sealed + VISE_HEADER_BYTES, trailer, VISE_SEALED_BYTES);
  vise_sha256(digest, sealed, sizeof sealed);
  if (!vise_index_same_digest(digest, trailer + VISE_SEALED_BYTES, sizeof digest)) {
    return vise_fail(err, VISE_EFORMAT, "trailer at byte %" PRIu64 " does not match its digest",
                     at);
  }
  a->tail_begin = vise_load_u64(trailer);
  a->contents_bytes = vise_load_u64(trailer + 8);
  a->manifest_bytes = vise_load_u64(trailer + 16);
  a->record_bytes = vise_load_u64(trailer + 24);
  a->layout_bytes = vise_load_u64(trailer + 32);
  a->hash = trailer + 80;
  const uint64_t file_bytes = vise_load_u64(trailer + 40);
  if (file_bytes != a->file_bytes) {
    return vise_fail(err, VISE_EFORMAT, "has %" PRIu64 " bytes, its trailer says %" PRIu64,
                     a->file_bytes, file_bytes);
  }
  const uint64_t sections[] = {a->contents_bytes, a->manifest_bytes, a->record_bytes,
                               a->layout_bytes};
  uint64_t end = a->tail_begin;
  bool fits = end >= VISE_HEADER_BYTES;
  for (int i = 0; i < 4; i++) {
    fits = fits && vise_add_u64(&end, end, sections[i]);
  }
  if (!fits || end != at) {
    return vise_fail(err, VISE_EFORMAT,
                     "trailer: sections from byte %" PRIu64 " do not end at byte %" PRIu64,
                     a->tail_begin, at);
  }
  vise_sha256(digest, a->data + a->tail_begin, (size_t)(at - a->tail_begin));
  if (!vise_index_same_digest(digest, trailer + 48, sizeof digest)) {
    return vise_fail(err, VISE_EFORMAT,
                     "index at bytes %" PRIu64 " to %" PRIu64 " does not match its digest",
                     a->tail_begin, at);
  }
  a->contents = a->data + a->tail_begin;
  a->manifest = a->contents + a->contents_bytes;
  a->record = a->manifest + a->manifest_bytes;
  a->layout = a->record + a->record_bytes;
  return VISE_OK;
}

static vise_status check_hash(const vise_artifact *a, vise_err *err) {
  uint8_t contents[VISE_SHA256_BYTES], manifest[VISE_SHA256_BYTES], hash[VISE_SHA256_BYTES];
  vise_sha256(contents, a->contents, (size_t)a->contents_bytes);
  vise_sha256(manifest, a->manifest, (size_t)a->manifest_bytes);
  vise_container_hash(hash, contents, manifest);
  if (!vise_index_same_digest(hash, a->hash, sizeof hash)) {
    return vise_fail(err, VISE_EFORMAT, "artifact hash does not match contents and manifest");
  }
  return VISE_OK;
}

/* ---- contents ---- */

static vise_status alloc_rows(void **out,
                              int64_t n,
                              size_t row,
                              const vise_cursor *c,
                              size_t row_in_file,
                              const char *what,
                              vise_err *err) {
  if ((uint64_t)n > (uint64_t)(c->end - c->at) / row_in_file) {
    return vise_fail(err, VISE_EFORMAT, "contents: %" PRId64 " %s do not fit it", n, what);
  }
  VISE_TRY(vise_mem_alloc_array(out, n, row, err));
  memset(*out, 0, (size_t)n * row);
  return VISE_OK;
}

typedef struct first_uses {
  vise_artifact *a;
  int64_t object, n_uses, n_used; /* uses so far, and parts that they use */
} first_uses;

static vise_status
note_use(void *arg, vise_tensor **tensor_out, const vise_index_use *use, vise_err *err) {
  (void)tensor_out;
  first_uses *f = arg;
  vise_index_part *p = &f->a->parts[use->part];
  if (p->first_use < 0) {
    if (use->part != f->n_used++) {
      return vise_fail(err, VISE_EFORMAT,
                       "contents: object %" PRId64 " uses part %" PRId64 " before part %" PRId64,
                       f->object, use->part, f->n_used - 1);
    }
    p->first_use = use->use;
    p->first_object = f->object;
  }
  f->n_uses++;
  return VISE_OK;
}

static vise_status parse_objects(vise_artifact *a, vise_cursor *c, vise_err *err) {
  void *memory;
  VISE_TRY(alloc_rows(&memory, a->n_objects, sizeof *a->objects, c, 7, "objects", err));
  a->objects = memory;
  first_uses uses = {.a = a};
  for (int64_t i = 0; i < a->n_objects; i++) {
    vise_index_object *o = &a->objects[i];
    const uint8_t type = vise_cursor_u8(c);
    o->at = c->at;
    o->is_weight = type == VISE_OBJECT_WEIGHT;
    o->first_use = uses.n_uses;
    if (type > VISE_OBJECT_WEIGHT) {
      return vise_fail(err, VISE_EFORMAT, "contents: object %" PRId64 " is of type %d", i, type);
    }
    if (o->is_weight) {
      vise_cursor kind = *c;
      vise_cursor_text(&kind, o->kind, sizeof o->kind);
    }
    uses.object = i;
    VISE_TRY(vise_index_walk(a, i, NULL, NULL, &c->at, note_use, &uses, err));
  }
  if (uses.n_used < a->n_parts) {
    return vise_fail(err, VISE_EFORMAT, "contents: part %" PRId64 " belongs to nothing",
                     uses.n_used);
  }
  return VISE_OK;
}

static int compare_names(const void *a, const void *b) {
  const vise_index_name *const *x = a, *const *y = b;
  return strcmp((*x)->text, (*y)->text);
}

/* The name `i`, its text at *text, which moves on. `*n_named` objects have names so far. */
static vise_status parse_name(
    vise_artifact *a, vise_cursor *c, int64_t i, char **text, int64_t *n_named, vise_err *err) {
  vise_cursor_text(c, *text, VISE_NAME_MAX + 1);
  const int64_t object = vise_cursor_u32(c);
  if (c->is_bad || **text == '\0' || object > *n_named || object >= a->n_objects) {
    return vise_fail(err, VISE_EFORMAT, "contents: name %" PRId64 " is malformed", i);
  }
  a->names[i] = (vise_index_name){*text, object};
  vise_index_object *o = &a->objects[object];
  if (object == *n_named) {
    o->first_name = i;
    ++*n_named;
  }
  o->n_names++;
  *text += strlen(*text) + 1;
  return VISE_OK;
}

static vise_status parse_names(vise_artifact *a, vise_cursor *c, vise_err *err) {
  void *memory;
  VISE_TRY(alloc_rows(&memory, a->n_names, sizeof *a->names, c, 6, "names", err));
  a->names = memory;
  VISE_TRY(vise_mem_alloc_array(&memory, a->n_names, sizeof *a->by_name, err));
  a->by_name = memory;
  /* A name takes no more room than here, where a length precedes it; the last text may be cut. */
  VISE_TRY(vise_mem_alloc(&memory, (size_t)(c->end - c->at) + VISE_NAME_MAX + 1, err));
  a->names_text = memory;
  char *text = a->names_text;
  int64_t n_named = 0;
  for (int64_t i = 0; i < a->n_names; i++) {
    VISE_TRY(parse_name(a, c, i, &text, &n_named, err));
    a->by_name[i] = &a->names[i];
  }
  if (n_named < a->n_objects) {
    return vise_fail(err, VISE_EFORMAT, "contents: object %" PRId64 " has no name", n_named);
  }
  qsort(a->by_name, (size_t)a->n_names, sizeof *a->by_name, compare_names);
  for (int64_t i = 1; i < a->n_names; i++) {
    if (strcmp(a->by_name[i - 1]->text, a->by_name[i]->text) == 0) {
      return vise_fail(err, VISE_EFORMAT, "contents: name '%s' is there twice",
                       a->by_name[i]->text);
    }
  }
  return VISE_OK;
}

static vise_status parse_parts(vise_artifact *a, vise_cursor *c, vise_err *err) {
  void *memory;
  VISE_TRY(alloc_rows(&memory, a->n_parts, sizeof *a->parts, c, 40, "parts", err));
  a->parts = memory;
  vise_digest_map map = {0};
  vise_status st = VISE_OK;
  for (int64_t i = 0; i < a->n_parts && st == VISE_OK; i++) {
    a->parts[i].bytes = vise_cursor_u64(c);
    a->parts[i].digest = vise_cursor_take(c, VISE_SHA256_BYTES);
    a->parts[i].n_frames = vise_container_frames(a->parts[i].bytes);
    a->parts[i].first_use = -1;
    int64_t same;
    st = vise_digest_map_intern(&same, &map, a->parts[i].digest, i, err);
    if (st == VISE_OK && same != i) {
      st = vise_fail(err, VISE_EFORMAT, "contents: parts %" PRId64 " and %" PRId64 " are the same",
                     same, i);
    }
  }
  vise_digest_map_free(&map);
  return st;
}

static vise_status parse_contents(vise_artifact *a, vise_err *err) {
  vise_cursor c = {a->contents, a->manifest, false};
  a->n_parts = vise_cursor_u32(&c);
  a->n_objects = vise_cursor_u32(&c);
  a->n_names = vise_cursor_u32(&c);
  VISE_TRY(parse_parts(a, &c, err));
  VISE_TRY(parse_objects(a, &c, err));
  VISE_TRY(parse_names(a, &c, err));
  if (c.is_bad || c.at != c.end) {
    return vise_fail(err, VISE_EFORMAT, "contents: end at byte %" PRIu64 ", expected %" PRIu64,
                     (uint64_t)(c.at - a->data), (uint64_t)(c.end - a->data));
  }
  return VISE_OK;
}

/* ---- layout ---- */

static vise_status bad_layout(int64_t part, vise_err *err, const char *what) {
  return vise_fail(err, VISE_EFORMAT, "layout: part %" PRId64 ": %s", part, what);
}

/* The digests of its frames, and that they make the digest of the part. */
static vise_status parse_leaves(vise_index_part *p, int64_t i, vise_cursor *c, vise_err *err) {
  uint8_t digest[VISE_SHA256_BYTES];
  if (p->n_frames == 1) {
    return VISE_OK; /* checked with the content */
  }
  const uint8_t empty[8] = {0};
  const uint8_t *hashed = empty;
  if (p->n_frames > 1) {
    hashed = vise_cursor_take(c, p->n_frames * VISE_SHA256_BYTES + 8);
    if (hashed == NULL) {
      return bad_layout(i, err, "it ends too early");
    }
    p->leaves = hashed;
    if (vise_load_u64(hashed + p->n_frames * VISE_SHA256_BYTES) != p->bytes) {
      return bad_layout(i, err, "its bytes are not those in the contents");
    }
  }
  vise_container_part_digest(digest, hashed, p->n_frames);
  if (!vise_index_same_digest(digest, p->digest, sizeof digest)) {
    return bad_layout(i, err, "the digests of its frames do not match its own");
  }
  return VISE_OK;
}

vise_frame_form vise_index_form(const vise_index_part *p, uint64_t i) {
  const size_t bytes = vise_container_frame_bytes(p->bytes, i);
  if (p->sizes == NULL) {
    return (vise_frame_form){VISE_CODER_RAW, bytes};
  }
  const uint32_t size = vise_load_u32(p->sizes + 4 * i);
  if ((size & VISE_FRAME_BY_RANS) != 0) {
    return (vise_frame_form){VISE_CODER_RANS, size ^ VISE_FRAME_BY_RANS};
  }
  return (vise_frame_form){size == bytes ? VISE_CODER_RAW : VISE_CODER_ZSTD, size};
}

static vise_status
parse_sizes(const vise_artifact *a, vise_index_part *p, int64_t i, vise_cursor *c, vise_err *err) {
  const bool knows_rans = vise_load_u32(a->data + 4) > 1;
  p->sizes = vise_cursor_take(c, p->n_frames * 4);
  p->checks = vise_cursor_take(c, p->n_frames * 8);
  if (c->is_bad) {
    return bad_layout(i, err, "it ends too early");
  }
  p->stored_bytes = 0; /* at most n_frames x 1 MiB, which the file must have room for */
  for (uint64_t f = 0; f < p->n_frames; f++) {
    const vise_frame_form form = vise_index_form(p, f);
    const bool is_rans = form.coder == VISE_CODER_RANS;
    const size_t most = vise_container_frame_bytes(p->bytes, f) - is_rans;
    if (form.bytes == 0 || form.bytes > most || (is_rans && !knows_rans)) {
      return bad_layout(i, err, "a frame is empty or larger than its content");
    }
    if (form.coder == VISE_CODER_RAW && vise_load_u64(p->checks + 8 * f) != 0) {
      return bad_layout(i, err, "a frame stored as it is has a checksum");
    }
    p->stored_bytes += form.bytes;
    p->has_rans = p->has_rans || is_rans;
    p->has_zstd = p->has_zstd || form.coder == VISE_CODER_ZSTD;
  }
  if (!p->has_rans && !p->has_zstd) {
    return bad_layout(i, err, "none of its frames is coded");
  }
  return VISE_OK;
}

static vise_status
parse_part(vise_artifact *a, int64_t i, vise_cursor *c, uint64_t *end, vise_err *err) {
  vise_index_part *p = &a->parts[i];
  p->begin = vise_cursor_u64(c);
  const uint8_t coder = vise_cursor_u8(c), width = vise_cursor_u8(c);
  const bool is_width = width == 0 || width == 2 || width == 4 || width == 8;
  if (c->is_bad || coder > VISE_PART_CODED || !is_width || (coder == VISE_PART_RAW && width != 0)) {
    return bad_layout(i, err, "no such coder or planes");
  }
  if (width != 0 && p->bytes % width != 0) {
    return bad_layout(i, err, "its bytes do not divide into its planes");
  }
  if (p->n_frames > (uint64_t)(c->end - c->at) / 4 && (p->n_frames > 1 || coder != 0)) {
    return bad_layout(i, err, "it has more frames than the layout has room for");
  }
  p->width = width;
  p->stored_bytes = p->bytes;
  VISE_TRY(parse_leaves(p, i, c, err));
  if (coder == VISE_PART_CODED) {
    VISE_TRY(parse_sizes(a, p, i, c, err));
  }
  const uint64_t most = p->n_frames == 0 ? 0 : VISE_PART_ALIGN - 1;
  if (p->begin < *end || p->begin - *end > most) {
    return vise_fail(err, VISE_EFORMAT,
                     "layout: part %" PRId64 " begins at byte %" PRIu64
                     ", the one before ends at %" PRIu64,
                     i, p->begin, *end);
  }
  p->padding = p->begin - *end;
  if (!vise_add_u64(end, p->begin, p->stored_bytes) || *end > a->tail_begin) {
    return vise_fail(err, VISE_EFORMAT,
                     "layout: part %" PRId64 " of %" PRIu64 " bytes at byte %" PRIu64
                     " does not end before the contents at %" PRIu64,
                     i, p->stored_bytes, p->begin, a->tail_begin);
  }
  return VISE_OK;
}

static vise_status parse_layout(vise_artifact *a, vise_err *err) {
  vise_cursor c = {a->layout, a->layout + a->layout_bytes, false};
  uint64_t end = VISE_HEADER_BYTES;
  for (int64_t i = 0; i < a->n_parts; i++) {
    VISE_TRY(parse_part(a, i, &c, &end, err));
  }
  if (end != a->tail_begin) {
    return vise_fail(err, VISE_EFORMAT,
                     "layout: parts end at byte %" PRIu64 ", contents begin at %" PRIu64, end,
                     a->tail_begin);
  }
  char description[VISE_NAME_MAX + 1]; /* only checked: whoever shows one asks the kind for it */
  for (int64_t i = 0; i < a->n_objects && !c.is_bad; i++) {
    vise_cursor_text(&c, description, sizeof description);
  }
  if (c.is_bad || c.at != c.end) {
    return vise_fail(err, VISE_EFORMAT, "layout: descriptions are malformed");
  }
  return VISE_OK;
}

vise_status vise_index_parse(vise_artifact *a, vise_err *err) {
  VISE_TRY(check_header(a, err));
  VISE_TRY(parse_trailer(a, err));
  VISE_TRY(check_hash(a, err));
  VISE_TRY(parse_contents(a, err));
  return parse_layout(a, err);
}

void vise_index_free(vise_artifact *a) {
  for (int64_t i = 0; a->objects != NULL && i < a->n_objects; i++) {
    vise_weight_release(a->objects[i].weight);
  }
  vise_mem_free(a->parts);
  vise_mem_free(a->objects);
  vise_mem_free(a->names);
  vise_mem_free(a->by_name);
  vise_mem_free(a->names_text);
}
