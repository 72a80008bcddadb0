/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/convert.h -- element formats to and from f32.
 *
 * All exact: every level agrees with ref bit for bit. Any alignment; n may be 0; no overlap.
 * Encoding rounds once to the nearest, ties to the even code, subnormals included
 * (algorithms.md, section 5.1); f16 and bf16 overflow to infinity, smaller floats saturate;
 * NaN becomes sign|0x7E00 (f16), (bits >> 16)|0x40 (bf16), sign|0x7F (E4M3), sign|0x7E (E5M2).
 * E2M3, E3M2 (6 bits) and E2M1 (4 bits) take a byte each here; they have no NaN and no infinity:
 * the caller encodes none. Decoding looks at no other bits of the byte.
 */
#ifndef VISE_KERNELS_CONVERT_H
#define VISE_KERNELS_CONVERT_H

#include "core/cpu.h"

#include <stdint.h>

typedef void vise_decode16_fn(float *out, const uint16_t *x, int64_t n);
typedef void vise_encode16_fn(uint16_t *out, const float *x, int64_t n);
typedef void vise_decode8_fn(float *out, const uint8_t *x, int64_t n);
typedef void vise_encode8_fn(uint8_t *out, const float *x, int64_t n);

/* True if some x[i] is NaN or infinite. */
typedef int vise_has_nonfinite_fn(const float *x, int64_t n);

typedef struct vise_convert_kernels {
  vise_decode16_fn *bf16_decode, *f16_decode;
  vise_encode16_fn *bf16_encode, *f16_encode;
  vise_decode8_fn *e4m3_decode, *e5m2_decode, *e2m3_decode, *e3m2_decode, *e2m1_decode;
  vise_encode8_fn *e4m3_encode, *e5m2_encode, *e2m3_encode, *e3m2_encode, *e2m1_encode;
  vise_has_nonfinite_fn *has_nonfinite;
} vise_convert_kernels;

/* The forms of `level`; those it lacks come from the level below. */
void vise_convert_init(vise_convert_kernels *table, vise_cpu_level level);

/* The table of vise_cpu_used(), filled once. */
const vise_convert_kernels *vise_convert(void);

/* One value at a time: the reference itself, for scales and tests. */
float vise_bf16_to_f32(uint16_t x);
float vise_f16_to_f32(uint16_t x);
float vise_e4m3_to_f32(uint8_t x);
float vise_e5m2_to_f32(uint8_t x);
float vise_e2m3_to_f32(uint8_t x);
float vise_e3m2_to_f32(uint8_t x);
float vise_e2m1_to_f32(uint8_t x);
uint16_t vise_f32_to_bf16(float x);
uint16_t vise_f32_to_f16(float x);
uint8_t vise_f32_to_e4m3(float x);
uint8_t vise_f32_to_e5m2(float x);
uint8_t vise_f32_to_e2m3(float x);
uint8_t vise_f32_to_e3m2(float x);
uint8_t vise_f32_to_e2m1(float x);

#endif
