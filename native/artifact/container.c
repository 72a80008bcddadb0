/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/container.h"

#include "core/bytes.h"
#include "core/mem.h"

#include <string.h>

const char vise_container_end[8] = "VISEend\n";

/* Numbers of the format, which stay when the enumeration grows. */
static const struct {
  vise_dtype dtype;
  uint8_t code;
} dtypes[] = {
    {VISE_DTYPE_F64, 0},     {VISE_DTYPE_F32, 1},     {VISE_DTYPE_F16, 2},   {VISE_DTYPE_BF16, 3},
    {VISE_DTYPE_F8_E4M3, 4}, {VISE_DTYPE_F8_E5M2, 5}, {VISE_DTYPE_I64, 6},   {VISE_DTYPE_I32, 7},
    {VISE_DTYPE_I16, 8},     {VISE_DTYPE_I8, 9},      {VISE_DTYPE_U64, 10},  {VISE_DTYPE_U32, 11},
    {VISE_DTYPE_U16, 12},    {VISE_DTYPE_U8, 13},     {VISE_DTYPE_BOOL, 14},
};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };
_Static_assert((int)N_DTYPES == (int)VISE_DTYPES, "a dtype without a number in the format");

void vise_container_header(uint8_t out[VISE_HEADER_BYTES]) {
  memset(out, 0, VISE_HEADER_BYTES);
  memcpy(out, "VISE", 4);
  vise_store_u32(out + 4, VISE_ARTIFACT_VERSION);
  vise_store_u32(out + 12, VISE_FRAME_BYTES);
}

uint8_t vise_container_dtype_code(vise_dtype d) {
  int i = 0;
  while (dtypes[i].dtype != d) {
    i++;
  }
  return dtypes[i].code;
}

bool vise_container_dtype_find(vise_dtype *out, uint8_t code) {
  for (int i = 0; i < N_DTYPES; i++) {
    if (dtypes[i].code == code) {
      *out = dtypes[i].dtype;
      return true;
    }
  }
  return false;
}

uint64_t vise_container_frames(uint64_t bytes) {
  return bytes / VISE_FRAME_BYTES + (bytes % VISE_FRAME_BYTES != 0);
}

size_t vise_container_frame_bytes(uint64_t part_bytes, uint64_t i) {
  const uint64_t left = part_bytes - i * VISE_FRAME_BYTES;
  return left < VISE_FRAME_BYTES ? (size_t)left : VISE_FRAME_BYTES;
}

void vise_container_part_digest(uint8_t out[VISE_SHA256_BYTES],
                                const uint8_t *hashed,
                                uint64_t n_leaves) {
  vise_sha256(out, hashed, (size_t)n_leaves * VISE_SHA256_BYTES + 8);
}

void vise_container_hash(uint8_t out[VISE_SHA256_BYTES],
                         const uint8_t contents[VISE_SHA256_BYTES],
                         const uint8_t manifest[VISE_SHA256_BYTES]) {
  static const char domain[16] = "vise artifact 1\n";
  uint8_t text[sizeof domain + 2 * VISE_SHA256_BYTES];
  memcpy(text, domain, sizeof domain);
  memcpy(text + sizeof domain, contents, VISE_SHA256_BYTES);
  memcpy(text + sizeof domain + VISE_SHA256_BYTES, manifest, VISE_SHA256_BYTES);
  vise_sha256(out, text, sizeof text);
}

/* Bytes of the UTF-8 sequence at `s`, 0 if it is none (RFC 3629: no surrogates, shortest form). */
static size_t sequence_bytes(const uint8_t *s, size_t left) {
  const uint8_t c = s[0];
  if (c < 0x80) {
    return 1;
  }
  const size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || left < n) {
    return 0;
  }
  const uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  if (s[1] < low || s[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return n;
}

bool vise_container_is_text(const char *s, size_t bytes) {
  const uint8_t *p = (const uint8_t *)s;
  for (size_t i = 0; i < bytes;) {
    const size_t n = sequence_bytes(p + i, bytes - i);
    const bool is_control = p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0);
    if (n == 0 || is_control) {
      return false;
    }
    i += n;
  }
  return true;
}

/* ---- bytes that grow ---- */

void vise_buffer_free(vise_buffer *b) {
  vise_mem_free(b->data);
  *b = (vise_buffer){0};
}

vise_status vise_buffer_reserve(vise_buffer *b, size_t more, vise_err *err) {
  if (more > b->capacity - b->bytes) {
    const size_t wanted = b->bytes + more, doubled = 2 * b->capacity;
    const size_t capacity = wanted > doubled ? wanted : doubled;
    VISE_TRY(vise_mem_resize(&b->data, capacity, err));
    b->capacity = capacity;
  }
  return VISE_OK;
}

vise_status vise_buffer_add(vise_buffer *b, const void *data, size_t bytes, vise_err *err) {
  if (bytes == 0) {
    return VISE_OK;
  }
  VISE_TRY(vise_buffer_reserve(b, bytes, err));
  memcpy((uint8_t *)b->data + b->bytes, data, bytes);
  b->bytes += bytes;
  return VISE_OK;
}

vise_status vise_buffer_add_u8(vise_buffer *b, uint8_t v, vise_err *err) {
  return vise_buffer_add(b, &v, 1, err);
}

vise_status vise_buffer_add_u32(vise_buffer *b, uint32_t v, vise_err *err) {
  uint8_t bytes[4];
  vise_store_u32(bytes, v);
  return vise_buffer_add(b, bytes, sizeof bytes, err);
}

vise_status vise_buffer_add_u64(vise_buffer *b, uint64_t v, vise_err *err) {
  uint8_t bytes[8];
  vise_store_u64(bytes, v);
  return vise_buffer_add(b, bytes, sizeof bytes, err);
}

vise_status vise_buffer_add_text(vise_buffer *b, const char *text, vise_err *err) {
  const size_t n = strlen(text);
  VISE_TRY(vise_buffer_add_u8(b, (uint8_t)n, err));
  return vise_buffer_add(b, text, n, err);
}

/* ---- reading ---- */

const uint8_t *vise_cursor_take(vise_cursor *c, uint64_t bytes) {
  if (c->is_bad || bytes > (uint64_t)(c->end - c->at)) {
    c->is_bad = true;
    return NULL;
  }
  const uint8_t *p = c->at;
  c->at += bytes;
  return p;
}

uint8_t vise_cursor_u8(vise_cursor *c) {
  const uint8_t *p = vise_cursor_take(c, 1);
  return p == NULL ? 0 : *p;
}

uint32_t vise_cursor_u32(vise_cursor *c) {
  const uint8_t *p = vise_cursor_take(c, 4);
  return p == NULL ? 0 : vise_load_u32(p);
}

uint64_t vise_cursor_u64(vise_cursor *c) {
  const uint8_t *p = vise_cursor_take(c, 8);
  return p == NULL ? 0 : vise_load_u64(p);
}

void vise_cursor_text(vise_cursor *c, char *out, size_t room) {
  const size_t n = vise_cursor_u8(c);
  const uint8_t *p = vise_cursor_take(c, n);
  out[0] = '\0';
  if (p == NULL || n >= room || !vise_container_is_text((const char *)p, n)) {
    c->is_bad = true;
    return;
  }
  memcpy(out, p, n);
  out[n] = '\0';
}

/* ---- digests ---- */

void vise_digest_map_free(vise_digest_map *m) {
  vise_mem_free(m->slots);
  *m = (vise_digest_map){0};
}

/* The slot of `digest`, or the free one where it belongs. There is always a free one. */
static struct vise_digest_slot *find_slot(const vise_digest_map *m, const uint8_t *digest) {
  size_t i = (size_t)vise_load_u64(digest) & (m->capacity - 1);
  while (m->slots[i].index >= 0 && memcmp(m->slots[i].digest, digest, VISE_SHA256_BYTES) != 0) {
    i = (i + 1) & (m->capacity - 1);
  }
  return &m->slots[i];
}

static vise_status grow(vise_digest_map *m, vise_err *err) {
  vise_digest_map bigger = {.capacity = m->capacity == 0 ? 64 : 2 * m->capacity, .count = m->count};
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, (int64_t)bigger.capacity, sizeof *m->slots, err));
  bigger.slots = memory;
  for (size_t i = 0; i < bigger.capacity; i++) {
    bigger.slots[i].index = -1;
  }
  for (size_t i = 0; i < m->capacity; i++) {
    if (m->slots[i].index >= 0) {
      *find_slot(&bigger, m->slots[i].digest) = m->slots[i];
    }
  }
  vise_digest_map_free(m);
  *m = bigger;
  return VISE_OK;
}

vise_status vise_digest_map_intern(int64_t *out,
                                   vise_digest_map *m,
                                   const uint8_t digest[VISE_SHA256_BYTES],
                                   int64_t index,
                                   vise_err *err) {
  if (2 * m->count >= m->capacity) {
    VISE_TRY(grow(m, err));
  }
  struct vise_digest_slot *slot = find_slot(m, digest);
  if (slot->index < 0) {
    memcpy(slot->digest, digest, VISE_SHA256_BYTES);
    slot->index = index;
    m->count++;
  }
  *out = slot->index;
  return VISE_OK;
}
