/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What feedback believes of codes against decode(), for every format and setting. The oracle is
 * decode(): another path through the same parts, which has its own tests.
 */
#include "format/format.h"
#include "support/weights.h"
#include "weight/quant.h"

typedef struct fixture {
  vise_format_spec spec;
  vise_weight *w, *q;
  void *parts[VISE_FORMAT_PARTS];
  vise_grid grid;
  int64_t n_cells; /* of a row */
  vise_grid_cell *cells;
  uint8_t *codes;
} fixture;

/* Encoded with setting `index`; false when there is none, or nothing that this shape can be. */
static bool open_fixture(
    fixture *f, const vise_format *format, int index, int64_t m, int64_t k, bool *is_over) {
  char text[64];
  *f = (fixture){.spec = {.format = format, .m = m, .k = k}};
  *is_over = !setting(f->spec.values, text, format->params, index);
  if (!*is_over && vise_format_check(&f->spec, &test_err) != VISE_OK) {
    f->spec.k = whole_blocks(k);
  }
  if (*is_over || vise_format_check(&f->spec, &test_err) != VISE_OK) {
    return false;
  }
  f->w = dense_f32(m, f->spec.k, outlier);
  TRY_OK(vise_weight_quantize(&f->q, f->w, &f->spec, NULL, &test_err));
  vise_part_shape shapes[VISE_FORMAT_PARTS];
  const int n = format->parts(&f->spec, shapes);
  for (int i = 0; i < n; i++) {
    f->parts[i] = vise_tensor_data(vise_weight_quant_part(f->q, shapes[i].name));
  }
  f->grid = format->grid->of(&f->spec);
  f->n_cells = (f->spec.k + f->grid.group - 1) / f->grid.group;
  f->cells = calloc((size_t)f->n_cells, sizeof *f->cells);
  f->codes = calloc((size_t)f->spec.k, 1);
  return true;
}

static void close_fixture(fixture *f) {
  free(f->codes);
  free(f->cells);
  vise_weight_release(f->q);
  vise_weight_release(f->w);
}

static float element(const fixture *f, const vise_grid_cell *cell, int code) {
  return f->grid.table == NULL ? (float)code - cell->zero : f->grid.table[code];
}

static float believed(const fixture *f, int64_t j, int code) {
  const vise_grid_cell *cell = &f->cells[j / f->grid.group];
  const float product = cell->scale * element(f, cell, code);
  return product + cell->offset;
}

static void read_cells(fixture *f, int64_t row) {
  const void *parts[VISE_FORMAT_PARTS];
  memcpy(parts, f->parts, sizeof parts);
  f->spec.format->grid->cells(&f->spec, parts, row, f->cells);
}

static void check_row(fixture *f, int64_t row, const char *what) {
  const float *decoded = values_of(f->q);
  for (int64_t j = 0; j < f->spec.k; j++) {
    const float value = believed(f, j, f->codes[j]), is = decoded[row * f->spec.k + j];
    if (memcmp(&value, &is, sizeof is) != 0) {
      fail_msg("%s, %s: column %lld, code %d: %.9g, decoded %.9g", f->spec.format->name, what,
               (long long)j, f->codes[j], (double)value, (double)is);
    }
  }
  vise_mem_free((void *)(uintptr_t)decoded);
}

static void every_code_is_worth_what_decode_gives(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    bool is_over = false;
    for (int s = 0; !is_over; s++) {
      fixture f;
      if (!open_fixture(&f, vise_formats[i], s, 3, 300, &is_over)) {
        continue;
      }
      read_cells(&f, 1);
      for (int shift = 0; shift < f.grid.n_codes; shift += 1 + f.grid.n_codes / 40) {
        for (int64_t j = 0; j < f.spec.k; j++) {
          int code = (int)((j * 7 + shift) % f.grid.n_codes);
          while (!isfinite(element(&f, f.cells, code))) {
            code--;
          }
          f.codes[j] = (uint8_t)code;
        }

        f.spec.format->grid->put(&f.spec, f.parts, 1, f.codes);

        check_row(&f, 1, "any codes");
      }
      close_fixture(&f);
    }
  }
}

/* The search may leave a code that is not the nearest, never one that is not there. */
static void what_the_encoder_wrote_is_on_the_grid(void **state) {
  (void)state;
  for (int i = 0; vise_formats[i] != NULL; i++) {
    bool is_over = false;
    for (int s = 0; !is_over; s++) {
      fixture f;
      if (!open_fixture(&f, vise_formats[i], s, 2, 300, &is_over)) {
        continue;
      }
      float *before = values_of(f.q);
      for (int64_t row = 0; row < 2; row++) {
        read_cells(&f, row);
        for (int64_t j = 0; j < f.spec.k; j++) {
          const float is = before[row * f.spec.k + j];
          int code = 0;
          while (code < f.grid.n_codes && believed(&f, j, code) != is) {
            code++;
          }
          if (code == f.grid.n_codes) {
            fail_msg("%s: %.9g in column %lld is no code's", f.spec.format->name, (double)is,
                     (long long)j);
          }
          f.codes[j] = (uint8_t)code;
        }
        f.spec.format->grid->put(&f.spec, f.parts, row, f.codes);
      }
      float *after = values_of(f.q);
      for (int64_t j = 0; j < 2 * f.spec.k; j++) {
        assert_true(before[j] == after[j]);
      }
      vise_mem_free(after);
      vise_mem_free(before);
      close_fixture(&f);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_is_worth_what_decode_gives),
      cmocka_unit_test(what_the_encoder_wrote_is_on_the_grid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
