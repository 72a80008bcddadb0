/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deflate stream is blocks of symbols in prefix codes: a symbol below 256 is a byte, 256 the end,
 * one above a copy of some bytes that came out up to 32 KiB before. A code is given by the lengths
 * of its words alone: words of one length are consecutive numbers in the order of their symbols, and
 * shorter words come first. So a word is read bit by bit: `first` is the first word of a length,
 * `count` how many there are, and a word less than first + count is one of them.
 */
#include "io/gzip.h"

#include "core/bytes.h"
#include "core/mem.h"

#include <stdbool.h>
#include <string.h>

enum { LONGEST_WORD = 15, MOST_SYMBOLS = 288, END = 256 };

typedef struct stream {
  const uint8_t *in;
  size_t n, at; /* at: the next byte */
  uint32_t bits, n_bits;
  uint8_t *out; /* owned */
  size_t n_out, room, limit;
} stream;

typedef struct code {
  uint16_t count[LONGEST_WORD + 1], symbol[MOST_SYMBOLS];
} code;

static vise_status cut(vise_err *err) {
  return vise_fail(err, VISE_EFORMAT, "gzip: the file ends too soon");
}

static vise_status altered(vise_err *err) {
  return vise_fail(err, VISE_EFORMAT, "gzip: the file is altered");
}

/* The next `width` bits, 0 to 16, the first the lowest. */
static vise_status take(uint32_t *out, stream *s, uint32_t width, vise_err *err) {
  while (s->n_bits < width) {
    if (s->at == s->n) {
      return cut(err);
    }
    s->bits |= (uint32_t)s->in[s->at++] << s->n_bits;
    s->n_bits += 8;
  }
  *out = s->bits & ((1u << width) - 1u);
  s->bits >>= width;
  s->n_bits -= width;
  return VISE_OK;
}

/* The code of `n` symbols whose words have these lengths, 0 for none. */
static vise_status make_code(code *out, const uint8_t *lengths, int n, vise_err *err) {
  uint16_t next[LONGEST_WORD + 1] = {0};
  int32_t left = 1;
  memset(out, 0, sizeof *out);
  for (int i = 0; i < n; i++) {
    out->count[lengths[i]]++;
  }
  out->count[0] = 0;
  for (int length = 1; length <= LONGEST_WORD; length++) {
    left = 2 * left - out->count[length];
    if (left < 0) {
      return altered(err);
    }
    next[length] = (uint16_t)(next[length - 1] + out->count[length - 1]);
  }
  for (int i = 0; i < n; i++) {
    if (lengths[i] != 0) {
      out->symbol[next[lengths[i]]++] = (uint16_t)i;
    }
  }
  return VISE_OK;
}

static vise_status take_symbol(uint32_t *out, stream *s, const code *c, vise_err *err) {
  uint32_t word = 0, first = 0, before = 0, bit;
  for (int length = 1; length <= LONGEST_WORD; length++) {
    VISE_TRY(take(&bit, s, 1, err));
    word = word << 1 | bit;
    first <<= 1;
    if (word < first + c->count[length]) {
      *out = c->symbol[before + word - first];
      return VISE_OK;
    }
    first += c->count[length];
    before += c->count[length];
  }
  return altered(err);
}

/* Room for `n` bytes more. */
static vise_status reserve(stream *s, size_t n, vise_err *err) {
  if (n > s->limit - s->n_out) {
    return vise_fail(err, VISE_EFORMAT, "gzip: more than %zu bytes come out, expected at most that",
                     s->limit);
  }
  if (n <= s->room - s->n_out) {
    return VISE_OK;
  }
  size_t room = s->room < 1u << 16 ? 1u << 16 : 2 * s->room;
  room = room < s->n_out + n ? s->n_out + n : room;
  void *memory = s->out;
  VISE_TRY(vise_mem_resize(&memory, room, err));
  s->out = memory;
  s->room = room;
  return VISE_OK;
}

static vise_status stored_block(stream *s, vise_err *err) {
  s->bits = s->n_bits = 0; /* the rest of the byte is nothing; no whole byte is ever held back */
  if (s->n - s->at < 4) {
    return cut(err);
  }
  const size_t n = (size_t)vise_load(s->in + s->at, 2);
  if ((n ^ vise_load(s->in + s->at + 2, 2)) != 0xffff) {
    return altered(err);
  }
  s->at += 4;
  if (s->n - s->at < n) {
    return cut(err);
  }
  VISE_TRY(reserve(s, n, err));
  if (n > 0) {
    memcpy(s->out + s->n_out, s->in + s->at, n);
  }
  s->at += n;
  s->n_out += n;
  return VISE_OK;
}

/* Lengths and distances: a symbol says a least value and how many bits of the rest follow. */
static const uint16_t least_length[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                          15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t more_length[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                        2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t least_distance[30] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t more_distance[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                          6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

static vise_status copy(stream *s, uint32_t symbol, const code *distances, vise_err *err) {
  uint32_t more, far;
  if (symbol >= 29) {
    return altered(err);
  }
  VISE_TRY(take(&more, s, more_length[symbol], err));
  const size_t n = least_length[symbol] + more;
  VISE_TRY(take_symbol(&far, s, distances, err));
  if (far >= 30) {
    return altered(err);
  }
  VISE_TRY(take(&more, s, more_distance[far], err));
  const size_t distance = least_distance[far] + more;
  if (distance > s->n_out) {
    return altered(err);
  }
  VISE_TRY(reserve(s, n, err));
  for (size_t i = 0; i < n; i++, s->n_out++) { /* byte by byte: it may copy what it just wrote */
    s->out[s->n_out] = s->out[s->n_out - distance];
  }
  return VISE_OK;
}

static vise_status
coded_block(stream *s, const code *symbols, const code *distances, vise_err *err) {
  for (;;) {
    uint32_t symbol;
    VISE_TRY(take_symbol(&symbol, s, symbols, err));
    if (symbol == END) {
      return VISE_OK;
    } else if (symbol > END) {
      VISE_TRY(copy(s, symbol - END - 1, distances, err));
    } else {
      VISE_TRY(reserve(s, 1, err));
      s->out[s->n_out++] = (uint8_t)symbol;
    }
  }
}

static vise_status fixed_codes(code *symbols, code *distances, vise_err *err) {
  uint8_t lengths[MOST_SYMBOLS];
  for (int i = 0; i < MOST_SYMBOLS; i++) {
    lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  }
  VISE_TRY(make_code(symbols, lengths, MOST_SYMBOLS, err));
  memset(lengths, 5, 30);
  return make_code(distances, lengths, 30, err);
}

/* The lengths of both codes' words are themselves coded: 16 repeats the last one, 17 and 18 zeros. */
static vise_status own_codes(stream *s, code *symbols, code *distances, vise_err *err) {
  static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
  uint32_t n_symbols, n_distances, n_lengths, length;
  uint8_t lengths[MOST_SYMBOLS + 32 + 138] = {0};
  code of_lengths;
  VISE_TRY(take(&n_symbols, s, 5, err));
  VISE_TRY(take(&n_distances, s, 5, err));
  VISE_TRY(take(&n_lengths, s, 4, err));
  n_symbols += 257;
  n_distances += 1;
  if (n_symbols > 286) {
    return altered(err);
  }
  for (uint32_t i = 0; i < n_lengths + 4; i++) {
    VISE_TRY(take(&length, s, 3, err));
    lengths[order[i]] = (uint8_t)length;
  }
  VISE_TRY(make_code(&of_lengths, lengths, 19, err));
  memset(lengths, 0, sizeof lengths);
  uint32_t at = 0;
  while (at < n_symbols + n_distances) {
    uint32_t symbol, times = 1;
    VISE_TRY(take_symbol(&symbol, s, &of_lengths, err));
    uint8_t value = (uint8_t)symbol;
    if (symbol >= 16) {
      VISE_TRY(take(&times, s, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, err));
      times += symbol == 18 ? 11 : 3;
      if (symbol == 16 && at == 0) {
        return altered(err);
      }
      value = symbol == 16 ? lengths[at - 1] : 0;
    }
    memset(lengths + at, value, times);
    at += times;
  }
  if (at > n_symbols + n_distances || lengths[END] == 0) {
    return altered(err);
  }
  VISE_TRY(make_code(symbols, lengths, (int)n_symbols, err));
  return make_code(distances, lengths + n_symbols, (int)n_distances, err);
}

static vise_status inflate(stream *s, vise_err *err) {
  uint32_t is_last, kind;
  code symbols, distances;
  s->bits = s->n_bits = 0;
  do {
    VISE_TRY(take(&is_last, s, 1, err));
    VISE_TRY(take(&kind, s, 2, err));
    if (kind == 0) {
      VISE_TRY(stored_block(s, err));
    } else if (kind < 3) {
      VISE_TRY(kind == 1 ? fixed_codes(&symbols, &distances, err)
                         : own_codes(s, &symbols, &distances, err));
      VISE_TRY(coded_block(s, &symbols, &distances, err));
    } else {
      return altered(err);
    }
  } while (!is_last);
  return VISE_OK;
}

static uint32_t crc32_of(const uint8_t *p, size_t n) {
  uint32_t table[256], crc = 0xffffffffu;
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) {
      table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
    }
  }
  for (size_t i = 0; i < n; i++) {
    crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
  }
  return crc ^ 0xffffffffu;
}

/* Past the header: ten bytes, and what its flags say is there. */
static vise_status skip_header(stream *s, vise_err *err) {
  if (s->n - s->at < 10 || s->in[s->at] != 0x1f || s->in[s->at + 1] != 0x8b ||
      s->in[s->at + 2] != 8 || s->in[s->at + 3] > 31) {
    return vise_fail(err, VISE_EFORMAT, "gzip: byte %zu begins no gzip member", s->at);
  }
  const uint8_t flags = s->in[s->at + 3];
  s->at += 10;
  if (flags & 4) { /* a field with its length */
    if (s->n - s->at < 2 || s->n - s->at - 2 < vise_load(s->in + s->at, 2)) {
      return cut(err);
    }
    s->at += 2 + (size_t)vise_load(s->in + s->at, 2);
  }
  for (int flag = 8; flag <= 16; flag *= 2) { /* a name, a comment */
    if (flags & flag) {
      const uint8_t *end = s->n > s->at ? memchr(s->in + s->at, 0, s->n - s->at) : NULL;
      if (end == NULL) {
        return cut(err);
      }
      s->at = (size_t)(end - s->in) + 1;
    }
  }
  if (flags & 2) { /* a checksum of the header */
    s->at += 2;
  }
  return s->at > s->n ? cut(err) : VISE_OK;
}

static vise_status unpack_member(stream *s, vise_err *err) {
  const size_t begin = s->n_out;
  VISE_TRY(skip_header(s, err));
  VISE_TRY(inflate(s, err));
  if (s->n - s->at < 8) {
    return cut(err);
  }
  const size_t n = s->n_out - begin;
  if (vise_load_u32(s->in + s->at) != (n > 0 ? crc32_of(s->out + begin, n) : 0) ||
      vise_load_u32(s->in + s->at + 4) != (uint32_t)n) {
    return altered(err);
  }
  s->at += 8;
  return VISE_OK;
}

vise_status vise_gzip_unpack(
    uint8_t **out, size_t *n_out, const uint8_t *in, size_t n, size_t limit, vise_err *err) {
  stream s = {.in = in, .n = n, .limit = limit};
  vise_status st;
  *out = NULL;
  *n_out = 0;
  do {
    st = unpack_member(&s, err);
  } while (st == VISE_OK && s.at < n);
  if (st != VISE_OK) {
    vise_mem_free(s.out);
    return st;
  }
  *out = s.out;
  *n_out = s.n_out;
  return VISE_OK;
}
