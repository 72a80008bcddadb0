/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/ggml.h -- ggml's block formats, as GGUF files hold them.
 *
 * Each stores W [m, k] as one part, `blocks` u8 [m, k / block * block bytes]; share/doc/weights.md
 * has the layouts. A block does not reach over the end of a row, so k must be a multiple of it.
 */
#ifndef VISE_FORMAT_GGML_H
#define VISE_FORMAT_GGML_H

#include "format/format.h"

enum { VISE_GGML_SEARCH }; /* the one parameter: vise_ggml_search */

#endif
