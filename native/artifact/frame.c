/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY /* contexts that take their memory from us */
#include "artifact/frame.h"

#include "artifact/planes.h"
#include "core/hash.h"
#include "core/mem.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

struct vise_frame_coder {
  ZSTD_CCtx *encoder; /* owned; each of the three is made when first needed */
  ZSTD_DCtx *decoder;
  uint8_t *planes; /* 1 MiB */
};

static void *zstd_alloc(void *opaque, size_t bytes) {
  (void)opaque;
  void *p;
  return vise_mem_alloc(&p, bytes, NULL) == VISE_OK ? p : NULL;
}

static void zstd_free(void *opaque, void *p) {
  (void)opaque;
  vise_mem_free(p);
}

static const ZSTD_customMem memory_of_ours = {zstd_alloc, zstd_free, NULL};

vise_status vise_frame_coder_create(vise_frame_coder **out, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_frame_coder), err));
  *out = memory;
  return VISE_OK;
}

void vise_frame_coder_free(vise_frame_coder *c) {
  if (c != NULL) {
    ZSTD_freeCCtx(c->encoder);
    ZSTD_freeDCtx(c->decoder);
    vise_mem_free(c->planes);
    vise_mem_free(c);
  }
}

static vise_status need_planes(vise_frame_coder *c, vise_err *err) {
  void *memory = c->planes;
  if (memory == NULL) {
    VISE_TRY(vise_mem_alloc(&memory, VISE_LEAF_BYTES, err));
    c->planes = memory;
  }
  return VISE_OK;
}

static vise_status zstd_failed(size_t code, const char *doing, vise_err *err) {
  if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) {
    return vise_fail(err, VISE_ENOMEM, "out of memory in zstd");
  }
  return vise_fail(err, VISE_EFORMAT, "cannot be %s by zstd: %s", doing, ZSTD_getErrorName(code));
}

vise_status vise_frame_encode(size_t *stored_out,
                              vise_frame_coder *c,
                              uint8_t *out,
                              const uint8_t *content,
                              size_t bytes,
                              int width,
                              int level,
                              vise_err *err) {
  if (c->encoder == NULL) {
    c->encoder = ZSTD_createCCtx_advanced(memory_of_ours);
    if (c->encoder == NULL) {
      return vise_fail(err, VISE_ENOMEM, "out of memory in zstd");
    }
  }
  const size_t set = ZSTD_CCtx_setParameter(c->encoder, ZSTD_c_compressionLevel, level);
  if (ZSTD_isError(set)) {
    return zstd_failed(set, "set up", err);
  }
  const uint8_t *source = content;
  if (width != 0) {
    VISE_TRY(need_planes(c, err));
    vise_planes_split(c->planes, content, bytes, width);
    source = c->planes;
  }
  const size_t n = ZSTD_compress2(c->encoder, out, bytes, source, bytes);
  if (ZSTD_isError(n) && ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall) {
    return zstd_failed(n, "encoded", err);
  }
  *stored_out = ZSTD_isError(n) ? bytes : n; /* `bytes` of zstd would be no gain either */
  return VISE_OK;
}

vise_status vise_frame_decode(vise_frame_coder *c,
                              uint8_t *out,
                              size_t bytes,
                              const uint8_t *stored,
                              size_t stored_bytes,
                              int width,
                              vise_err *err) {
  if (stored_bytes == bytes) {
    memcpy(out, stored, bytes);
    return VISE_OK;
  }
  if (c->decoder == NULL) {
    c->decoder = ZSTD_createDCtx_advanced(memory_of_ours);
    if (c->decoder == NULL) {
      return vise_fail(err, VISE_ENOMEM, "out of memory in zstd");
    }
  }
  uint8_t *target = out;
  if (width != 0) {
    VISE_TRY(need_planes(c, err));
    target = c->planes;
  }
  const size_t n = ZSTD_decompressDCtx(c->decoder, target, bytes, stored, stored_bytes);
  if (ZSTD_isError(n)) {
    return zstd_failed(n, "decoded", err);
  }
  if (n != bytes) {
    return vise_fail(err, VISE_EFORMAT, "holds %zu bytes, expected %zu", n, bytes);
  }
  if (width != 0) {
    vise_planes_join(out, target, bytes, width);
  }
  return VISE_OK;
}
