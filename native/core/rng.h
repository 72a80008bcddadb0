/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/rng.h -- counter-based random numbers, keyed by name and never by order.
 *
 *   number i of stream (seed, name) = Philox4x32-10(counter = i / 4, key = hash(seed, name))[i % 4]
 *
 * So the numbers do not depend on threads, or on what was drawn elsewhere before.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef VISE_CORE_RNG_H
#define VISE_CORE_RNG_H

#include <stdint.h>

typedef struct vise_rng {
  uint32_t key[2];
} vise_rng;

/* The block function itself: 10 rounds, as in the paper's Random123 test vectors. */
void vise_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

vise_rng vise_rng_named(uint64_t seed, const char *name);
uint32_t vise_rng_u32(const vise_rng *r, uint64_t i);
double vise_rng_uniform(const vise_rng *r, uint64_t i); /* [0, 1), 53 bits, from numbers 2i, 2i+1 */
double vise_rng_normal(const vise_rng *r,
                       uint64_t i); /* N(0, 1), Box-Muller, from numbers 4i..4i+3 */

#endif
