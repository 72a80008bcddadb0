/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/element.h -- rows of element codes with a scale per group: what fp8, mxfp*, nvfp4 and nf4
 * share.
 *
 *   value = element(code) scale          the scale of group j / group, as f32
 *
 * Codes of a row are packed as documented at vise_element_row_bytes; a row begins on a byte. Where the
 * scales are kept, and as what, is the format's business.
 */
#ifndef VISE_FORMAT_ELEMENT_H
#define VISE_FORMAT_ELEMENT_H

#include "format/format.h"
#include "kernels/qdot.h"
#include "kernels/scaled.h"

float vise_element_largest(vise_element e); /* magnitude */

const char *vise_element_name(vise_element e); /* "e4m3" */

/* Of codes of 8 bits; of 6, in a little-endian stream; of 4, the first of two codes in the low half
   of its byte, and of NF4 in the high half. */
int64_t vise_element_row_bytes(vise_element e, int64_t k);

/* One row of k values; scales: one per group, 0 where all codes are to be that of +0. */
void vise_element_encode(uint8_t *out,
                         const float *x,
                         int64_t k,
                         int64_t group,
                         const float *scales,
                         vise_element e,
                         void *scratch);
size_t vise_element_scratch_bytes(int64_t k);

/* k codes, one a byte, as a row has them. */
void vise_element_pack(uint8_t *out, const uint8_t *codes, int64_t k, vise_element e);

/* What kernels/grid.h wants to know of rows with a scale per `group` columns. */
vise_grid vise_element_grid(int64_t group, vise_element e);

/* The scales of groups first .. first + n - 1 of row `row`, as f32. */
typedef void vise_element_scales_fn(float *out,
                                    const vise_format_spec *s,
                                    const void *const *parts,
                                    int64_t row,
                                    int64_t first,
                                    int64_t n);

/* vise_format_grid.cells for n groups of scales. */
void vise_element_cells(const vise_format_spec *s,
                        const void *const *parts,
                        int64_t row,
                        int64_t n,
                        vise_element_scales_fn *scales,
                        vise_grid_cell *cells_out);

/* vise_format.decode for codes in parts[0]. */
void vise_element_decode(const vise_format_spec *s,
                         const void *const *parts,
                         int64_t row,
                         int64_t n_rows,
                         int64_t col,
                         int64_t n_cols,
                         float *out,
                         int64_t ld,
                         int64_t group,
                         vise_element e,
                         vise_element_scales_fn *scales);

/*
 * vise_format.dot for VISE_E2M1 and VISE_NF4: `prepared` and `prepare` of rows of k values, and what
 * kernels/qdot.h is to be told of rows from `row` on but for their scales.
 */
int64_t vise_element_prepared(int64_t k, int64_t group);
void vise_element_prepare(float *out, const float *x, int64_t k, vise_element e);
vise_qdot_ints
vise_element_qdot(const uint8_t *codes, int64_t row, int64_t k, int64_t group, vise_element e);

/* Refuses codes of m rows that are NaN or infinite. `who` begins the message. */
vise_status vise_element_check(const uint8_t *codes,
                               int64_t m,
                               int64_t k,
                               vise_element e,
                               const char *who,
                               vise_err *err) VISE_MUST_USE;

/* A rectangle of values with one scale: part of a row, or of several. */
typedef struct vise_element_patch {
  const float *x;
  int64_t ld, n_rows, n;
  const float *v; /* importance [n], or NULL */
} vise_element_patch;

/*
 * The scale that errs least, weighted, of those tried: `plain` times each of `multiples` (n of
 * them), the best refitted to its codes. Returns `plain` if nothing does better. Polls the cancel
 * flag when there are several rows.
 */
float vise_element_search(
    const vise_element_patch *p, float plain, const float *multiples, int n, vise_element e);

/* The weighted squared error of the patch with each of n scales, which are not 0. */
void vise_element_errors(
    double *out, const vise_element_patch *p, const float *scales, int n, vise_element e);

#endif
