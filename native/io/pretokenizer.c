/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pre-tokenizer is a row of regular expressions, each applied to the pieces the one before left.
 * A piece is a subject of its own: a look-ahead does not see what was cut off behind it.
 *
 * The expressions come from a file nobody checked. PCRE2's own count bounds backtracking, but not
 * what is scanned between two steps back: `(?:(?=\p{L}*)a)*` takes n^2 time in one try. So every item
 * of an expression is a callout, at which the cancel flag and the time are looked at. The
 * expressions of published models are known to go over a text once; they have one callout at the
 * begin of a try, and take a quarter of the time.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "io/pretokenizer.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "io/tokenizer_parts.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { STEPS_MAX = 8, PATTERN_BYTES_MAX = 10000 };

/*
 * A try may take a million steps and four for each byte: `\s*[\r\n]` goes back over a run of spaces
 * once. All texts that a pre-tokenizer ever splits together get a second and four microseconds for
 * each byte, forty times what a known expression needs and three times what GPT-4o's does with all
 * its callouts, of the threads' own time, so that a machine in use changes nothing.
 */
enum {
  TRY_STEPS = 1000000,
  TRY_STEPS_PER_BYTE = 4,
  TRY_STEPS_MAX = 100000000,
  SPLIT_NS = 1000000000,
  SPLIT_NS_PER_BYTE = 4000,
  CALLOUTS_PER_LOOK = 32 /* at the clock */
};

/* The expressions of these files are Oniguruma's, where ^ and $ are those of lines. */
static const uint32_t COMPILE_OPTIONS =
    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;

/* The expression of GPT-2, which ByteLevel means by use_regex. */
static const char GPT2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
                           "|\\s+(?!\\S)|\\s+";

/* Those of Llama 3 and Qwen2. */
#define WORDS  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
#define SPACES "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const char *const known[] = {GPT2, WORDS "{1,3}" SPACES, WORDS SPACES, "\\p{N}", "\\p{N}+"};

struct vise_pretokenizer {
  pcre2_code *steps[STEPS_MAX]; /* owned */
  char *patterns[STEPS_MAX];    /* owned; as the file has them */
  int n_steps;
  bool is_byte_level;
  atomic_llong left_ns; /* of the time for all texts */
};

static const char *type_of(const json_t *spec) {
  const char *type = json_string_value(json_object_get(spec, "type"));
  return type == NULL ? "?" : type;
}

static vise_status unsupported(vise_err *err, const char *what) {
  return vise_fail(err, VISE_EUNSUPPORTED, "pre_tokenizer %s is unsupported", what);
}

/*
 * PCRE2 counts U+180E as a space, Unicode and the library that these files were made with do not.
 * Append `pattern` with \s, and with \S outside classes, spelled out; a pattern whose classes take
 * more than a look at its brackets stays as it is.
 */
static vise_status spell_spaces(vise_text *out, const char *pattern, size_t n, vise_err *err) {
  static const char spaces[] = "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}"
                               "\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
  static const char *const hard[] = {"[:", "[]", "[^]", "\\Q", "(?#", "(?x"};
  for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
    if (memmem(pattern, n, hard[i], strlen(hard[i])) != NULL) {
      return vise_text_append(out, pattern, n, err);
    }
  }
  bool in_class = false;
  for (size_t i = 0; i < n; i++) {
    const char escaped = pattern[i] == '\\' && i + 1 < n ? pattern[i + 1] : '\0';
    if (escaped == 's' || (escaped == 'S' && !in_class)) {
      const char *open = in_class ? "" : escaped == 's' ? "[" : "[^";
      VISE_TRY(vise_text_append(out, open, strlen(open), err));
      VISE_TRY(vise_text_append(out, spaces, sizeof spaces - 1, err));
      VISE_TRY(vise_text_append(out, "]", in_class ? 0 : 1, err));
      i++;
    } else if (escaped != '\0') {
      VISE_TRY(vise_text_append(out, pattern + i, 2, err));
      i++;
    } else {
      VISE_TRY(vise_text_append(out, pattern + i, 1, err));
      in_class = pattern[i] == '[' || (in_class && pattern[i] != ']');
    }
  }
  return VISE_OK;
}

static bool is_known(const char *pattern) {
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(pattern, known[i]) == 0) {
      return true;
    }
  }
  return false;
}

static vise_status
add_step(vise_pretokenizer *p, const char *pattern, size_t bytes, vise_err *err) {
  if (p->n_steps == STEPS_MAX || p->is_byte_level) {
    return unsupported(err,
                       p->is_byte_level ? "with a step after ByteLevel" : "with more than 8 steps");
  }
  if (bytes > PATTERN_BYTES_MAX) {
    return unsupported(err, "with a regular expression of more than 10000 bytes");
  }
  vise_text spelled = {0};
  const bool is_trusted = is_known(pattern);
  vise_status st = VISE_OK;
  if (is_trusted) {
    st = vise_text_append(&spelled, "(?C)", 4, err);
  }
  if (st == VISE_OK) {
    st = spell_spaces(&spelled, pattern, bytes, err);
  }
  if (st != VISE_OK) {
    vise_mem_free(spelled.data);
    return st;
  }
  int code;
  PCRE2_SIZE at;
  const uint32_t options = COMPILE_OPTIONS | (is_trusted ? 0 : PCRE2_AUTO_CALLOUT);
  pcre2_code *step =
      pcre2_compile((PCRE2_SPTR)spelled.data, spelled.count, options, &code, &at, NULL);
  vise_mem_free(spelled.data);
  if (step == NULL) {
    PCRE2_UCHAR reason[128];
    pcre2_get_error_message(code, reason, sizeof reason);
    return vise_fail(err, VISE_EFORMAT, "pre_tokenizer Split: regular expression '%.100s': %s",
                     pattern, (const char *)reason);
  }
  /* Where the system forbids it the interpreter does the same, slower. */
  (void)pcre2_jit_compile(step, PCRE2_JIT_COMPLETE);
  p->steps[p->n_steps] = step;
  return vise_mem_strdup(&p->patterns[p->n_steps++], pattern, bytes, err);
}

static vise_status add_byte_level(vise_pretokenizer *p, const json_t *spec, vise_err *err) {
  if (json_is_true(json_object_get(spec, "add_prefix_space"))) {
    return unsupported(err, "ByteLevel with add_prefix_space");
  }
  const json_t *use_regex = json_object_get(spec, "use_regex");
  if (use_regex == NULL || json_is_true(use_regex)) {
    VISE_TRY(add_step(p, GPT2, sizeof GPT2 - 1, err));
  }
  p->is_byte_level = true;
  return VISE_OK;
}

static vise_status add_split(vise_pretokenizer *p, const json_t *spec, vise_err *err) {
  const json_t *regex = json_object_get(json_object_get(spec, "pattern"), "Regex");
  const char *behavior = json_string_value(json_object_get(spec, "behavior"));
  if (!json_is_string(regex)) {
    return unsupported(err, "Split without a regular expression");
  }
  if (behavior == NULL || strcmp(behavior, "Isolated") != 0 ||
      json_is_true(json_object_get(spec, "invert"))) {
    return unsupported(err, "Split other than 'Isolated'");
  }
  return add_step(p, json_string_value(regex), json_string_length(regex), err);
}

static vise_status add_steps(vise_pretokenizer *p, const json_t *spec, vise_err *err) {
  const char *type = type_of(spec);
  if (strcmp(type, "ByteLevel") == 0) {
    return add_byte_level(p, spec, err);
  }
  if (strcmp(type, "Split") == 0) {
    return add_split(p, spec, err);
  }
  if (strcmp(type, "Digits") == 0) {
    const bool is_each = json_is_true(json_object_get(spec, "individual_digits"));
    return add_step(p, is_each ? "\\p{N}" : "\\p{N}+", is_each ? 5 : 6, err);
  }
  if (strcmp(type, "Sequence") == 0) {
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(spec, "pretokenizers"), i, step) {
      VISE_TRY(add_steps(p, step, err));
    }
    return VISE_OK;
  }
  return vise_fail(err, VISE_EUNSUPPORTED,
                   "pre_tokenizer '%.40s' is unsupported, expected ByteLevel, Split, "
                   "Digits or a Sequence of them",
                   type);
}

vise_status vise_pretokenizer_create(vise_pretokenizer **out, const json_t *spec, vise_err *err) {
  *out = NULL;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_pretokenizer), err));
  vise_pretokenizer *p = memory;
  p->left_ns = SPLIT_NS;
  if (spec != NULL && !json_is_null(spec)) {
    const vise_status st = add_steps(p, spec, err);
    if (st != VISE_OK) {
      vise_pretokenizer_free(p);
      return st;
    }
  }
  *out = p;
  return VISE_OK;
}

void vise_pretokenizer_free(vise_pretokenizer *p) {
  if (p != NULL) {
    for (int i = 0; i < p->n_steps; i++) {
      pcre2_code_free(p->steps[i]);
      vise_mem_free(p->patterns[i]);
    }
    vise_mem_free(p);
  }
}

bool vise_pretokenizer_is_byte_level(const vise_pretokenizer *p) {
  return p->is_byte_level;
}

/* One call of split: what PCRE2 needs at run time, and where the pieces go. */
typedef struct splitting {
  vise_pretokenizer *p;
  const char *text;
  pcre2_match_context *context;
  pcre2_match_data *found[STEPS_MAX];
  vise_piece_fn *fn;
  void *arg;
  int64_t deadline_ns;
  unsigned callouts;
} splitting;

static int64_t thread_time_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* PCRE2's callout: 0 goes on, a negative code ends the match with that code. */
static int look(pcre2_callout_block *block, void *arg) {
  (void)block;
  splitting *s = arg;
  const bool is_late = ++s->callouts % CALLOUTS_PER_LOOK == 0 && thread_time_ns() > s->deadline_ns;
  return is_late || vise_cancelled() ? PCRE2_ERROR_CALLOUT : 0;
}

/* Why step `step` gave up at byte `at` of the text. */
static vise_status give_up(const splitting *s, int step, size_t at, int rc, vise_err *err) {
  VISE_TRY(vise_cancel_check(err));
  PCRE2_UCHAR reason[128] = "out of time";
  if (rc != PCRE2_ERROR_CALLOUT) {
    pcre2_get_error_message(rc, reason, sizeof reason);
  }
  return vise_fail(err, VISE_EFORMAT,
                   "tokenizer.json: pre_tokenizer: regular expression '%.100s' gave up at byte %zu "
                   "of the text (%s), expected one that goes over a text once; check that the file "
                   "is the model's own",
                   s->p->patterns[step], at, (const char *)reason);
}

static vise_status split_from(splitting *s, int step, size_t at, size_t n, vise_err *err);

static vise_status hand_on(splitting *s, int step, size_t begin, size_t end, vise_err *err) {
  return begin < end ? split_from(s, step + 1, begin, end - begin, err) : VISE_OK;
}

static size_t character_bytes(const char *s, size_t n) {
  size_t i = 1;
  while (i < n && ((unsigned char)s[i] & 0xC0) == 0x80) {
    i++;
  }
  return i;
}

/* Cut [at, at + n) by step `step` and what follows it. */
static vise_status split_from(splitting *s, int step, size_t at, size_t n, vise_err *err) {
  if (step == s->p->n_steps) {
    return s->fn(s->arg, at, n, err);
  }
  const char *subject = s->text + at;
  size_t done = 0, from = 0; /* before `done` all is handed on; matches are sought after `from` */
  while (from < n) {
    const int rc = pcre2_match(s->p->steps[step], (PCRE2_SPTR)subject, n, from, PCRE2_NO_UTF_CHECK,
                               s->found[step], s->context);
    if (rc == PCRE2_ERROR_NOMATCH) {
      break;
    }
    if (rc < 0) {
      return give_up(s, step, at + from, rc, err);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(s->found[step]);
    const size_t begin = range[0], end = range[1];
    if (begin < done || end < begin) { /* \K can move the begin of a match anywhere */
      return vise_fail(err, VISE_EUNSUPPORTED,
                       "pre_tokenizer's regular expression resets its match");
    }
    VISE_TRY(hand_on(s, step, at + done, at + begin, err));
    VISE_TRY(hand_on(s, step, at + begin, at + end, err));
    done = end;
    from = end > begin ? end : end + character_bytes(subject + end, n - end);
  }
  return hand_on(s, step, at + done, at + n, err);
}

vise_status vise_pretokenizer_split(vise_pretokenizer *p,
                                    const char *text,
                                    size_t bytes,
                                    vise_piece_fn *fn,
                                    void *arg,
                                    vise_err *err) {
  if (bytes == 0) {
    return VISE_OK;
  }
  splitting s = {.p = p, .text = text, .fn = fn, .arg = arg};
  s.context = pcre2_match_context_create(NULL);
  pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL);
  bool is_whole = s.context != NULL && stack != NULL;
  for (int i = 0; i < p->n_steps; i++) {
    s.found[i] = pcre2_match_data_create(1, NULL);
    is_whole = is_whole && s.found[i] != NULL;
  }
  vise_status st;
  if (is_whole) {
    pcre2_jit_stack_assign(s.context, NULL, stack);
    const size_t most = (TRY_STEPS_MAX - TRY_STEPS) / TRY_STEPS_PER_BYTE;
    const size_t counted = bytes < most ? bytes : most;
    pcre2_set_match_limit(s.context, TRY_STEPS + TRY_STEPS_PER_BYTE * (uint32_t)counted);
    pcre2_set_callout(s.context, look, &s);
    const int64_t more_ns = SPLIT_NS_PER_BYTE * (int64_t)bytes, begin_ns = thread_time_ns();
    s.deadline_ns = begin_ns + atomic_fetch_add(&p->left_ns, more_ns) + more_ns;
    st = split_from(&s, 0, 0, bytes, err);
    atomic_fetch_sub(&p->left_ns, thread_time_ns() - begin_ns);
  } else {
    st = vise_fail(err, VISE_ENOMEM, "out of memory splitting %zu bytes of text", bytes);
  }
  for (int i = 0; i < p->n_steps; i++) {
    pcre2_match_data_free(s.found[i]);
  }
  pcre2_jit_stack_free(stack);
  pcre2_match_context_free(s.context);
  return st;
}
