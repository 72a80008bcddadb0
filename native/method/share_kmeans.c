/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing values: a table of 2^bits numbers for the whole weight, a row or a group, by exact weighted
 * k-means (linalg/kmeans.h). A weight counts by the importance of its column; a column that counts
 * nothing counts a millionth of the mean, so that its values are not arbitrary.
 *
 * More than 65536 numbers of one table are first counted in bins of a 512th of their size, each of
 * which stands as its mean. The table is rounded to its stored type before any code is chosen; the
 * code is that of the nearest entry, the lower one halfway.
 *
 * Differs from the papers: the optimum instead of Lloyd's iteration; no second pass of outliers (see
 * the method `outliers`).
 */
#include "core/checked.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "core/param.h"
#include "linalg/kmeans.h"
#include "method/method.h"
#include "tensor/cast.h"
#include "tensor/tensor.h"
#include "weight/codebook.h"

#include <string.h>

enum { BITS, PER, GROUP, VALUES };
enum { BLOCK = 256, DIRECT = 65536, BIN_BITS = 18 };

static const vise_param kmeans_params[] = {
    {"bits", VISE_PARAM_INT, 4, 1, 8, NULL, "2^bits numbers in a table"},
    {"per", VISE_PARAM_CHOICE, VISE_CODEBOOK_ROW, 0, 0, "tensor row group", "what shares a table"},
    {"group", VISE_PARAM_INT, 256, 1, 1 << 20, NULL,
     "columns that share a table, per group; the last group of a row may be short"},
    {"values", VISE_PARAM_CHOICE, 1, 0, 0, "f32 f16 bf16", "type of the numbers in a table"},
    {0},
};

typedef struct kmeans {
  const vise_weight *w;
  vise_codebook_per per;
  int64_t m, k, c;
  int64_t group, n_groups; /* columns of a table, and how many of them in a row */
  vise_dtype dtype;
  double *mass;         /* [k] */
  float *x;             /* [BLOCK, k]: rows from `row` */
  vise_tensor *indices; /* u8 [m, k] */
  vise_tensor *table;   /* [tables, c, 1] */
  char *scratch;        /* of each thread */
  size_t thread_bytes;
  int64_t row;
} kmeans;

static const vise_dtype dtypes[] = {VISE_DTYPE_F32, VISE_DTYPE_F16, VISE_DTYPE_BF16};

static vise_status kmeans_check(
    const vise_format_spec *format, int64_t m, int64_t k, const double *values, vise_err *err) {
  (void)format;
  (void)values;
  int64_t n;
  if (k > UINT32_MAX - 1 || !vise_mul_i64(&n, m, k)) {
    return vise_fail(err, VISE_ESHAPE, "kmeans: w is [%lld, %lld], expected fewer numbers",
                     (long long)m, (long long)k);
  }
  return VISE_OK;
}

static vise_status fill_mass(kmeans *f, const float *importance, vise_err *err) {
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, f->k, sizeof(double), err));
  f->mass = memory;
  double sum = 0.0;
  for (int64_t j = 0; j < f->k; j++) {
    f->mass[j] = importance == NULL ? 1.0 : (double)importance[j];
    sum += f->mass[j];
  }
  const double least = sum > 0.0 ? 1e-6 * sum / (double)f->k : 1.0;
  for (int64_t j = 0; j < f->k; j++) {
    f->mass[j] += importance == NULL ? 0.0 : least;
  }
  return VISE_OK;
}

/* The c numbers of table `index` from sorted points. */
static void make_table(const kmeans *f,
                       int64_t index,
                       const vise_kmeans_point *points,
                       int64_t n,
                       double *centres,
                       void *scratch) {
  float values[256];
  vise_kmeans(centres, f->c, points, n, scratch);
  for (int64_t i = 0; i < f->c; i++) {
    values[i] = (float)centres[i];
  }
  char *out = vise_tensor_data(f->table);
  vise_cast_cut(values, f->dtype, f->c);
  vise_cast_from_f32(out + (size_t)(index * f->c) * vise_dtype_bytes(f->dtype), f->dtype, values,
                     f->c);
}

/* codes_out [n] = the nearest entries of table `index`. */
static void encode(const kmeans *f, uint8_t *codes_out, int64_t index, const float *x, int64_t n) {
  float values[256];
  const char *table = vise_tensor_data(f->table);
  vise_cast_to_f32(values, table + (size_t)(index * f->c) * vise_dtype_bytes(f->dtype), f->dtype,
                   f->c);
  vise_codebook_nearest(codes_out, x, n, values, f->c);
}

/* Tables [begin, end) of the rows that are there. */
static void make_tables(void *arg, int64_t begin, int64_t end, int worker) {
  const kmeans *f = arg;
  double *centres = (double *)(void *)(f->scratch + (size_t)worker * f->thread_bytes);
  vise_kmeans_point *points = (vise_kmeans_point *)(centres + f->c);
  uint8_t *codes = vise_tensor_data(f->indices);
  for (int64_t t = begin; t < end; t++) {
    const int64_t i = t / f->n_groups, col = t % f->n_groups * f->group;
    const int64_t n = f->k - col < f->group ? f->k - col : f->group;
    const float *x = f->x + i * f->k + col;
    for (int64_t j = 0; j < n; j++) {
      points[j] = (vise_kmeans_point){(double)x[j], f->mass[col + j]};
    }
    const int64_t index = f->row * f->n_groups + t, n_points = vise_kmeans_sort(points, n);
    make_table(f, index, points, n_points, centres, points + f->group);
    encode(f, codes + (f->row + i) * f->k + col, index, x, n);
  }
}

static void encode_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const kmeans *f = arg;
  uint8_t *codes = vise_tensor_data(f->indices);
  encode(f, codes + (f->row + begin) * f->k, 0, f->x + begin * f->k, (end - begin) * f->k);
}

/* Rows from `row` into x; how many. */
static vise_status take_rows(int64_t *n_out, kmeans *f, int64_t row, vise_err *err) {
  f->row = row;
  *n_out = f->m - row < BLOCK ? f->m - row : BLOCK;
  return vise_weight_dense_rows(f->w, row, *n_out, f->x, f->k, err);
}

static vise_status by_rows(kmeans *f, vise_err *err) {
  f->thread_bytes = (size_t)f->c * sizeof(double) + (size_t)f->group * sizeof(vise_kmeans_point) +
                    vise_kmeans_scratch_bytes(f->group, f->c);
  f->thread_bytes = (f->thread_bytes + 63) / 64 * 64;
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, vise_threads(), f->thread_bytes, err));
  f->scratch = memory;
  for (int64_t row = 0, n; row < f->m && f->k > 0; row += n) {
    VISE_TRY(take_rows(&n, f, row, err));
    VISE_TRY(vise_parallel_for(n * f->n_groups, 1, make_tables, f, err));
  }
  return VISE_OK;
}

/* The bin of x: its sign, exponent and first bits, in ascending order of numbers. */
static uint32_t bin_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits ^ (bits >> 31 != 0 ? UINT32_MAX : UINT32_C(1) << 31)) >> (32 - BIN_BITS);
}

/* Add rows to bins: their weight, and weight times value. */
static void add_to_bins(const kmeans *f, vise_kmeans_point *bins, int64_t n_rows) {
  for (int64_t i = 0; i < n_rows; i++) {
    for (int64_t j = 0; j < f->k; j++) {
      vise_kmeans_point *bin = &bins[bin_of(f->x[i * f->k + j])];
      bin->weight += f->mass[j];
      bin->value += f->mass[j] * (double)f->x[i * f->k + j];
    }
  }
}

/* Points of the bins that are not empty, neighbours made one while there are too many. */
static int64_t points_of_bins(vise_kmeans_point *bins) {
  int64_t n = 0;
  for (int64_t i = 0; i < INT64_C(1) << BIN_BITS; i++) {
    if (bins[i].weight > 0.0) {
      bins[n++] = bins[i];
    }
  }
  while (n > DIRECT) {
    for (int64_t i = 0; 2 * i < n; i++) {
      const vise_kmeans_point a = bins[2 * i], none = {0.0, 0.0};
      const vise_kmeans_point b = 2 * i + 1 < n ? bins[2 * i + 1] : none;
      bins[i] = (vise_kmeans_point){a.value + b.value, a.weight + b.weight};
    }
    n = (n + 1) / 2;
  }
  for (int64_t i = 0; i < n; i++) {
    bins[i].value /= bins[i].weight;
  }
  return n;
}

/* One table: count, solve, encode. */
static vise_status of_all(kmeans *f, vise_err *err) {
  const bool is_direct = f->m * f->k <= DIRECT;
  void *memory;
  VISE_TRY(vise_mem_zalloc(
      &memory,
      (size_t)(is_direct ? f->m * f->k : INT64_C(1) << BIN_BITS) * sizeof(vise_kmeans_point), err));
  f->scratch = memory;
  vise_kmeans_point *points = memory;
  int64_t n = 0;
  for (int64_t row = 0, n_rows; row < f->m; row += n_rows) {
    VISE_TRY(take_rows(&n_rows, f, row, err));
    if (!is_direct) {
      add_to_bins(f, points, n_rows);
    }
    for (int64_t i = 0; is_direct && i < n_rows * f->k; i++) {
      points[n++] = (vise_kmeans_point){(double)f->x[i], f->mass[i % f->k]};
    }
  }
  n = is_direct ? vise_kmeans_sort(points, n) : points_of_bins(points);

  double centres[256];
  void *scratch;
  VISE_TRY(vise_mem_alloc(&scratch, vise_kmeans_scratch_bytes(n, f->c), err));
  make_table(f, 0, points, n, centres, scratch);
  vise_mem_free(scratch);
  for (int64_t row = 0, n_rows; row < f->m; row += n_rows) {
    VISE_TRY(take_rows(&n_rows, f, row, err));
    VISE_TRY(vise_parallel_for(n_rows, 8, encode_rows, f, err));
  }
  return VISE_OK;
}

static vise_status solve(kmeans *f, vise_weight **out, const vise_method_input *in, vise_err *err) {
  const int64_t tables = f->per == VISE_CODEBOOK_TENSOR ? 1 : f->m * f->n_groups;
  const int64_t cube[] = {tables, f->c, 1}, matrix[] = {f->m, f->k};
  VISE_TRY(vise_tensor_create(&f->table, f->dtype, 3, cube, err));
  memset(vise_tensor_data(f->table), 0, vise_tensor_bytes(f->table));
  VISE_TRY(vise_tensor_create(&f->indices, VISE_DTYPE_U8, 2, matrix, err));
  VISE_TRY(fill_mass(f, in->importance, err));
  void *memory;
  VISE_TRY(vise_mem_alloc_array(&memory, BLOCK * f->k, sizeof(float), err));
  f->x = memory;
  VISE_TRY(f->per == VISE_CODEBOOK_TENSOR ? of_all(f, err) : by_rows(f, err));
  return vise_weight_codebook(out, f->indices, f->table, f->k, f->per,
                              f->per == VISE_CODEBOOK_GROUP ? f->group : 0, err);
}

static vise_status kmeans_run(vise_weight **out, const vise_method_input *in, vise_err *err) {
  *out = NULL;
  kmeans f = {.w = in->w,
              .per = (vise_codebook_per)in->values[PER],
              .m = in->w->m,
              .k = in->w->k,
              .c = (int64_t)1 << (int)in->values[BITS],
              .dtype = dtypes[(int)in->values[VALUES]]};
  f.group = (int64_t)in->values[GROUP];
  if (f.per != VISE_CODEBOOK_GROUP || (f.group > f.k && f.k > 0)) {
    f.group = f.k;
  }
  f.n_groups = f.per == VISE_CODEBOOK_ROW ? 1 : vise_ceil_div(f.k, f.group > 0 ? f.group : 1);
  VISE_TRY(vise_weight_check_finite(in->w, err));
  if (in->importance != NULL) {
    VISE_TRY(vise_weight_check_importance(in->importance, f.k, err));
  }
  const vise_status st = solve(&f, out, in, err);
  vise_tensor_release(f.table);
  vise_tensor_release(f.indices);
  vise_mem_free(f.mass);
  vise_mem_free(f.x);
  vise_mem_free(f.scratch);
  return st;
}

const vise_method vise_method_kmeans = {
    .name = "kmeans",
    .family = "share",
    .summary = "tables of shared values by exact weighted k-means",
    .source = "Han et al. 2016, arXiv:1510.00149; Kim et al. 2024, arXiv:2306.07629 (SqueezeLLM)",
    .version = 1,
    .is_exact = true,
    .takes_importance = true,
    .max_rel_error = 0.098,
    .params = kmeans_params,
    .check = kmeans_check,
    .run = kmeans_run,
};
