/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY /* contexts that take their memory from us */
#include "artifact/frame.h"

#include "artifact/planes.h"
#include "artifact/rans.h"
#include "core/hash.h"
#include "core/mem.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

struct vise_frame_coder {
  ZSTD_CCtx *encoder; /* owned; each of the four is made when first needed */
  ZSTD_DCtx *decoder;
  uint8_t *planes; /* 1 MiB */
  uint8_t *other;  /* what zstd makes of them; with less room than its bound it is slower */
};

enum { OTHER_BYTES = ZSTD_COMPRESSBOUND(VISE_LEAF_BYTES) };
enum { SAMPLED = 1 << 18, SAMPLE_SHARE = 32 }; /* frames of so many bytes and more; of them */

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
    vise_mem_free(c->other);
    vise_mem_free(c);
  }
}

static vise_status need(uint8_t **buffer, size_t bytes, vise_err *err) {
  void *memory = *buffer;
  if (memory == NULL) {
    VISE_TRY(vise_mem_alloc(&memory, bytes, err));
    *buffer = memory;
  }
  return VISE_OK;
}

static vise_status zstd_failed(size_t code, const char *doing, vise_err *err) {
  if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) {
    return vise_fail(err, VISE_ENOMEM, "out of memory in zstd");
  }
  return vise_fail(err, VISE_EFORMAT, "cannot be %s by zstd: %s", doing, ZSTD_getErrorName(code));
}

/* `out` has room for zstd's bound. */
static vise_status zstd_encode(size_t *bytes_out,
                               vise_frame_coder *c,
                               uint8_t *out,
                               const uint8_t *source,
                               size_t bytes,
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
  *bytes_out = ZSTD_compress2(c->encoder, out, ZSTD_COMPRESSBOUND(bytes), source, bytes);
  return ZSTD_isError(*bytes_out) ? zstd_failed(*bytes_out, "encoded", err) : VISE_OK;
}

/* Does zstd make a share of the planes, the middle of each, smaller than rANS made all? */
static vise_status zstd_promises(bool *out,
                                 vise_frame_coder *c,
                                 const uint8_t *planes,
                                 size_t bytes,
                                 int n_planes,
                                 size_t rans_bytes,
                                 int level,
                                 vise_err *err) {
  const size_t n = bytes / (size_t)n_planes, piece = n / SAMPLE_SHARE;
  const size_t sampled = piece * (size_t)n_planes;
  for (int i = 0; i < n_planes; i++) {
    memcpy(c->other + (size_t)i * piece, planes + (size_t)i * n + n / 2, piece);
  }
  size_t coded;
  VISE_TRY(zstd_encode(&coded, c, c->other + sampled, c->other, sampled, level, err));
  *out = (uint64_t)coded * bytes < (uint64_t)rans_bytes * sampled;
  return VISE_OK;
}

/* `form` is what rANS made of it, in `out`; zstd takes its place if it makes less. */
static vise_status try_zstd(vise_frame_form *form,
                            vise_frame_coder *c,
                            uint8_t *out,
                            const uint8_t *planes,
                            size_t bytes,
                            int n_planes,
                            int level,
                            vise_err *err) {
  bool is_promising = true;
  VISE_TRY(need(&c->other, OTHER_BYTES, err));
  if (bytes >= SAMPLED) {
    VISE_TRY(zstd_promises(&is_promising, c, planes, bytes, n_planes, form->bytes, level, err));
  }
  if (!is_promising) {
    return VISE_OK;
  }
  size_t coded;
  VISE_TRY(zstd_encode(&coded, c, c->other, planes, bytes, level, err));
  if (coded < form->bytes) {
    memcpy(out, c->other, coded);
    *form = (vise_frame_form){VISE_CODER_ZSTD, coded};
  }
  return VISE_OK;
}

vise_status vise_frame_encode(vise_frame_form *form_out,
                              vise_frame_coder *c,
                              uint8_t *out,
                              const uint8_t *content,
                              size_t bytes,
                              int width,
                              const vise_artifact_options *options,
                              vise_err *err) {
  *form_out = (vise_frame_form){VISE_CODER_RAW, bytes};
  if (options->coder == VISE_CODER_RAW) {
    return VISE_OK;
  }
  const uint8_t *planes = content;
  const int n_planes = width == 0 ? 1 : width;
  if (width != 0) {
    VISE_TRY(need(&c->planes, VISE_LEAF_BYTES, err));
    vise_planes_split(c->planes, content, bytes, width);
    planes = c->planes;
  }
  const size_t n = vise_rans_encode_frame(out, planes, bytes, n_planes);
  if (n < bytes) {
    *form_out = (vise_frame_form){VISE_CODER_RANS, n};
  }
  if (options->coder == VISE_CODER_ZSTD) {
    VISE_TRY(try_zstd(form_out, c, out, planes, bytes, n_planes, options->level, err));
  }
  return VISE_OK;
}

static vise_status zstd_decode(vise_frame_coder *c,
                               uint8_t *out,
                               size_t bytes,
                               const uint8_t *stored,
                               size_t stored_bytes,
                               vise_err *err) {
  if (c->decoder == NULL) {
    c->decoder = ZSTD_createDCtx_advanced(memory_of_ours);
    if (c->decoder == NULL) {
      return vise_fail(err, VISE_ENOMEM, "out of memory in zstd");
    }
  }
  const size_t n = ZSTD_decompressDCtx(c->decoder, out, bytes, stored, stored_bytes);
  if (ZSTD_isError(n)) {
    return zstd_failed(n, "decoded", err);
  }
  if (n != bytes) {
    return vise_fail(err, VISE_EFORMAT, "holds %zu bytes, expected %zu", n, bytes);
  }
  return VISE_OK;
}

vise_status vise_frame_decode(vise_frame_coder *c,
                              uint8_t *out,
                              size_t bytes,
                              const uint8_t *stored,
                              vise_frame_form form,
                              int width,
                              vise_err *err) {
  if (form.coder == VISE_CODER_RAW) {
    memcpy(out, stored, bytes);
    return VISE_OK;
  }
  uint8_t *planes = out;
  if (width != 0) {
    VISE_TRY(need(&c->planes, VISE_LEAF_BYTES, err));
    planes = c->planes;
  }
  if (form.coder == VISE_CODER_RANS) {
    const int n_planes = width == 0 ? 1 : width;
    VISE_TRY(vise_rans_decode_frame(planes, bytes, n_planes, stored, form.bytes, err));
  } else {
    VISE_TRY(zstd_decode(c, planes, bytes, stored, form.bytes, err));
  }
  if (width != 0) {
    vise_planes_join(out, planes, bytes, width);
  }
  return VISE_OK;
}
