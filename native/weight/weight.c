/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds share: counting references, whole rows, trees. */
#include "weight/weight.h"

#include "core/mem.h"
#include "core/parallel.h"
#include "weight/kind.h"

#include <string.h>

#define VISE_WEIGHT(name) extern const vise_weight_kind vise_weight_kind_##name;
#include "weight/weights.def"
#undef VISE_WEIGHT

const vise_weight_kind *const vise_weight_kinds[] = {
#define VISE_WEIGHT(name) &vise_weight_kind_##name,
#include "weight/weights.def"
#undef VISE_WEIGHT
    NULL,
};

const vise_weight_kind *vise_weight_kind_find(const char *name) {
  for (int i = 0; vise_weight_kinds[i] != NULL; i++) {
    if (strcmp(vise_weight_kinds[i]->name, name) == 0) {
      return vise_weight_kinds[i];
    }
  }
  return NULL;
}

void vise_weight_init(vise_weight *w, const vise_weight_kind *kind, int64_t m, int64_t k) {
  *w = (vise_weight){.kind = kind, .refs = 1, .m = m, .k = k, .depth = 1, .n_nodes = 1};
}

vise_status vise_weight_create(vise_weight **out,
                               size_t bytes,
                               const vise_weight_kind *kind,
                               int64_t m,
                               int64_t k,
                               vise_weight *const *children,
                               int n_children,
                               vise_err *err) {
  *out = NULL;
  int depth = 1, n_nodes = 1;
  for (int i = 0; i < n_children; i++) {
    depth = children[i]->depth >= depth ? children[i]->depth + 1 : depth;
    n_nodes += children[i]->n_nodes;
    if (depth > VISE_TREE_DEPTH || n_nodes > VISE_TREE_NODES_MAX) {
      return vise_fail(err, VISE_EARG,
                       "%s: has %d or more levels and %d or more nodes, expected at most %d and %d",
                       kind->name, depth, n_nodes, VISE_TREE_DEPTH, VISE_TREE_NODES_MAX);
    }
  }
  const size_t align = sizeof(vise_weight *), at = (bytes + align - 1) / align * align;
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, at + (size_t)n_children * sizeof(vise_weight *), err));
  vise_weight *w = memory;
  vise_weight_init(w, kind, m, k);
  w->depth = depth;
  w->n_nodes = n_nodes;
  w->n_children = n_children;
  w->children = (vise_weight **)(void *)((char *)memory + at);
  for (int i = 0; i < n_children; i++) {
    w->children[i] = vise_weight_retain(children[i]);
  }
  *out = w;
  return VISE_OK;
}

vise_weight *vise_weight_retain(vise_weight *w) {
  __atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
  return w;
}

void vise_weight_release(vise_weight *w) {
  if (w != NULL && __atomic_fetch_sub(&w->refs, 1, __ATOMIC_ACQ_REL) == 1) {
    if (w->kind->free != NULL) {
      w->kind->free(w);
    }
    vise_weight_release_all(w->children, w->n_children);
    vise_mem_free(w);
  }
}

void vise_weight_release_all(vise_weight *const *w, int n) {
  for (int i = 0; i < n; i++) {
    vise_weight_release(w[i]);
  }
}

/* ---- rows ---- */

typedef struct rows_out {
  const vise_weight *w;
  vise_row_set rows;
  float *out;
  int64_t ld;
} rows_out;

enum {
  ROWS_WEIGHTS = 1 << 16, /* decoded by one chunk */
  BAND_WEIGHTS = 1 << 22  /* asked of a kind at once, which bounds its scratch */
};

static int64_t rows_within(const vise_weight *w, int64_t n_weights) {
  const int64_t n = n_weights / (w->k + 1);
  return n < 1 ? 1 : n;
}

static void decode_rows(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const rows_out *a = arg;
  const vise_weight *w = a->w;
  if (a->rows.ids == NULL) {
    w->kind->decode(w, a->rows.first + begin, end - begin, 0, w->k, a->out + begin * a->ld, a->ld);
    return;
  }
  for (int64_t i = begin; i < end; i++) {
    w->kind->decode(w, a->rows.ids[i], 1, 0, w->k, a->out + i * a->ld, a->ld);
  }
}

vise_status
vise_weight_rows(const vise_weight *w, vise_row_set rows, float *out, int64_t ld, vise_err *err) {
  if (w->kind->decode != NULL) {
    rows_out a = {w, rows, out, ld};
    return vise_parallel_for(rows.n, rows_within(w, ROWS_WEIGHTS), decode_rows, &a, err);
  }
  const int64_t band = rows_within(w, BAND_WEIGHTS);
  for (int64_t i = 0; i < rows.n; i += band) {
    vise_row_set part = rows;
    part.n = rows.n - i < band ? rows.n - i : band;
    if (rows.ids != NULL) {
      part.ids += i;
    } else {
      part.first += i;
    }
    VISE_TRY(w->kind->rows(w, part, out + i * ld, ld, err));
  }
  return VISE_OK;
}

vise_status vise_weight_dense_rows(
    const vise_weight *w, int64_t row, int64_t n_rows, float *out, int64_t ld, vise_err *err) {
  if (row < 0 || n_rows < 0 || row > w->m || n_rows > w->m - row) {
    return vise_fail(err, VISE_ESHAPE,
                     "weight: has no %lld rows from row %lld, its shape is [%lld, %lld]",
                     (long long)n_rows, (long long)row, (long long)w->m, (long long)w->k);
  }
  return vise_weight_rows(w, (vise_row_set){NULL, row, n_rows}, out, ld, err);
}

vise_status vise_weight_gather_rows(
    const vise_weight *w, const int32_t *ids, int64_t n, float *out, int64_t ld, vise_err *err) {
  for (int64_t i = 0; i < n; i++) {
    if (ids[i] < 0 || ids[i] >= w->m) {
      return vise_fail(err, VISE_ESHAPE, "weight: id %lld is %d, expected 0 to %lld", (long long)i,
                       (int)ids[i], (long long)w->m - 1);
    }
  }
  return vise_weight_rows(w, (vise_row_set){ids, 0, n}, out, ld, err);
}

vise_status vise_weight_expand(vise_weight **out, const vise_weight *w, vise_err *err) {
  *out = NULL;
  vise_tensor *t;
  VISE_TRY(vise_tensor_create(&t, VISE_DTYPE_F32, 2, (const int64_t[]){w->m, w->k}, err));
  vise_status st = vise_weight_dense_rows(w, 0, w->m, vise_tensor_data(t), w->k, err);
  st = st == VISE_OK ? vise_weight_dense(out, t, err) : st;
  vise_tensor_release(t);
  return st;
}

/* ---- trees ---- */

vise_status vise_weight_saved(vise_tree **tree, vise_status st) {
  if (st != VISE_OK) {
    vise_tree_free(*tree);
    *tree = NULL;
  }
  return st;
}

static vise_status save_children(const vise_weight *w, vise_tree *t, vise_err *err) {
  for (int i = 0; i < w->n_children; i++) {
    vise_tree *child;
    VISE_TRY(vise_weight_save(w->children[i], &child, err));
    const vise_status st = vise_tree_add_child(t, child, err);
    if (st != VISE_OK) {
      vise_tree_free(child);
      return st;
    }
  }
  return VISE_OK;
}

vise_status vise_weight_save(const vise_weight *w, vise_tree **out, vise_err *err) {
  *out = NULL;
  VISE_TRY(w->kind->save(w, out, err));
  return vise_weight_saved(out, save_children(w, *out, err));
}

vise_status vise_weight_load_status(vise_status st, vise_err *err) {
  if (st != VISE_EARG && st != VISE_ESHAPE && st != VISE_EDTYPE && st != VISE_ENUMERIC) {
    return st;
  }
  if (err != NULL) {
    err->code = VISE_EFORMAT;
  }
  return VISE_EFORMAT;
}

vise_status vise_weight_check_children(const vise_tree *t, int n, vise_err *err) {
  if (t->n_children != n) {
    return vise_fail(err, VISE_EFORMAT, "%s: has %d children, expected %d", t->kind, t->n_children,
                     n);
  }
  return VISE_OK;
}

vise_status vise_weight_load_children(vise_weight **out, const vise_tree *t, int n, vise_err *err) {
  VISE_TRY(vise_weight_check_children(t, n, err));
  for (int i = 0; i < n; i++) {
    const vise_status st = vise_weight_load(&out[i], t->children[i], err);
    if (st != VISE_OK) {
      vise_weight_release_all(out, i);
      return st;
    }
  }
  return VISE_OK;
}

/* Whether `t` has more than `levels` levels; looks no further down than that. */
static bool is_deeper(const vise_tree *t, int levels) {
  bool is = levels == 0;
  for (int i = 0; i < t->n_children && !is; i++) {
    is = is_deeper(t->children[i], levels - 1);
  }
  return is;
}

vise_status vise_weight_load(vise_weight **out, const vise_tree *t, vise_err *err) {
  *out = NULL;
  const vise_weight_kind *kind = vise_weight_kind_find(t->kind);
  if (kind == NULL) {
    return vise_fail(err, VISE_EFORMAT, "unknown kind of weight '%s'", t->kind);
  }
  if (t->m < 0 || t->k < 0) {
    return vise_fail(err, VISE_EFORMAT, "%s: shape is [%lld, %lld], expected 0 or more", t->kind,
                     (long long)t->m, (long long)t->k);
  }
  if (is_deeper(t, VISE_TREE_DEPTH)) {
    return vise_fail(err, VISE_EFORMAT, "%s: is nested deeper than %d levels", t->kind,
                     VISE_TREE_DEPTH);
  }
  return kind->load(out, t, err);
}

vise_status vise_weight_bytes(int64_t *out, const vise_weight *w, vise_err *err) {
  vise_tree *t;
  *out = 0;
  VISE_TRY(vise_weight_save(w, &t, err));
  *out = vise_tree_bytes(t);
  vise_tree_free(t);
  return VISE_OK;
}

vise_status
vise_weight_describe_tree(const vise_tree *t, char *out, size_t out_bytes, vise_err *err) {
  const vise_weight_kind *kind = vise_weight_kind_find(t->kind);
  if (kind == NULL) {
    return vise_fail(err, VISE_EFORMAT, "unknown kind of weight '%s'", t->kind);
  }
  return kind->describe(t, out, out_bytes, err);
}

vise_status vise_weight_describe(const vise_weight *w, char *out, size_t out_bytes, vise_err *err) {
  vise_tree *t;
  VISE_TRY(vise_weight_save(w, &t, err));
  const vise_status st = vise_weight_describe_tree(t, out, out_bytes, err);
  vise_tree_free(t);
  return st;
}
