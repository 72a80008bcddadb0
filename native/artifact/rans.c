/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact/rans.h"

#include "artifact/container.h"
#include "artifact/entropy.h"
#include "core/bytes.h"
#include "kernels/rans.h"

#include <string.h>

enum { PLANE_AS_IS = 0, PLANE_ONE_VALUE = 1, PLANE_RANS = 2, PLANE_STRETCHES = 3 };

enum {
  VALUES = 256,
  SET_BYTES = VALUES / 8,
  LANES_BYTES = 4 * VISE_RANS_LANES,
  TABLE_MAX = SET_BYTES + 2 * VALUES,
  SAMPLED = 1 << 16, /* planes of so many bytes and more are first looked at through a sample */
  SAMPLE_PIECE = 64, /* of every so many pieces one */
  SAMPLE_SHARE = 16,
};

/* ---- frequencies ---- */

/* log2 of `v` > 0 in units of 1/256, rounded down. */
static uint32_t log2_of(uint32_t v) {
  const uint32_t whole = 31u - (uint32_t)__builtin_clz(v);
  uint64_t x = (uint64_t)v << (31 - whole); /* in [2^31, 2^32), of which squares give the bits */
  uint32_t log = whole;
  for (int bit = 0; bit < 8; bit++) {
    x = x * x >> 31;
    const uint32_t is_two = (uint32_t)(x >> 32);
    x >>= is_two;
    log = log << 1 | is_two;
  }
  return log;
}

/* Of the values that occur: the one to which one more of the 4096 is worth most, or, with `step`
   -1, one less costs least: c log2((f + 1) / f) is nearly c / (f + 1/2). */
static int best_step(const uint32_t *counts, const uint32_t *f, int step) {
  int best = -1;
  uint64_t best_count = 0, best_middle = 1;
  for (int v = 0; v < VALUES; v++) {
    if (counts[v] == 0 || (step < 0 && f[v] == 1)) {
      continue;
    }
    const uint64_t middle = (uint64_t)((int64_t)2 * f[v] + step);
    const uint64_t here = counts[v] * best_middle, there = best_count * middle;
    if (best < 0 || (step > 0 ? here > there : here < there)) {
      best = v;
      best_count = counts[v];
      best_middle = middle;
    }
  }
  return best;
}

/* Frequencies of 4096 for `n` counted bytes of at least two values. */
static void choose_frequencies(uint32_t *f, const uint32_t *counts, size_t n) {
  uint32_t sum = 0;
  for (int v = 0; v < VALUES; v++) {
    const uint64_t rounded = ((uint64_t)counts[v] * VISE_RANS_TOTAL + n / 2) / n;
    f[v] = counts[v] > 0 && rounded == 0 ? 1 : (uint32_t)rounded;
    sum += f[v];
  }
  for (; sum < VISE_RANS_TOTAL; sum++) {
    f[best_step(counts, f, 1)]++;
  }
  for (; sum > VISE_RANS_TOTAL; sum--) {
    f[best_step(counts, f, -1)]--;
  }
}

/* Bytes of the words that code what was counted, nearly. */
static uint64_t words_bytes(const uint32_t *f, const uint32_t *counts) {
  uint64_t bits = 0; /* 1/256 of them */
  for (int v = 0; v < VALUES; v++) {
    bits += counts[v] > 0 ? counts[v] * (uint64_t)(12 * 256 - log2_of(f[v])) : 0;
  }
  return bits / (8 * 256);
}

static int count_values(const uint32_t *counts) {
  int n = 0;
  for (int v = 0; v < VALUES; v++) {
    n += counts[v] > 0;
  }
  return n;
}

/* ---- encoding ---- */

static size_t put_table(uint8_t *out, const uint32_t *f) {
  uint8_t *p = out + SET_BYTES;
  memset(out, 0, SET_BYTES);
  for (int v = 0; v < VALUES; v++) {
    if (f[v] > 0) {
      out[v / 8] |= (uint8_t)(1u << v % 8);
      const uint32_t less = f[v] - 1;
      *p++ = (uint8_t)(less < 128 ? less : 128 | (less & 127));
      if (less >= 128) {
        *p++ = (uint8_t)(less >> 7);
      }
    }
  }
  return (size_t)(p - out);
}

enum { EIGHTHS = 8 };

/* How often each value is in a plane, and in each eighth of it. */
typedef struct census {
  uint32_t all[VALUES], eighths[EIGHTHS][VALUES];
} census;

static size_t eighth_of(size_t n) {
  return (n + EIGHTHS - 1) / EIGHTHS;
}

static void take_census(census *out, const uint8_t *plane, size_t n) {
  *out = (census){0};
  const size_t length = eighth_of(n);
  for (size_t i = 0, begin = 0; begin < n; i++, begin += length) {
    vise_byte_histogram(out->eighths[i], plane + begin, n - begin < length ? n - begin : length);
    for (int v = 0; v < VALUES; v++) {
      out->all[v] += out->eighths[i][v];
    }
  }
}

/* Can rANS take a sixty-fourth off the plane? Then its frequencies and counts are at *f, *out. */
static bool is_worth_it(uint32_t *f, census *out, const uint8_t *plane, size_t n) {
  uint32_t *counts = out->all;
  memset(counts, 0, VALUES * sizeof *counts);
  if (n >= SAMPLED) {
    size_t seen = 0;
    for (size_t i = 0; i + SAMPLE_PIECE <= n; i += (size_t)SAMPLE_PIECE * SAMPLE_SHARE) {
      vise_byte_histogram(counts, plane + i, SAMPLE_PIECE);
      seen += SAMPLE_PIECE;
    }
    if (count_values(counts) > 1) {
      choose_frequencies(f, counts, seen);
      if (words_bytes(f, counts) > seen - seen / 64) {
        return false;
      }
    }
  }
  take_census(out, plane, n);
  if (count_values(counts) < 2) {
    return true;
  }
  choose_frequencies(f, counts, n);
  const uint64_t table = SET_BYTES + 2 * (uint64_t)count_values(counts); /* at most */
  return 1 + table + LANES_BYTES + words_bytes(f, counts) <= n - n / 64;
}

static void set_symbols(uint32_t *symbols, const uint32_t *f) {
  uint32_t before = 0;
  for (int v = 0; v < VALUES; v++) {
    symbols[v] = f[v] | before << 16;
    before += f[v];
  }
}

static void begin_lanes(uint32_t *lanes) {
  for (int i = 0; i < VISE_RANS_LANES; i++) {
    lanes[i] = VISE_RANS_LOWEST;
  }
}

/* Gives the bytes in `out`, 0 if they would be more than `room`. */
static size_t
encode_words(uint8_t *out, size_t room, const uint8_t *plane, size_t n, const uint32_t *f) {
  uint8_t table[TABLE_MAX];
  const size_t table_bytes = put_table(table, f), head = 1 + table_bytes;
  if (room < head + LANES_BYTES) {
    return 0;
  }
  out[0] = PLANE_RANS;
  memcpy(out + 1, table, table_bytes);
  uint32_t symbols[VALUES], lanes[VISE_RANS_LANES];
  set_symbols(symbols, f);
  begin_lanes(lanes);
  uint8_t *begin = out + head + LANES_BYTES, *end = out + room;
  const uint8_t *words = vise_rans()->encode(lanes, begin, end, plane, n, symbols);
  if (words == NULL) {
    return 0;
  }
  for (int i = 0; i < VISE_RANS_LANES; i++) {
    vise_store_u32(out + head + 4 * i, lanes[i]);
  }
  memmove(begin, words, (size_t)(end - words));
  return head + LANES_BYTES + (size_t)(end - words);
}

/* ---- stretches ---- */

enum { STRETCHES_MAX = 64, STRETCH_MIN = 1024, LOG = 256 /* units of log2_of in a bit */ };

/* Bytes [begin, end) of a plane and how often each value is among them. */
typedef struct stretch {
  size_t begin, end;
  uint32_t counts[VALUES];
  uint64_t cost; /* of table and words, in units of log2_of */
} stretch;

static void range_of(int *lowest, int *highest, const uint32_t *counts) {
  *lowest = 0;
  *highest = VALUES - 1;
  while (counts[*lowest] == 0) {
    ++*lowest;
  }
  while (counts[*highest] == 0) {
    --*highest;
  }
}

static uint64_t cost_of(const uint32_t *counts, size_t n) {
  int lowest, highest;
  range_of(&lowest, &highest, counts);
  uint64_t bits = 0;
  const uint32_t of_all = log2_of((uint32_t)n);
  for (int v = lowest; v <= highest; v++) {
    bits += counts[v] > 0 ? counts[v] * (uint64_t)(of_all - log2_of(counts[v])) : 0;
  }
  return bits + (uint64_t)(5 + highest - lowest + 1) * 8 * LOG;
}

static uint64_t cost_together(const stretch *a, const stretch *b) {
  uint32_t counts[VALUES];
  for (int v = 0; v < VALUES; v++) {
    counts[v] = a->counts[v] + b->counts[v];
  }
  return cost_of(counts, b->end - a->begin);
}

/* Neighbours become one as long as that is worth the table it spares: which first, says the gain. */
static int merge_stretches(stretch *s, int n) {
  int64_t gains[STRETCHES_MAX];
  for (int i = 0; i + 1 < n; i++) {
    gains[i] = (int64_t)(s[i].cost + s[i + 1].cost) - (int64_t)cost_together(&s[i], &s[i + 1]);
  }
  while (n > 1) {
    int best = 0;
    for (int i = 1; i + 1 < n; i++) {
      best = gains[i] > gains[best] ? i : best;
    }
    if (gains[best] < 0) {
      break;
    }
    s[best].cost = cost_together(&s[best], &s[best + 1]);
    for (int v = 0; v < VALUES; v++) {
      s[best].counts[v] += s[best + 1].counts[v];
    }
    s[best].end = s[best + 1].end;
    n--;
    memmove(s + best + 1, s + best + 2, (size_t)(n - best - 1) * sizeof *s);
    memmove(gains + best, gains + best + 1, (size_t)(n - best) * sizeof *gains);
    for (int i = best > 0 ? best - 1 : 0; i <= best && i + 1 < n; i++) {
      gains[i] = (int64_t)(s[i].cost + s[i + 1].cost) - (int64_t)cost_together(&s[i], &s[i + 1]);
    }
  }
  return n;
}

/* Cut a plane where its bytes change; gives how many stretches there are. */
static int find_stretches(stretch *s, const uint8_t *plane, size_t n) {
  const size_t share = (n + STRETCHES_MAX - 1) / STRETCHES_MAX;
  const size_t least = share > STRETCH_MIN ? share : STRETCH_MIN;
  const size_t length = (least + VISE_RANS_LANES - 1) / VISE_RANS_LANES * VISE_RANS_LANES;
  int count = 0;
  for (size_t begin = 0; begin < n; begin += length) {
    stretch *a = &s[count++];
    *a = (stretch){.begin = begin, .end = n - begin < length ? n : begin + length};
    vise_byte_histogram(a->counts, plane + begin, a->end - begin);
    a->cost = cost_of(a->counts, a->end - begin);
  }
  return merge_stretches(s, count);
}

static uint8_t *put_stretch(uint8_t *p, const stretch *s, const uint32_t *f, bool is_last) {
  int lowest, highest;
  range_of(&lowest, &highest, s->counts);
  if (!is_last) {
    const size_t groups = (s->end - s->begin) / VISE_RANS_LANES;
    *p++ = (uint8_t)groups;
    *p++ = (uint8_t)(groups >> 8);
  }
  *p++ = (uint8_t)lowest;
  *p++ = (uint8_t)highest;
  for (int v = lowest; v <= highest && lowest < highest; v++) {
    *p++ = (uint8_t)(f[v] < 128 ? f[v] : 128 | (f[v] & 127));
    if (f[v] >= 128) {
      *p++ = (uint8_t)(f[v] >> 7);
    }
  }
  return p;
}

enum { STRETCH_BYTES = 4 + 2 * VALUES }; /* at most */

/* As encode_words, for the plane cut into stretches; counts become frequencies. */
static size_t encode_stretches(uint8_t *out, size_t room, const uint8_t *plane, stretch *s, int n) {
  uint32_t symbols[VALUES], lanes[VISE_RANS_LANES];
  if (room < 2 + (size_t)n * STRETCH_BYTES + LANES_BYTES) {
    return 0;
  }
  uint8_t *p = out + 2, *end = out + room, *words = end;
  out[0] = PLANE_STRETCHES;
  out[1] = (uint8_t)n;
  for (int i = 0; i < n; i++) {
    uint32_t f[VALUES] = {0};
    if (count_values(s[i].counts) > 1) {
      choose_frequencies(f, s[i].counts, s[i].end - s[i].begin);
    }
    p = put_stretch(p, &s[i], f, i == n - 1);
    memcpy(s[i].counts, f, sizeof f);
  }
  uint8_t *begin = p + LANES_BYTES;
  begin_lanes(lanes);
  for (int i = n - 1; i >= 0 && words != NULL; i--) {
    if (count_values(s[i].counts) > 0) {
      set_symbols(symbols, s[i].counts);
      words = vise_rans()->encode(lanes, begin, words, plane + s[i].begin, s[i].end - s[i].begin,
                                  symbols);
    }
  }
  if (words == NULL) {
    return 0;
  }
  for (int i = 0; i < VISE_RANS_LANES; i++) {
    vise_store_u32(p + 4 * i, lanes[i]);
  }
  memmove(begin, words, (size_t)(end - words));
  return (size_t)(begin - out) + (size_t)(end - words);
}

/* Whether eighths with a table each take less than the whole with one: then it is worth a closer look. */
static bool changes_along(const census *c, size_t n, uint64_t of_one) {
  const size_t length = eighth_of(n);
  uint64_t cost = 0;
  for (size_t i = 0, begin = 0; begin < n; i++, begin += length) {
    cost += cost_of(c->eighths[i], n - begin < length ? n - begin : length);
  }
  return cost < of_one;
}

/* With one table, or in stretches where those are expected to take a 256th less. */
static size_t encode_coded(
    uint8_t *out, size_t room, const uint8_t *plane, size_t n, const uint32_t *f, const census *c) {
  const uint64_t of_one = cost_of(c->all, n);
  if (!changes_along(c, n, of_one)) {
    return encode_words(out, room, plane, n, f);
  }
  stretch stretches[STRETCHES_MAX];
  const int count = find_stretches(stretches, plane, n);
  uint64_t cost = 0;
  for (int i = 0; i < count; i++) {
    cost += stretches[i].cost;
  }
  if (count > 1 && cost < of_one - of_one / 256) {
    const size_t coded = encode_stretches(out, room, plane, stretches, count);
    if (coded > 0) {
      return coded;
    }
  }
  return encode_words(out, room, plane, n, f);
}

static size_t encode_plane(uint8_t *out, size_t room, const uint8_t *plane, size_t n) {
  uint32_t f[VALUES];
  census c;
  size_t coded = 0;
  if (is_worth_it(f, &c, plane, n)) {
    if (c.all[plane[0]] == n) {
      out[0] = PLANE_ONE_VALUE;
      out[1] = plane[0];
      return 2;
    }
    coded = encode_coded(out, room, plane, n, f, &c);
  }
  if (coded == 0 && room > n) {
    out[0] = PLANE_AS_IS;
    memcpy(out + 1, plane, n);
    coded = 1 + n;
  }
  return coded;
}

size_t vise_rans_encode_frame(uint8_t *out, const uint8_t *planes, size_t bytes, int n_planes) {
  const size_t n = bytes / (size_t)n_planes;
  size_t at = 0;
  for (int i = 0; i < n_planes; i++) {
    const size_t room = bytes - at;
    const size_t coded = room < 2 ? 0 : encode_plane(out + at, room, planes + (size_t)i * n, n);
    if (coded == 0) {
      return bytes;
    }
    at += coded;
  }
  return at;
}

/* ---- decoding ---- */

static vise_status bad_table(vise_err *err) {
  return vise_fail(err, VISE_EFORMAT, "has frequencies that are none");
}

/* Slots for the kernel from the table at `c`. */
static vise_status take_table(uint32_t *slots, vise_cursor *c, vise_err *err) {
  const uint8_t *set = vise_cursor_take(c, SET_BYTES);
  uint32_t sum = 0;
  for (uint32_t v = 0; set != NULL && v < VALUES; v++) {
    if ((set[v / 8] >> v % 8 & 1) == 0) {
      continue;
    }
    uint32_t f = vise_cursor_u8(c);
    if (f >= 128) {
      const uint32_t high = vise_cursor_u8(c);
      f = (f & 127) | (high == 0 ? VISE_RANS_TOTAL : high << 7); /* 0: a longer form than needed */
    }
    f++;
    if (f >= VISE_RANS_TOTAL || f > VISE_RANS_TOTAL - sum) {
      return bad_table(err);
    }
    for (uint32_t i = 0; i < f; i++) {
      slots[sum + i] = f | i << 12 | v << 24;
    }
    sum += f;
  }
  return c->is_bad || sum != VISE_RANS_TOTAL ? bad_table(err) : VISE_OK;
}

static vise_status take_lanes(uint32_t *lanes, vise_cursor *c, vise_err *err) {
  for (int i = 0; i < VISE_RANS_LANES; i++) {
    lanes[i] = vise_cursor_u32(c);
    if (lanes[i] < VISE_RANS_LOWEST || lanes[i] > INT32_MAX) {
      return vise_fail(err, VISE_EFORMAT, "has a lane of rANS out of range");
    }
  }
  return VISE_OK;
}

static vise_status decode_bytes(
    uint8_t *out, size_t n, uint32_t *lanes, const uint32_t *slots, vise_cursor *c, vise_err *err) {
  const uint8_t *end = vise_rans()->decode(out, n, lanes, c->at, c->end, slots);
  if (end == NULL) {
    return vise_fail(err, VISE_EFORMAT, "lacks words of rANS");
  }
  c->at = end;
  return VISE_OK;
}

static vise_status check_end(const uint32_t *lanes, vise_err *err) {
  for (int i = 0; i < VISE_RANS_LANES; i++) {
    if (lanes[i] != VISE_RANS_LOWEST) {
      return vise_fail(err, VISE_EFORMAT, "has words of rANS that do not end as they began");
    }
  }
  return VISE_OK;
}

static vise_status decode_words(uint8_t *out, size_t n, vise_cursor *c, vise_err *err) {
  uint32_t slots[VISE_RANS_TOTAL], lanes[VISE_RANS_LANES];
  VISE_TRY(take_table(slots, c, err));
  VISE_TRY(take_lanes(lanes, c, err));
  VISE_TRY(decode_bytes(out, n, lanes, slots, c, err));
  return check_end(lanes, err);
}

/* A stretch of a plane of `n` bytes as it is stored: where it ends, and where its frequencies are. */
typedef struct stored_stretch {
  size_t end;
  const uint8_t *f; /* of lowest to highest; none where these are the same */
  uint8_t lowest, highest;
} stored_stretch;

/* The frequency at the cursor: 0 to 4095; a longer form than needed is VISE_RANS_TOTAL. */
static uint32_t take_frequency(vise_cursor *c) {
  const uint32_t f = vise_cursor_u8(c);
  if (f < 128) {
    return f;
  }
  const uint32_t high = vise_cursor_u8(c);
  return high == 0 ? VISE_RANS_TOTAL : (f & 127) | high << 7;
}

static vise_status
take_stretches(stored_stretch *s, int count, size_t n, vise_cursor *c, vise_err *err) {
  size_t begin = 0;
  for (int i = 0; i < count; i++) {
    size_t length = n - begin;
    if (i < count - 1) {
      length = vise_cursor_u8(c);
      length = (length | (size_t)vise_cursor_u8(c) << 8) * VISE_RANS_LANES;
    }
    if (length == 0 || length > n - begin) {
      return vise_fail(err, VISE_EFORMAT, "has stretches that are not those of a plane");
    }
    begin += length;
    s[i] =
        (stored_stretch){.end = begin, .lowest = vise_cursor_u8(c), .highest = vise_cursor_u8(c)};
    s[i].f = c->at;
    for (int v = s[i].lowest; v <= s[i].highest && s[i].lowest != s[i].highest; v++) {
      (void)take_frequency(c);
    }
    if (c->is_bad || s[i].lowest > s[i].highest) {
      return bad_table(err);
    }
  }
  return VISE_OK;
}

static vise_status
set_slots(uint32_t *slots, const stored_stretch *s, const uint8_t *end, vise_err *err) {
  vise_cursor c = {s->f, end, false};
  uint32_t sum = 0;
  for (uint32_t v = s->lowest; v <= s->highest; v++) {
    const uint32_t f = take_frequency(&c);
    if (f >= VISE_RANS_TOTAL || f > VISE_RANS_TOTAL - sum) {
      return bad_table(err);
    }
    for (uint32_t i = 0; i < f; i++) {
      slots[sum + i] = f | i << 12 | v << 24;
    }
    sum += f;
  }
  return sum == VISE_RANS_TOTAL ? VISE_OK : bad_table(err);
}

static vise_status decode_stretches(uint8_t *out, size_t n, vise_cursor *c, vise_err *err) {
  stored_stretch stretches[STRETCHES_MAX];
  uint32_t slots[VISE_RANS_TOTAL], lanes[VISE_RANS_LANES];
  const int count = vise_cursor_u8(c);
  if (count < 2 || count > STRETCHES_MAX) {
    return vise_fail(err, VISE_EFORMAT, "has %d stretches, expected 2 to %d", count, STRETCHES_MAX);
  }
  VISE_TRY(take_stretches(stretches, count, n, c, err));
  VISE_TRY(take_lanes(lanes, c, err));
  size_t begin = 0;
  for (int i = 0; i < count; i++) {
    const stored_stretch *s = &stretches[i];
    if (s->lowest == s->highest) {
      memset(out + begin, s->lowest, s->end - begin);
    } else {
      VISE_TRY(set_slots(slots, s, c->end, err));
      VISE_TRY(decode_bytes(out + begin, s->end - begin, lanes, slots, c, err));
    }
    begin = s->end;
  }
  return check_end(lanes, err);
}

static vise_status decode_plane(uint8_t *out, size_t n, vise_cursor *c, vise_err *err) {
  const uint8_t mode = vise_cursor_u8(c);
  if (mode == PLANE_RANS) {
    return decode_words(out, n, c, err);
  } else if (mode == PLANE_STRETCHES) {
    return decode_stretches(out, n, c, err);
  }
  const uint8_t *p = vise_cursor_take(c, mode == PLANE_AS_IS ? n : 1);
  if (p == NULL || mode > PLANE_ONE_VALUE) {
    return vise_fail(err, VISE_EFORMAT, "has a plane cut off or of no known form");
  }
  if (mode == PLANE_AS_IS) {
    memcpy(out, p, n);
  } else {
    memset(out, *p, n);
  }
  return VISE_OK;
}

vise_status vise_rans_decode_frame(uint8_t *out,
                                   size_t bytes,
                                   int n_planes,
                                   const uint8_t *stored,
                                   size_t stored_bytes,
                                   vise_err *err) {
  const size_t n = bytes / (size_t)n_planes;
  vise_cursor c = {stored, stored + stored_bytes, false};
  for (int i = 0; i < n_planes; i++) {
    VISE_TRY(decode_plane(out + (size_t)i * n, n, &c, err));
  }
  if (c.at != c.end) {
    return vise_fail(err, VISE_EFORMAT, "has %zu bytes after its planes", (size_t)(c.end - c.at));
  }
  return VISE_OK;
}
