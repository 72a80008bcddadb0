/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects are parsed where they lie, each time they are asked for: to check them at opening, to
 * list their parts, to build their trees. So all three see the same, and nothing is kept of trees
 * that nobody asks for.
 */
#include "artifact/index.h"

#include "weight/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct walk {
  vise_artifact *a;
  int64_t object, use;
  vise_cursor c;
  int n_nodes;
  char place[VISE_PLACE_MAX];
  bool is_building;
  vise_index_use_fn *fn;
  void *arg;
} walk;

static vise_status bad_object(const walk *w, vise_err *err, const char *what) {
  return vise_fail(err, VISE_EFORMAT, "contents: object %" PRId64 " at byte %" PRIu64 ": %s",
                   w->object, (uint64_t)(w->c.at - w->a->data), what);
}

/* dtype, rank, shape, part; and the tensor that `fn` makes of it. */
static vise_status walk_array(walk *w, vise_tensor **out, vise_err *err) {
  vise_index_use use = {.place = w->place, .use = w->use};
  const bool is_dtype = vise_container_dtype_find(&use.dtype, vise_cursor_u8(&w->c));
  use.rank = vise_cursor_u8(&w->c);
  if (w->c.is_bad || !is_dtype || use.rank > VISE_RANK_MAX) {
    return bad_object(w, err, "no such dtype or rank");
  }
  for (int i = 0; i < use.rank; i++) {
    const uint64_t dim = vise_cursor_u64(&w->c);
    use.shape[i] = dim <= INT64_MAX ? (int64_t)dim : -1; /* -1: no shape */
  }
  use.part = vise_cursor_u32(&w->c);
  if (w->c.is_bad || use.part >= w->a->n_parts) {
    return bad_object(w, err, "no such part");
  }
  uint64_t bytes;
  if (!vise_tensor_shape_bytes(&bytes, use.dtype, use.rank, use.shape) ||
      bytes != w->a->parts[use.part].bytes) {
    return bad_object(w, err, "its shape does not have the bytes of its part");
  }
  w->use++;
  return w->fn(w->arg, out, &use, err);
}

static vise_status walk_attribute(walk *w, vise_tree *tree, vise_err *err) {
  char name[VISE_TREE_NAME], text[VISE_TREE_NAME] = "";
  vise_cursor_text(&w->c, name, sizeof name);
  const uint8_t type = vise_cursor_u8(&w->c);
  uint64_t bits = 0;
  double real;
  if (type == VISE_ATTRIBUTE_TEXT) {
    vise_cursor_text(&w->c, text, sizeof text);
  } else {
    bits = vise_cursor_u64(&w->c);
  }
  if (w->c.is_bad || type > VISE_ATTRIBUTE_TEXT || name[0] == '\0') {
    return bad_object(w, err, "an attribute is malformed");
  }
  if (tree == NULL) {
    return VISE_OK;
  }
  switch ((vise_attribute_type)type) {
  case VISE_ATTRIBUTE_INT: return vise_tree_add_int(tree, name, (int64_t)bits, err);
  case VISE_ATTRIBUTE_REAL:
    memcpy(&real, &bits, sizeof real);
    return vise_tree_add_real(tree, name, real, err);
  case VISE_ATTRIBUTE_TEXT: break;
  }
  return vise_tree_add_text(tree, name, text, err);
}

static vise_status walk_part(walk *w, vise_tree *tree, size_t prefix, vise_err *err) {
  char name[VISE_TREE_NAME];
  vise_cursor_text(&w->c, name, sizeof name);
  if (w->c.is_bad || name[0] == '\0') {
    return bad_object(w, err, "a part has no name");
  }
  snprintf(w->place + prefix, sizeof w->place - prefix, "%s", name);
  vise_tensor *t = NULL;
  vise_status st = walk_array(w, &t, err);
  if (st == VISE_OK && tree != NULL) {
    st = vise_tree_add_part(tree, name, t, err);
  }
  vise_tensor_release(t);
  return st;
}

static vise_status walk_tree(walk *w, vise_tree **out, int depth, size_t prefix, vise_err *err);

static vise_status
walk_child(walk *w, vise_tree *tree, int i, int depth, size_t prefix, vise_err *err) {
  const int n = snprintf(w->place + prefix, sizeof w->place - prefix, "%d.", i + 1);
  vise_tree *child = NULL;
  VISE_TRY(walk_tree(w, &child, depth + 1, prefix + (size_t)n, err));
  if (tree == NULL) {
    return VISE_OK;
  }
  const vise_status st = vise_tree_add_child(tree, child, err);
  if (st != VISE_OK) {
    vise_tree_free(child);
  }
  return st;
}

static vise_status walk_nodes(walk *w, vise_tree *tree, int depth, size_t prefix, vise_err *err) {
  const int n_attributes = vise_cursor_u8(&w->c);
  if (n_attributes > VISE_TREE_ATTRIBUTES) {
    return bad_object(w, err, "too many attributes");
  }
  for (int i = 0; i < n_attributes; i++) {
    VISE_TRY(walk_attribute(w, tree, err));
  }
  const int n_parts = vise_cursor_u8(&w->c);
  if (n_parts > VISE_TREE_PARTS) {
    return bad_object(w, err, "too many parts");
  }
  for (int i = 0; i < n_parts; i++) {
    VISE_TRY(walk_part(w, tree, prefix, err));
  }
  const int n_children = vise_cursor_u8(&w->c);
  if (n_children > VISE_TREE_CHILDREN) {
    return bad_object(w, err, "too many children");
  }
  for (int i = 0; i < n_children; i++) {
    VISE_TRY(walk_child(w, tree, i, depth, prefix, err));
  }
  return w->c.is_bad ? bad_object(w, err, "it ends too early") : VISE_OK;
}

static vise_status walk_tree(walk *w, vise_tree **out, int depth, size_t prefix, vise_err *err) {
  char kind[VISE_TREE_NAME];
  vise_cursor_text(&w->c, kind, sizeof kind);
  const uint64_t m = vise_cursor_u64(&w->c), k = vise_cursor_u64(&w->c);
  if (w->c.is_bad || kind[0] == '\0' || m > INT64_MAX || k > INT64_MAX) {
    return bad_object(w, err, "its kind or shape is malformed");
  }
  if (depth >= VISE_TREE_DEPTH || ++w->n_nodes > VISE_TREE_NODES_MAX) {
    return bad_object(w, err, "its tree is too deep or too large");
  }
  vise_tree *tree = NULL;
  if (w->is_building) {
    VISE_TRY(vise_tree_create(&tree, kind, (int64_t)m, (int64_t)k, err));
  }
  const vise_status st = walk_nodes(w, tree, depth, prefix, err);
  if (st != VISE_OK) {
    vise_tree_free(tree);
    return st == VISE_EARG ? bad_object(w, err, "a name is used twice") : st;
  }
  *out = tree;
  return VISE_OK;
}

vise_status vise_index_walk(vise_artifact *a,
                            int64_t i,
                            vise_tree **tree_out,
                            vise_tensor **tensor_out,
                            const uint8_t **end_out,
                            vise_index_use_fn *fn,
                            void *arg,
                            vise_err *err) {
  const vise_index_object *o = &a->objects[i];
  walk w = {.a = a,
            .object = i,
            .use = o->first_use,
            .c = {o->at, a->manifest, false},
            .is_building = tree_out != NULL && o->is_weight,
            .fn = fn,
            .arg = arg};
  vise_tree *tree = NULL;
  vise_tensor *t = NULL;
  const vise_status st = o->is_weight ? walk_tree(&w, &tree, 0, 0, err) : walk_array(&w, &t, err);
  if (st == VISE_OK && tree_out != NULL) {
    *tree_out = tree; /* NULL unless it is a weight */
  }
  if (st == VISE_OK && tensor_out != NULL) {
    *tensor_out = t;
  } else {
    vise_tensor_release(t);
  }
  if (end_out != NULL) {
    *end_out = w.c.at;
  }
  return st;
}
