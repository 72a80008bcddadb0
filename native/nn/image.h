/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn/image.h -- convolution by patches, and pooling.
 *
 * Images are f32 [n, h, w, c], contiguous: a row of c channels for each pixel, so that the result of
 * a product with patches is an image again. A window of size x size pixels moves by `stride`; `pad`
 * pixels of zero (for a maximum: of nothing) lie around an image.
 *
 *   convolution   Y [n oh ow, m] = patches(x) [n oh ow, size size c] W'    W [m, size size c]
 *
 * with oh = (h + 2 pad - size) / stride + 1, rounded down, and ow likewise.
 * Parallel over images; no result depends on threads or the CPU level. Errors: VISE_ECANCELLED.
 */
#ifndef VISE_NN_IMAGE_H
#define VISE_NN_IMAGE_H

#include "core/status.h"

#include <stdint.h>

typedef struct vise_windows {
  int64_t n, h, w, c;        /* the images */
  int64_t size, stride, pad; /* > 0, > 0, >= 0 and below size */
  int64_t oh, ow;            /* positions: vise_windows_fit fills them in */
} vise_windows;

/* Fills in oh and ow. Errors: VISE_EARG (a size), VISE_ESHAPE (no window fits). */
vise_status vise_windows_fit(vise_windows *inout, vise_err *err) VISE_MUST_USE;

/* out [n oh ow, size size c]: the pixels of each window, zero outside. */
vise_status
vise_patches_run(float *out, const float *x, const vise_windows *g, vise_err *err) VISE_MUST_USE;

/* d_x [n, h, w, c] from the derivative by the patches. */
vise_status vise_patches_backward(float *d_x,
                                  const float *d_out,
                                  const vise_windows *g,
                                  vise_err *err) VISE_MUST_USE;

/* out [n, oh, ow, c]: the greatest of each window, or the mean of size^2 pixels, those outside
   being zero. The derivative of a maximum goes to the first of equals. */
vise_status
vise_max_pool_run(float *out, const float *x, const vise_windows *g, vise_err *err) VISE_MUST_USE;
vise_status vise_max_pool_backward(float *d_x,
                                   const float *d_out,
                                   const float *x,
                                   const vise_windows *g,
                                   vise_err *err) VISE_MUST_USE;
vise_status
vise_mean_pool_run(float *out, const float *x, const vise_windows *g, vise_err *err) VISE_MUST_USE;
vise_status vise_mean_pool_backward(float *d_x,
                                    const float *d_out,
                                    const vise_windows *g,
                                    vise_err *err) VISE_MUST_USE;

#endif
