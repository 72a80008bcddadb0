/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of methods of scope weight, over the registry: every method, at its defaults on every
 * input of support/weights.h, and with every setting there on a third of them, in turn. A method with blocks gets the
 * inputs with as many more columns as its blocks ask for.
 *
 * `test_method --digest` prints a digest of everything the exact methods write; the test runs
 * itself that way at every CPU level and with several thread counts, and compares.
 */
#include "core/cpu.h"
#include "core/parallel.h"
#include "method/method.h"
#include "stats/output_error.h"
#include "support/weights.h"
#include "weight/quant.h"

#include <unistd.h>

/* A method, and one of the formats if it takes any. */
typedef struct variant {
  const vise_method *method;
  const vise_format *format;
  vise_param params[VISE_PARAM_MAX + 1];
} variant;

enum { MAX_VARIANTS = 256 };
static variant variants[MAX_VARIANTS];
static int n_variants;

static void add_variant(const vise_method *method, const vise_format *format) {
  assert_true(n_variants < MAX_VARIANTS);
  variant *v = &variants[n_variants++];
  v->method = method;
  v->format = format;
  vise_method_params(v->params, method, format);
}

/* Of a method that needs statistics, which take time, one format is enough of each kind of grid:
   without and with an offset, and with a table. tests/c/test_feedback.c has the others. */
static bool is_tested(const vise_method *method, const vise_format *format) {
  static const char *const names[] = {"int", "q4_k", "nf4"};
  bool is_one = method->needs == 0;
  for (int i = 0; i < 3 && !is_one; i++) {
    is_one = strcmp(format->name, names[i]) == 0;
  }
  return is_one;
}

static void fill_variants(void) {
  for (int i = 0; vise_methods[i] != NULL; i++) {
    if (!vise_methods[i]->takes_format) {
      add_variant(vise_methods[i], NULL);
    }
    for (int f = 0; vise_methods[i]->takes_format && vise_formats[f] != NULL; f++) {
      if (is_tested(vise_methods[i], vise_formats[f])) {
        add_variant(vise_methods[i], vise_formats[f]);
      }
    }
  }
}

/* Setting `index` of what a variant has: of a method that needs statistics, which take time, only its
   own parameters, and only with the format `int`. */
static bool setting_of(double *values, char text[64], const variant *v, int index) {
  if (v->method->needs == 0 || v->format == NULL) {
    return setting(values, text, v->params, index);
  }
  vise_param_defaults(v->params, values);
  return (index == 0 || v->format == vise_format_find("int")) &&
         setting(values, text, v->method->params, index);
}

static vise_moments *new_moments(int64_t n) {
  enum { TOKENS = 64 };
  float *x = calloc((size_t)(2 * TOKENS * n) + 1, sizeof *x), *o = x + TOKENS * n;
  for (int64_t i = 0; i < TOKENS; i++) {
    const float shared = (float)((i * 37) % 64) / 32.0f - 1.0f;
    for (int64_t j = 0; j < n; j++) {
      const int64_t mixed = (i * 7919 + j * 104729 + i * j * 31) % 1009;
      x[i * n + j] = shared + (float)mixed / 504.5f - 1.0f;
      o[i * n + j] = x[i * n + j] + (float)((mixed * 13) % 101) / 1010.0f;
    }
  }
  vise_moments *s;
  TRY_OK(vise_moments_create(&s, n, true, &test_err));
  TRY_OK(vise_moments_add(s, x, n, o, n, TOKENS, &test_err));
  free(x);
  return s;
}

/* Of inputs that are correlated as real ones are, the same ones in every run; made once for each n. */
static const vise_moments *moments_of(int64_t n) {
  enum { MAX_KEPT = 32 };
  static vise_moments *kept[MAX_KEPT];
  int at = 0;
  while (kept[at] != NULL && kept[at]->n != n) {
    at++;
    assert_true(at < MAX_KEPT);
  }
  if (kept[at] == NULL) {
    kept[at] = new_moments(n);
  }
  return kept[at];
}

/* Those that `v` needs or uses, or NULL. */
static const vise_moments *moments_for(const variant *v, int64_t k) {
  return (v->method->needs | v->method->uses) != 0 ? moments_of(k) : NULL;
}

static vise_status run_with(vise_weight **out,
                            const variant *v,
                            const vise_weight *w,
                            const double *values,
                            const float *importance,
                            const vise_moments *moments) {
  const vise_method_input in = {
      .w = w, .importance = importance, .moments = moments, .values = values, .name = "layers.0.x"};
  char note[VISE_NOTE_BYTES];
  return vise_method_run(out, v->method, v->format, &in, note, &test_err);
}

static vise_status try_run(vise_weight **out,
                           const variant *v,
                           const vise_weight *w,
                           const double *values,
                           const float *importance) {
  return run_with(out, v, w, values, importance, moments_for(v, w->k));
}

static vise_weight *run(const variant *v, const vise_weight *w, const double *values) {
  vise_weight *q;
  TRY_OK(try_run(&q, v, w, values, NULL));
  return q;
}

/* `k` columns, or whole blocks of them; -1 if the method takes neither with these values. */
static int64_t fitting(const variant *v, int64_t m, int64_t k, const double *values) {
  const int64_t tried[] = {k, whole_blocks(k)};
  for (int i = 0; i < 2; i++) {
    if (vise_method_check(v->method, v->format, m, tried[i], values, &test_err) == VISE_OK) {
      return tried[i];
    }
  }
  return -1;
}

/* The same for the defaults, which must fit. */
static int64_t fitting_defaults(const variant *v, int64_t m, int64_t k, double *values) {
  vise_param_defaults(v->params, values);
  const int64_t fit = fitting(v, m, k, values);
  if (fit < 0) {
    fail_msg("%s", test_err.msg);
  }
  return fit;
}

static void values_have_room_for_every_parameter(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    has_room_for_values(variants[i].params);
  }
}

static void every_result_keeps_the_contract_of_weights(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    char text[64];
    int n_defaults = 0;
    for (int s = 0; setting_of(values, text, &variants[i], s); s++) {
      for (int c = s == 0 ? 0 : s % 3; c < N_INPUTS; c += s == 0 ? 1 : 3) {
        const input_case *in = &input_cases[c];
        const int64_t k = fitting(&variants[i], in->m, in->k, values);
        if (k < 0) {
          continue;
        }
        n_defaults += s == 0;
        vise_weight *w = dense_f32(in->m, k, in->value), *before;
        before = dense_f32(in->m, k, in->value);

        vise_weight *q = run(&variants[i], w, values);

        assert_int_equal(q->m, in->m);
        assert_int_equal(q->k, k);
        assert_memory_equal(dense_data(w), dense_data(before), (size_t)(in->m * k) * sizeof(float));
        keeps_the_contract_of_weights(q);
        vise_weight_release(q);
        vise_weight_release(w);
        vise_weight_release(before);
      }
    }
    assert_true(n_defaults > 0);
  }
}

static void zero_stays_zero(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    char text[64];
    for (int s = 0; setting_of(values, text, &variants[i], s); s++) {
      const int64_t k = fitting(&variants[i], 3, 100, values);
      if (k < 0) {
        assert_int_not_equal(s, 0);
        continue;
      }
      vise_weight *w = dense_f32(3, k, zero), *q = run(&variants[i], w, values);

      float *out = values_of(q);

      for (int64_t j = 0; j < 3 * k; j++) {
        assert_true(out[j] == 0.0f);
      }
      vise_mem_free(out);
      vise_weight_release(q);
      vise_weight_release(w);
    }
  }
}

/* |W - Q| / |W|, or the same of the outputs where there are moments. */
static double error_of(const vise_weight *q, const vise_weight *w, const vise_moments *moments) {
  double squared, norm;
  if (moments != NULL) {
    TRY_OK(vise_output_error(&squared, &norm, w, q, moments, &test_err));
  } else {
    TRY_OK(vise_weight_difference(&squared, &norm, w, q, NULL, &test_err));
  }
  return sqrt(squared / norm);
}

/* What plain rounding to the format, which looks at importance alone, does to the outputs. */
static double
error_of_rounding(const vise_weight *w, const vise_format *format, const vise_moments *moments) {
  vise_format_spec spec = {.format = format, .m = w->m, .k = w->k};
  float importance[1024];
  vise_weight *q;
  assert_true(w->k <= 1024);
  vise_param_defaults(format->params, spec.values);
  vise_moments_importance(importance, moments);
  TRY_OK(vise_weight_quantize(&q, w, &spec, importance, &test_err));
  const double error = error_of(q, w, moments);
  vise_weight_release(q);
  return error;
}

static void the_error_is_what_the_row_claims(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    const variant *v = &variants[i];
    double values[VISE_PARAM_MAX];
    const bool is_part = v->method->needs != 0 && v->format != NULL;
    if ((v->method->needs & VISE_NEEDS_CROSS) != 0) {
      continue; /* keeps other outputs than these: test_feedback.c */
    } else if (is_part && v->format != vise_format_find("int")) {
      continue; /* the part is measured with that one */
    }
    const int64_t k = fitting_defaults(v, 64, 1024, values);
    vise_weight *w = dense_f32(64, k, gaussian), *q;
    const vise_moments *moments = v->method->needs != 0 ? moments_of(k) : NULL;
    TRY_OK(run_with(&q, v, w, values, NULL, moments));

    const double error = error_of(q, w, moments);

    const double own = v->method->max_rel_error;
    double claim = own > 0.0 || v->format == NULL ? own : v->format->max_rel_error;
    if (is_part) {
      claim *= error_of_rounding(w, v->format, moments);
    }
    printf("%s %s: relative error %.4f, claim %.4f\n", v->method->name,
           v->format == NULL ? "" : v->format->name, error, claim);
    assert_true(error <= claim);
    assert_true(error >= 0.9 * claim); /* a claim that says something */
    vise_weight_release(q);
    vise_weight_release(w);
  }
}

static void nan_and_infinity_are_refused_with_their_place(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < n_variants; i++) {
    for (int b = 0; b < 3; b++) {
      double values[VISE_PARAM_MAX];
      const int64_t k = fitting_defaults(&variants[i], 4, 70, values);
      vise_weight *w = dense_f32(4, k, gaussian), *q = w;
      dense_data(w)[2 * k + 67] = bad[b];
      dense_data(w)[3 * k] = bad[b];

      const vise_status st = try_run(&q, &variants[i], w, values, NULL);

      assert_int_equal(st, VISE_ENUMERIC);
      assert_null(q);
      assert_non_null(strstr(test_err.msg, "row 2, column 67"));
      vise_weight_release(w);
    }
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    const int64_t k = fitting_defaults(&variants[i], 3, 40, values);
    vise_weight *w = dense_f32(3, k, gaussian);
    const vise_moments *moments = moments_for(&variants[i], k);
    vise_status st = VISE_ENOMEM;
    for (long n = 0; st != VISE_OK; n++) {
      vise_weight *q;
      const size_t live = vise_mem_live_blocks();
      vise_mem_fail_after(n);
      st = run_with(&q, &variants[i], w, values, NULL, moments);
      vise_mem_fail_after(-1);
      if (st == VISE_OK) {
        vise_weight_release(q);
      } else {
        assert_int_equal(st, VISE_ENOMEM);
        assert_null(q);
      }
      assert_int_equal(vise_mem_live_blocks(), live);
    }
    vise_weight_release(w);
  }
}

static void a_cancelled_run_gives_nothing(void **state) {
  (void)state;
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    const int64_t k = fitting_defaults(&variants[i], 8, 64, values);
    vise_weight *w = dense_f32(8, k, gaussian), *q = w;
    const vise_moments *moments = moments_for(&variants[i], k);
    const size_t live = vise_mem_live_blocks();
    vise_cancel();

    const vise_status st = run_with(&q, &variants[i], w, values, NULL, moments);

    vise_cancel_clear();
    assert_int_equal(st, VISE_ECANCELLED);
    assert_null(q);
    assert_int_equal(vise_mem_live_blocks(), live);
    vise_weight_release(w);
  }
}

static float some_importance[768];

static void fill_importance(void) {
  for (int j = 0; j < 768; j++) {
    some_importance[j] = j % 3 == 0 ? 0.0f : fabsf(gaussian(5000, j)); /* 0: inputs never used */
  }
}

static void importance_is_used_or_refused(void **state) {
  (void)state;
  fill_importance();
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    const int64_t k = fitting_defaults(&variants[i], 8, 516, values);
    vise_weight *w = dense_f32(8, k, gaussian), *plain = run(&variants[i], w, values), *q;

    const vise_status st = try_run(&q, &variants[i], w, values, some_importance);

    assert_int_equal(st == VISE_OK, vise_method_uses_importance(variants[i].method,
                                                                variants[i].format, 8, k, values));
    if (st == VISE_EARG) {
      assert_null(q);
    } else {
      TRY_OK(st);
      if (digest_of(q, 0) == digest_of(plain, 0)) {
        fail_msg("%s %s: importance changes nothing", variants[i].method->name,
                 variants[i].format == NULL ? "" : variants[i].format->name);
      }
    }
    vise_weight_release(q);
    vise_weight_release(plain);
    vise_weight_release(w);
  }
}

/* ---- the same bytes everywhere ---- */

/* Two chunks; in whole blocks; with statistics, which take time where products are not vectors: two
   blocks of feedback. */
enum { DIGEST_M = 200, DIGEST_K = 516, DIGEST_WIDEST = 768, DIGEST_FEW = 160 };

static float drawn[DIGEST_M][DIGEST_WIDEST]; /* once: drawing takes longer than encoding */

static float drawn_before(int64_t i, int64_t j) {
  return drawn[i][j];
}

static uint64_t digest_of_all(void) {
  uint64_t hash = 0xcbf29ce484222325u;
  assert_true(whole_blocks(DIGEST_K) <= DIGEST_WIDEST);
  for (int64_t i = 0; i < DIGEST_M * DIGEST_WIDEST; i++) {
    drawn[i / DIGEST_WIDEST][i % DIGEST_WIDEST] = gaussian(i / DIGEST_WIDEST, i % DIGEST_WIDEST);
  }
  fill_importance();
  for (int i = 0; i < n_variants; i++) {
    double values[VISE_PARAM_MAX];
    char text[64];
    const int64_t columns = variants[i].method->needs != 0 ? DIGEST_FEW : DIGEST_K;
    for (int s = 0; setting_of(values, text, &variants[i], s); s++) {
      const int64_t k = fitting(&variants[i], DIGEST_M, columns, values);
      if (!variants[i].method->is_exact || k < 0) {
        continue;
      }
      vise_weight *w = dense_f32(DIGEST_M, k, drawn_before), *q;
      vise_status st = try_run(&q, &variants[i], w, values, s % 2 == 0 ? NULL : some_importance);
      if (st == VISE_EARG) { /* of no use with these values */
        st = try_run(&q, &variants[i], w, values, NULL);
      }
      TRY_OK(st);
      hash = digest_of(q, hash);
      vise_weight_release(q);
      vise_weight_release(w);
    }
  }
  return hash;
}

static uint64_t digest_by(const char *command) {
  char line[64] = "";
  FILE *child = popen(command, "r");
  assert_non_null(child);
  assert_non_null(fgets(line, sizeof line, child));
  assert_int_equal(pclose(child), 0);
  return strtoull(line, NULL, 16);
}

static void levels_and_threads_write_the_same_bytes(void **state) {
  (void)state;
  char exe[4096];
  const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  assert_true(n > 0);
  exe[n] = '\0';
  char command[4200];
  uint64_t first = 0;
  const int best = (int)vise_cpu_detect();
  for (int i = 0; i <= best + 1; i++) { /* every level by three threads, the best by one too */
    snprintf(command, sizeof command, "VISE_CPU=%s VISE_THREADS=%d '%s' --digest",
             vise_cpu_name((vise_cpu_level)(i > best ? best : i)), i > best ? 1 : 3, exe);

    const uint64_t hash = digest_by(command);

    first = i == 0 ? hash : first;
    assert_int_equal(hash, first);
  }
  snprintf(command, sizeof command, "%s_simde", exe);
  if (access(command, X_OK) == 0) { /* level avx512 without such a CPU, see cmake/simde.cmake */
    snprintf(command, sizeof command, "'%s_simde' --digest", exe);
    assert_int_equal(digest_by(command), first);
  }
}

int main(int argc, char **argv) {
  fill_variants();
  if (argc > 1 && strcmp(argv[1], "--digest") == 0) {
    printf("%llx\n", (unsigned long long)digest_of_all());
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_have_room_for_every_parameter),
      cmocka_unit_test(every_result_keeps_the_contract_of_weights),
      cmocka_unit_test(zero_stays_zero),
      cmocka_unit_test(the_error_is_what_the_row_claims),
      cmocka_unit_test(nan_and_infinity_are_refused_with_their_place),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(a_cancelled_run_gives_nothing),
      cmocka_unit_test(importance_is_used_or_refused),
      cmocka_unit_test(levels_and_threads_write_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
