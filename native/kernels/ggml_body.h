/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/ggml_body.h -- all of ggml_ref.c, ggml_avx2.c and ggml_avx512.c but what they define for
 * ggml_lanes_body.h.
 */
#include "kernels/ggml_tile_body.h"

#include "kernels/ggml_ours_body.h"
#include "kernels/ggml_theirs_body.h"

#include "kernels/ggml_range_k_body.h"
#include "kernels/ggml_scaled_k_body.h"

#include "kernels/ggml_decode_body.h"
#include "kernels/ggml_iq4_body.h"
#include "kernels/ggml_small_body.h"
#include "kernels/ggml_ternary_body.h"

#include "kernels/ggml_grid_body.h"

static void fill(vise_ggml_kernels *table) {
  *table = (vise_ggml_kernels){.decode = {[VISE_GGML_Q4_0] = decode_q4_0,
                                          [VISE_GGML_Q4_1] = decode_q4_1,
                                          [VISE_GGML_Q5_0] = decode_q5_0,
                                          [VISE_GGML_Q5_1] = decode_q5_1,
                                          [VISE_GGML_Q8_0] = decode_q8_0,
                                          [VISE_GGML_TQ2_0] = decode_tq2_0,
                                          [VISE_GGML_Q2_K] = decode_q2_k,
                                          [VISE_GGML_Q3_K] = decode_q3_k,
                                          [VISE_GGML_Q4_K] = decode_q4_k,
                                          [VISE_GGML_Q5_K] = decode_q5_k,
                                          [VISE_GGML_Q6_K] = decode_q6_k,
                                          [VISE_GGML_IQ4_NL] = decode_iq4_nl,
                                          [VISE_GGML_IQ4_XS] = decode_iq4_xs},
                               .encode = {[VISE_GGML_Q4_0] = encode_q4_0,
                                          [VISE_GGML_Q4_1] = encode_q4_1,
                                          [VISE_GGML_Q5_0] = encode_q5_0,
                                          [VISE_GGML_Q5_1] = encode_q5_1,
                                          [VISE_GGML_Q8_0] = encode_q8_0,
                                          [VISE_GGML_TQ2_0] = encode_tq2_0,
                                          [VISE_GGML_Q2_K] = encode_q2_k,
                                          [VISE_GGML_Q3_K] = encode_q3_k,
                                          [VISE_GGML_Q4_K] = encode_q4_k,
                                          [VISE_GGML_Q5_K] = encode_q5_k,
                                          [VISE_GGML_Q6_K] = encode_q6_k,
                                          [VISE_GGML_IQ4_NL] = encode_iq4_nl,
                                          [VISE_GGML_IQ4_XS] = encode_iq4_xs},
                               .cells = {[VISE_GGML_Q4_0] = cells_q4_0,
                                         [VISE_GGML_Q4_1] = cells_q4_1,
                                         [VISE_GGML_Q5_0] = cells_q5_0,
                                         [VISE_GGML_Q5_1] = cells_q5_1,
                                         [VISE_GGML_Q8_0] = cells_q8_0,
                                         [VISE_GGML_TQ2_0] = cells_tq2_0,
                                         [VISE_GGML_Q2_K] = cells_q2_k,
                                         [VISE_GGML_Q3_K] = cells_q3_k,
                                         [VISE_GGML_Q4_K] = cells_q4_k,
                                         [VISE_GGML_Q5_K] = cells_q5_k,
                                         [VISE_GGML_Q6_K] = cells_q6_k,
                                         [VISE_GGML_IQ4_NL] = cells_iq4_nl,
                                         [VISE_GGML_IQ4_XS] = cells_iq4_xs},
                               .put = {[VISE_GGML_Q4_0] = put_q4_0,
                                       [VISE_GGML_Q4_1] = put_q4_1,
                                       [VISE_GGML_Q5_0] = put_q5_0,
                                       [VISE_GGML_Q5_1] = put_q5_1,
                                       [VISE_GGML_Q8_0] = put_q8_0,
                                       [VISE_GGML_TQ2_0] = put_tq2_0,
                                       [VISE_GGML_Q2_K] = put_q2_k,
                                       [VISE_GGML_Q3_K] = put_q3_k,
                                       [VISE_GGML_Q4_K] = put_q4_k,
                                       [VISE_GGML_Q5_K] = put_q5_k,
                                       [VISE_GGML_Q6_K] = put_q6_k,
                                       [VISE_GGML_IQ4_NL] = put_iq4_nl,
                                       [VISE_GGML_IQ4_XS] = put_iq4_xs},
                               .iq4_values = IQ4_VALUES};
}
